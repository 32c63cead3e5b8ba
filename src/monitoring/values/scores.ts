/** What scores promise and what came of it, and how far the scores of two groups are apart (fairness-metrics §7.3, §7.4, §8, §6.7). Pure. */
import { SCORE_BINS } from "../../decisions/index.ts";
import { ksDistance } from "../../registry/index.ts";
import { firstReason, noNumber, numberOf, type CalibrationBand, type MetricAnswer, type Reason } from "./answer.ts";
import { referenceIn } from "./comparisons.ts";
import { noBins, type GroupCounts, type GroupRow, type GroupTable, type ScoreBins } from "./groups.ts";
import { labelsOf, type Terms } from "./rates.ts";
import { rateInterval } from "./two-rates.ts";

const U6 = 1e6;
const Z = 1.959963984540054;
const BANDS = 10;
const BAND_MIN = 30;

const sumOf = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0);

interface Labelled {
  readonly bins: ScoreBins;
  readonly n: number;
  readonly good: number;
}

/** Whether a metric of a score against outcomes can be had of a group. */
function labelled(counts: GroupCounts, terms: Terms, needsProbability: boolean): Labelled | Reason {
  if (needsProbability && !terms.isProbability) return "not_applicable";
  if (counts.n === 0) return "no_decisions";
  const bins = counts.bins ?? noBins();
  const good = sumOf(bins.pos);
  const n = good + sumOf(bins.neg);
  return n === 0 ? "no_outcomes" : { bins, n, good };
}

type Compute = (of: Labelled) => { readonly value: number; readonly details?: Partial<MetricAnswer> } | Reason;

function ofScores(metric: string, needsProbability: boolean, compute: Compute) {
  return ({ rows }: GroupTable, terms: Terms): readonly MetricAnswer[] =>
    rows.map(({ group, counts }) => {
      const labels = labelsOf("positive_predictive_value", terms.labels);
      const of = labelled(counts, terms, needsProbability);
      if (typeof of === "string") return noNumber(metric, of, { group, labels });
      const found = compute(of);
      if (typeof found === "string") return noNumber(metric, found, { group, labels });
      const small = of.n < terms.minimum ? { small: true } : {};
      return numberOf(metric, found.value, { group, labels, numerator: { x: of.good, n: of.n }, ...small, ...found.details });
    });
}

/** Chance that a good one scores higher than a bad one, ties within a bin as half; and how far the true value can be off. */
export function areaUnderCurve(
  pos: ArrayLike<number>,
  neg: ArrayLike<number>,
): { readonly value: number; readonly uncertainty: number } | null {
  let [below, good, bad, wins, ties] = [0, 0, 0, 0, 0];
  for (let i = 0; i < pos.length; i++) {
    const [p, n] = [pos[i] ?? 0, neg[i] ?? 0];
    wins += p * (below + n / 2);
    ties += p * n;
    below += n;
    good += p;
    bad += n;
  }
  return good === 0 || bad === 0 ? null : { value: wins / (good * bad), uncertainty: ties / (2 * good * bad) };
}

/** Hanley and McNeil's standard error of an area under the curve. */
export function areaError(area: number, good: number, bad: number): number {
  const [q1, q2] = [area / (2 - area), (2 * area * area) / (1 + area)];
  const variance = area * (1 - area) + (good - 1) * (q1 - area * area) + (bad - 1) * (q2 - area * area);
  return Math.sqrt(Math.max(0, variance) / (good * bad));
}

const auc = ofScores("roc_auc_score", false, ({ bins, n, good }) => {
  const area = areaUnderCurve(bins.pos, bins.neg);
  if (!area) return "no_denominator";
  const error = areaError(area.value, good, n - good);
  return {
    value: area.value,
    details: {
      interval: {
        level: 0.95,
        low: Math.max(0, area.value - Z * error),
        high: Math.min(1, area.value + Z * error),
        kind: "fixed_window",
      },
      parts: { bin_uncertainty: { value: area.uncertainty, reason: null }, standard_error: { value: error, reason: null } },
    },
  };
});

const brier = ofScores("brier_score_loss", true, ({ bins, n, good }) => ({
  value: (bins.labelledSumsqU6 - 2 * bins.posSumU6 + U6 * good) / (U6 * n),
}));

const inTheLarge = ofScores("calibration_in_the_large", true, ({ bins, n, good }) => ({
  value: (sumOf(bins.labelledSumU6) - U6 * good) / (U6 * n),
}));

/** Ten equal bands of the score. */
export function calibrationBands({ pos, neg, labelledSumU6 }: ScoreBins): readonly CalibrationBand[] {
  const width = SCORE_BINS / BANDS;
  return Array.from({ length: BANDS }, (_, band) => {
    const within = (values: Float64Array) => sumOf(values.subarray(band * width, (band + 1) * width));
    const [good, bad] = [within(pos), within(neg)];
    const n = good + bad;
    return {
      low: band / BANDS,
      high: (band + 1) / BANDS,
      n,
      mean_score: n === 0 ? null : within(labelledSumU6) / (U6 * n),
      good_rate: n === 0 ? null : good / n,
      interval: n === 0 ? null : rateInterval({ x: good, n }),
      small: n < BAND_MIN,
    };
  });
}

