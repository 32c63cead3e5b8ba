/** Two rates beside each other in one closed window: intervals, standard deviations, Fisher's exact test (fairness-metrics §4). Pure. */
import { chiSquareTail } from "../../registry/index.ts";
import { isRatioBelow } from "../exact.ts";
import { newcombe, wilson } from "../intervals.ts";
import type { Count, Interval } from "./answer.ts";

const Z = 1.959963984540054;
const LEVEL = 0.95;

const interval = (low: number, high: number): Interval => ({ level: LEVEL, low, high, kind: "fixed_window" });

/** Wilson's interval of a rate. @param count - of at least one */
export function rateInterval({ x, n }: Count): Interval {
  const [low, high] = wilson({ k: x, n });
  return interval(Math.max(0, low), Math.min(1, high));
}

/** Newcombe's interval of the difference of two rates, both of at least one. */
export function differenceInterval(a: Count, b: Count): Interval {
  const [low, high] = newcombe({ k: a.x, n: a.n }, { k: b.x, n: b.n });
  return interval(low, high);
}

/**
 * Katz's interval of the ratio of two rates. Where one of them is 0, half a person more on both sides stands in for the logarithm; where
 * both are 1 there is nothing to go by, and the interval says so.
 */
export function ratioInterval(a: Count, b: Count): Interval {
  if (a.x === a.n && b.x === b.n) return { ...interval(1, 1), degenerate: true };
  const half = a.x === 0 || b.x === 0 ? 0.5 : 0;
  const [x1, n1, x2, n2] = [a.x + half, a.n + half, b.x + half, b.n + half];
  const spread = Math.exp(Z * Math.sqrt(1 / x1 - 1 / n1 + 1 / x2 - 1 / n2));
  const ratio = (x1 * n2) / (n1 * x2);
  return interval(ratio / spread, ratio * spread);
}

/** How many standard deviations the rates are apart, were both groups treated alike. Null where nobody, or everybody, is favoured. */
export function standardDeviations(a: Count, b: Count): number | null {
  const p = (a.x + b.x) / (a.n + b.n);
  if (!(p > 0 && p < 1)) return null;
  return (a.x / a.n - b.x / b.n) / Math.sqrt(p * (1 - p) * (1 / a.n + 1 / b.n));
}

/** Beyond this the walk of the exact test takes too long, and the two agree. */
const EXACT_MAX = 1_000_000;
/** Probabilities that differ by rounding only are equal. */
const TOLERANCE = 1 + 1e-7;

/** Fisher's exact test, two-sided: how likely is a split at least this uneven, if the same total were handed out blindly? */
export function fisher(a: Count, b: Count): { readonly p: number; readonly approximate: boolean } {
  const favoured = a.x + b.x;
  const margin = Math.min(a.n, b.n, favoured, a.n + b.n - favoured);
  if (margin === 0) return { p: 1, approximate: false };
  if (margin > EXACT_MAX) return { p: chiSquareTail((standardDeviations(a, b) ?? 0) ** 2, 1), approximate: true };
  return { p: exactP(a, b), approximate: false };
}

/** Walks from the likeliest table both ways: weights are at most 1, so nothing overflows, and what underflows is nothing. */
function exactP(a: Count, b: Count): number {
  const [n1, n2, total] = [a.n, b.n, a.x + b.x];
  const [least, most] = [Math.max(0, total - n2), Math.min(n1, total)];
  const mode = Math.min(most, Math.max(least, Math.floor(((total + 1) * (n1 + 1)) / (n1 + n2 + 2))));
  const up = (k: number) => ((n1 - k) * (total - k)) / ((k + 1) * (n2 - total + k + 1));
  const down = (k: number) => (k * (n2 - total + k)) / ((n1 - k + 1) * (total - k + 1));
  const own = weightAt(a.x, mode, up, down);
  let [all, extreme] = [0, 0];
  const take = (weight: number) => {
    all += weight;
    if (weight <= own * TOLERANCE) extreme += weight;
  };
  for (let k = mode, weight = 1; k <= most && weight > 0; weight *= up(k), k++) take(weight);
  for (let k = mode - 1, weight = down(mode); k >= least && weight > 0; weight *= down(k), k--) take(weight);
  return Math.min(1, extreme / all);
}

function weightAt(target: number, mode: number, up: (k: number) => number, down: (k: number) => number): number {
  let weight = 1;
  for (let k = mode; k < target && weight > 0; k++) weight *= up(k);
  for (let k = mode; k > target && weight > 0; k--) weight *= down(k);
  return weight;
}

/** Whether one person decides the four-fifths finding: with one more favoured here and one fewer there, this group would be ahead. */
export const isByOnePerson = (a: Count, b: Count): boolean =>
  isRatioBelow({ k: a.x, n: a.n }, { k: b.x, n: b.n }, 0.8) === true && BigInt(a.x + 1) * BigInt(b.n) > BigInt(a.n) * BigInt(b.x - 1);

/** Benjamini and Hochberg's q-values, in the order of the p-values. */
export function falseDiscovery(p: readonly number[]): readonly number[] {
  const order = p.map((value, index) => ({ value, index })).toSorted((x, y) => y.value - x.value);
  const q = Array.from({ length: p.length }, () => 1);
  let least = 1;
  for (const [place, { value, index }] of order.entries()) {
    least = Math.min(least, (value * p.length) / (p.length - place));
    q[index] = least;
  }
  return q;
}

/** Compares two rates as integers: negative where a's is lower. */
export function compareRates(a: Count, b: Count): number {
  const difference = BigInt(a.x) * BigInt(b.n) - BigInt(b.x) * BigInt(a.n);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}
