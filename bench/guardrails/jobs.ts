/** Pieces of work for threads: some lives of one scenario. */
import { boundDecisions } from "../../src/monitoring/index.ts";
import { fairScenarios } from "./fair.ts";
import { BUDGETS, FOUR_FIFTHS, LATE, harmGrid, lateGrid } from "./harm.ts";
import { FAIR_BUDGETS, fairLife, groupsLife, harmLife, lateLife, luckOf, type LifeEnd } from "./lives.ts";

export interface Job {
  readonly part: "fair" | "groups" | "harm" | "late";
  /** Which scenario of its part. */
  readonly index: number;
  readonly from: number;
  readonly to: number;
  /** Of a life. */
  readonly decisions: number;
  readonly seed: number;
}
export type JobEnd = LifeEnd & { readonly unsplit?: readonly number[] };

/** Scenarios of different parts don't share their luck either. */
const PARTS = { fair: 0, groups: 1000, harm: 2000, late: 3000 } as const;

export function runJob({ part, index, from, to, decisions, seed }: Job): readonly JobEnd[] {
  return Array.from({ length: to - from }, (_, i) => {
    const next = luckOf(seed, PARTS[part] + index, from + i);
    switch (part) {
      case "fair":
        return fairLife(one(fairScenarios, index), decisions, next);
      case "groups":
        return groupsLife(decisions, next);
      case "harm": {
        const scenario = one(harmGrid, index);
        const bounds = harmBounds(index);
        return harmLife(scenario, harmLook(bounds[0] ?? 0), 20 * (bounds.at(-1) ?? 0) + 1000, next);
      }
      case "late": {
        const scenario = one(lateGrid, index);
        return lateLife({ ...scenario, after: Math.min(scenario.after, decisions) }, 20 * (lateBounds(index).at(-1) ?? 0) + 1000, next);
      }
    }
  });
}

/** Looks must be small beside the delay, or they would be what is measured. */
const harmLook = (bound: number): number => Math.min(500, Math.max(10, Math.round(bound / 20)));

/** No test with the same promise can have a smaller expected delay; one for each of `BUDGETS`. */
export function harmBounds(index: number): readonly number[] {
  const { share, rate, ratio } = one(harmGrid, index);
  const truth = { rates: [ratio * rate, rate], shares: [share, 1 - share] };
  return BUDGETS.map(({ alpha }) => boundDecisions(FOUR_FIFTHS, truth, alpha));
}

/** The same for harm that begins late: the price of the age is ln(1 + information so far); one for each of `FAIR_BUDGETS`. */
export function lateBounds(index: number): readonly number[] {
  const { after, ratio } = one(lateGrid, index);
  const truth = { rates: [ratio * LATE.rate, LATE.rate], shares: [LATE.share, 1 - LATE.share] };
  return FAIR_BUDGETS.map((alpha) => {
    const bound = boundDecisions(FOUR_FIFTHS, truth, alpha);
    const information = -Math.log(alpha) / bound;
    return bound + Math.log1p(after * information) / information;
  });
}

function one<T>(all: readonly T[], index: number): T {
  const found = all[index];
  if (found === undefined) throw new Error(`there is no scenario ${index}`);
  return found;
}
