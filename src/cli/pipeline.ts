import type { DeterminismView, RunDetailView, RunPageView } from "../api/index.ts";
import type { EvenkeelClient } from "../client.ts";
import { determinismOf, pipelineStatus, verifyStep, type Verified } from "../pipeline-look.ts";
import { STEPS_ARTIFACT } from "../pipeline-run.ts";
import { changeText, parseStepsOfRun, spawnExecutor, withUpstream, type StepOfRun, type StepStatus } from "../pipelines/index.ts";
import { releaseDiff, type ReleaseDiff } from "../release-diff.ts";
import { unreachable } from "../std.ts";
import { systemRuntime } from "../store/index.ts";
import { FileError, brokenText } from "./files.ts";
import { plural } from "./format.ts";
import { styled, table, type Io } from "./io.ts";
import { PIPELINE_FILE, combinationsOf, readPipeline, stepsNamed, type PipelineFile } from "./pipeline-file.ts";
import { spoiledText } from "./run-trouble.ts";
import { UsageError, verb, type VerbContext } from "./verb.ts";

export const pipeline = verb({
  name: "pipeline",
  help: `look at pipelines: what is up to date, what a step printed, whether it does the same again, what differs between two releases

usage: evenkeel pipeline status [-f <evenkeel.yaml>] [--params <file>] [--set <param>=<value>]… [--seed <n>]
       evenkeel pipeline verify <step> [the same options]
       evenkeel pipeline log <step> [--run <id>] [-f <evenkeel.yaml>]
       evenkeel pipeline diff <endpoint> <release> <release>

  status  which steps are up to date, and what changed in the others; reads only files that have changed. Exit code 3 when something must run
  verify  runs a step once more with the very same things, and keeps whether the same bytes came out. Exit code 3 when they didn't
  log     all that a step printed, in the newest run that ran it or in the one named
  diff    what differs in the making of two releases: code by step, parameters, data with the verdict of its diff, features, policy, model

examples:
  evenkeel pipeline status -f examples/loans/evenkeel.logistic.yaml --params examples/loans/params.logistic.yaml
  evenkeel pipeline diff loans r2 r3`,
  words: 4,
  options: { ...PIPELINE_FILE, set: { type: "string", multiple: true }, run: { type: "string" } },
  async run({ positionals: [act, first, second, third], values }, context) {
    const { client, io, cwd } = context;
    const show = <T>(view: T, text: (view: T) => string) => io.out(values.json ? JSON.stringify(view) : text(view));
    switch (act) {
      case "status": {
        const steps = await statusHere(context, oneOf(await readPipeline(cwd, values), values.set ?? []));
        show(steps, () => statusText(io, steps));
        return steps.every(({ state }) => state.kind === "up-to-date") ? 0 : 3;
      }
      case "verify": {
        if (!first) throw new UsageError("verify which step?");
        const verified = await verifyHere(context, oneOf(await readPipeline(cwd, values), values.set ?? []), first);
        if (!verified) return 1;
        const { repeated, determinism } = verified;
        show({ step: first, first: repeated.first.outs, again: repeated.again.outs, ...determinism }, () =>
          verifiedText(io, first, verified),
        );
        return determinism.differing.length > 0 ? 3 : 0;
      }
      case "log": {
        if (!first) throw new UsageError("the log of which step?");
        if (values.run !== undefined) await showLog(context, await stepOfRun(client(), values.run, first));
        else await showLog(context, await newestOf(client(), (await readPipeline(cwd, values)).pipeline.name, first));
        return 0;
      }
      case "diff": {
        if (!first || !second || !third) throw new UsageError("an endpoint and two releases are needed, such as loans r2 r3");
        show(await releaseDiff(client(), { endpoint: first, before: second, after: third }), (diff) => diffText(io, diff));
        return 0;
      }
      default:
        throw new UsageError(`pipeline can status, verify, log or diff${act === undefined ? "" : `, not "${act}"`}`);
    }
  },
});

/** The pipeline as one run would have it. */
function oneOf(file: PipelineFile, set: readonly string[]): PipelineFile & { readonly seed: number } {
  const [combination, ...more] = combinationsOf(file, set);
  const [seed = 1, ...seeds] = file.seeds;
  if (more.length > 0 || seeds.length > 0) throw new UsageError("one value a parameter, and one seed: this looks at a single run");
  return { ...file, params: combination?.params ?? file.params, seed };
}

type StatusLine = StepStatus & { readonly determinism: DeterminismView | null };

async function statusHere({ client }: VerbContext, file: PipelineFile & { readonly seed: number }): Promise<readonly StatusLine[]> {
  const kitchen = { client: client(), folder: file.folder, clock: systemRuntime().clock, variables: process.env };
  const status = await pipelineStatus(kitchen, file);
  if (!status.ok) throw new FileError(brokenText("what the pipeline declares isn't there:", status.error));
  const determinism = await determinismOf(kitchen.client, status.value);
  return status.value.map((one) => ({ ...one, determinism: determinism.get(one.step) ?? null }));
}

const CHANGES_SHOWN = 6;

function statusText(io: Io, steps: readonly StatusLine[]): string {
  const rows = steps.map(({ step, state, determinism }) => {
    switch (state.kind) {
      case "up-to-date":
        return [step, styled(io, "green", "up to date"), determinismText(determinism)];
      case "never-ran":
        return [step, styled(io, "yellow", "must run"), "it never ran"];
      case "changed":
        return [step, styled(io, "yellow", "must run"), whyText(state.changes.map(changeText))];
      case "waits":
        return [step, styled(io, "yellow", "waits"), whyText([`for ${state.for.join(", ")}`, ...state.changes.map(changeText)])];
      default:
        return unreachable(state);
    }
  });
  return table(io, ["step", "state", "why"], rows);
}

