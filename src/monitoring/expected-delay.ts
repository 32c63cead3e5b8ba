/** How many decisions a proof takes: the least that any test with the same promise needs, and what this one needs in simulation. Pure. */
import { thresholdOf } from "./evidence.ts";
import { MIN_CELL } from "./blocks.ts";
import { binomial, uniformStream, type Uniform } from "./draws.ts";
import { boundaryOf, closeBlock, startTest, type TestDefinition, type TestState } from "./sequential-test.ts";
import { differencePivot, ratioPivot } from "./pivots.ts";

/** What really is: the rate in each cell, and each cell's share of the decisions. */
export interface Truth {
  readonly rates: readonly number[];
  readonly shares: readonly number[];
}

/** How far below the boundary the truth is: Σ c_g p_g - d of sequential-tests §3. Negative is harm. */
export function slackOf(definition: TestDefinition, rates: readonly number[]): number {
  const { c, d } = boundaryOf(definition);
  return c.reduce((sum, cg, g) => sum + cg * (rates[g] ?? 0), -d);
}

/**
 * Information that one decision brings against the nearest fair truth: min over fair p of Σ share_g KL(true_g ‖ p_g) (§13). That nearest
 * point is the most likely one of the boundary, as for a pivot. 0 where there is no harm.
 */
export function informationOf(definition: TestDefinition, { rates, shares }: Truth): number {
  if (slackOf(definition, rates) >= 0) return 0;
  const cells = rates.map((rate, g) => ({ n: shares[g] ?? 0, k: (shares[g] ?? 0) * rate }));
  const [a, b] = cells;
  const { c, d } = boundaryOf(definition);
  const nearest =
    cells.length === 1
      ? [definition.limit]
      : definition.kind === "ratio_min" && a && b
        ? ratioPivot(a, b, definition.limit)
        : differencePivot(cells, c, d);
  return rates.reduce((sum, rate, g) => sum + (shares[g] ?? 0) * divergence(rate, nearest[g] ?? 0), 0);
}

/** KL(t ‖ p) of two coins. */
function divergence(t: number, p: number): number {
  return (t === 0 ? 0 : t * Math.log(t / p)) + (t === 1 ? 0 : (1 - t) * Math.log((1 - t) / (1 - p)));
}

/** ln(1/α) / information: no test with this promise can have a smaller expected delay. Infinite where there is no harm. */
export const boundDecisions = (definition: TestDefinition, truth: Truth, alpha: number): number =>
  (thresholdOf(alpha) * definition.dependence) / informationOf(definition, truth);

export interface Simulation {
  readonly runs: number;
  readonly seed: number;
  /** Decisions of all cells between two looks. */
  readonly look: number;
  /** A run that has no proof by then is given up. */
  readonly decisionsMax: number;
}

/**
 * Decisions to proof of every run, ascending; `Infinity` for those that were given up.
 * @param start - the state that harm finds, and the rates that it had been used to; a fresh test where left out
 */
export function simulateDelays(definition: TestDefinition, truth: Truth, alpha: number, simulation: Simulation): readonly number[] {
  const { runs, seed } = simulation;
  return Array.from({ length: runs }, (_, run) =>
    delayFrom(startTest(definition), definition, truth, alpha, { ...simulation, next: uniformStream(seed, run) }),
  ).toSorted((a, b) => a - b);
}

/** Decisions from a state to proof, all cells together. */
export function delayFrom(
  state: TestState,
  definition: TestDefinition,
  truth: Truth,
  alpha: number,
  { next, look, decisionsMax }: Pick<Simulation, "look" | "decisionsMax"> & { readonly next: Uniform },
): number {
  const enough = thresholdOf(alpha);
  let n = truth.rates.map(() => 0);
  let decisions = 0;
  while (decisions < decisionsMax) {
    const come = arrivals(look, truth.shares, next);
    n = n.map((count, g) => count + (come[g] ?? 0));
    decisions += look;
    // Whether a block closes doesn't depend on answers, so that they can be drawn when it does.
    if (n.some((count) => count < MIN_CELL)) continue;
    state = closeBlock(definition, state, { n, k: n.map((count, g) => binomial(count, truth.rates[g] ?? 0, next)) });
    if (state.logE >= enough) return decisions;
    n = n.map(() => 0);
  }
  return Number.POSITIVE_INFINITY;
}

/** How many of those who come are in which cell. */
export function arrivals(look: number, shares: readonly number[], next: Uniform): readonly number[] {
  let [left, rest] = [look, 1];
  return shares.map((share, g) => {
    const count = g === shares.length - 1 ? left : binomial(left, Math.min(1, share / rest), next);
    left -= count;
    rest -= share;
    return count;
  });
}

/** The value that a share of sorted ones don't exceed. */
export const quantileOf = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(sorted.length * share) - 1))] ?? Number.NaN;

/**
 * The smallest share of the decisions at which a group's harm is proven within so many of them, by the median (`slack` times the bound);
 * null where even half of them isn't enough. The other side has all the rest.
 */
export function smallestShare(
  definition: TestDefinition,
  rates: readonly [group: number, reference: number],
  alpha: number,
  { decisions, slack }: { readonly decisions: number; readonly slack: number },
): number | null {
  const needs = (share: number) => slack * boundDecisions(definition, { rates, shares: [share, 1 - share] }, alpha);
  if (!(needs(0.5) <= decisions)) return null;
  let [low, high] = [0, 0.5];
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (needs(middle) <= decisions) high = middle;
    else low = middle;
  }
  return high;
}
