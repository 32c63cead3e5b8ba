/** Runs a declared pipeline where its files are, and has the server keep what came out: runs, feature set, model. */
import { join, normalize } from "node:path";
import type { ModelVersionView, RunDetailView, RunView } from "./api/index.ts";
import type { EvenkeelClient } from "./client.ts";
import { InterruptedRuns } from "./interrupted-runs.ts";
import { environmentOf } from "./pipeline-environment.ts";
import { pipelineStoreOf } from "./pipeline-store.ts";
import {
  KnownTables,
  capture,
  cook,
  outOfKind,
  stepFactsOf,
  type Cooked,
  type Executor,
  type Pipeline,
  type PipelineStore,
  type Recipe,
  type RunOptions,
  type Spoiled,
  type StepFacts,
  type StepOfRun,
  type StepProgress,
} from "./pipelines/index.ts";
import { Slots, inParallel } from "./slots.ts";
import { err, ok, type BlobId, type Issue, type Result } from "./std.ts";
import { contentId, type Clock, type Json } from "./store/index.ts";

/** Where a pipeline's commands run, and the server that keeps what comes out. */
export interface Kitchen {
  /** With a token that may write to the registry: a trainer's, for example. */
  readonly client: EvenkeelClient;
  /** Steps work in `.scratch` below it, so that they find the packages of the project that it lies in. */
  readonly folder: string;
  readonly execute: Executor;
  readonly clock: Clock;
  /** The environment: steps are told those variables of it that they name. None when left out. */
  readonly variables?: Readonly<Record<string, string | undefined>>;
}

/** One run to be made. */
export interface RunOrder {
  readonly pipeline: Pipeline;
  /** Each step is told the parts that it names. */
  readonly params: Readonly<Record<string, Json>>;
  readonly seed: number;
  readonly experiment: string;
  /** Of the run, for people. */
  readonly name: string;
  readonly tags?: Readonly<Record<string, string>>;
  /** Registers what the pipeline gives out as a model under this name. */
  readonly model?: string;
}

export interface RunSettings {
  /** Commands side by side; 1 by default. */
  readonly parallel?: number;
  readonly signal?: AbortSignal;
  /** @param order - which of the orders, from 0 */
  readonly onProgress?: (event: StepProgress, order: number) => void;
}

export interface PipelineRun {
  readonly run: string;
  /** `credit/1`; null when nothing was to be registered. */
  readonly model: string | null;
  readonly cooked: Cooked;
  readonly metrics: Readonly<Record<string, number>>;
  /** Files that steps read without having declared them, by step: their lineage is incomplete. */
  readonly undeclaredReads: Readonly<Record<string, readonly string[]>>;
  /** Whether it took up the record of a run that was interrupted. */
  readonly isResumed: boolean;
}

/** Why there is no such run. */
export type RunTrouble =
  /** What the declaration names isn't there; nothing was recorded. */
  | { readonly kind: "declaration"; readonly issues: readonly Issue[] }
  /** A step failed; the run is recorded as failed, with the logs. */
  | { readonly kind: "spoiled"; readonly run: string; readonly spoiled: Spoiled };

/** Artifacts of a run: how to make it again (`recordedRecipe` reads it), and what is known of each of its steps. */
export const RECIPE_ARTIFACT = "recipe.json";
export const STEPS_ARTIFACT = "steps.json";

/** Runs what isn't cached, and records it. A step that fails ends the run as failed; no model is registered then. */
export async function runPipeline(kitchen: Kitchen, order: RunOrder, settings: RunSettings = {}): Promise<Result<PipelineRun, RunTrouble>> {
  const [only] = await runPipelines(kitchen, [order], settings);
  if (!only) throw new Error("one order gives one run");
  return only;
}

