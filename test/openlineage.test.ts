import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { OpenLineageEventsView, OpenLineageStatusView } from "../src/api/index.ts";
import type { AddedDatasetVersionView, BlobView, ModelVersionView, RunView } from "../src/api/index.ts";
import { startApp } from "../src/app.ts";
import { EvenkeelClient } from "../src/client.ts";
import { logisticModel } from "./fixtures/onnx-models.ts";
import { Receiver } from "./fixtures/receiver.ts";
import { endpoint } from "./lender.ts";
import { parseRunEvent } from "./openlineage-schema.ts";
import { freshServer, problemOf, type FreshServer } from "./server.ts";

let receiver: Receiver;
let server: FreshServer;
beforeAll(async () => {
  receiver = await new Receiver().listen();
  const url = `http://127.0.0.1:${receiver.port}/api/v1/lineage`;
  server = await freshServer({ egress: { allow: [`127.0.0.1:${receiver.port}`] }, openLineage: { kind: "http", url, token: "t0ken" } });
  await story(server);
});
afterAll(async () => {
  await server.drop();
  await receiver.close();
});

/** A pipeline's run with data, code and a model; one that fails; a release of the model, live and rolled back; another model, late. */
async function story({ admin }: FreshServer): Promise<void> {
  const dataset = await admin.put<AddedDatasetVersionView>("/v1/datasets/credit/versions", Buffer.from("id,income\n1,0\n2,5\n"));
  const blob = async (bytes: Buffer) => (await admin.put<BlobView>("/v1/blobs", bytes)).id;
  const model = await blob(logisticModel([0.02, -0.01]));
  const code = await blob(Buffer.from("console.log(1)"));
  const step = (name: string, deps: object, outs: object) => ({
    name,
    role: "algorithm",
    cmd: "node train.js",
    capsule: { "train.js": code },
    params: {},
    deps,
    outs,
    metrics: null,
    timeoutMs: 1000,
  });
  const recipe = await blob(
    Buffer.from(
      JSON.stringify({
        pipeline: "loan-risk",
        steps: [
          step(
            "extract",
            {
              raw: { kind: "dataset", reference: "credit/1" },
              loans: { kind: "external", external: "pg:loans", pin: "as_of=2026-04-01" },
            },
            { table: { path: "t.csv", kind: "table" } },
          ),
          step("train", { table: { kind: "step", step: "extract", out: "table" } }, { model: { path: "m.onnx", kind: "model" } }),
        ],
        datasets: { "credit/1": { version: dataset.id, blob: dataset.blob } },
        seed: 1,
      }),
    ),
  );
  for (const [name, outs] of [
    ["extract", { table: dataset.blob }],
    ["train", { model }],
  ] as const) {
    const key = `step:${(name === "train" ? "1" : "0").repeat(64)}`;
    await admin.post("/v1/steps", { key, pipeline: "loan-risk", step: name, outs, metrics: {}, log: "", durationMs: 1500 });
  }
  const inputs = [{ kind: "dataset_version", id: dataset.id }];
  const run = await admin.post<RunView>("/v1/runs", { experiment: "loan-risk", name: "one", params: { depth: 3, balanced: true }, inputs });
  const artifacts = [
    { path: "recipe.json", blob: recipe },
    { path: "table", blob: dataset.blob },
    { path: "model", blob: model },
  ];
  await admin.post(`/v1/runs/${run.id}/log`, { metrics: [{ key: "auc", value: 0.7 }], artifacts });
  await admin.post("/v1/feature-sets", {
    name: "loans",
    features: [
      { name: "income", from: "income" },
      { name: "zero", cel: "0.0" },
    ],
  });
  const made = { featureSet: "loans/1", run: run.id };
  await admin.post<ModelVersionView>("/v1/models/credit/versions", { blob: model, ...made });
  await admin.post(`/v1/runs/${run.id}/finish`, { status: "finished" });
  const failed = await admin.post<RunView>("/v1/runs", {
    experiment: "loan-risk",
    name: "two",
    tags: {
      "mlflow.source.git.commit": "c0ffee",
      "mlflow.source.git.repoURL": "https://git.example/risk",
      "mlflow.source.name": "train.py",
    },
  });
  await admin.post(`/v1/runs/${failed.id}/finish`, { status: "failed" });
  await admin.post("/v1/apply", { yaml: JSON.stringify(endpoint) });
  const policy = {
    bands: [
      { action: "deny", from: 0 },
      { action: "approve", from: 0.5 },
    ],
  };
  await admin.post("/v1/endpoints/loans/releases", { name: "m1", model: "credit/1", policy });
  await admin.post("/v1/endpoints/loans/promote", { release: "r2", reason: "better" });
  await admin.post("/v1/endpoints/loans/rollback", { reason: "a complaint" });
  await admin.post("/v1/models/credit/versions", { blob: await blob(logisticModel([0.03, -0.01])), ...made });
}

