/** What guardrails can be about. One row a metric: a new one is a row here and, if it counts something new, a function in `counting.ts`. */
import type { ArmClass } from "../decisions/index.ts";
import type { AnyKind } from "./any-test.ts";

/** Which side of its limit a metric has to stay on. */
export type Direction = "at_least" | "at_most";

/**
 * Which decisions with an outcome enter, and what is counted of them (sequential-tests §8): chances of a favourable answer among those
 * whose outcome is good, or bad; good outcomes among the favoured; wrong answers among all.
 */
export type OutcomePart = "positives" | "negatives" | "approved" | "wrong";

interface MetricRow {
  /** The sequential test that proves a breach, by direction; `unlessSaid` is the one without a word. */
  readonly kinds: { readonly [D in Direction]?: AnyKind };
  readonly unlessSaid: Direction;
  /** Whose answers it can watch: those that people got, those of a shadow, or both. */
  readonly watches: readonly ArmClass[];
  /**
   * What is counted: favourable answers among all; answers of certain actions; answers that somebody else gave; unfavourable flips among
   * all flips, or less favourable ones among all pairs; what became of decisions; slow answers; scores.
   */
  readonly counts: "selections" | "actions" | "substitutions" | "flips" | "net-flips" | "outcomes" | "slow" | "scores";
  /** Of outcomes: each part is a test of its own and has its part of the budget. */
  readonly parts?: readonly OutcomePart[];
  /** Compared with the previous release only, on the same traffic. */
  readonly onlyPrevious?: boolean;
  /** Its tallies know no groups. */
  readonly knowsNoGroups?: boolean;
  /** Who is watched where a guardrail names no groups: every group of every attribute, or everybody as one. */
  readonly unlessNamed: "groups" | "everybody";
  /** For people. */
  readonly text: string;
}

const RATE = { at_least: "rate_min", at_most: "rate_max" } as const;
const RATIO = { at_least: "ratio_min", at_most: "ratio_min" } as const;
const DIFFERENCE = { at_least: "diff_min", at_most: "diff_min" } as const;

/**
 * Metrics by name. Cells are (group, reference) in this order, turned round for `at_most`; where the kind has one cell there is no reference.
 * Names as in fairness-metrics §5 to §7; `flips_to_worse` is sequential-tests §7.
 */
