/** Metrics of groups by name: one row a metric, with what it says and how it is computed from a table of groups. Pure. */
import type { MetricAnswer } from "./answer.ts";
import { adverseImpact, rateDifferences, selectionTests, shortfalls } from "./comparisons.ts";
import { averageOdds } from "./conditional.ts";
import type { DeclaredGroups } from "../guardrail.ts";
import { groupTable, type CellCounts, type GroupTable } from "./groups.ts";
import { RATES, balancedAccuracy, rateAnswer, type RateName, type Terms } from "./rates.ts";
import { scoreMetrics } from "./scores.ts";
import { equalizedOdds, parity } from "./spreads.ts";

interface GroupMetric {
  /** Of each group, everybody among them; or of groups beside each other, of which a table of everybody has none. */
  readonly about: "group" | "comparison";
  readonly text: string;
  /** Whether it needs outcomes. */
  readonly usesOutcomes: boolean;
  /** Whether it needs scores by bin, which are counted by day. */
  readonly usesBins: boolean;
  readonly of: (table: GroupTable, terms: Terms) => readonly MetricAnswer[];
}

const rate = (name: RateName): GroupMetric => ({
  about: "group",
  text: RATES[name].text,
  usesOutcomes: RATES[name].needs !== "decisions",
  usesBins: false,
  of: (table, terms) => table.rows.map((row) => rateAnswer(name, row, terms)),
});
const compared = (text: string, of: GroupMetric["of"]): GroupMetric => ({
  about: "comparison",
  text,
  usesOutcomes: false,
  usesBins: false,
  of,
});
/** From scores by bin; `about` everybody too, unless groups are compared. */
const scored = (text: string, of: GroupMetric["of"], usesOutcomes = false): GroupMetric => ({
  about: "group",
  text,
  usesOutcomes,
  usesBins: true,
  of,
});
const judged = (text: string, of: GroupMetric["of"]): GroupMetric => ({ ...compared(text, of), usesOutcomes: true });