/** Several runs side by side, in the order of the orders. What they share is run once. One that fails doesn't end the others. */
export async function runPipelines(
  kitchen: Kitchen,
  orders: readonly RunOrder[],
  { parallel = 1, signal, onProgress }: RunSettings = {},
): Promise<readonly Result<PipelineRun, RunTrouble>[]> {
  const store = pipelineStoreOf(kitchen.client);
  const slots = new Slots(parallel);
  const interrupted = await InterruptedRuns.open(scratchOf(kitchen));
  const blobOf = remembered((path) => store.putFile(path));
  const dataset = remembered((reference) => store.dataset(reference));
  const tables = new KnownTables(scratchOf(kitchen));
  const results: Result<PipelineRun, RunTrouble>[] = [];
  const plans: Plan[] = [];
  for (const [at, order] of orders.entries()) {
    const { pipeline, params, seed, experiment, name, model, tags } = order;
    const environment = await environmentOf(kitchen.folder, pipeline.locks);
    const { folder, variables = {} } = kitchen;
    const recipe = await capture(pipeline, { folder, params, seed, environment, variables, blobOf, dataset, tables });
    if (!recipe.ok) results[at] = err({ kind: "declaration", issues: recipe.error });
    else plans.push({ at, order, recipe: recipe.value, id: contentId("order", { recipe: recipe.value, experiment, name, model, tags }) });
  }
  const resumed = new Map(plans.map(({ id }) => [id, interrupted.take(id)]));
  for (const run of interrupted.left()) await endedAsFailed(kitchen.client, interrupted, run);
  const underWay = new Map();
  await inParallel(plans, slots.width, async (plan) => {
    const around = { store, execute: kitchen.execute, scratch: scratchOf(kitchen), clock: kitchen.clock, slots };
    const options: RunOptions = {
      ...around,
      environment: plan.recipe.environment ?? "",
      ...(signal ? { signal } : {}),
      onProgress: (event) => onProgress?.(event, plan.at),
    };
    const cookIt = () => cook(plan.recipe, options, underWay);
    results[plan.at] = await recorded(plan, { client: kitchen.client, store, interrupted, before: resumed.get(plan.id), cookIt });
  });
  return results;
}

interface Plan {
  readonly at: number;
  readonly order: RunOrder;
  readonly recipe: Recipe;
  /** Equal for orders that would do the same under the same name. */
  readonly id: string;
}
interface Recording {
  readonly client: EvenkeelClient;
  readonly store: PipelineStore;
  readonly interrupted: InterruptedRuns;
  /** The run that was interrupted while it did the same. */
  readonly before: string | undefined;
  readonly cookIt: () => Promise<Result<Cooked, Spoiled>>;
}

async function recorded({ order, recipe, id }: Plan, recording: Recording): Promise<Result<PipelineRun, RunTrouble>> {
  const { client, store, interrupted, before, cookIt } = recording;
  const open = before === undefined ? undefined : await openRun(client, before);
  if (before !== undefined && !open) await interrupted.end(before);
  const run = open?.id ?? (await startedRun(client, order, recipe));
  await interrupted.begin(run, id);
  const finish = async (status: "finished" | "failed") => {
    await client.post(`/v1/runs/${run}/finish`, { status });
    await interrupted.end(run);
  };
  try {
    const cooked = await cookIt();
    const steps = await stepFactsOf(cooked, (blob) => store.getBlob(blob));
    const isLogged = open?.artifacts.some(({ path }) => path === STEPS_ARTIFACT) ?? false;
    if (!isLogged) await logSteps({ client, store, run }, cooked, steps);
    if (!cooked.ok) {
      await finish("failed");
      return err({ kind: "spoiled", run, spoiled: cooked.error });
    }
    const model = order.model === undefined ? null : await register(client, { cooked: cooked.value, model: order.model, run });
    await finish("finished");
    return ok({
      run,
      model,
      cooked: cooked.value,
      metrics: metricsOf(cooked.value),
      undeclaredReads: undeclaredIn(steps),
      isResumed: open !== undefined,
    });
  } catch (error) {
    // What went wrong is what the caller must hear, also when the server can't be told any more.
    await finish("failed").catch(() => undefined);
    throw error;
  }
}

async function startedRun(client: EvenkeelClient, { experiment, name, tags }: RunOrder, recipe: Recipe): Promise<string> {
  const inputs = Object.values(recipe.datasets).map(({ version }) => ({ kind: "dataset_version", id: version }));
  const body = { experiment, name, params: runParams(recipe), tags: { pipeline: recipe.pipeline, ...tags }, inputs };
  return (await client.post<RunView>("/v1/runs", body)).id;
}

