/** The server that speaks MongoDB's protocol, where there is one: `test/services/mongo up`. */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { MongoClient, type Db } from "mongodb";

const URL_NAME = "EVENKEEL_TEST_MONGODB_URL";
const url = process.env[URL_NAME];
const SERVICE = fileURLToPath(new URL("services/mongo", import.meta.url));
/** No call of a test's own waits longer: a server that hangs fails a test, and doesn't hold up the others. */
const ANSWER_MS = 4000;
/** Starting takes a tenth of a second, building it the first time a minute. */
const SERVICE_MS = 120_000;
/** How `services/mongo` ends where it can't be built. */
const CANNOT_BUILD = 3;

/** Why its tests are skipped; undefined where they run. */
export const whyNoMongodb: string | undefined =
  url === undefined ? `no server that speaks MongoDB's protocol: export ${URL_NAME}=$(test/services/mongo up)` : undefined;

export interface FreshMongodb {
  readonly url: string;
  readonly name: string;
  readonly db: Db;
  drop(): Promise<void>;
}

/**
 * A database of a test's own, on the server that was given unless another is named.
 * @throws Error soon, when that server takes no writes: FerretDB answers greetings even when it hangs (docs/decisions/sinks.md)
 */
export async function freshMongodb(of = url): Promise<FreshMongodb> {
  if (of === undefined) throw new Error(whyNoMongodb);
  const name = `test_${randomBytes(6).toString("hex")}`;
  const client = new MongoClient(of, {
    serverSelectionTimeoutMS: ANSWER_MS,
    connectTimeoutMS: ANSWER_MS,
    socketTimeoutMS: ANSWER_MS,
    retryReads: false,
    retryWrites: false,
  });
  try {
    await client.db(name).collection("probe").createIndex({ at: 1 });
  } catch (cause) {
    await client.close(true);
    throw new Error(`the server of MongoDB's protocol takes no writes; where it hangs: test/services/mongo kill, then start`, {
      cause,
    });
  }
  return {
    url: of,
    name,
    db: client.db(name),
    async drop() {
      try {
        await client.db(name).dropDatabase();
      } finally {
        await client.close(true);
      }
    },
  };
}

/** A server of a test's own, to be killed. */
export interface OwnMongodb {
  readonly url: string;
  /** At once, as a crash does. */
  kill(): Promise<void>;
  /** With its data, on its port. */
  start(): Promise<void>;
  down(): Promise<void>;
}

/** @returns undefined where none can be built */
export async function ownMongodb(): Promise<OwnMongodb | undefined> {
  const name = `test-${randomBytes(6).toString("hex")}`;
  const run = async (verb: string): Promise<string> => {
    const { code, said, out } = await service(verb, name);
    if (code !== 0) throw new Error(`mongo ${verb} ended with ${code}: ${said}`);
    return out.trim();
  };
  const up = await service("up", name);
  if (up.code === CANNOT_BUILD) return undefined;
  if (up.code !== 0) throw new Error(`mongo up ended with ${up.code}: ${up.said}`);
  return {
    url: up.out.trim(),
    kill: async () => void (await run("kill")),
    start: async () => void (await run("start")),
    down: async () => void (await run("down")),
  };
}

const service = (verb: string, name: string): Promise<{ readonly code: number | string; readonly out: string; readonly said: string }> =>
  new Promise((resolve) => {
    execFile(SERVICE, [verb, "--name", name], { timeout: SERVICE_MS }, (error, out, said) =>
      resolve({ code: error ? (error.code ?? "a signal") : 0, out, said }),
    );
  });
