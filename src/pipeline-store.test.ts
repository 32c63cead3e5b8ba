import { afterAll, beforeAll, expect, test } from "vitest";
import { freshServer, problemOf, type FreshServer } from "../test/server.ts";
import type { AddedDatasetVersionView } from "./api/index.ts";
import type { EvenkeelClient } from "./client.ts";
import { pipelineStoreOf } from "./pipeline-store.ts";
import { parseBlobId } from "./store/index.ts";
import { stepKey, type PipelineStore, type StepKey } from "./pipelines/index.ts";

let server: FreshServer;
let trainer: EvenkeelClient;
let store: PipelineStore;
beforeAll(async () => {
  server = await freshServer();
  trainer = await server.as("trainer");
  store = pipelineStoreOf(trainer);
});
afterAll(() => server.drop());

const keyOf = (seed: number): StepKey =>
  stepKey(
    { name: "train", role: "algorithm", cmd: "node x", capsule: {}, params: {}, deps: {}, outs: {}, metrics: null, timeoutMs: 1000 },
    {},
    { seed, environment: "node 24" },
  );

test("bytes go to the server and come back", async () => {
  const id = await store.putBlob(Buffer.from("some bytes"));
  expect((await store.getBlob(id)).toString()).toBe("some bytes");
});

test("a dataset is found by its reference", async () => {
  const query = { tag: "v1", reason: "first" };
  const added = await trainer.put<AddedDatasetVersionView>("/v1/datasets/loans/versions", Buffer.from("a\n1\n"), { query });
  expect(await store.dataset("loans@v1")).toEqual({ version: added.id, blob: added.blob });
  expect((await problemOf(store.dataset("loans@v2"))).status).toBe(404);
});

test("the first outcome of a step is kept, and found by its key", async () => {
  const outcome = {
    key: keyOf(1),
    pipeline: "loans",
    step: "train",
    outs: { model: await store.putBlob(Buffer.from("a model")) },
    metrics: { auc: 0.7 },
    log: "trained\n",
    durationMs: 12,
  };
  expect(await store.outcome(keyOf(1))).toBeUndefined();
  await store.saveOutcome(outcome);
  await store.saveOutcome({ ...outcome, metrics: { auc: 0.1 } });
  expect(await store.outcome(keyOf(1))).toEqual(outcome);
});

test("an outcome whose bytes the server doesn't have is refused", async () => {
  const model = parseBlobId(`sha256:${"0".repeat(64)}`);
  if (!model) throw new Error("no blob id");
  const outcome = { key: keyOf(2), pipeline: "loans", step: "train", outs: { model }, metrics: {}, log: "", durationMs: 1 };
  expect((await problemOf(store.saveOutcome(outcome))).status).toBe(422);
  expect(await store.outcome(keyOf(2))).toBeUndefined();
});

test("a reader's token can't fill the cache", async () => {
  const outcome = { key: keyOf(3), pipeline: "loans", step: "train", outs: {}, metrics: {}, log: "", durationMs: 1 };
  expect((await problemOf(pipelineStoreOf(await server.as("viewer")).saveOutcome(outcome))).status).toBe(403);
});
