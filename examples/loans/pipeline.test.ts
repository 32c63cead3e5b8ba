/** The two pipelines as they are declared, run as processes, and what their models do to the people who apply. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import {
  capture,
  cook,
  differingPlayers,
  parsePipeline,
  spawnExecutor,
  type Cooked,
  type PipelineStore,
  type Recipe,
  type StepKey,
  type StepOutcome,
} from "../../src/pipelines/index.ts";
import { parseEndpoint, type EndpointDefinition } from "../../src/releases/index.ts";
import { compileFeatures, compilePolicy, inspectModel, scoreCall, type CompiledFeatures } from "../../src/serving/index.ts";
import { parseBlobId, sha256Hex } from "../../src/store/index.ts";
import { ok, type BlobId, type Issue, type Result } from "../../src/std.ts";
import { parseClients } from "./clients.ts";
import { tellStory } from "./data.ts";
import { parseFeatureSet } from "./evenkeel.ts";
import { logisticScore, trainLogistic } from "./logistic-regression.ts";
import { readMatrix } from "./matrix.ts";
import { auc } from "./metrics.ts";
import type { Application } from "./open-loop.ts";
import { forestScore, trainForest } from "./random-forest.ts";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));
const story = tellStory(7);
const endpoint = valueOf(parseEndpoint(parse(readFileSync(join(FOLDER, "loans.yaml"), "utf8"))));

/** What a server keeps, in memory. */
class MemoryStore implements PipelineStore {
  readonly #blobs = new Map<string, Buffer>();
  readonly #outcomes = new Map<StepKey, StepOutcome>();
  async putBlob(bytes: Uint8Array): Promise<BlobId> {
    const id = parseBlobId(`sha256:${sha256Hex(bytes)}`);
    if (!id) throw new Error("the hash of bytes is a blob's id");
    this.#blobs.set(id, Buffer.from(bytes));
    return id;
  }
  async getBlob(id: string): Promise<Buffer> {
    const bytes = this.#blobs.get(id);
    if (!bytes) throw new Error(`no blob ${id}`);
    return bytes;
  }
  async dataset(reference: string) {
    return { version: reference, blob: await this.putBlob(Buffer.from(reference === "loans@v1" ? story.version1 : story.version2)) };
  }
  async outcome(key: StepKey) {
    return this.#outcomes.get(key);
  }
  async saveOutcome(outcome: StepOutcome) {
    this.#outcomes.set(outcome.key, outcome);
  }
}

/** A release as a pipeline makes it, ready to answer. */
interface Made {
  readonly cooked: Cooked;
  readonly model: Buffer;
  readonly features: CompiledFeatures;
  /** P(repaid) of everybody who applies, by onnxruntime. */
  readonly scores: Float64Array;
  readonly actions: readonly string[];
}

let scratch = "";
let logistic: Made;
let forest: Made;
let healthyForest: Made;