/** The receiver takes objects only. */
const asObject = (value: unknown) => value as object;
const events = async () => (await server.admin.get<OpenLineageEventsView>("/v1/openlineage/events")).events;
const status = async () => (await server.admin.get<OpenLineageStatusView>("/v1/openlineage")).receiver;
const head = (event: unknown) => {
  const parsed = parseRunEvent(event);
  if (!parsed.ok) throw new Error(`${JSON.stringify(parsed.error)} in ${JSON.stringify(event)}`);
  const { eventType, job, inputs, outputs } = parsed.value;
  return [eventType, job.name, inputs.map(({ name }) => name), outputs.map(({ name }) => name)];
};

test("runs, their steps, models, releases and rollbacks are told, each in the form of the specification", async () => {
  expect((await events()).map(head)).toEqual([
    ["START", "loan-risk", ["datasets/credit"], []],
    ["START", "loan-risk.extract", ["datasets/credit", "pg:loans"], []],
    ["COMPLETE", "loan-risk.extract", ["datasets/credit", "pg:loans"], ["loan-risk.extract/table"]],
    ["START", "loan-risk.train", ["loan-risk.extract/table"], []],
    ["COMPLETE", "loan-risk.train", ["loan-risk.extract/table"], ["loan-risk.train/model"]],
    ["COMPLETE", "loan-risk", ["datasets/credit"], ["models/credit"]],
    ["START", "loan-risk", [], []],
    ["FAIL", "loan-risk", [], []],
    ["START", "loans.release", [], []],
    ["COMPLETE", "loans.release", [], ["releases/loans"]],
    ["START", "loans.release", expect.arrayContaining(["models/credit", "feature-sets/loans"]), []],
    ["COMPLETE", "loans.release", expect.arrayContaining(["models/credit", "feature-sets/loans"]), ["releases/loans"]],
    ["START", "loans.rollback", ["releases/loans"], []],
    ["COMPLETE", "loans.rollback", ["releases/loans"], ["releases/loans"]],
    ["OTHER", "loan-risk", ["datasets/credit"], ["models/credit", "models/credit"]],
  ]);
});

