import { mkdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { EvenkeelClient } from "../client.ts";
import { runPipelines, type PipelineRun, type RunOrder, type RunTrouble } from "../pipeline-run.ts";
import {
  spawnExecutor,
  troubleText,
  withUpstream,
  type Combination,
  type Cooked,
  type Pipeline,
  type Spoiled,
  type StepProgress,
} from "../pipelines/index.ts";
import { systemRuntime, type Json } from "../store/index.ts";
import type { Result } from "../std.ts";
import { brokenText } from "./files.ts";
import { milliseconds, plural } from "./format.ts";
import { styled, table, type Io } from "./io.ts";
import { PIPELINE_FILE, combinationsOf, readPipeline, stepsNamed, widthOf } from "./pipeline-file.ts";
import { spoiledText } from "./run-trouble.ts";
import { UsageError, verb } from "./verb.ts";

const STEPS_MAX = 100;

export const run = verb({
  name: "run",
  help: `run a declared pipeline here, and record its runs and its model

usage: evenkeel run [<step>…] [-f <evenkeel.yaml>] [--params <file>] [--set <param>=<value>[,<value>…]]… [--model <name>] [--seed <n>[,<n>…]]
                    [--experiment <name>] [--name <text>] [--parallel <n>] [--out <folder>]

  <step>        only these, and what they need
  -f            the pipeline (default: evenkeel.yaml here)
  --params      parameters that steps are told (default: params.yaml beside the pipeline)
  --set         gives a parameter another value; with several, every combination is a run
  --model       registers the output of the kind "model" as a version of this model
  --seed        given to every step (default 1); with several, each is a run
  --experiment  what the runs are filed under (default: the pipeline's name)
  --name        of the run (default: the name of the file)
  --parallel    commands side by side at most (default: as many as there are cores)
  --out         writes what came out into this folder as well

Commands run on this machine, never on the server. A step whose code, parameters, inputs and environment were there before isn't run again,
so a run that was interrupted goes on where it was when it is started again. Ctrl-C ends what runs; what has finished is kept.

examples:
  evenkeel run -f examples/loans/evenkeel.logistic.yaml --params examples/loans/params.logistic.yaml --model credit --out tour
  evenkeel run train --set train.depth=4,8,12`,
  words: STEPS_MAX,
  options: {
    ...PIPELINE_FILE,
    set: { type: "string", multiple: true },
    model: { type: "string" },
    experiment: { type: "string" },
    name: { type: "string" },
    parallel: { type: "string" },
    out: { type: "string" },
  },
  async run({ values, positionals }, { client, io, cwd }) {
    const file = await readPipeline(cwd, values);
    const named = stepsNamed(file.pipeline, positionals);
    const pipeline = named.size > 0 ? withUpstream(file.pipeline, named) : file.pipeline;
    const some = named.size > 0 ? { steps: [...named].join(", ") } : {};
    const wanted = file.seeds.flatMap((seed) => combinationsOf(file, values.set ?? []).map((combination) => ({ seed, ...combination })));
    if (wanted.length > 1 && values.out !== undefined) throw new UsageError("--out takes what one run made, and these are several");
    const orders = wanted.map(({ seed, params, set }): RunOrder => ({
      pipeline,
      params,
      seed,
      experiment: values.experiment ?? pipeline.name,
      name: runName(values.name ?? file.name, set, file.seeds.length > 1 ? seed : undefined),
      tags: { ...some, ...(wanted.length > 1 ? { sweep: sweepText(values.set ?? [], file.seeds) } : {}) },
      ...(values.model === undefined ? {} : { model: values.model }),
    }));
    const kitchen = { client: client(), folder: file.folder, execute: spawnExecutor, clock: systemRuntime().clock, variables: process.env };
    const progress = new Progress(io, pipeline, orders.length);
    const stop = new AbortController();
    const end = () => stop.abort();
    process.once("SIGINT", end).once("SIGTERM", end);
    let results: readonly Result<PipelineRun, RunTrouble>[];
    try {
      results = await runPipelines(kitchen, orders, {
        parallel: widthOf(values.parallel),
        signal: stop.signal,
        onProgress: (event) => progress.show(event),
      });
    } finally {
      process.off("SIGINT", end).off("SIGTERM", end);
      io.progress(undefined);
    }
    const [only] = results;
    if (results.length > 1) return showSweep(io, { results, wanted, json: values.json ?? false });
    if (!only?.ok) return failed(io, only?.error, values.json ?? false);
    const { run: id, model, cooked, metrics, undeclaredReads, isResumed } = only.value;
    const written = values.out === undefined ? [] : await writeOuts(kitchen.client, cooked, { cwd, folder: values.out });
    if (values.json) io.out(JSON.stringify({ run: id, model, metrics, undeclaredReads, isResumed, steps: stepsJson(cooked), written }));
    else {
      io.out(stepsText(io, cooked));
      io.out(
        `run ${styled(io, "bold", id)}${isResumed ? ", taken up where it was interrupted" : ""}${model === null ? "" : `, model ${styled(io, "bold", model)}`}`,
      );
      for (const line of undeclaredLines(undeclaredReads)) io.note(styled(io, "yellow", line));
      if (written.length > 0) io.note(`written: ${written.join(", ")}`);
    }
    return 0;
  },
});

/** `forest+train.depth=4`, in the letters that names have. */
const runName = (name: string, set: Combination["set"], seed: number | undefined) =>
  [name, ...Object.entries(set).map(([path, value]) => `${path}=${shownValue(value)}`), ...(seed === undefined ? [] : [`seed=${seed}`])]
    .join("+")
    .replaceAll(/[^A-Za-z0-9._+=-]+/g, "-")
    .slice(0, NAME_CHARACTERS);
const NAME_CHARACTERS = 100;
const shownValue = (value: Json) => (typeof value === "string" ? value : JSON.stringify(value));
const sweepText = (set: readonly string[], seeds: readonly number[]) =>
  [...set, ...(seeds.length > 1 ? [`seed=${seeds.join(",")}`] : [])].join(" ").slice(0, 5000);

/** How far it is, over all runs. */
class Progress {
  readonly #io: Io;
  readonly #total: number;
  readonly #running: string[] = [];
  #done = 0;

  constructor(io: Io, pipeline: Pipeline, runs: number) {
    this.#io = io;
    this.#total = pipeline.steps.length * runs;
  }

  show({ step, state }: StepProgress): void {
    if (state === "running") this.#running.push(step);
    else {
      this.#done++;
      const at = this.#running.indexOf(step);
      if (state !== "cached" && at >= 0) this.#running.splice(at, 1);
    }
    this.#io.progress(this.#running.length > 0 ? `running ${this.#running.join(", ")}` : `${step}: ${state}`, this.#done, this.#total);
  }
}

/** Says why there is no run, and what there is. @returns the exit code */
function failed(io: Io, trouble: RunTrouble | undefined, json: boolean): number {
  if (!trouble) throw new Error("one order gives one run");
  if (json) io.out(JSON.stringify(troubleJson(trouble)));
  else io.note(runTroubleText(io, trouble));
  return 1;
}

function runTroubleText(io: Io, trouble: RunTrouble): string {
  if (trouble.kind === "declaration") return brokenText(styled(io, "red", "what the pipeline declares isn't there:"), trouble.issues);
  const [first] = trouble.spoiled.failures;
  const where = `recorded as run ${trouble.run}, failed; whole logs: evenkeel pipeline log ${first.step} --run ${trouble.run}`;
  return `${spoiledText(io, trouble.spoiled)}\n${where}`;
}

function troubleJson(trouble: RunTrouble): unknown {
  if (trouble.kind === "declaration") return { issues: trouble.issues };
  const { failures, kept, notRun }: Spoiled = trouble.spoiled;
  return {
    run: trouble.run,
    failures: failures.map((failure) => ({ step: failure.step, trouble: failure.trouble, why: troubleText(failure), log: failure.log })),
    kept: kept.map(({ step }) => step),
    notRun,
  };
}

const FILES_SHOWN = 5;

/** What to do about it, step by step. */
function undeclaredLines(undeclared: PipelineRun["undeclaredReads"]): string[] {
  return Object.entries(undeclared).map(([step, reads]) => {
    const rest = reads.length - FILES_SHOWN;
    const files = `${reads.slice(0, FILES_SHOWN).join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
    return `lineage incomplete: step ${step} read what it doesn't declare: ${files}; add it to its code or its deps ({ file: … }), or what it made can't be told from what it was made of`;
  });
}

interface Sweep {
  readonly results: readonly Result<PipelineRun, RunTrouble>[];
  readonly wanted: readonly { readonly seed: number; readonly set: Combination["set"] }[];
  readonly json: boolean;
}

function showSweep(io: Io, { results, wanted, json }: Sweep): number {
  const failures = results.flatMap((result) => (result.ok ? [] : [result.error]));
  if (json) {
    const runs = results.map((result, i) => ({
      set: wanted[i]?.set,
      seed: wanted[i]?.seed,
      ...(result.ok
        ? { run: result.value.run, model: result.value.model, metrics: result.value.metrics }
        : { failed: troubleJson(result.error) }),
    }));
    io.out(JSON.stringify({ runs }));
    return failures.length > 0 ? 1 : 0;
  }
  const paths = Object.keys(wanted[0]?.set ?? {});
  const seeds = new Set(wanted.map(({ seed }) => seed)).size > 1;
  const metrics = [...new Set(results.flatMap((result) => (result.ok ? Object.keys(result.value.metrics) : [])))];
  const rows = results.map((result, i) => [
    result.ok ? result.value.run : result.error.kind === "spoiled" ? result.error.run : null,
    ...paths.map((path) => shownValue(wanted[i]?.set[path] ?? null)),
    ...(seeds ? [String(wanted[i]?.seed ?? "")] : []),
    ...metrics.map((name) => (result.ok ? rounded(result.value.metrics[name]) : "failed")),
    ...(result.ok && result.value.model !== null ? [result.value.model] : [""]),
  ]);
  io.out(table(io, ["run", ...paths, ...(seeds ? ["seed"] : []), ...metrics, "model"], rows));
  const undeclared = Object.assign({}, ...results.map((result) => (result.ok ? result.value.undeclaredReads : {})));
  for (const line of undeclaredLines(undeclared)) io.note(styled(io, "yellow", line));
  const [first] = failures;
  if (!first) return 0;
  io.note(`${plural(failures.length, "run")} of ${results.length} failed. The first:\n${runTroubleText(io, first)}`);
  return 1;
}

const rounded = (value: number | undefined) => (value === undefined ? "–" : String(Number(value.toPrecision(4))));

async function writeOuts(
  client: EvenkeelClient,
  { recipe, outcomes }: Cooked,
  { cwd, folder }: { readonly cwd: string; readonly folder: string },
): Promise<string[]> {
  const written: string[] = [];
  for (const step of recipe.steps)
    for (const [out, { path }] of Object.entries(step.outs)) {
      const blob = outcomes.find((outcome) => outcome.step === step.name)?.outs[out];
      if (!blob) continue;
      const place = join(folder, path);
      await mkdir(dirname(resolve(cwd, place)), { recursive: true });
      await client.getFile(`/v1/blobs/${blob}`, resolve(cwd, place));
      written.push(place);
    }
  return written;
}

const stepsJson = ({ outcomes, cached }: Cooked) => outcomes.map((outcome) => ({ ...outcome, isCached: cached.has(outcome.step) }));

function stepsText(io: Io, { outcomes, cached }: Cooked): string {
  const rows = outcomes.map(({ step, durationMs, outs, metrics }) => [
    step,
    cached.has(step) ? "was there" : milliseconds(durationMs),
    Object.keys(outs).join(", "),
    Object.entries(metrics)
      .map(([name, value]) => `${name} ${rounded(value)}`)
      .join(", "),
  ]);
  return table(io, ["step", "took", "gave", "metrics"], rows);
}