/** In the order in which they are shown. */
export const GROUP_METRICS = {
  selection_rate: rate("selection_rate"),
  adverse_impact_ratio: compared("For every 100 that the reference group gets, how many does this group get", adverseImpact),
  selection_rate_difference: compared("The group's selection rate less that of the reference", (table, terms) =>
    rateDifferences("selection_rate_difference", "selection_rate", table, terms),
  ),
  selection_shortfall: compared("How many more people would have got a favourable answer at the reference's rate", shortfalls),
  selection_rate_z: compared("How many standard deviations are the two selection rates apart", (table, terms) =>
    selectionTests("selection_rate_z", adverseImpact(table, terms)),
  ),
  selection_rate_p_value: compared(
    "How likely is a split at least this uneven, if the same total were handed out blindly",
    (table, terms) => selectionTests("selection_rate_p_value", adverseImpact(table, terms)),
  ),
  demographic_parity_difference: compared("How far apart are the luckiest and the unluckiest group", (table, terms) => [
    parity("demographic_parity", "difference", table, terms),
  ]),
  demographic_parity_ratio: compared("The selection rate of the unluckiest group over that of the luckiest", (table, terms) => [
    parity("demographic_parity", "ratio", table, terms),
  ]),
  outcome_coverage: rate("outcome_coverage"),
  base_rate: rate("base_rate"),
  accuracy_score: rate("accuracy_score"),
  balanced_accuracy_score: {
    about: "group",
    usesOutcomes: true,
    usesBins: false,
    text: "How often the answer was right, those who turn out well and badly weighing alike",
    of: (table, terms) => table.rows.map((row) => balancedAccuracy(row, terms)),
  },
  true_positive_rate: rate("true_positive_rate"),
  false_negative_rate: rate("false_negative_rate"),
  false_positive_rate: rate("false_positive_rate"),
  true_negative_rate: rate("true_negative_rate"),
  positive_predictive_value: rate("positive_predictive_value"),
  negative_predictive_value: rate("negative_predictive_value"),
  equal_opportunity_difference: judged("Do those who would turn out well have the same chance in all groups", (table, terms) => [
    parity("equal_opportunity", "difference", table, terms),
  ]),
  equal_opportunity_ratio: judged("The lowest true positive rate of the groups over the highest", (table, terms) => [
    parity("equal_opportunity", "ratio", table, terms),
  ]),
  equalized_odds_difference: judged("The same for those who turn out well and badly: the larger difference", (table, terms) => [
    equalizedOdds("difference", table, terms),
  ]),
  equalized_odds_ratio: judged("The same for those who turn out well and badly: the smaller ratio", (table, terms) => [
    equalizedOdds("ratio", table, terms),
  ]),
  average_odds_difference: judged("The mean of both differences, group less reference", averageOdds),
  predictive_parity_difference: judged("Does a favourable answer mean the same in all groups", (table, terms) => [
    parity("predictive_parity", "difference", table, terms),
  ]),
  predictive_parity_ratio: judged("The lowest positive predictive value of the groups over the highest", (table, terms) => [
    parity("predictive_parity", "ratio", table, terms),
  ]),
  mean_score: scored("The mean of the scores", scoreMetrics.mean_score),
  mean_score_difference: {
    ...scored("The group's mean score less that of the reference", scoreMetrics.mean_score_difference),
    about: "comparison",
  },
  ks_statistic: {
    ...scored("The largest gap between the cumulative scores of group and reference", scoreMetrics.ks_statistic),
    about: "comparison",
  },
  wasserstein_distance: {
    ...scored("How far scores of the group have to be moved to be those of the reference", scoreMetrics.wasserstein_distance),
    about: "comparison",
  },
  scoring_rate: scored("What share of the group scores above the median of everybody", scoreMetrics.scoring_rate),
  impact_ratio: { ...scored("That share over the highest of all groups", scoreMetrics.impact_ratio), about: "comparison" },
  roc_auc_score: scored(
    "Chance that somebody who turns out well scores higher than one who turns out badly",
    scoreMetrics.roc_auc_score,
    true,
  ),
  brier_score_loss: scored("Mean squared error of the probability; 0 is perfect", scoreMetrics.brier_score_loss, true),
  calibration_in_the_large: scored("On average, does it promise what happens", scoreMetrics.calibration_in_the_large, true),
  expected_calibration_error: scored(
    "By how much does it over- or understate, on average over ten bands of the score",
    scoreMetrics.expected_calibration_error,
    true,
  ),
  max_calibration_error: scored("The worst band of those with at least 30", scoreMetrics.max_calibration_error, true),
  // Estimates need no outcomes; the calibration error beside them does.
  estimated_accuracy_score: scored("How often would it be right, were the score honest", scoreMetrics.estimated_accuracy_score, true),
  estimated_true_positive_rate: scored("The true positive rate, were the score honest", scoreMetrics.estimated_true_positive_rate, true),
  estimated_positive_predictive_value: scored(
    "The positive predictive value, were the score honest",
    scoreMetrics.estimated_positive_predictive_value,
    true,
  ),
  estimated_roc_auc_score: scored("The area under the curve, were the score honest", scoreMetrics.estimated_roc_auc_score, true),
} satisfies Record<string, GroupMetric>;
export type GroupMetricName = keyof typeof GROUP_METRICS;

export const isGroupMetric = (name: string): name is GroupMetricName => Object.hasOwn(GROUP_METRICS, name);

/** What is known of one metric of groups over one table. */
export function groupMetric(name: GroupMetricName, table: GroupTable, terms: Terms): readonly MetricAnswer[] {
  const metric: GroupMetric = GROUP_METRICS[name];
  return metric.about === "comparison" && table.attributes.length === 0 ? [] : metric.of(table, terms);
}

/** Which groups, which metrics, on which terms. */
export interface GroupQuestion {
  readonly declared: DeclaredGroups;
  /** Attributes of each table of groups; everybody together comes first, always. */
  readonly sets: readonly (readonly string[])[];
  readonly metrics: readonly GroupMetricName[];
  readonly terms: Terms;
}

export interface GroupAnswers {
  readonly tables: readonly GroupTable[];
  /** Metric by metric, then table by table. */
  readonly answers: readonly MetricAnswer[];
}

/** Answers a question from the counts of one release and arm in one window. */
export function groupAnswers(cells: readonly CellCounts[], { declared, sets, metrics, terms }: GroupQuestion): GroupAnswers {
  const tables = [[], ...sets].map((set) => groupTable(cells, declared, set));
  return { tables, answers: metrics.flatMap((name) => tables.flatMap((table) => groupMetric(name, table, terms))) };
}
