/** Rates of one group, without and with outcomes (fairness-metrics §6.1, §7). Pure. */
import type { Count, MetricAnswer, Reason } from "./answer.ts";
import { noNumber, numberOf } from "./answer.ts";
import type { GroupCounts, GroupRow } from "./groups.ts";
import { rateInterval } from "./two-rates.ts";

/** Whose outcomes become known: everybody's, or only of those who were approved, as of a lender's. */
export type Labels = "all" | "favourable_only";

/** What a rate is counted from; `everybody` needs outcomes of people who were turned down as well. */
type Needs = "decisions" | "approved" | "everybody";

interface RateRow {
  readonly needs: Needs;
  readonly of: (counts: GroupCounts) => Count;
  /** For people: one sentence and the formula. */
  readonly text: string;
}

/** Good outcomes are positive, and approving is predicting one. */
export const RATES = {
  selection_rate: { needs: "decisions", of: ({ x, n }) => ({ x, n }), text: "Of this group, what share got a favourable answer" },
  base_rate: {
    needs: "everybody",
    of: ({ tp, fp, fn, tn }) => ({ x: tp + fn, n: tp + fp + fn + tn }),
    text: "What share turns out well",
  },
  accuracy_score: {
    needs: "everybody",
    of: ({ tp, fp, fn, tn }) => ({ x: tp + tn, n: tp + fp + fn + tn }),
    text: "How often the answer was right",
  },
  true_positive_rate: {
    needs: "everybody",
    of: ({ tp, fn }) => ({ x: tp, n: tp + fn }),
    text: "Of those who would turn out well, who got a favourable answer",
  },
  false_negative_rate: {
    needs: "everybody",
    of: ({ tp, fn }) => ({ x: fn, n: tp + fn }),
    text: "Of those who would turn out well, who was turned away",
  },
  false_positive_rate: {
    needs: "everybody",
    of: ({ fp, tn }) => ({ x: fp, n: fp + tn }),
    text: "Of those who would turn out badly, who got a favourable answer",
  },
  true_negative_rate: {
    needs: "everybody",
    of: ({ fp, tn }) => ({ x: tn, n: fp + tn }),
    text: "Of those who would turn out badly, who was turned away",
  },
  positive_predictive_value: {
    needs: "approved",
    of: ({ tp, fp }) => ({ x: tp, n: tp + fp }),
    text: "Of those with a favourable answer, who turned out well",
  },
  negative_predictive_value: {
    needs: "everybody",
    of: ({ fn, tn }) => ({ x: tn, n: fn + tn }),
    text: "Of those turned away, who would have turned out badly",
  },
  outcome_coverage: {
    needs: "decisions",
    of: ({ n, tp, fp, fn, tn }) => ({ x: tp + fp + fn + tn, n }),
    text: "For what share it is known how it ended",
  },
} as const satisfies Record<string, RateRow>;
export type RateName = keyof typeof RATES;

const rowOf = (name: RateName): RateRow => RATES[name];

/** A rate, or why there is none. Bounds hold without any assumption about those whose outcome isn't known. */
export type Rate =
  | { readonly ok: true; readonly count: Count }
  | { readonly ok: false; readonly reason: Reason; readonly bounds?: { readonly low: number; readonly high: number } };

export function rateIn(name: RateName, counts: GroupCounts, labels: Labels): Rate {
  const { needs, of } = rowOf(name);
  if (counts.n === 0) return { ok: false, reason: "no_decisions" };
  if (needs !== "decisions") {
    if (labelled(counts) === 0) return { ok: false, reason: "no_outcomes" };
    if (needs === "everybody" && labels === "favourable_only") return { ok: false, reason: "selective_labels", ...boundsOf(name, counts) };
  }
  const count = of(counts);
  return count.n === 0 ? { ok: false, reason: "no_denominator" } : { ok: true, count };
}

const labelled = ({ tp, fp, fn, tn }: GroupCounts): number => tp + fp + fn + tn;

