import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { EvenkeelClient } from "../client.ts";
import { parsePipeline, spawnExecutor, type Cooked, type StepFailure } from "../pipelines/index.ts";
import { systemRuntime, type Json } from "../store/index.ts";
import { train as trainHere } from "../training.ts";
import { brokenText, readText, readYaml } from "./files.ts";
import { milliseconds } from "./format.ts";
import { styled, table, type Io } from "./io.ts";
import { UsageError, verb } from "./verb.ts";

const LOG_LINES_SHOWN = 20;

export const train = verb({
  name: "train",
  help: `run a declared pipeline here, and record its run and its model

usage: evenkeel train -f <evenkeel.yaml> [--params <file>] [--model <name>] [--seed <n>] [--experiment <name>] [--name <text>] [--out <folder>]

  --params      parameters that steps are told (default: params.yaml beside the pipeline)
  --model       registers the output of the kind "model" as a version of this model
  --seed        given to every step (default 1)
  --experiment  what the run is filed under (default: the pipeline's name)
  --name        of the run (default: the name of the file)
  --out         writes what came out into this folder as well

Commands run on this machine, never on the server. A step whose code, parameters, inputs and environment were there before isn't run again.

example:
  evenkeel train -f examples/loans/evenkeel.logistic.yaml --params examples/loans/params.logistic.yaml --model credit --out tour`,
  words: 1,
  options: {
    file: { type: "string", short: "f" },
    params: { type: "string" },
    model: { type: "string" },
    seed: { type: "string" },
    experiment: { type: "string" },
    name: { type: "string" },
    out: { type: "string" },
  },
  async run({ values, positionals }, { client, io, cwd }) {
    const named = values.file ?? positionals[0];
    if (!named) throw new UsageError("which pipeline? -f <evenkeel.yaml>");
    const seed = Number(values.seed ?? 1);
    if (!Number.isInteger(seed) || seed < 0) throw new UsageError(`--seed takes a whole number, not "${values.seed ?? ""}"`);
    const file = resolve(cwd, named);
    const pipeline = parsePipeline(await readText(cwd, named));
    if (!pipeline.ok) {
      io.note(brokenText(styled(io, "red", `${named} is no pipeline that can run:`), pipeline.error));
      return 1;
    }
    const { clock } = systemRuntime();
    const kitchen = { client: client(), folder: dirname(file), execute: spawnExecutor, now: () => clock.monotonicUs() / 1000 };
    const trained = await trainHere(kitchen, {
      pipeline: pipeline.value,
      params: await paramsIn(values.params === undefined ? join(dirname(file), "params.yaml") : resolve(cwd, values.params), values.params),
      seed,
      experiment: values.experiment ?? pipeline.value.name,
      name: values.name ?? basename(file).replace(/[.]ya?ml$/, ""),
      ...(values.model === undefined ? {} : { model: values.model }),
      onProgress: ({ step, state }) => io.progress(`${step}: ${state}`),
    });
    io.progress(undefined);
    if (!trained.ok) return failed(io, trained.error);
    const { run, model, cooked, metrics } = trained.value;
    const written = values.out === undefined ? [] : await writeOuts(kitchen.client, cooked, { cwd, folder: values.out });
    if (values.json) io.out(JSON.stringify({ run, model, metrics, steps: cooked.outcomes, written }));
    else {
      io.out(stepsText(io, cooked));
      io.out(`run ${styled(io, "bold", run)}${model === null ? "" : `, model ${styled(io, "bold", model)}`}`);
      if (written.length > 0) io.note(`written: ${written.join(", ")}`);
    }
    return 0;
  },
});

function failed(io: Io, { step, exitCode, log }: StepFailure): number {
  const last = log.trimEnd().split("\n").slice(-LOG_LINES_SHOWN);
  io.note(
    [styled(io, "red", `step ${step} ended with exit code ${exitCode}; its last words:`), ...last.map((line) => `  ${line}`)].join("\n"),
  );
  return 1;
}

/** @param said - where the user named the file; without, having none is fine */
async function paramsIn(path: string, said: string | undefined): Promise<Readonly<Record<string, Json>>> {
  if (said === undefined && !existsSync(path)) return {};
  const value = await readYaml("/", path);
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new UsageError(`${said ?? path} should be a YAML file with parameters by name`);
  return asParams(value);
}
/** YAML's core schema knows nothing that JSON doesn't. */
const asParams = (value: object): Readonly<Record<string, Json>> => value as Readonly<Record<string, Json>>;

async function writeOuts(
  client: EvenkeelClient,
  { recipe, outcomes }: Cooked,
  { cwd, folder }: { readonly cwd: string; readonly folder: string },
): Promise<string[]> {
  const written: string[] = [];
  for (const [i, step] of recipe.steps.entries())
    for (const [out, { path }] of Object.entries(step.outs)) {
      const blob = outcomes[i]?.outs[out];
      if (!blob) continue;
      const place = join(folder, path);
      await mkdir(dirname(resolve(cwd, place)), { recursive: true });
      await writeFile(resolve(cwd, place), await client.getBytes(`/v1/blobs/${blob}`));
      written.push(place);
    }
  return written;
}

function stepsText(io: Io, { outcomes }: Cooked): string {
  const rows = outcomes.map(({ step, durationMs, outs, metrics }) => [
    step,
    milliseconds(durationMs),
    Object.keys(outs).join(", "),
    Object.entries(metrics)
      .map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`)
      .join(", "),
  ]);
  return table(io, ["step", "took", "gave", "metrics"], rows);
}
