/** Runs a declared pipeline where its files are, and has the server keep what came out: a run, its feature set, its model. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ModelVersionView, RunView } from "./api/index.ts";
import type { EvenkeelClient } from "./client.ts";
import { pipelineStoreOf } from "./pipeline-store.ts";
import {
  capture,
  cook,
  outOfKind,
  type Cooked,
  type Executor,
  type Pipeline,
  type Recipe,
  type RunOptions,
  type StepFailure,
} from "./pipelines/index.ts";
import { ok, type BlobId, type Result } from "./std.ts";
import type { Json } from "./store/index.ts";

/** Where a pipeline's commands run, and the server that keeps what comes out. */
export interface Kitchen {
  /** With a token that may write to the registry: a trainer's, for example. */
  readonly client: EvenkeelClient;
  /** Steps work in `.scratch` below it, so that they find the packages of the project that it lies in. */
  readonly folder: string;
  readonly execute: Executor;
  readonly now: () => number;
}

export interface TrainOrder {
  readonly pipeline: Pipeline;
  /** Each step is told the parts that it names. */
  readonly params: Readonly<Record<string, Json>>;
  readonly seed: number;
  readonly experiment: string;
  /** Of the run, for people. */
  readonly name: string;
  /** Registers what the pipeline gives out as a model under this name. */
  readonly model?: string;
  readonly onProgress?: RunOptions["onProgress"];
}

export interface Trained {
  readonly run: string;
  /** `credit/1`; null when nothing was to be registered. */
  readonly model: string | null;
  readonly cooked: Cooked;
  readonly metrics: Readonly<Record<string, number>>;
}

/** The artifact of a run that says how to make it again: `recordedRecipe` reads it. */
export const RECIPE_ARTIFACT = "recipe.json";

/** Runs what isn't cached, and records it. A step that fails ends the run as failed; no model is registered then. */
export async function train(kitchen: Kitchen, order: TrainOrder): Promise<Result<Trained, StepFailure>> {
  const { client, folder } = kitchen;
  const { pipeline, params, seed, experiment, name, model } = order;
  const options = await cookOptions(kitchen);
  const { store } = options;
  const recipe = await capture(pipeline, { folder, params, seed, store });
  const inputs = Object.values(recipe.datasets).map(({ version }) => ({ kind: "dataset_version", id: version }));
  const { id: run } = await client.post<RunView>("/v1/runs", { experiment, name, params: runParams(recipe), inputs });
  const finish = (status: "finished" | "failed") => client.post(`/v1/runs/${run}/finish`, { status });
  try {
    const cooked = await cook(recipe, { ...options, ...(order.onProgress ? { onProgress: order.onProgress } : {}) });
    if (!cooked.ok) {
      await finish("failed");
      return cooked;
    }
    const metrics = Object.fromEntries(cooked.value.outcomes.flatMap((outcome) => Object.entries(outcome.metrics)));
    const outs = cooked.value.outcomes.flatMap((outcome) => Object.entries(outcome.outs));
    const recipeBlob = await store.putBlob(Buffer.from(JSON.stringify(recipe)));
    await client.post(`/v1/runs/${run}/log`, {
      metrics: Object.entries(metrics).map(([key, value]) => ({ key, value, step: 0 })),
      artifacts: [...outs.map(([path, blob]) => ({ path, blob })), { path: RECIPE_ARTIFACT, blob: recipeBlob }],
    });
    const registered = model === undefined ? null : await register(client, { cooked: cooked.value, model, run });
    await finish("finished");
    return ok({ run, model: registered, cooked: cooked.value, metrics });
  } catch (error) {
    // What went wrong is what the caller must hear, also when the server can't be told any more.
    await finish("failed").catch(() => undefined);
    throw error;
  }
}

async function register(
  client: EvenkeelClient,
  { cooked, model, run }: { readonly cooked: Cooked; readonly model: string; readonly run: string },
): Promise<string> {
  const [blob, featureSetBlob] = [outOfKind(cooked, "model"), outOfKind(cooked, "feature-set")];
  if (!blob) throw new Error(`pipeline ${cooked.recipe.pipeline} has no output of the kind "model" that could be registered as ${model}`);
  const featureSet = featureSetBlob && (await keepFeatureSet(client, featureSetBlob));
  const made = await client.post<ModelVersionView>(`/v1/models/${encodeURIComponent(model)}/versions`, {
    blob,
    run,
    ...(featureSet ? { featureSet } : {}),
  });
  return `${model}/${made.number}`;
}

async function keepFeatureSet(client: EvenkeelClient, blob: BlobId): Promise<string> {
  const spec: unknown = JSON.parse((await client.getBytes(`/v1/blobs/${blob}`)).toString("utf8"));
  return (await client.post<{ readonly id: string }>("/v1/feature-sets", spec)).id;
}

/** How a recipe is cooked here. */
export async function cookOptions({ client, folder, execute, now }: Kitchen): Promise<Omit<RunOptions, "onProgress">> {
  return { store: pipelineStoreOf(client), execute, scratch: join(folder, ".scratch"), environment: await environment(folder), now };
}

/** What the steps run in: part of every step's key, so that another version of the packages is another outcome. */
async function environment(folder: string): Promise<string> {
  const lock = await nearestLock(folder);
  const packages = lock ? createHash("sha256").update(lock).digest("hex").slice(0, 16) : "no lock file";
  return `node ${process.versions.node.split(".")[0] ?? ""}, ${packages}`;
}

const LOCKS = ["package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "yarn.lock", "uv.lock", "poetry.lock", "requirements.txt"];

async function nearestLock(folder: string): Promise<Buffer | undefined> {
  for (const name of LOCKS) {
    const bytes = await readFile(join(folder, name)).catch(() => undefined);
    if (bytes) return bytes;
  }
  const above = dirname(folder);
  return above === folder ? undefined : nearestLock(above);
}

/** Parameters as a run shows them: one flat list. A feature set is kept as such, not as parameters. */
function runParams(recipe: Recipe): Record<string, string | number | boolean> {
  const flat: Record<string, string | number | boolean> = { seed: recipe.seed };
  const add = (name: string, value: Json | undefined) => {
    if (typeof value === "number" || typeof value === "string" || typeof value === "boolean") flat[name] = value;
    else if (typeof value === "object" && value !== null && !Array.isArray(value))
      for (const [key, inner] of Object.entries(value)) add(`${name}.${key}`, inner);
  };
  for (const step of recipe.steps) if (step.role !== "features") for (const [part, value] of Object.entries(step.params)) add(part, value);
  return flat;
}