/** The least and the most that a rate can be, whatever became of those whose outcome isn't known. */
function boundsOf(
  name: RateName,
  { n, x, tp, fp, fn, tn }: GroupCounts,
): { readonly bounds?: { readonly low: number; readonly high: number } } {
  const approved = Math.max(0, x - tp - fp);
  const refused = Math.max(0, n - x - fn - tn);
  const between = (low: number, high: number) =>
    Number.isFinite(low) && Number.isFinite(high) ? { bounds: { low: low + 0, high: high + 0 } } : {};
  const share = (k: number, of: number) => (of === 0 ? Number.NaN : k / of);
  // Where nobody is left in the denominator of an end, the rate could be anything.
  const truePositive = { low: share(tp, tp + fn + refused), high: tp + approved + fn === 0 ? 1 : (tp + approved) / (tp + approved + fn) };
  const falsePositive = { low: share(fp, fp + tn + refused), high: fp + approved + tn === 0 ? 1 : (fp + approved) / (fp + approved + tn) };
  const all = tp + fp + fn + tn + approved + refused;
  switch (name) {
    case "true_positive_rate":
      return between(truePositive.low, truePositive.high);
    case "false_negative_rate":
      return between(1 - truePositive.high, 1 - truePositive.low);
    case "false_positive_rate":
      return between(falsePositive.low, falsePositive.high);
    case "true_negative_rate":
      return between(1 - falsePositive.high, 1 - falsePositive.low);
    case "base_rate":
      return between(share(tp + fn, all), share(tp + fn + approved + refused, all));
    case "accuracy_score":
      return between(share(tp + tn, all), share(tp + tn + approved + refused, all));
    default:
      return {};
  }
}

/** What every answer about groups is computed with. */
export interface Terms {
  /** A comparison needs this many in each denominator. Default 30. */
  readonly minimum: number;
  readonly labels: Labels;
  /** Groups of a smaller share of all decisions aren't a reference by being best off. */
  readonly minGroupShare: number;
  /** Whether a score is the probability of a good outcome: of a rule's it isn't. */
  readonly isProbability: boolean;
  /** Scores are multiples of a step, and bins are as fine. */
  readonly hasFineScores: boolean;
  /** Whom the groups of these attributes are compared with, where that is declared. */
  readonly referenceOf: (attributes: readonly string[]) => Readonly<Record<string, string>> | undefined;
}

/** Whose outcomes an answer is about; null for one that needs none. */
export function labelsOf(name: RateName, labels: Labels): MetricAnswer["labels"] {
  if (rowOf(name).needs === "decisions") return null;
  return labels === "all" ? "all" : "approved_only";
}

/** A rate of one group, from one decision on. */
export function rateAnswer(name: RateName, { group, counts }: Pick<GroupRow, "group" | "counts">, terms: Terms): MetricAnswer {
  const rate = rateIn(name, counts, terms.labels);
  const labels = labelsOf(name, terms.labels);
  if (!rate.ok) return noNumber(name, rate.reason, { group, labels, ...(rate.bounds ? { bounds: rate.bounds } : {}) });
  const { count } = rate;
  return numberOf(name, count.x / count.n, {
    group,
    labels,
    numerator: count,
    interval: rateInterval(count),
    ...(count.n < terms.minimum ? { small: true } : {}),
  });
}

/** The mean of the true positive and the true negative rate: both kinds of people weigh alike. */
export function balancedAccuracy({ group, counts }: Pick<GroupRow, "group" | "counts">, terms: Terms): MetricAnswer {
  const metric = "balanced_accuracy_score";
  const [good, bad] = [rateIn("true_positive_rate", counts, terms.labels), rateIn("true_negative_rate", counts, terms.labels)];
  const labels = labelsOf("true_positive_rate", terms.labels);
  if (!good.ok) return noNumber(metric, good.reason, { group, labels });
  if (!bad.ok) return noNumber(metric, bad.reason, { group, labels });
  const value = (good.count.x / good.count.n + bad.count.x / bad.count.n) / 2;
  const isSmall = Math.min(good.count.n, bad.count.n) < terms.minimum;
  return numberOf(metric, value, { group, labels, ...(isSmall ? { small: true } : {}) });
}