test("events say which version, which columns, which parameters, which code, whose step, and why a rollback was", async () => {
  const all = (await events()).map((event) => {
    const parsed = parseRunEvent(event);
    if (!parsed.ok) throw new Error("not an event");
    return parsed.value;
  });
  const [start, step] = all;
  expect(start?.run.facets.jobRunParameters?.parameters).toEqual([
    { key: "balanced", value: true },
    { key: "depth", value: 3 },
  ]);
  expect(start?.inputs[0]?.facets).toMatchObject({
    version: { datasetVersion: expect.stringMatching(/^tbl:/) },
    schema: {
      fields: [
        { name: "id", type: "integer" },
        { name: "income", type: "integer" },
      ],
    },
    evenkeel_dataset: { number: 1, rows: 2 },
  });
  // What isn't kept here has what it was pinned at for a version.
  expect(step?.inputs.map(({ name, facets }) => [name, facets.version.datasetVersion])).toEqual([
    ["datasets/credit", start?.inputs[0]?.facets.version.datasetVersion],
    ["pg:loans", "as_of=2026-04-01"],
  ]);
  expect(step?.run.facets.parent).toMatchObject({ run: { runId: start?.run.runId }, job: { name: "loan-risk" } });
  expect(step?.job.facets.sourceCodeLocation).toMatchObject({ type: "evenkeel", url: expect.stringMatching(/#extract$/) });
  const failed = all.find(({ eventType }) => eventType === "FAIL");
  expect(failed?.job.facets.sourceCodeLocation).toMatchObject({
    type: "git",
    url: "https://git.example/risk",
    version: "c0ffee",
    path: "train.py",
  });
  const rollback = all.find(({ job }) => job.name === "loans.rollback");
  expect(rollback?.run.facets.evenkeel_rollback).toMatchObject({ actor: "person", automatic: false, reason: "a complaint" });
});

test("the receiver gets each of them, in order, with its token; while it is away it is waited for, and nothing else waits", async () => {
  const expected = (await events()).length;
  await expect.poll(() => receiver.taken.length, { timeout: 10_000 }).toBe(expected);
  // What a run was made of becomes known while it goes on: its start was told before.
  expect(await events()).toMatchObject(receiver.taken.map(({ body }) => asObject(JSON.parse(body))));
  expect(receiver.taken[0]?.headers).toMatchObject({ authorization: "Bearer t0ken", "content-type": "application/json" });
  receiver.mood = { status: 503 };
  const run = await server.admin.post<RunView>("/v1/runs", { experiment: "away", name: "three" });
  await expect.poll(async () => (await status())?.failures, { timeout: 10_000 }).toBeGreaterThan(0);
  expect(await status()).toMatchObject({ lastError: "the receiver answered 503", refused: 0 });
  expect((await status())?.waiting).toBeGreaterThan(0);
  receiver.mood = "takes";
  await expect.poll(() => receiver.taken.length, { timeout: 20_000 }).toBe(expected + 1);
  expect(receiver.taken.at(-1)?.body).toContain(run.id);
  // What it will never take is passed over, and counted.
  receiver.mood = { status: 422 };
  await server.admin.post<RunView>("/v1/runs", { experiment: "odd", name: "four" });
  await expect.poll(async () => (await status())?.refused, { timeout: 10_000 }).toBe(1);
  expect(await status()).toMatchObject({ waiting: 0, failures: 0, lastError: "the receiver answered 422 to the START of odd" });
  receiver.mood = "takes";
}, 60_000);

test("a receiver at an address that the server may not call is refused at the start", async () => {
  const started = freshServer({ openLineage: { kind: "http", url: "http://127.0.0.1:9/x" } });
  await expect(started).rejects.toThrow("OpenLineage: expected an address that this server may call");
});

test("a file has each line once, also after a crash in the middle of one", async () => {
  const folder = mkdtempSync(join(tmpdir(), "evenkeel-test-"));
  const path = join(folder, "told", "events.ndjson");
  const open = () => startApp({ folder, port: 0, openLineage: { kind: "file", path } });
  const lines = () => readFileSync(path, { encoding: "utf8" }).trimEnd().split("\n");
  const written = () => (existsSync(path) ? lines().filter((line) => line.endsWith("}")).length : 0);
  const app = await open();
  const admin = new EvenkeelClient({ url: app.url, token: app.firstAdmin?.token ?? "" });
  await admin.post("/v1/runs", { experiment: "e", name: "one" });
  await expect.poll(written, { timeout: 10_000 }).toBe(1);
  await app.stop();
  writeFileSync(path, `{"half a li`, { flag: "a" });
  const again = await open();
  const client = new EvenkeelClient({ url: again.url, token: app.firstAdmin?.token ?? "" });
  await client.post("/v1/runs", { experiment: "e", name: "two" });
  await expect.poll(written, { timeout: 10_000 }).toBe(2);
  expect(lines().map((line) => head(JSON.parse(line))[0])).toEqual(["START", "START"]);
  await admin.close();
  await client.close();
  await again.stop();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

test("events are for those who may read the audit log", async () => {
  expect(await problemOf((await server.as("trainer")).get("/v1/openlineage/events"))).toMatchObject({ status: 403 });
});
