/**
 * Tier 1 of blame, as far as it needs the pipelines' programs: trains every mixture of the two releases' making here, and has the server
 * judge them. The server itself never runs a command.
 */
import type { BlameReportView, IncidentDetailView, ReleaseView, RunDetailView } from "./api/index.ts";
import type { EvenkeelClient } from "./client.ts";
import { environmentOf } from "./pipeline-environment.ts";
import { RECIPE_ARTIFACT, scratchOf, type Kitchen } from "./pipeline-run.ts";
import { pipelineStoreOf } from "./pipeline-store.ts";
import { outOfKind, parseRecipe, trainHybrids, type PlayerGroup, type Recipe } from "./pipelines/index.ts";
import { Slots } from "./slots.ts";
import { err, ok, type BlobId, type Result } from "./std.ts";

/** Same seeds for every mixture: what differs between two of them is then what was swapped, not luck. */
const SEEDS = [1, 2, 3, 4, 5];
const SIDE_BY_SIDE = 2;
/** The server scores everybody again with every mixture. */
const JUDGED_WITHIN_MS = 600_000;

/** How a release was made, as its run recorded it. */
export interface RecordedMaking {
  readonly release: string;
  readonly run: string;
  /** Whoever recorded the run: the commands are theirs. */
  readonly recordedBy: string;
  readonly recipe: Recipe;
}
export interface RecordedMakings {
  readonly good: RecordedMaking;
  readonly bad: RecordedMaking;
}

/** How the two releases of an incident were made; a sentence where that isn't known. @param client - may read the registry */
export async function makingsOf(client: EvenkeelClient, incident: number): Promise<Result<RecordedMakings, string>> {
  const { endpoint, release, restored } = await client.get<IncidentDetailView>(`/v1/incidents/${incident}`);
  if (restored === null) return err(`incident ${incident} has put nothing back that could be compared with ${release}`);
  const good = await makingOf(client, endpoint, restored);
  if (!good.ok) return good;
  const bad = await makingOf(client, endpoint, release);
  return bad.ok ? ok({ good: good.value, bad: bad.value }) : bad;
}

/** How a release was made, as its run recorded it; a sentence where that isn't known. @param client - may read the registry's bytes */
export async function makingOf(client: EvenkeelClient, endpoint: string, release: string): Promise<Result<RecordedMaking, string>> {
  const view = await client.get<ReleaseView>(`/v1/endpoints/${encodeURIComponent(endpoint)}/releases/${encodeURIComponent(release)}`);
  const run = runIn(view.origin);
  if (run === undefined)
    return err(
      view.scorer === "rules"
        ? `${release} is a rule: nothing of it was trained, so there is nothing to train again`
        : `the model of ${release} names no run that made it: register models by \`evenkeel run\`, or with --run`,
    );
  const { artifacts, createdBy: recordedBy } = await client.get<RunDetailView>(`/v1/runs/${encodeURIComponent(run)}`);
  const artifact = artifacts.find(({ path }) => path === RECIPE_ARTIFACT);
  if (!artifact) return err(`run ${run}, which made the model of ${release}, has no ${RECIPE_ARTIFACT}: \`evenkeel run\` records one`);
  const recipe = parseRecipe(JSON.parse((await client.getBytes(`/v1/blobs/${artifact.blob}`)).toString("utf8")));
  if (recipe.ok) return ok({ release, run, recordedBy, recipe: recipe.value });
  const [first] = recipe.error;
  return err(`${RECIPE_ARTIFACT} of run ${run} can't be read: ${first?.path ?? ""} should be ${first?.expected ?? "a recipe"}`);
}

const runIn = (origin: unknown): string | undefined =>
  typeof origin === "object" && origin !== null && "run" in origin && typeof origin.run === "string" ? origin.run : undefined;

export interface RetrainOrder {
  readonly incident: number;
  readonly makings: RecordedMakings;
  /** Asks for the judgement: may switch routes, which a trainer may not. */
  readonly judge: EvenkeelClient;
  readonly onProgress?: (done: number, total: number) => void;
}

/** What was trained for a report. */
export interface Retrained {
  readonly report: BlameReportView;
  readonly groups: readonly PlayerGroup[];
  readonly mixtures: number;
}

/** @throws Error when one of the two can't be built again, or they are nothing that can be mixed; EvenkeelProblem when the server refuses */
export async function retrain(kitchen: Kitchen, { incident, makings, judge, onProgress }: RetrainOrder): Promise<Retrained> {
  const { groups, hybrids } = await trainHybrids(makings.good.recipe, makings.bad.recipe, {
    store: pipelineStoreOf(kitchen.client),
    execute: kitchen.execute,
    scratch: scratchOf(kitchen),
    clock: kitchen.clock,
    // One for all mixtures: this machine's, whatever theirs were when they were recorded.
    environment: await environmentOf(kitchen.folder, makings.good.recipe.locks ?? []),
    seeds: SEEDS,
    slots: new Slots(SIDE_BY_SIDE),
    ...(onProgress ? { onProgress } : {}),
  });
  const body = {
    groups,
    hybrids: hybrids.map(({ mask, seed, cooked }) => {
      const [model, featureSet]: (BlobId | undefined)[] = [outOfKind(cooked, "model"), outOfKind(cooked, "feature-set")];
      if (!model) throw new Error(`pipeline ${cooked.recipe.pipeline} has no output of the kind "model"`);
      return { mask, seed, model, ...(featureSet ? { featureSet } : {}) };
    }),
  };
  const report = await judge.post<BlameReportView>(`/v1/incidents/${incident}/blame`, body, { timeoutMs: JUDGED_WITHIN_MS });
  return { report, groups, mixtures: hybrids.length };
}
