/** Runs one step in a folder of its own: lays out what it needs, runs its command, stores what it leaves. */
import { chmod, mkdir, readFile, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, extname, join, sep } from "node:path";
import { folderIn } from "../registry/index.ts";
import { contentId, type Clock } from "../store/index.ts";
import { assert, err, ok, type BlobId, type Result } from "../std.ts";
import { wordsOf } from "./command-words.ts";
import type { Out } from "./declaration.ts";
import { undeclaredFiles, type UndeclaredFiles } from "./declared-files.ts";
import type { Executor } from "./executor.ts";
import { KnownTables } from "./known-tables.ts";
import type { KnownDataset, Recipe, RecipeStep, StepKey, StepInput } from "./recipe.ts";
import { isReadByRows } from "./step-inputs.ts";
import { troubleText, type StepFacts, type StepFailure, type StepLineage, type StepOutcome, type StepTrouble } from "./step-outcome.ts";
import type { Observation } from "./watch.ts";

/** The server takes no such bytes: they are too many, for example. The message says why. */
export class BytesRefused extends Error {
  override readonly name = "BytesRefused";
}

/** What the runner needs of a server. The runner itself is wherever the pipeline's files are; a server never runs a command. */
export interface PipelineStore {
  putBlob(bytes: Uint8Array): Promise<BlobId>;
  /** Streamed: a step's inputs and outputs may be larger than memory. @throws BytesRefused */
  putFile(path: string): Promise<BlobId>;
  getBlob(id: BlobId): Promise<Buffer>;
  getFile(id: BlobId, path: string): Promise<void>;
  /** @param reference - `name@tag` or `name@number` @throws when there is none */
  dataset(reference: string): Promise<KnownDataset>;
  outcome(key: StepKey): Promise<StepOutcome | undefined>;
  saveOutcome(outcome: StepOutcome): Promise<void>;
}

export interface StepSurroundings {
  readonly store: PipelineStore;
  readonly execute: Executor;
  /** Where steps work; a folder of its own below it for each step, removed afterwards. Inside the project, so that packages are found. */
  readonly scratch: string;
  /** Names what the steps run in (versions of programs and packages): part of every key. */
  readonly environment: string;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
}

export interface StepWork {
  readonly recipe: Recipe;
  readonly step: RecipeStep;
  readonly inputs: Readonly<Record<string, StepInput>>;
  readonly key: StepKey;
}

/** Marks whatever a step starts, so that a later run can tell what a killed one left running. */
export const WORK_MARK = "EVENKEEL_WORK";

/** A folder in which a step works, by whose runner's process it is. */
export const workFolder = (scratch: string, key: StepKey): string => join(scratch, "work", `${process.pid}-${short(key)}`);
const short = (key: StepKey) => key.slice("step:".length, "step:".length + 20);