const gapOf = ({ mean_score, good_rate }: CalibrationBand): number =>
  mean_score === null || good_rate === null ? 0 : Math.abs(good_rate - mean_score);

const expectedError = ofScores("expected_calibration_error", true, ({ bins, n }) => {
  const bands = calibrationBands(bins);
  return { value: bands.reduce((sum, band) => sum + band.n * gapOf(band), 0) / n, details: { bands: [...bands] } };
});

const maximalError = ofScores("max_calibration_error", true, ({ bins }) => {
  const large = calibrationBands(bins).filter(({ n }) => n >= BAND_MIN);
  return large.length === 0 ? "too_few" : { value: Math.max(...large.map(gapOf)) };
});

/**
 * What accuracy would be, were the score honest: everybody favoured adds s to those rightly so, everybody else s to those wrongly not. Blind
 * to a score that isn't calibrated within the group, and to a change of what scores mean.
 */
function estimated(metric: string, of: (counts: { tp: number; fp: number; fn: number; tn: number }) => readonly [x: number, n: number]) {
  return ({ rows }: GroupTable, terms: Terms): readonly MetricAnswer[] =>
    rows.map(({ group, counts }) => {
      if (!terms.isProbability) return noNumber(metric, "not_applicable", { group });
      if (counts.scored === 0) return noNumber(metric, "no_decisions", { group });
      const tp = counts.scoreSumXU6 / U6;
      const fn = (counts.scoreSumU6 - counts.scoreSumXU6) / U6;
      const [x, n] = of({ tp, fp: counts.scoredX - tp, fn, tn: counts.scored - counts.scoredX - fn });
      return n > 0 ? numberOf(metric, x / n, { group, ...asFar(counts) }) : noNumber(metric, "no_denominator", { group });
    });
}

/** The calibration error of what is known beside every estimate: how far it may be believed. */
function asFar({ bins }: GroupCounts): Partial<MetricAnswer> {
  const bands = bins ? calibrationBands(bins) : [];
  const n = bands.reduce((sum, band) => sum + band.n, 0);
  const error = n === 0 ? null : bands.reduce((sum, band) => sum + band.n * gapOf(band), 0) / n;
  return {
    parts: { expected_calibration_error: error === null ? { value: null, reason: "no_outcomes" } : { value: error, reason: null } },
  };
}

const estimatedAuc = ({ rows }: GroupTable, terms: Terms): readonly MetricAnswer[] =>
  rows.map(({ group, counts }) => {
    const metric = "estimated_roc_auc_score";
    if (!terms.isProbability) return noNumber(metric, "not_applicable", { group });
    if (counts.scored === 0 || !counts.bins) return noNumber(metric, "no_decisions", { group });
    const honest = (of: (value: number) => number) =>
      counts.bins?.n.map((n, i) => n * of((i + (terms.hasFineScores ? 0 : 0.5)) / SCORE_BINS)) ?? [];
    const area = areaUnderCurve(
      honest((value) => value),
      honest((value) => 1 - value),
    );
    return area ? numberOf(metric, area.value, { group, ...asFar(counts) }) : noNumber(metric, "no_denominator", { group });
  });

const meanScore = ({ rows }: GroupTable): readonly MetricAnswer[] =>
  rows.map(({ group, counts: { n, scored, scoreSumU6 } }) => {
    if (n === 0) return noNumber("mean_score", "no_decisions", { group });
    if (scored === 0) return noNumber("mean_score", "no_denominator", { group });
    return numberOf("mean_score", scoreSumU6 / (U6 * scored), { group });
  });

/** Of the scores of a group and of the reference. */
function distance(metric: string, of: (a: GroupCounts, b: GroupCounts) => number) {
  return (table: GroupTable, terms: Terms): readonly MetricAnswer[] => {
    const reference = referenceIn(table, terms);
    return table.rows
      .filter((row) => row.isKnown && row !== reference.row)
      .map((row) => {
        const details = { group: row.group, reference: reference.row?.group ?? null, reference_mode: reference.mode };
        const reason = whyNot(row, reference.row, terms);
        if (reason !== undefined || !reference.row) return noNumber(metric, reason ?? "reference_missing", details);
        return numberOf(metric, of(row.counts, reference.row.counts), details);
      });
  };
}