function whyText(why: readonly string[]): string {
  if (why.length === 0) return "what it was made of before isn't recorded";
  const rest = why.length - CHANGES_SHOWN;
  return [...why.slice(0, CHANGES_SHOWN), ...(rest > 0 ? [`and ${rest} more`] : [])].join("; ");
}

function determinismText(found: DeterminismView | null): string {
  if (!found || found.repeats === 0) return "";
  const times = plural(found.repeats, "time");
  return found.differing.length > 0 ? `not deterministic: ${found.differing.join(", ")} differed` : `the same again, ${times}`;
}

/** Undefined when the step didn't end well, which has been told then. */
async function verifyHere(
  { client, io }: VerbContext,
  file: PipelineFile & { readonly seed: number },
  step: string,
): Promise<Verified | undefined> {
  const kitchen = { client: client(), folder: file.folder, execute: spawnExecutor, clock: systemRuntime().clock, variables: process.env };
  const looked = { ...file, pipeline: withUpstream(file.pipeline, stepsNamed(file.pipeline, [step])) };
  const stop = new AbortController();
  const end = () => stop.abort();
  process.once("SIGINT", end).once("SIGTERM", end);
  try {
    const onProgress = ({ step: name, state }: { readonly step: string; readonly state: string }) => io.progress(`${name}: ${state}`);
    const verified = await verifyStep(kitchen, step, { looked, signal: stop.signal, onProgress });
    if (verified.ok) return verified.value;
    const { error } = verified;
    if (error.kind === "declaration") throw new FileError(brokenText("what the pipeline declares isn't there:", error.issues));
    io.note(spoiledText(io, error.spoiled));
    return undefined;
  } finally {
    process.off("SIGINT", end).off("SIGTERM", end);
    io.progress(undefined);
  }
}

function verifiedText(io: Io, step: string, { repeated: { first, again }, determinism: { repeats, differing } }: Verified): string {
  const moved = Object.keys(first.metrics)
    .filter((name) => first.metrics[name] !== again.metrics[name])
    .map((name) => `${name} ${first.metrics[name]} → ${again.metrics[name] ?? "nothing"}`);
  const metrics = moved.length > 0 ? `; metrics: ${moved.join(", ")}` : "";
  if (differing.length === 0)
    return `${step} is ${styled(io, "green", "deterministic")} as far as ${plural(repeats, "repetition")} can tell: the same bytes each time${metrics}`;
  const now = differing.filter((name) => first.outs[name] !== again.outs[name]);
  const when = now.length > 0 ? "other bytes came out this time" : "the same came out this time, but not every time before";
  return `${step} is ${styled(io, "red", "not deterministic")}: ${differing.join(", ")} differed; ${when}${metrics}`;
}

function diffText(io: Io, { endpoint, before, after, differences, same, unknown }: ReleaseDiff): string {
  const lines = differences.flatMap(({ player, of, changes }) => [
    styled(io, "bold", of === null ? player : `${player} (${of})`),
    ...whyLines(changes),
  ]);
  return [
    `${endpoint}: ${before} → ${after}`,
    "",
    ...(lines.length > 0 ? lines : ["nothing that is recorded differs"]),
    "",
    ...(same.length > 0 ? [styled(io, "dim", `the same: ${same.join(", ")}`)] : []),
    ...unknown.map((why) => styled(io, "yellow", `not known: ${why}`)),
  ].join("\n");
}

const LINES_SHOWN = 10;

function whyLines(changes: readonly string[]): string[] {
  const rest = changes.length - LINES_SHOWN;
  return [...changes.slice(0, LINES_SHOWN).map((change) => `  ${change}`), ...(rest > 0 ? [`  and ${rest} more: --json has all`] : [])];
}

async function showLog({ client, io }: VerbContext, { step, log }: StepOfRun): Promise<void> {
  if (log === null) io.note(`${step} printed nothing`);
  else io.out((await client().getBytes(`/v1/blobs/${log}`)).toString("utf8").trimEnd());
}

async function stepOfRun(client: EvenkeelClient, run: string, name: string): Promise<StepOfRun> {
  const steps = await stepsOfRun(client, run);
  const step = steps.find((one) => one.step === name);
  if (step) return step;
  throw new FileError(`run ${run} has run no step ${name}: ${steps.map((one) => one.step).join(", ") || "none at all"}`);
}

async function stepsOfRun(client: EvenkeelClient, run: string): Promise<readonly StepOfRun[]> {
  const { artifacts } = await client.get<RunDetailView>(`/v1/runs/${encodeURIComponent(run)}`);
  const artifact = artifacts.find(({ path }) => path === STEPS_ARTIFACT);
  return artifact ? parseStepsOfRun((await client.getBytes(`/v1/blobs/${artifact.blob}`)).toString("utf8")) : [];
}

const RUNS_LOOKED_THROUGH = 1000;

/** A step in the newest run of a pipeline that ran it, whatever experiment that is filed under. */
async function newestOf(client: EvenkeelClient, pipelineName: string, name: string): Promise<StepOfRun> {
  const { runs } = await client.get<RunPageView>("/v1/runs", { limit: RUNS_LOOKED_THROUGH });
  for (const { id, tags } of runs) {
    if (tags["pipeline"] !== pipelineName) continue;
    const found = (await stepsOfRun(client, id)).find(({ step }) => step === name);
    if (found) return found;
  }
  const among = `among the last ${RUNS_LOOKED_THROUGH.toLocaleString("en")}`;
  throw new FileError(`no run of the pipeline ${pipelineName} ${among} has run a step ${name}: evenkeel run`);
}