beforeAll(async () => {
  mkdirSync(join(FOLDER, ".scratch"), { recursive: true }); // inside the project, so that steps find their packages
  scratch = mkdtempSync(join(FOLDER, ".scratch", "test-"));
  const store = new MemoryStore();
  const captured = await captureBoth(store);
  logistic = await makeFrom(captured.logistic, store);
  forest = await makeFrom(captured.forest, store);
  healthyForest = await makeFrom({ ...captured.forest, datasets: { "loans@v2": await store.dataset("loans@v1") } }, store);
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

async function captureBoth(store: MemoryStore): Promise<{ readonly logistic: Recipe; readonly forest: Recipe }> {
  const one = async (kind: string) =>
    capture(valueOf(parsePipeline(readFileSync(join(FOLDER, `evenkeel.${kind}.yaml`), "utf8"))), {
      folder: FOLDER,
      params: parse(readFileSync(join(FOLDER, `params.${kind}.yaml`), "utf8")),
      seed: 1,
      store,
    });
  return { logistic: await one("logistic"), forest: await one("forest") };
}

const cookIn = (recipe: Recipe, store: MemoryStore) =>
  cook(recipe, { store, execute: spawnExecutor, scratch, environment: "test", now: () => performance.now() });

async function makeFrom(recipe: Recipe, store: MemoryStore): Promise<Made> {
  const cooked = valueOf(await cookIn(recipe, store));
  const outs = Object.assign({}, ...cooked.outcomes.map((outcome) => outcome.outs)) as Record<string, BlobId>;
  const bytes = async (out: string) => store.getBlob(outs[out] ?? out);
  const model = await bytes("model");
  const spec = valueOf(parseFeatureSet(JSON.parse((await bytes("feature-set")).toString("utf8"))));
  const features = valueOf(compileFeatures(spec, endpoint.compiled.variables));
  const scores = await scoresOf(model, features, story.applications);
  const policy = valueOf(compilePolicy(JSON.parse((await bytes("policy")).toString("utf8")), endpoint.compiled.actions));
  return { cooked, model, features, scores, actions: Array.from(scores, (score) => policy.decide(score).action) };
}

async function scoresOf(model: Buffer, features: CompiledFeatures, applications: readonly Application[]): Promise<Float64Array> {
  const call = valueOf(scoreCall(valueOf(inspectModel(model)), features.width, {}));
  const x = new Float32Array(applications.length * features.width);
  for (const [i, { inputs }] of applications.entries()) features.derive(inputs, x, i * features.width);
  const session = await InferenceSession.create(model, { intraOpNumThreads: 1 });
  const outputs = await session.run({ [call.input]: new Tensor("float32", x, [applications.length, features.width]) });
  await session.release();
  const { data, dims } = outputs[call.output] ?? {};
  expect(dims).toEqual([applications.length, 1]);
  return Float64Array.from(data instanceof Float32Array ? data : []);
}

function valueOf<T>(result: Result<T, unknown>): T {
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value;
}

/** Approved in the group as a share of approved among all others. */
function ratioOf(actions: readonly string[], isIn: (application: Application) => boolean): number {
  const rate = (wanted: boolean) => {
    const of = actions.filter((_, i) => isIn(applicationAt(i)) === wanted);
    return of.filter((action) => action === "approve").length / of.length;
  };
  return rate(true) / rate(false);
}

function applicationAt(i: number): Application {
  const application = story.applications[i];
  if (!application) throw new Error(`no application ${i}`);
  return application;
}

/** By group and by sex x education, as the guardrail watches them. */
function allRatios(actions: readonly string[], { spec }: EndpointDefinition): Readonly<Record<string, number>> {
  const { sex = [], education = [] } = spec.groups ?? {};
  const ratios: Record<string, number> = {};
  for (const s of sex) ratios[s] = ratioOf(actions, ({ groups }) => groups["sex"] === s);
  for (const e of education) {
    ratios[e] = ratioOf(actions, ({ groups }) => groups["education"] === e);
    for (const s of sex) ratios[`${s}, ${e}`] = ratioOf(actions, ({ groups }) => groups["sex"] === s && groups["education"] === e);
  }
  return ratios;
}

const repaid = Uint8Array.from(story.applications, ({ outcome }) => (outcome === "repaid" ? 1 : 0));

describe("the pipelines", () => {
  test("differ in data, features, algorithm, hyperparameters and threshold, and in nothing else", () => {
    expect(differingPlayers(logistic.cooked.recipe, forest.cooked.recipe)).toEqual([
      "data",
      "features",
      "algorithm",
      "hyperparameters",
      "threshold",
    ]);
  });

  test("the same seed gives the same bytes, another seed another forest", async () => {
    const again = await makeFrom(forest.cooked.recipe, new MemoryStoreWith(forest, await blobsOf()));
    expect(again.model.equals(forest.model)).toBe(true);
    const other = await makeFrom({ ...forest.cooked.recipe, seed: 2 }, new MemoryStoreWith(forest, await blobsOf()));
    expect(other.model.equals(forest.model)).toBe(false);
  });
});