export async function runStep(work: StepWork, around: StepSurroundings): Promise<Result<StepOutcome, StepFailure>> {
  const { step, key, recipe } = work;
  const { scratch, store, execute, clock, signal } = around;
  const folder = workFolder(scratch, key);
  const logFile = join(scratch, "logs", `${step.name}-${short(key)}.log`);
  await rm(folder, { recursive: true, force: true });
  const watchFolder = join(scratch, "watch", basename(folder));
  await mkdir(dirname(logFile), { recursive: true });
  try {
    const argv = await laidOut(work, folder, around);
    const [startedAtMs, startedUs] = [clock.nowMs(), clock.monotonicUs()];
    const { ending, log, observation } = await execute({
      argv,
      cwd: folder,
      env: { ...variablesOf(step), EVENKEEL_SEED: String(recipe.seed), PYTHONDONTWRITEBYTECODE: "1", [WORK_MARK]: folder },
      timeoutMs: step.timeoutMs,
      logFile,
      watchFolder,
      ...(signal ? { signal } : {}),
    });
    const durationMs = Math.round((clock.monotonicUs() - startedUs) / 1000);
    const isGood = ending.kind === "exited" && ending.code === 0;
    const code = codeFolder(scratch, step);
    const places = { project: dirname(scratch), scratch, work: folder, code, step };
    const undeclared = await undeclaredFiles(observation.accesses, places);
    const left: Result<Left, StepTrouble> = !isGood
      ? err(ending)
      : undeclared.writes.length > 0
        ? err({ kind: "wrote-outside", paths: undeclared.writes })
        : await collect(work, folder, around);
    const facts: StepFacts = {
      ...factsBefore(work, around.environment),
      outs: left.ok ? left.value.outs : {},
      metrics: left.ok ? left.value.metrics : {},
      lineage: lineageOf(observation, undeclared),
      startedAtMs,
      endedAtMs: startedAtMs + durationMs,
      log: await keptLog(logFile, store),
      failure: left.ok ? null : troubleText({ trouble: left.error, timeoutMs: step.timeoutMs }),
    };
    if (!left.ok) return err({ step: step.name, trouble: left.error, log, timeoutMs: step.timeoutMs, facts });
    const outs = Object.fromEntries(Object.entries(left.value.outs).map(([out, { blob }]) => [out, blob]));
    const factsBlob = await store.putBlob(Buffer.from(JSON.stringify(facts)));
    const { metrics } = left.value;
    return ok({ key, pipeline: recipe.pipeline, step: step.name, outs, metrics, log, durationMs, facts: factsBlob });
  } finally {
    await rm(folder, { recursive: true, force: true });
    await rm(watchFolder, { recursive: true, force: true });
    await rm(logFile, { force: true });
  }
}

/** A captured copy of a step's code, shared by all that have the same. */
const codeFolder = (scratch: string, { capsule, executable }: RecipeStep) =>
  join(scratch, "code", contentId("c", { capsule, executable }).slice(2, 22));

function lineageOf({ by }: Observation, { reads, writes }: UndeclaredFiles): StepLineage {
  const state = reads.length > 0 || writes.length > 0 ? "incomplete" : by.length > 0 ? "complete" : "unobserved";
  return { state, by, undeclaredReads: reads };
}

const variablesOf = ({ env = {} }: RecipeStep) =>
  Object.fromEntries(Object.entries(env).flatMap(([name, value]) => (value === null ? [] : [[name, value]])));

function factsBefore({ recipe: { pipeline, seed }, step, inputs, key }: StepWork, environment: string) {
  const { name, role, cmd, capsule: code, executable = [], params, metrics: metricsPath } = step;
  const env = step.env === undefined ? {} : { env: step.env };
  return { pipeline, step: name, role, key, cmd, code, executable, params, ...env, inputs, metricsPath, seed, environment };
}

/** Puts a step's code, inputs and parameters where its command finds them. @returns the command's words */
async function laidOut({ recipe, step, inputs }: StepWork, work: string, { scratch, store }: StepSurroundings): Promise<string[]> {
  const code = codeFolder(scratch, step);
  await mkdir(work, { recursive: true });
  await mkdir(code, { recursive: true });
  for (const [path, blob] of Object.entries(step.capsule))
    await layOut(join(code, path), { blob, store, isProgram: step.executable?.includes(path) ?? false });
  const places: Record<string, string> = { code, seed: String(recipe.seed), params: join(work, "params.json") };
  await writeFile(join(work, "params.json"), JSON.stringify(step.params));
  for (const [dep, input] of Object.entries(inputs)) {
    if (input.kind === "external") {
      places[`deps.${dep}`] = input.pin;
      continue;
    }
    const place = join(work, "deps", dep + endingOf(input, recipe));
    places[`deps.${dep}`] = place;
    if (input.layout === "folder") await layOutFolder(place, input.blob, store);
    else await layOut(place, { blob: input.blob, store });
  }
  for (const [out, { path }] of Object.entries(step.outs)) {
    places[`outs.${out}`] = join(work, path);
    await mkdir(dirname(join(work, path)), { recursive: true });
  }
  if (step.metrics) {
    places["metrics"] = join(work, step.metrics);
    await mkdir(dirname(join(work, step.metrics)), { recursive: true });
  }
  const words = wordsOf(step.cmd);
  assert(words.ok, "a declared command has its quotes closed");
  return words.value.map((word) => word.replaceAll(/\{([a-z][a-z0-9_.-]*)\}/g, (all, name: string) => places[name] ?? all));
}

