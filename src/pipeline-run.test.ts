import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { logisticModel } from "../test/fixtures/onnx-models.ts";
import { freshServer, problemOf, type FreshServer } from "../test/server.ts";
import type { ModelDetailView, ModelVersionView, RunDetailView, RunPageView } from "./api/index.ts";
import type { EvenkeelClient } from "./client.ts";
import { systemRuntime } from "./store/index.ts";
import { parsePipeline, parseRecipe, spawnExecutor, type Pipeline } from "./pipelines/index.ts";
import { runPipeline, type Kitchen } from "./pipeline-run.ts";

let server: FreshServer;
let folder: string;
let trainer: EvenkeelClient;
let kitchen: Kitchen;
beforeAll(async () => {
  server = await freshServer();
  folder = mkdtempSync(join(tmpdir(), "evenkeel-kitchen-"));
  trainer = await server.as("trainer");
  kitchen = { client: trainer, folder, execute: spawnExecutor, clock: systemRuntime().clock };
  writeFileSync(join(folder, "model.b64"), logisticModel([2], -4).toString("base64"));
  writeFileSync(
    join(folder, "step.cjs"),
    `const fs = require("node:fs");
const [folder, params, model, features, metrics] = process.argv.slice(2);
const { train } = JSON.parse(fs.readFileSync(params, "utf8"));
if (train.fails) throw new Error("no convergence");
fs.writeFileSync(model, Buffer.from(fs.readFileSync(folder + "/model.b64", "utf8"), "base64"));
fs.writeFileSync(features, JSON.stringify({ name: "small", features: [{ name: "income", from: "income" }] }));
fs.writeFileSync(metrics, JSON.stringify({ auc: 0.7 }));
`,
  );
});
afterAll(async () => {
  await server.drop();
  rmSync(folder, { recursive: true, force: true });
});

function pipeline(): Pipeline {
  const parsed = parsePipeline(`version: 1
pipeline: small
steps:
  train:
    role: algorithm
    cmd: node {code}/step.cjs {code} {params} {outs.model} {outs.features} {metrics}
    code: [step.cjs, model.b64]
    params: [train]
    outs: { model: { path: m.onnx, kind: model }, features: { path: f.json, kind: feature-set } }
    metrics: metrics.json
`);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
  return parsed.value;
}
const order = (fails: boolean) =>
  ({ pipeline: pipeline(), params: { train: { fails, depth: { max: 3 } } }, seed: 5, experiment: "e", name: "n", model: "small" }) as const;

test("training records a run with parameters, metrics and a recipe that says how to make it again, and registers its model", async () => {
  const trained = await runPipeline(kitchen, order(false));
  if (!trained.ok) throw new Error(JSON.stringify(trained.error));
  expect(trained.value).toMatchObject({ model: "small/1", metrics: { auc: 0.7 } });
  const run = await trainer.get<RunDetailView>(`/v1/runs/${trained.value.run}`);
  expect(run).toMatchObject({ status: "finished", params: { seed: 5, "train.fails": false, "train.depth.max": 3 }, metrics: { auc: 0.7 } });
  const recipe = run.artifacts.find(({ path }) => path === "recipe.json");
  const read = parseRecipe(JSON.parse((await trainer.getBytes(`/v1/blobs/${recipe?.blob ?? ""}`)).toString("utf8")));
  expect(read).toEqual({ ok: true, value: trained.value.cooked.recipe });
  const version = await trainer.get<ModelVersionView>("/v1/model-version", { reference: "small/1" });
  expect(version).toMatchObject({ run: trained.value.run, featureSet: expect.stringMatching(/^fs:/) });
});

test("a step that fails ends its run as failed and registers no model", async () => {
  const before = (await trainer.get<ModelDetailView>("/v1/models/small")).versions.length;
  const trained = await runPipeline(kitchen, order(true));
  expect(trained).toMatchObject({
    ok: false,
    error: { kind: "spoiled", spoiled: { failures: [{ step: "train", log: expect.stringContaining("no convergence") }] } },
  });
  const [newest] = (await trainer.get<RunPageView>("/v1/runs", { experiment: "e" })).runs;
  expect(newest).toMatchObject({ status: "failed" });
  expect((await trainer.get<ModelDetailView>("/v1/models/small")).versions).toHaveLength(before);
});

test("a trainer's token may train but not deploy what it trained", async () => {
  expect(await problemOf(trainer.post("/v1/endpoints/loans/releases", {}))).toMatchObject({ status: 403 });
});

test("a recipe from the server whose code or outputs would land outside their folders is refused", () => {
  const step = { name: "a", role: "data", cmd: "node x", capsule: {}, params: {}, deps: {}, outs: {}, metrics: null, timeoutMs: 1000 };
  const recipe = (change: object) => ({ pipeline: "p", steps: [{ ...step, ...change }], datasets: {}, seed: 1 });
  const blob = `sha256:${"0".repeat(64)}`;
  expect(parseRecipe(recipe({}))).toMatchObject({ ok: true });
  for (const path of ["../x", "/etc/x", "a/../../x"]) {
    expect(parseRecipe(recipe({ capsule: { [path]: blob } }))).toMatchObject({ ok: false });
    expect(parseRecipe(recipe({ outs: { o: { path, kind: "file" } } }))).toMatchObject({ ok: false });
    expect(parseRecipe(recipe({ metrics: path }))).toMatchObject({ ok: false });
  }
  expect(parseRecipe(recipe({ capsule: { "a/b.ts": "no blob" } }))).toMatchObject({ ok: false });
});
