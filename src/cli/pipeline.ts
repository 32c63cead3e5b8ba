import type { RunDetailView, RunPageView } from "../api/index.ts";
import type { EvenkeelClient } from "../client.ts";
import { STEPS_ARTIFACT } from "../pipeline-run.ts";
import { parseStepsOfRun, type StepOfRun } from "../pipelines/index.ts";
import { FileError } from "./files.ts";
import { PIPELINE_FILE, readPipeline } from "./pipeline-file.ts";
import { UsageError, verb } from "./verb.ts";

export const pipeline = verb({
  name: "pipeline",
  help: `look at pipelines and their steps

usage: evenkeel pipeline log <step> [--run <id>] [-f <evenkeel.yaml>]

  log    all that a step printed, in the newest run of the pipeline or in the one named

examples:
  evenkeel pipeline log train -f examples/loans/evenkeel.logistic.yaml`,
  words: 3,
  options: { ...PIPELINE_FILE, run: { type: "string" } },
  async run({ positionals: [act, first], values }, { client, io, cwd }) {
    switch (act) {
      case "log": {
        if (!first) throw new UsageError("the log of which step?");
        const run = values.run ?? (await newestRun(client(), (await readPipeline(cwd, values)).pipeline.name));
        const { artifacts } = await client().get<RunDetailView>(`/v1/runs/${encodeURIComponent(run)}`);
        const steps = await stepsOfRun(client(), artifacts);
        const step = steps.find(({ step: name }) => name === first);
        if (!step)
          throw new FileError(`run ${run} has run no step ${first}: ${steps.map(({ step: name }) => name).join(", ") || "none at all"}`);
        if (step.log === null) io.note(`${first} printed nothing`);
        else io.out((await client().getBytes(`/v1/blobs/${step.log}`)).toString("utf8").trimEnd());
        return 0;
      }
      default:
        throw new UsageError(act === undefined ? "what about it? log" : `pipeline can log, not "${act}"`);
    }
  },
});

const RUNS_LOOKED_AT = 1000;

async function stepsOfRun(client: EvenkeelClient, artifacts: RunDetailView["artifacts"]): Promise<readonly StepOfRun[]> {
  const artifact = artifacts.find(({ path }) => path === STEPS_ARTIFACT);
  return artifact ? parseStepsOfRun((await client.getBytes(`/v1/blobs/${artifact.blob}`)).toString("utf8")) : [];
}

/** The newest run of a pipeline, whatever experiment it is filed under. */
async function newestRun(client: EvenkeelClient, pipeline: string): Promise<string> {
  const { runs } = await client.get<RunPageView>("/v1/runs", { limit: RUNS_LOOKED_AT });
  const found = runs.find(({ tags }) => tags["pipeline"] === pipeline);
  if (!found) throw new FileError(`no run of the pipeline ${pipeline} among the last ${RUNS_LOOKED_AT.toLocaleString("en")}: evenkeel run`);
  return found.id;
}