function whyNot({ counts }: GroupRow, reference: GroupRow | undefined, { minimum }: Terms): Reason | undefined {
  const reasons: Reason[] = [];
  if (counts.n === 0) reasons.push("no_decisions");
  else if (binned(counts) < minimum) reasons.push("too_few");
  if (!reference || reference.counts.n === 0) reasons.push("reference_missing");
  else if (binned(reference.counts) < minimum) reasons.push("reference_too_few");
  return firstReason(reasons);
}
const binned = ({ bins }: GroupCounts): number => (bins ? sumOf(bins.n) : 0);

/** How far the mass of one histogram has to be carried to make the other, in the unit of the bins. */
export function wasserstein(a: ArrayLike<number>, b: ArrayLike<number>, middles: ArrayLike<number>): number {
  const total = (of: ArrayLike<number>) => Array.from(of).reduce((sum, count) => sum + count, 0);
  const [n, m] = [total(a), total(b)];
  let [belowA, belowB, sum] = [0, 0, 0];
  for (let i = 0; i + 1 < a.length; i++) {
    belowA += a[i] ?? 0;
    belowB += b[i] ?? 0;
    sum += Math.abs(belowA / n - belowB / m) * ((middles[i + 1] ?? 0) - (middles[i] ?? 0));
  }
  return sum;
}

const MIDDLES = Float64Array.from({ length: SCORE_BINS }, (_, i) => (i + 0.5) / SCORE_BINS);
const binsOf = ({ bins }: GroupCounts): Float64Array => (bins ?? noBins()).n;
const meanOf = ({ scored, scoreSumU6 }: GroupCounts): number => scoreSumU6 / (U6 * scored);

/** A bin that holds more than this of everybody may hide who of them is above the median. */
const MEDIAN_SHARE_MAX = 0.02;

/** What share of each group scores above the median of everybody, and that over the highest such share (New York City's Local Law 144). */
function scoringRates(metric: "scoring_rate" | "impact_ratio", { rows, all }: GroupTable, terms: Terms): readonly MetricAnswer[] {
  const everybody = binsOf(all);
  const n = sumOf(everybody);
  let [median, below] = [0, 0];
  while (median < SCORE_BINS - 1 && below + (everybody[median] ?? 0) < n / 2) below += everybody[median++] ?? 0;
  const share = n === 0 ? 0 : (everybody[median] ?? 0) / n;
  const parts = { median_bin_share: { value: share, reason: null } };
  const rates = rows.map((row) => ({ row, n: binned(row.counts), x: sumOf(binsOf(row.counts).subarray(median + 1)) }));
  const comparable = rates.filter(({ row, n: of }) => row.isKnown && of >= terms.minimum);
  const highest = comparable.reduce((most, { x, n: of }) => Math.max(most, x / of), 0);
  const best = comparable.find(({ x, n: of }) => x / of === highest)?.row.group ?? null;
  return rates.map(({ row, n: of, x }) => {
    const compared = metric === "impact_ratio" ? { reference: best, reference_mode: "best_off" as const } : {};
    const details = { group: row.group, numerator: { x, n: of }, parts, ...compared };
    if (of === 0) return noNumber(metric, "no_decisions", details);
    if (share > MEDIAN_SHARE_MAX && !terms.hasFineScores) return noNumber(metric, "not_applicable", details);
    if (metric === "scoring_rate") return numberOf(metric, x / of, { ...details, interval: rateInterval({ x, n: of }) });
    if (of < terms.minimum || comparable.length < 2) return noNumber(metric, "too_few", details);
    return highest === 0 ? noNumber(metric, "reference_zero", details) : numberOf(metric, x / of / highest, details);
  });
}

/** By name; rows of `GROUP_METRICS`. */
export const scoreMetrics = {
  mean_score: meanScore,
  roc_auc_score: auc,
  brier_score_loss: brier,
  calibration_in_the_large: inTheLarge,
  expected_calibration_error: expectedError,
  max_calibration_error: maximalError,
  estimated_accuracy_score: estimated("estimated_accuracy_score", ({ tp, fp, fn, tn }) => [tp + tn, tp + fp + fn + tn]),
  estimated_true_positive_rate: estimated("estimated_true_positive_rate", ({ tp, fn }) => [tp, tp + fn]),
  estimated_positive_predictive_value: estimated("estimated_positive_predictive_value", ({ tp, fp }) => [tp, tp + fp]),
  estimated_roc_auc_score: estimatedAuc,
  ks_statistic: distance("ks_statistic", (a, b) => ksDistance(binsOf(a), binsOf(b))),
  wasserstein_distance: distance("wasserstein_distance", (a, b) => wasserstein(binsOf(a), binsOf(b), MIDDLES)),
  mean_score_difference: distance("mean_score_difference", (a, b) => meanOf(a) - meanOf(b)),
  scoring_rate: (table: GroupTable, terms: Terms) => scoringRates("scoring_rate", table, terms),
  impact_ratio: (table: GroupTable, terms: Terms) => scoringRates("impact_ratio", table, terms),
} as const;
