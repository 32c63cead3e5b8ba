/** Runs a pipeline where its files are: captures code and parameters, runs what is not cached, stores what comes out. */
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { contentId, type Json } from "../store/index.ts";
import { assert, err, ok, type BlobId, type Result } from "../std.ts";
import type { Out, Pipeline } from "./declaration.ts";
import type { Executor } from "./executor.ts";
import { stepKey, type Recipe, type RecipeStep, type StepKey } from "./recipe.ts";

/** What became of a step once: kept under its key, so that it needn't run again. */
export interface StepOutcome {
  readonly key: StepKey;
  readonly pipeline: string;
  readonly step: string;
  readonly outs: Readonly<Record<string, BlobId>>;
  readonly metrics: Readonly<Record<string, number>>;
  readonly log: string;
  readonly durationMs: number;
}

/** What the runner needs of a server. The runner itself is wherever the pipeline's files are; a server never runs a command. */
export interface PipelineStore {
  putBlob(bytes: Uint8Array): Promise<BlobId>;
  getBlob(id: BlobId): Promise<Buffer>;
  /** @param reference - `name@tag` or `name@number` @throws when there is none */
  dataset(reference: string): Promise<{ readonly version: string; readonly blob: BlobId }>;
  outcome(key: StepKey): Promise<StepOutcome | undefined>;
  saveOutcome(outcome: StepOutcome): Promise<void>;
}

export interface RunOptions {
  readonly store: PipelineStore;
  readonly execute: Executor;
  /** Where steps work; a folder of its own below it for each step, removed afterwards. Inside the project, so that packages are found. */
  readonly scratch: string;
  /** Names what the steps run in (versions of programs and packages): part of every key. */
  readonly environment: string;
  readonly now: () => number;
  readonly onProgress?: (event: { readonly step: string; readonly state: "cached" | "running" | "done" }) => void;
  readonly signal?: AbortSignal;
}

export interface StepFailure {
  readonly step: string;
  readonly exitCode: number;
  readonly log: string;
}
export interface Cooked {
  readonly recipe: Recipe;
  /** In the order of the steps. */
  readonly outcomes: readonly StepOutcome[];
}

/** The bytes of the last output of a kind; undefined when no step gives one out. */
export function outOfKind({ recipe, outcomes }: Cooked, kind: Out["kind"]): BlobId | undefined {
  const found = recipe.steps.flatMap(({ name, outs }) =>
    Object.entries(outs).flatMap(([out, spec]) => (spec.kind === kind ? [outcomes.find(({ step }) => step === name)?.outs[out]] : [])),
  );
  return found.at(-1);
}

/** Captures a pipeline as it is now: code, named parameters, dataset versions. @param folder - where `evenkeel.yaml` lies */
export async function capture(
  pipeline: Pipeline,
  options: {
    readonly folder: string;
    readonly params: Readonly<Record<string, Json>>;
    readonly seed: number;
    readonly store: PipelineStore;
  },
): Promise<Recipe> {
  const { folder, params, seed, store } = options;
  const datasets: Record<string, { version: string; blob: BlobId }> = {};
  const steps: RecipeStep[] = [];
  for (const { name, role, cmd, code, params: named, deps, outs, metrics, timeoutMs } of pipeline.steps) {
    const capsule: Record<string, BlobId> = {};
    for (const path of code) capsule[path] = await store.putBlob(await readFile(join(folder, path)));
    const chosen: Record<string, Json> = {};
    for (const key of named) chosen[key] = subtree(params, key);
    for (const from of Object.values(deps)) if (from.kind === "dataset") datasets[from.reference] ??= await store.dataset(from.reference);
    steps.push({ name, role, cmd, capsule, params: chosen, deps, outs, metrics, timeoutMs });
  }
  return { pipeline: pipeline.name, steps, datasets, seed };
}

function subtree(params: Readonly<Record<string, Json>>, path: string): Json {
  let at: Json | undefined = params;
  for (const part of path.split("."))
    at = typeof at === "object" && at !== null && !Array.isArray(at) ? (at as Readonly<Record<string, Json>>)[part] : undefined;
  if (at === undefined) throw new Error(`params.yaml has no "${path}"`);
  return at;
}

/** Steps that run at this moment, so that recipes cooked side by side run a shared step once. */
export type UnderWay = Map<StepKey, Promise<Result<StepOutcome, StepFailure>>>;

/** Runs a recipe, step by step. A step that failed ends it, and nothing of that step is kept. */
export async function cook(recipe: Recipe, options: RunOptions, underWay: UnderWay = new Map()): Promise<Result<Cooked, StepFailure>> {
  const outcomes = new Map<string, StepOutcome>();
  for (const step of recipe.steps) {
    const inputs = inputsOf(step, recipe, outcomes);
    const key = stepKey(step, inputs, recipe.seed, options.environment);
    const running = underWay.get(key) ?? stepOnce({ recipe, step, inputs, key }, options);
    underWay.set(key, running);
    const done = await running.finally(() => underWay.delete(key));
    if (!done.ok) return done;
    outcomes.set(step.name, done.value);
  }
  return ok({ recipe, outcomes: [...outcomes.values()] });
}

