import { afterEach, beforeEach, expect, test } from "vitest";
import { FakeMongod } from "../../../test/fixtures/fake-mongod.ts";
import type { SinkDocument } from "./document.ts";
import { MongodbTarget } from "./mongodb-target.ts";

let mongod: FakeMongod;
beforeEach(async () => {
  mongod = await new FakeMongod().listen();
});
afterEach(() => mongod.close());

/** Delivers one decision, as a process with this declaration would. */
async function delivered(keep_days: number | undefined): Promise<void> {
  const target = new MongodbTarget({
    spec: { kind: "mongodb", secret: "warehouse", ...(keep_days === undefined ? {} : { keep_days }) },
    secrets: { warehouse: mongod.url },
    onTrouble: (message) => {
      throw new Error(message);
    },
  });
  const document = asDocument({ id: "d1", kind: "decision", seq: 1, endpoint: "loans", decidedAt: "2026-11-30T12:00:00.000Z" });
  await target.deliver({ stream: "decision", after: 0, upTo: 1, documents: [document], mark: null }, AbortSignal.timeout(10_000));
  await target.close();
}
/** What of a document this is about. */
const asDocument = (fields: object): SinkDocument => fields as SinkDocument;
const sent = (name: string) => mongod.commands.filter((command) => Object.keys(command)[0] === name);
const keeping = () => mongod.indexes.get("decisions")?.get("evenkeel_keep");

test("keep_days is an index on the time of the decision, a date, by which MongoDB deletes", async () => {
  await delivered(30);
  expect(keeping()).toMatchObject({ key: { decidedAt: 1 }, expireAfterSeconds: 30 * 86_400 });
  expect(sent("update")).toMatchObject([
    {
      update: "decisions",
      $db: "evenkeel",
      updates: [{ q: { _id: "d1" }, u: { decidedAt: new Date("2026-11-30T12:00:00Z") }, upsert: true }],
    },
  ]);
});

test("the same again makes no index, another time replaces it, and without one it goes", async () => {
  await delivered(30);
  const made = sent("createIndexes").length;
  await delivered(30);
  expect(sent("createIndexes").length).toBe(made + 1); // those by which people look, which are there already
  expect(sent("dropIndexes")).toEqual([]);
  await delivered(7);
  expect(keeping()).toMatchObject({ expireAfterSeconds: 7 * 86_400 });
  await delivered(undefined);
  expect(keeping()).toBeUndefined();
  expect(sent("dropIndexes")).toHaveLength(2);
});
