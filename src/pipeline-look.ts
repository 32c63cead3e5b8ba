/** Looks at a pipeline without recording a run: which steps are up to date, and whether one does the same again. */
import { join } from "node:path";
import type { DeterminismView } from "./api/index.ts";
import { EvenkeelProblem, type EvenkeelClient } from "./client.ts";
import { environmentOf } from "./pipeline-environment.ts";
import { scratchOf, type Kitchen, type RunOrder } from "./pipeline-run.ts";
import { pipelineStoreOf } from "./pipeline-store.ts";
import {
  KnownTables,
  capture,
  parseStepFacts,
  repeat,
  statusOf,
  type Repeated,
  type Spoiled,
  type StepOutcome,
  type StepProgress,
  type StepStatus,
} from "./pipelines/index.ts";
import { KnownFiles } from "./registry/index.ts";
import { Slots } from "./slots.ts";
import { err, ok, type Issue, type Result } from "./std.ts";

/** A pipeline as it is now. */
export type Looked = Pick<RunOrder, "pipeline" | "params" | "seed">;

/** Reads only files that have changed since they were read last, and sends nothing to the server. */
export async function pipelineStatus(
  kitchen: Omit<Kitchen, "execute">,
  { pipeline, params, seed }: Looked,
): Promise<Result<readonly StepStatus[], readonly Issue[]>> {
  const { client, folder, clock, variables = {} } = kitchen;
  const store = pipelineStoreOf(client);
  const known = await KnownFiles.open(join(scratchOf(kitchen), "known-files.json"), () => clock.nowMs());
  const environment = await environmentOf(folder, pipeline.locks);
  const blobOf = (path: string) => known.blobOf(path);
  const tables = new KnownTables(scratchOf(kitchen));
  const dataset = (reference: string) => store.dataset(reference);
  const recipe = await capture(pipeline, { folder, params, seed, environment, variables, blobOf, dataset, tables });
  await known.save();
  if (!recipe.ok) return recipe;
  const newest = async (step: string) => {
    const outcome = await newestOutcome(client, pipeline.name, step);
    if (!outcome) return undefined;
    return outcome.facts ? parseStepFacts((await store.getBlob(outcome.facts)).toString("utf8")) : null;
  };
  return ok(await statusOf(recipe.value, { outcome: (key) => store.outcome(key), newest, store, tables }));
}

/** What a step gave when it ran again. */
export interface Verified {
  readonly repeated: Repeated;
  /** Over all times that anybody looked. */
  readonly determinism: DeterminismView;
}

/** Why there is nothing to compare. */
export type VerifyTrouble =
  | { readonly kind: "declaration"; readonly issues: readonly Issue[] }
  | { readonly kind: "spoiled"; readonly spoiled: Spoiled };

/** Runs a step once more with the very same things, and keeps whether the same came out. */
export async function verifyStep(
  kitchen: Kitchen,
  step: string,
  {
    looked: { pipeline, params, seed },
    signal,
    onProgress,
  }: { readonly looked: Looked; readonly signal?: AbortSignal; readonly onProgress?: (event: StepProgress) => void },
): Promise<Result<Verified, VerifyTrouble>> {
  const { client, folder, execute, clock, variables = {} } = kitchen;
  const store = pipelineStoreOf(client);
  const environment = await environmentOf(folder, pipeline.locks);
  const blobOf = (path: string) => store.putFile(path);
  const tables = new KnownTables(scratchOf(kitchen));
  const dataset = (reference: string) => store.dataset(reference);
  const recipe = await capture(pipeline, { folder, params, seed, environment, variables, blobOf, dataset, tables });
  if (!recipe.ok) return err({ kind: "declaration", issues: recipe.error });
  const repeated = await repeat(recipe.value, step, {
    store,
    execute,
    scratch: scratchOf(kitchen),
    environment,
    clock,
    slots: new Slots(1),
    ...(signal ? { signal } : {}),
    ...(onProgress ? { onProgress } : {}),
  });
  if (!repeated.ok) return err({ kind: "spoiled", spoiled: repeated.error });
  const { key, outs, metrics, durationMs } = repeated.value.again;
  const determinism = await client.post<DeterminismView>(`/v1/steps/${key}/repeats`, { outs, metrics, durationMs });
  return ok({ repeated: repeated.value, determinism });
}

/** Of the steps that are up to date, whether they were seen to do the same again; by step. */
export async function determinismOf(client: EvenkeelClient, status: readonly StepStatus[]): Promise<ReadonlyMap<string, DeterminismView>> {
  const found = new Map<string, DeterminismView>();
  for (const { step, state } of status)
    if (state.kind === "up-to-date") found.set(step, await client.get<DeterminismView>(`/v1/steps/${state.outcome.key}/repeats`));
  return found;
}

async function newestOutcome(client: EvenkeelClient, pipeline: string, step: string): Promise<StepOutcome | undefined> {
  try {
    return await client.get<StepOutcome>(`/v1/pipelines/${encodeURIComponent(pipeline)}/steps/${encodeURIComponent(step)}`);
  } catch (error) {
    if (error instanceof EvenkeelProblem && error.problem.status === 404) return undefined;
    throw error;
  }
}
