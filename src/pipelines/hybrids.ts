/** Trains the hybrids of a good and a bad recipe: every mixture of what differs, with several seeds. Runs where the pipeline's files can run. */
import { assert } from "../std.ts";
import { differingPlayers, hybrid, mixingTrouble, type MakingPlayer, type Recipe } from "./recipe.ts";
import { cook, type Cooked, type RunOptions, type UnderWay } from "./run.ts";
import { inParallel } from "../slots.ts";
import { failureLine, type StepFailure } from "./step-outcome.ts";

/** One player, or several that can't be told apart because no mixture of them works. */
export interface PlayerGroup {
  readonly members: readonly MakingPlayer[];
  /** Why they are one; null for a single one. */
  readonly mergedBecause: string | null;
}

export interface TrainedHybrid {
  /** Bit g is set where group g is the bad recipe's. */
  readonly mask: number;
  readonly seed: number;
  readonly cooked: Cooked;
}
export interface HybridPlan {
  readonly groups: readonly PlayerGroup[];
  readonly hybrids: readonly TrainedHybrid[];
}

export interface HybridOptions extends Omit<RunOptions, "onProgress"> {
  readonly seeds: readonly number[];
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * All 2^k mixtures for every seed. A mixture that can't be built (a trainer that doesn't know the other's hyperparameters, say) merges the
 * two players that didn't go together, and the plan starts anew with one player fewer.
 * @throws Error when the recipes have different steps, or when even one of the two recipes itself can't be built any more
 */
export async function trainHybrids(good: Recipe, bad: Recipe, options: HybridOptions): Promise<HybridPlan> {
  const trouble = mixingTrouble(good, bad);
  if (trouble) throw new Error(trouble);
  let groups: PlayerGroup[] = differingPlayers(good, bad)
    .filter((player) => player !== "threshold") // computed from the log, without training
    .map((player) => ({ members: [player], mergedBecause: null }));
  const [firstSeed = 0] = options.seeds;
  const underWay: UnderWay = new Map();
  for (;;) {
    const failed = await firstFailure({ good, bad, groups, seed: firstSeed }, options, underWay);
    if (!failed) break;
    groups = merged(groups, failed, good);
  }
  const masks = Array.from({ length: 2 ** groups.length }, (_, mask) => mask);
  const jobs = options.seeds.flatMap((seed) => masks.map((mask) => ({ mask, seed })));
  const hybrids: TrainedHybrid[] = [];
  let done = 0;
  await inParallel(jobs, options.slots.width, async ({ mask, seed }) => {
    const cooked = await cook(hybrid(good, bad, fromBad(groups, mask), seed), silent(options), underWay);
    if (!cooked.ok) {
      const [failure] = cooked.error.failures;
      throw new Error(`step ${failure.step} of a hybrid failed with seed ${seed}: ${failureLine(failure)}`);
    }
    hybrids.push({ mask, seed, cooked: cooked.value });
    options.onProgress?.(++done, jobs.length);
  });
  return { groups, hybrids: hybrids.toSorted((a, b) => a.seed - b.seed || a.mask - b.mask) };
}

interface Mixture {
  readonly good: Recipe;
  readonly bad: Recipe;
  readonly groups: readonly PlayerGroup[];
  readonly seed: number;
}
interface MixtureFailure {
  readonly mask: number;
  readonly failure: StepFailure;
}

async function firstFailure(
  { good, bad, groups, seed }: Mixture,
  options: HybridOptions,
  underWay: UnderWay,
): Promise<MixtureFailure | undefined> {
  for (let mask = 0; mask < 2 ** groups.length; mask++) {
    const cooked = await cook(hybrid(good, bad, fromBad(groups, mask), seed), silent(options), underWay);
    if (cooked.ok) continue;
    const [failure] = cooked.error.failures;
    const isPure = mask === 0 || mask === 2 ** groups.length - 1;
    if (isPure)
      throw new Error(
        `${mask === 0 ? "the good" : "the bad"} release can't be built again: step ${failure.step} says ${failureLine(failure)}`,
      );
    return { mask, failure };
  }
  return undefined;
}

/** Progress is told by hybrid, not by step. */
function silent({ onProgress: _progress, ...run }: HybridOptions): RunOptions {
  return run;
}

const fromBad = (groups: readonly PlayerGroup[], mask: number): ReadonlySet<MakingPlayer> =>
  new Set(groups.flatMap((group, g) => ((mask >> g) & 1 ? group.members : [])));

/** Joins the group that failed with one on the other side: its own parameters first, else what it was fed with. */
function merged(groups: readonly PlayerGroup[], { mask, failure }: MixtureFailure, recipe: Recipe): PlayerGroup[] {
  const role = recipe.steps.find((step) => step.name === failure.step)?.role;
  const order: readonly MakingPlayer[] =
    role === "algorithm" ? ["algorithm", "hyperparameters", "features", "data"] : ["features", "data", "algorithm", "hyperparameters"];
  const side = (g: number) => (mask >> g) & 1;
  const ranked = order.flatMap((player) => {
    const g = groups.findIndex((group) => group.members.includes(player));
    return g < 0 ? [] : [g];
  });
  const [first] = ranked;
  const second = ranked.find((g) => first !== undefined && side(g) !== side(first));
  assert(first !== undefined && second !== undefined, "a mixture that failed has both sides in it");
  const members = [...(groups[first]?.members ?? []), ...(groups[second]?.members ?? [])];
  const together: PlayerGroup = { members, mergedBecause: `step ${failure.step}: ${failureLine(failure)}` };
  return groups.flatMap((group, g) => (g === Math.min(first, second) ? [together] : g === first || g === second ? [] : [group]));
}