/** The ending of a file's name: programs tell by it what a file is. A dataset has none. */
function endingOf(input: Exclude<StepInput, { readonly kind: "external" }>, { steps }: Recipe): string {
  if (input.kind === "dataset") return "";
  return extname(input.kind === "file" ? input.path : (steps.find(({ name }) => name === input.step)?.outs[input.out]?.path ?? ""));
}

interface Left {
  readonly outs: Record<string, Out & { readonly blob: BlobId }>;
  readonly metrics: Record<string, number>;
}

/** Stores what a step has left; nothing of it counts unless all that was declared is there. */
async function collect({ step, recipe }: StepWork, work: string, { store, scratch }: StepSurroundings): Promise<Result<Left, StepTrouble>> {
  const declared = [...Object.values(step.outs).map(({ path }) => path), ...(step.metrics ? [step.metrics] : [])];
  const missing: string[] = [];
  for (const path of declared) {
    const found = await stat(join(work, path)).catch(() => undefined);
    if (!found) missing.push(path);
    else if (!found.isFile()) return err({ kind: "bad-output", path, why: "it is a folder, and outputs are files" });
  }
  if (missing.length > 0) return err({ kind: "missing-output", missing, there: await undeclared(work, new Set(declared)) });
  const metrics = step.metrics ? numbersIn(await readFile(join(work, step.metrics), "utf8")) : ok({});
  if (!metrics.ok) return err({ kind: "bad-output", path: step.metrics ?? "", why: metrics.error });
  const outs: Left["outs"] = {};
  for (const [name, out] of Object.entries(step.outs)) {
    const path = join(work, out.path);
    try {
      const blob = await store.putFile(path);
      outs[name] = { ...out, blob };
      if (isReadByRows(recipe, step.name, name)) await new KnownTables(scratch).learn(blob, path);
    } catch (error) {
      if (!(error instanceof BytesRefused)) throw error;
      return err({ kind: "bad-output", path: out.path, why: error.message });
    }
  }
  return ok({ outs, metrics: metrics.value });
}

const SHOWN_MAX = 5;

/** Some files of a step's folder that nobody knows: often an output under another name. */
async function undeclared(work: string, declared: ReadonlySet<string>): Promise<readonly string[]> {
  const names = await readdir(work, { recursive: true, withFileTypes: true });
  return names
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(work.length + 1))
    .filter((path) => path !== "params.json" && !path.startsWith("deps/") && !declared.has(path))
    .toSorted()
    .slice(0, SHOWN_MAX);
}

async function keptLog(path: string, store: PipelineStore): Promise<BlobId | null> {
  const bytes = await stat(path).then(
    ({ size }) => size,
    () => 0,
  );
  return bytes > 0 ? store.putFile(path) : null;
}

/** Complete or not there at all: recipes that run side by side share folders of code, which are named by their content. */
async function layOut(
  path: string,
  { blob, store, isProgram = false }: { readonly blob: BlobId; readonly store: PipelineStore; readonly isProgram?: boolean },
): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.${laidOutFiles++}`;
  await store.getFile(blob, temporary);
  if (isProgram) await chmod(temporary, 0o755);
  await rename(temporary, path);
}
let laidOutFiles = 0;

async function layOutFolder(folder: string, blob: BlobId, store: PipelineStore): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const file of await folderIn({ get: (id) => store.getBlob(id) }, blob)) {
    const place = join(folder, file.path);
    assert(place.startsWith(folder + sep), `${file.path} stays in the folder of its dataset`);
    await layOut(place, { blob: file.blob, store, isProgram: file.mode === "executable" });
  }
}

/** The numbers of a file of metrics; what else is in it is passed over. */
function numbersIn(text: string): Result<Record<string, number>, string> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return err(`it is no JSON (${error instanceof Error ? error.message : String(error)})`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return err("metrics are an object: names and numbers");
  return ok(
    Object.fromEntries(
      Object.entries(value).filter((entry): entry is [string, number] => typeof entry[1] === "number" && Number.isFinite(entry[1])),
    ),
  );
}