function inputsOf(step: RecipeStep, recipe: Recipe, outcomes: ReadonlyMap<string, StepOutcome>): Record<string, BlobId> {
  return Object.fromEntries(
    Object.entries(step.deps).map(([dep, from]) => {
      const blob = from.kind === "step" ? outcomes.get(from.step)?.outs[from.out] : recipe.datasets[from.reference]?.blob;
      assert(blob, `${step.name} has its input ${dep}`);
      return [dep, blob];
    }),
  );
}

/** From the cache, else by running it. */
async function stepOnce(work: Work, options: RunOptions): Promise<Result<StepOutcome, StepFailure>> {
  const { name } = work.step;
  const known = await options.store.outcome(work.key);
  options.onProgress?.({ step: name, state: known ? "cached" : "running" });
  if (known) return ok(known);
  const done = await runStep(work, options);
  if (!done.ok) return done;
  await options.store.saveOutcome(done.value);
  options.onProgress?.({ step: name, state: "done" });
  return done;
}

interface Work {
  readonly recipe: Recipe;
  readonly step: RecipeStep;
  readonly inputs: Readonly<Record<string, BlobId>>;
  readonly key: StepKey;
}

async function runStep({ recipe, step, inputs, key }: Work, options: RunOptions): Promise<Result<StepOutcome, StepFailure>> {
  const { store, scratch, execute, signal } = options;
  const codeFolder = join(scratch, "code", contentId("c", step.capsule).slice(2, 22));
  const work = join(scratch, "work", key.slice("step:".length, "step:".length + 20));
  await rm(work, { recursive: true, force: true });
  await mkdir(work, { recursive: true });
  try {
    for (const [path, blob] of Object.entries(step.capsule)) await layOut(join(codeFolder, path), await store.getBlob(blob));
    const places: Record<string, string> = { code: codeFolder, seed: String(recipe.seed), params: join(work, "params.json") };
    await writeFile(join(work, "params.json"), JSON.stringify(step.params));
    for (const [dep, blob] of Object.entries(inputs)) {
      places[`deps.${dep}`] = join(work, "deps", dep);
      await layOut(join(work, "deps", dep), await store.getBlob(blob));
    }
    for (const [out, { path }] of Object.entries(step.outs)) {
      places[`outs.${out}`] = join(work, path);
      await mkdir(dirname(join(work, path)), { recursive: true });
    }
    if (step.metrics) places["metrics"] = join(work, step.metrics);
    const argv = step.cmd.split(/\s+/).map((word) => word.replaceAll(/\{([^{}]*)\}/g, (_all, name: string) => places[name] ?? ""));
    const startedMs = options.now();
    const result = await execute({
      argv,
      cwd: work,
      env: { EVENKEEL_SEED: String(recipe.seed) },
      timeoutMs: step.timeoutMs,
      ...(signal ? { signal } : {}),
    });
    const durationMs = options.now() - startedMs;
    if (result.exitCode !== 0) return err({ step: step.name, exitCode: result.exitCode, log: result.log });
    const outs = await collect(step.outs, work, store);
    if (!outs.ok) return err({ step: step.name, exitCode: 0, log: `${result.log}\nthe step ended well but left no ${outs.error}` });
    const metrics = step.metrics ? numbersIn(JSON.parse(await readFile(join(work, step.metrics), "utf8"))) : {};
    return ok({ key, pipeline: recipe.pipeline, step: step.name, outs: outs.value, metrics, log: result.log, durationMs });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function collect(
  outs: Readonly<Record<string, Out>>,
  work: string,
  store: PipelineStore,
): Promise<Result<Record<string, BlobId>, string>> {
  const found: Record<string, BlobId> = {};
  for (const [name, { path }] of Object.entries(outs)) {
    let bytes: Buffer;
    try {
      bytes = await readFile(join(work, path));
    } catch {
      return err(path);
    }
    found[name] = await store.putBlob(bytes);
  }
  return ok(found);
}

/** Complete or not there at all: recipes that run side by side share folders of code, which are named by their content. */
async function layOut(path: string, bytes: Buffer): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.${laidOut++}`;
  await writeFile(temporary, bytes);
  await rename(temporary, path);
}
let laidOut = 0;

function numbersIn(value: unknown): Record<string, number> {
  if (typeof value !== "object" || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, number] => typeof entry[1] === "number" && Number.isFinite(entry[1])),
  );
}
