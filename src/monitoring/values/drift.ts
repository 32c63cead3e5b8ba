/** How far two histograms of the same bins are apart, and whether that is more than chance (fairness-metrics §9.2, §9.3). Pure. */
import { chiSquareTail, ksDistance, psi, totalVariation } from "../../registry/index.ts";
import { noNumber, numberOf, type DriftBin, type MetricAnswer } from "./answer.ts";
import { wasserstein } from "./scores.ts";

type Counts = readonly number[];

const sumOf = (counts: Counts): number => counts.reduce((sum, count) => sum + count, 0);

/** The square root of the Jensen-Shannon divergence, to base 2: 0 for equal shares, 1 for disjoint ones. */
export function jensenShannon(a: Counts, b: Counts): number {
  const [n, m] = [sumOf(a), sumOf(b)];
  let sum = 0;
  for (const [i, count] of a.entries()) {
    const [p, q] = [count / n, (b[i] ?? 0) / m];
    const middle = (p + q) / 2;
    if (p > 0) sum += (p * Math.log2(p / middle)) / 2;
    if (q > 0) sum += (q * Math.log2(q / middle)) / 2;
  }
  return Math.sqrt(Math.max(0, sum));
}

export function hellinger(a: Counts, b: Counts): number {
  const [n, m] = [sumOf(a), sumOf(b)];
  const overlap = a.reduce((sum, count, i) => sum + Math.sqrt((count / n) * ((b[i] ?? 0) / m)), 0);
  return Math.sqrt(Math.max(0, 1 - overlap));
}

/** The share that moved most. */
export function largestMove(a: Counts, b: Counts): number {
  const [n, m] = [sumOf(a), sumOf(b)];
  return Math.max(0, ...a.map((count, i) => Math.abs(count / n - (b[i] ?? 0) / m)));
}

/** Pearson's statistic of the table of both, its degrees of freedom and chance, and how strong the association is. */
export function chiSquare(
  a: Counts,
  b: Counts,
): { readonly statistic: number; readonly freedom: number; readonly p: number; readonly v: number } {
  const [n, m] = [sumOf(a), sumOf(b)];
  let [statistic, used] = [0, 0];
  for (const [i, count] of a.entries()) {
    const other = b[i] ?? 0;
    const both = count + other;
    if (both === 0) continue;
    used++;
    const [expectedA, expectedB] = [(both * n) / (n + m), (both * m) / (n + m)];
    statistic += (count - expectedA) ** 2 / expectedA + (other - expectedB) ** 2 / expectedB;
  }
  const freedom = Math.max(0, used - 1);
  return { statistic, freedom, p: freedom === 0 ? 1 : chiSquareTail(statistic, freedom), v: Math.sqrt(statistic / (n + m)) };
}

/** Where the bins of numbers lie; null for categories, of which nothing is far from anything. */
export interface Scale {
  readonly middles: Counts;
  /** Of the reference. */
  readonly sd: number;
}

/** What two histograms are compared by. Special bins (missing, not of the type, outside) count as bins in `all`. */
export interface Compared {
  readonly live: Counts;
  readonly reference: Counts;
  /** Numbers only, in order, those outside of the reference at its ends; null for categories. */
  readonly numbers: { readonly live: Counts; readonly reference: Counts; readonly scale: Scale } | null;
}

export const DRIFT_MEASURES = {
  population_stability_index: ({ live, reference }: Compared) => psi(live, reference),
  jensen_shannon_distance: ({ live, reference }: Compared) => jensenShannon(live, reference),
  ks_statistic: ({ numbers }: Compared) => (numbers ? ksDistance(numbers.live, numbers.reference) : null),
  wasserstein_distance_normed: ({ numbers }: Compared) =>
    numbers ? wasserstein(numbers.live, numbers.reference, numbers.scale.middles) / Math.max(numbers.scale.sd, 0.001) : null,
  chi2_statistic: ({ live, reference }: Compared) => chiSquare(live, reference).statistic,
  cramers_v: ({ live, reference }: Compared) => chiSquare(live, reference).v,
  linf_distance: ({ live, reference }: Compared) => largestMove(live, reference),
  total_variation_distance: ({ live, reference }: Compared) => totalVariation(live, reference),
  hellinger_distance: ({ live, reference }: Compared) => hellinger(live, reference),
} as const satisfies Record<string, (compared: Compared) => number | null>;
export type DriftMeasure = keyof typeof DRIFT_MEASURES;
export const isDriftMeasure = (name: string): name is DriftMeasure => Object.hasOwn(DRIFT_MEASURES, name);

/** From here on people who watch scores speak of a shift. */
export const PSI_LIMIT = 0.1;
/** Share of false alarms among the features that are told to drift. */
const Q_MAX = 0.01;

/** Bins that any of both has. */
const usedBins = ({ live, reference }: Compared): number => live.filter((count, i) => count + (reference[i] ?? 0) > 0).length;
const spreadOf = ({ live, reference }: Compared): number => 1 / sumOf(live) + 1 / sumOf(reference);

/** Chance of such an index or a larger one, were nothing but chance between them. */
export function psiChance(compared: Compared): number {
  const freedom = usedBins(compared) - 1;
  return freedom < 1 ? 1 : chiSquareTail(DRIFT_MEASURES.population_stability_index(compared) / spreadOf(compared), freedom);
}

/** The index that chance alone stays below in 99 of 100 windows of this size. */
export function psiOfChance(compared: Compared): number {
  const freedom = usedBins(compared) - 1;
  if (freedom < 1) return 0;
  let [low, high] = [0, 10 * freedom + 100];
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (chiSquareTail(middle, freedom) > 0.01) low = middle;
    else high = middle;
  }
  return low * spreadOf(compared);
}

export type DriftStatus = "ok" | "drift" | "too_few";

/** @param q - the index's chance, corrected for the number of features that are looked at */
export function driftStatus(compared: Compared, q: number): DriftStatus {
  if (DRIFT_MEASURES.population_stability_index(compared) >= PSI_LIMIT && q <= Q_MAX) return "drift";
  return psiOfChance(compared) > PSI_LIMIT ? "too_few" : "ok";
}

/**
 * One measure of two histograms; with the index comes what it means.
 * @param told - the index's chance, corrected for all that is looked at together, and the bins as people read them
 */
export function driftAnswer(
  name: DriftMeasure,
  compared: Compared,
  { q, bins }: { readonly q: number; readonly bins: readonly DriftBin[] },
): MetricAnswer {
  const value = DRIFT_MEASURES[name](compared);
  if (value === null) return noNumber(name, "not_applicable");
  if (name !== "population_stability_index") return numberOf(name, value);
  return numberOf(name, value, {
    limit: PSI_LIMIT,
    status: driftStatus(compared, q),
    parts: { q_value: { value: q, reason: null } },
    bins: bins.filter(({ n, reference }) => n + reference > 0),
  });
}
