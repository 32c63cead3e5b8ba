/** The server that speaks MongoDB's protocol, where there is one: `test/services/mongo up`. */
import { randomBytes } from "node:crypto";
import { MongoClient } from "mongodb";

const URL_NAME = "EVENKEEL_TEST_MONGODB_URL";
const url = process.env[URL_NAME];

/** Why its tests are skipped; undefined where they run. */
export const whyNoMongodb: string | undefined =
  url === undefined ? `no server that speaks MongoDB's protocol: export ${URL_NAME}=$(test/services/mongo up)` : undefined;

/** A database of a test's own. */
export async function freshMongodb() {
  if (url === undefined) throw new Error(whyNoMongodb);
  const name = `test_${randomBytes(6).toString("hex")}`;
  const client = await new MongoClient(url).connect();
  return {
    url,
    name,
    db: client.db(name),
    async drop() {
      await client.db(name).dropDatabase();
      await client.close();
    },
  };
}