export const METRICS = {
  adverse_impact_ratio: {
    kinds: RATIO,
    unlessSaid: "at_least",
    watches: ["serving", "shadow"],
    counts: "selections",
    unlessNamed: "groups",
    text: "selection rate of the group over that of the reference, at least the limit",
  },
  selection_rate_difference: {
    kinds: DIFFERENCE,
    unlessSaid: "at_least",
    watches: ["serving", "shadow"],
    counts: "selections",
    unlessNamed: "groups",
    text: "selection rate of the group below that of the reference by at most the limit",
  },
  selection_rate: {
    kinds: RATE,
    unlessSaid: "at_least",
    watches: ["serving", "shadow"],
    counts: "selections",
    unlessNamed: "groups",
    text: "share of favourable answers, at least the limit",
  },
  selection_gap_increase: {
    kinds: { at_most: "did_min" },
    unlessSaid: "at_most",
    watches: ["serving"],
    counts: "selections",
    onlyPrevious: true,
    unlessNamed: "groups",
    text: "how much further the group is behind the others than with the release that answers beside it, at most the limit",
  },
  action_rate: {
    kinds: RATE,
    unlessSaid: "at_most",
    watches: ["serving", "shadow"],
    counts: "actions",
    unlessNamed: "everybody",
    text: "share of answers with one of `actions` (referrals, say), at most the limit",
  },
  fallback_rate: {
    kinds: { at_most: "rate_max" },
    unlessSaid: "at_most",
    watches: ["serving", "shadow"],
    counts: "substitutions",
    unlessNamed: "everybody",
    text: "share of the requests that another release answered because this one failed, at most the limit",
  },
  slow_rate: {
    kinds: { at_most: "rate_max" },
    unlessSaid: "at_most",
    watches: ["serving"],
    counts: "slow",
    unlessNamed: "everybody",
    knowsNoGroups: true,
    text: "share of answers that took longer than `slower_than`, at most the limit",
  },
  mean_score: {
    kinds: { at_least: "mean_min", at_most: "mean_max" },
    unlessSaid: "at_least",
    watches: ["serving", "shadow"],
    counts: "scores",
    unlessNamed: "everybody",
    text: "mean score, at least the limit (every answer counts: `dependence` for people who ask again)",
  },
  flips_to_worse: {
    kinds: { at_most: "rate_max" },
    unlessSaid: "at_most",
    watches: ["shadow"],
    counts: "flips",
    unlessNamed: "groups",
    text: "of the people whom the shadow answers otherwise, the share that it answers worse, at most the limit (0.5: no worse at all)",
  },
  net_flips_to_worse: {
    kinds: { at_most: "mean_max" },
    unlessSaid: "at_most",
    watches: ["shadow"],
    counts: "net-flips",
    unlessNamed: "groups",
    text: "people whom the shadow answers worse less those whom it answers better, of all that both answered, at most the limit (0.05: five points)",
  },
  equal_opportunity_difference: {
    kinds: DIFFERENCE,
    unlessSaid: "at_least",
    watches: ["serving"],
    counts: "outcomes",
    parts: ["positives"],
    unlessNamed: "groups",
    text: "of those whose outcome is good, the group's share of favourable answers below that of the reference by at most the limit",
  },
  equal_opportunity_ratio: {
    kinds: RATIO,
    unlessSaid: "at_least",
    watches: ["serving"],
    counts: "outcomes",
    parts: ["positives"],
    unlessNamed: "groups",
    text: "of those whose outcome is good, the group's share of favourable answers over that of the reference, at least the limit",
  },
  equalized_odds_difference: {
    kinds: DIFFERENCE,
    unlessSaid: "at_least",
    watches: ["serving"],
    counts: "outcomes",
    parts: ["positives", "negatives"],
    unlessNamed: "groups",
    text: "of those whose outcome is good, and of those whose outcome is bad, the group's share of favourable answers below that of the reference by at most the limit",
  },
  true_positive_rate: {
    kinds: RATE,
    unlessSaid: "at_least",
    watches: ["serving"],
    counts: "outcomes",
    parts: ["positives"],
    unlessNamed: "groups",
    text: "of those whose outcome is good, the share of favourable answers, at least the limit",
  },
  false_positive_rate: {
    kinds: RATE,
    unlessSaid: "at_most",
    watches: ["serving"],
    counts: "outcomes",
    parts: ["negatives"],
    unlessNamed: "groups",
    text: "of those whose outcome is bad, the share of favourable answers, at most the limit",
  },
  predictive_parity_difference: {
    kinds: DIFFERENCE,
    unlessSaid: "at_least",
    watches: ["serving"],
    counts: "outcomes",
    parts: ["approved"],
    unlessNamed: "groups",
    text: "of those with a favourable answer, the group's share of good outcomes below that of the reference by at most the limit",
  },
  predictive_parity_ratio: {
    kinds: RATIO,
    unlessSaid: "at_least",
    watches: ["serving"],
    counts: "outcomes",
    parts: ["approved"],
    unlessNamed: "groups",
    text: "of those with a favourable answer, the group's share of good outcomes over that of the reference, at least the limit",
  },
  positive_predictive_value: {
    kinds: RATE,
    unlessSaid: "at_least",
    watches: ["serving"],
    counts: "outcomes",
    parts: ["approved"],
    unlessNamed: "groups",
    text: "of those with a favourable answer, the share of good outcomes, at least the limit",
  },
  outcome_error_rate: {
    kinds: RATE,
    unlessSaid: "at_most",
    watches: ["serving"],
    counts: "outcomes",
    parts: ["wrong"],
    unlessNamed: "groups",
    text: "of those whose outcome is known, the share whose answer turned out wrong, at most the limit",
  },
} as const satisfies Record<string, MetricRow>;

/** Name of a metric that guardrails can be about. */
export type MetricName = keyof typeof METRICS;

/** The row of a metric, with the width of its type rather than its letters. */
export const metricOf = (name: MetricName): MetricRow => METRICS[name];

/** The test of a metric in a direction that it has. */
export function kindOf(name: MetricName, direction: Direction = metricOf(name).unlessSaid): AnyKind {
  const { kinds, unlessSaid } = metricOf(name);
  const kind = kinds[direction] ?? kinds[unlessSaid];
  if (kind === undefined) throw new Error(`${name} has no test of its own direction`);
  return kind;
}

export const metricNames: readonly MetricName[] = namesOf(METRICS);
export const isMetric = (name: string): name is MetricName => Object.hasOwn(METRICS, name);

/** `Object.keys` of an object whose keys are all known. */
function namesOf<T extends object>(table: T): readonly (keyof T)[] {
  return Object.keys(table) as (keyof T)[];
}
