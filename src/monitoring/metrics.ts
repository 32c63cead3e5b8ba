/** What guardrails can be about. One row a metric: a new one is a row here and, if it counts something new, a function in `counting.ts`. */
import type { ArmClass } from "../decisions/index.ts";
import type { TestKind } from "./sequential-test.ts";

interface MetricRow {
  /** The sequential test that proves a breach. */
  readonly kind: TestKind;
  /** Whose answers it can watch: those that people got, those of a shadow, or both. */
  readonly watches: readonly ArmClass[];
  /** What is counted: favourable answers among all; answers that somebody else gave; unfavourable flips among all flips. */
  readonly counts: "selections" | "substitutions" | "flips";
  /** Who is watched where a guardrail names no groups: every group of every attribute, or everybody as one. */
  readonly unlessNamed: "groups" | "everybody";
  /** For people. */
  readonly text: string;
}

/**
 * Metrics by name. Cells are (group, reference) in this order; where the kind has one cell there is no reference.
 * Names as in fairness-metrics §5, §6; `flips_to_worse` is sequential-tests §7.
 */
export const METRICS = {
  adverse_impact_ratio: {
    kind: "ratio_min",
    watches: ["serving", "shadow"],
    counts: "selections",
    unlessNamed: "groups",
    text: "selection rate of the group over that of the reference, at least the limit",
  },
  selection_rate_difference: {
    kind: "diff_min",
    watches: ["serving", "shadow"],
    counts: "selections",
    unlessNamed: "groups",
    text: "selection rate of the group below that of the reference by at most the limit",
  },
  fallback_rate: {
    kind: "rate_max",
    watches: ["serving", "shadow"],
    counts: "substitutions",
    unlessNamed: "everybody",
    text: "share of the requests that another release answered because this one failed, at most the limit",
  },
  flips_to_worse: {
    kind: "rate_max",
    watches: ["shadow"],
    counts: "flips",
    unlessNamed: "groups",
    text: "of the people whom the shadow answers otherwise, the share that it answers worse, at most the limit (0.5: no worse at all)",
  },
} as const satisfies Record<string, MetricRow>;

/** Name of a metric that guardrails can be about. */
export type MetricName = keyof typeof METRICS;

/** The row of a metric, with the width of its type rather than its letters. */
export const metricOf = (name: MetricName): MetricRow => METRICS[name];

export const metricNames: readonly MetricName[] = namesOf(METRICS);

/** `Object.keys` of an object whose keys are all known. */
function namesOf<T extends object>(table: T): readonly (keyof T)[] {
  return Object.keys(table) as (keyof T)[];
}
