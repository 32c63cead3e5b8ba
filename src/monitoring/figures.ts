/** What a test's counts say as people read them: its two sides, the pooled estimate, and its band for all times (sequential-tests §10). Pure. */
import { unreachable } from "../std.ts";
import { isMean } from "./any-test.ts";
import type { Cumulative } from "./blocks.ts";
import { differenceBand, rateBand, ratioBand, type Band, type Total } from "./confidence-sequence.ts";
import { isDifferenceBelow, isRateAbove, isRatioBelow, ratioOf } from "./exact.ts";
import { isTurned, type PlannedTest } from "./plan.ts";

export const BAND_ALPHA = 0.05;

type Claimed = Pick<PlannedTest, "definition" | "direction" | "limit">;

export interface Figures {
  readonly estimate: number | null;
  /** Whether the estimate is on the wrong side of the limit, told by integers where there are any; null without an estimate. */
  readonly isBeyondLimit: boolean | null;
  /** Most of what a state costs: made only where it is shown. */
  readonly band: () => Band;
}

const NOBODY: Total = { n: 0, k: 0 };

/** Group and reference; of a mean, how many values and their sum. */
export function sidesOf(plan: Claimed, { n, k }: Cumulative): { readonly group: Total; readonly reference: Total } {
  const { definition } = plan;
  if (isMean(definition)) return { group: { n: sum(n), k: sum(k) }, reference: NOBODY };
  const [first, second] = [at({ n, k }, 0), at({ n, k }, 1)];
  return isTurned(plan) ? { group: second, reference: first } : { group: first, reference: second };
}

export function figuresOf(plan: Claimed, consumed: Cumulative): Figures {
  const { definition, limit } = plan;
  const { group: a, reference: b } = sidesOf(plan, consumed);
  const isAtMost = plan.direction === "at_most";
  // Of clusters a band has the root of the evidence, which is that of so many times fewer decisions (sequential-tests §3).
  const alone = ({ n, k }: Total): Total => ({ n: n / definition.dependence, k: k / definition.dependence });
  switch (definition.kind) {
    case "ratio_min": {
      const estimate = ratioOf(a, b) ?? null;
      const beyond = isAtMost ? isRatioBelow(b, a, definition.limit) : isRatioBelow(a, b, limit);
      return {
        estimate,
        isBeyondLimit: estimate === null ? null : (beyond ?? null),
        band: () => ratioBand(alone(a), alone(b), BAND_ALPHA),
      };
    }
    case "diff_min":
      return {
        estimate: difference(a, b),
        isBeyondLimit: (isAtMost ? isDifferenceBelow(b, a, limit) : isDifferenceBelow(a, b, limit)) ?? null,
        band: () => differenceBand(alone(a), alone(b), BAND_ALPHA),
      };
    case "did_min": {
      const [before, beforeOthers] = [at(consumed, 2), at(consumed, 3)];
      const [now, then] = [difference(a, b), difference(before, beforeOthers)];
      // Shown as how much wider the gap is, so that more is worse: the other way round than the test's own difference.
      const estimate = now === null || then === null ? null : then - now;
      return {
        estimate,
        isBeyondLimit: estimate === null ? null : estimate > limit,
        band: () =>
          widerBand(differenceBand(alone(before), alone(beforeOthers), BAND_ALPHA / 2), differenceBand(alone(a), alone(b), BAND_ALPHA / 2)),
      };
    }
    case "rate_max":
      return {
        estimate: a.n === 0 ? null : a.k / a.n,
        isBeyondLimit: isRateAbove(a, limit) ?? null,
        band: () => rateBand(alone(a), BAND_ALPHA),
      };
    case "rate_min":
      return {
        estimate: a.n === 0 ? null : a.k / a.n,
        isBeyondLimit: isRatioBelow(a, { n: 1, k: 1 }, limit) ?? null,
        band: () => rateBand(alone(a), BAND_ALPHA),
      };
    case "mean_min":
    case "mean_max": {
      const estimate = a.n === 0 ? null : a.k / a.n;
      const isAbove = estimate !== null && estimate > limit;
      return {
        estimate,
        isBeyondLimit: estimate === null ? null : definition.kind === "mean_max" ? isAbove : estimate < limit,
        band: () => meanBand({ edges: definition.edges, total: alone(a).n, sum: alone(a).k }, BAND_ALPHA),
      };
    }
    default:
      return unreachable(definition);
  }
}

const at = ({ n, k }: Cumulative, g: number): Total => ({ n: n[g] ?? 0, k: k[g] ?? 0 });
const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);
const difference = (a: Total, b: Total): number | null => (a.n === 0 || b.n === 0 ? null : a.k / a.n - b.k / b.n);

/** The band of how much one difference is above another: each has half the budget. */
export const widerBand = (now: Band, before: Band): Band => [now[0] - before[1], now[1] - before[0]];

/** The band of a mean of values between the outer edges: that of a rate, as they lie between 0 and 1 when scaled (sequential-tests §9). */
export function meanBand(
  { edges, total, sum: all }: { readonly edges: readonly number[]; readonly total: number; readonly sum: number },
  alpha: number,
): Band {
  const [first, last] = [edges[0] ?? 0, edges.at(-1) ?? 1];
  const span = last - first;
  const [low, high] = rateBand({ n: total, k: Math.min(total, Math.max(0, (all - first * total) / span)) }, alpha);
  return [first + low * span, first + high * span];
}