/** A run that somebody began and nobody ended; undefined when it has ended, or the server doesn't know it. */
async function openRun(client: EvenkeelClient, run: string): Promise<RunDetailView | undefined> {
  const found = await client.get<RunDetailView>(`/v1/runs/${run}`).catch(() => undefined);
  return found?.status === "running" ? found : undefined;
}

async function endedAsFailed(client: EvenkeelClient, interrupted: InterruptedRuns, run: string): Promise<void> {
  if (await openRun(client, run)) {
    await client.post(`/v1/runs/${run}/log`, { tags: { interrupted: "its runner ended before it did" } });
    await client.post(`/v1/runs/${run}/finish`, { status: "failed" });
  }
  await interrupted.end(run);
}

/** Metrics, outputs, logs, and how all of it was made. */
async function logSteps(
  { client, store, run }: { readonly client: EvenkeelClient; readonly store: PipelineStore; readonly run: string },
  cooked: Result<Cooked, Spoiled>,
  steps: readonly StepOfRun[],
): Promise<void> {
  const { recipe } = cooked.ok ? cooked.value : cooked.error;
  const json = (value: unknown) => store.putBlob(Buffer.from(JSON.stringify(value)));
  const artifacts = [
    ...steps.flatMap(artifactsOf),
    { path: RECIPE_ARTIFACT, blob: await json(recipe) },
    { path: STEPS_ARTIFACT, blob: await json(steps) },
  ];
  const metrics = cooked.ok ? Object.entries(metricsOf(cooked.value)).map(([key, value]) => ({ key, value, step: 0 })) : [];
  const tags = Object.keys(undeclaredIn(steps)).length > 0 ? { lineage: "incomplete" } : {};
  await client.post(`/v1/runs/${run}/log`, { metrics, artifacts, tags });
}

const undeclaredIn = (steps: readonly StepFacts[]): Record<string, readonly string[]> =>
  Object.fromEntries(
    steps.flatMap(({ step, lineage }) => (lineage.undeclaredReads.length > 0 ? [[step, lineage.undeclaredReads] as const] : [])),
  );

function artifactsOf({ step, outs, log }: StepFacts): { readonly path: string; readonly blob: BlobId }[] {
  const made = Object.values(outs).map(({ path, blob }) => ({ path: normalize(`${step}/${path}`), blob }));
  return log === null ? made : [...made, { path: `logs/${step}.log`, blob: log }];
}

/** A metric by its own name where only one step gives it, else with the step's before it. */
function metricsOf({ outcomes }: Cooked): Record<string, number> {
  const owners = new Map<string, number>();
  for (const { metrics } of outcomes) for (const name of Object.keys(metrics)) owners.set(name, (owners.get(name) ?? 0) + 1);
  const entries = outcomes.flatMap(({ step, metrics }) =>
    Object.entries(metrics).map(([name, value]): [string, number] => [owners.get(name) === 1 ? name : `${step}.${name}`, value]),
  );
  return Object.fromEntries(entries);
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

/** Where the steps of a kitchen work. */
export const scratchOf = ({ folder }: Pick<Kitchen, "folder">): string => join(folder, ".scratch");

/** Asks once for each name. */
function remembered<T>(ask: (name: string) => Promise<T>): (name: string) => Promise<T> {
  const known = new Map<string, Promise<T>>();
  return (name) => {
    const asked = known.get(name) ?? ask(name);
    known.set(name, asked);
    return asked;
  };
}

/** Parameters as a run shows them: one flat list. A feature set is kept as such, not as parameters. */
function runParams(recipe: Recipe): Record<string, string | number | boolean> {
  const flat: Record<string, string | number | boolean> = { seed: recipe.seed };
  const add = (name: string, value: Json | undefined) => {
    if (typeof value === "number" || typeof value === "string" || typeof value === "boolean") flat[name] = value;
    else if (typeof value === "object" && value !== null && !Array.isArray(value))
      for (const [key, inner] of Object.entries(value)) add(`${name}.${key}`, inner);
    else if (Array.isArray(value)) flat[name] = JSON.stringify(value).slice(0, PARAM_CHARACTERS);
  };
  for (const step of recipe.steps) if (step.role !== "features") for (const [part, value] of Object.entries(step.params)) add(part, value);
  return flat;
}
const PARAM_CHARACTERS = 5000;
