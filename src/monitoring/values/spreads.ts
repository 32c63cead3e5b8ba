/** One number for all groups of an attribute: parities of chances, of errors, of what an approval means (fairness-metrics §6.4, §7). Pure. */
import { noNumber, numberOf, type MetricAnswer, type Reason } from "./answer.ts";
import { comparables, spread, type Spread } from "./comparisons.ts";
import type { GroupTable } from "./groups.ts";
import { labelsOf, type RateName, type Terms } from "./rates.ts";

/** Metrics that compare one rate over all groups, by the beginning of their names. */
export const PARITIES = {
  demographic_parity: "selection_rate",
  equal_opportunity: "true_positive_rate",
  predictive_parity: "positive_predictive_value",
} as const satisfies Record<string, RateName>;

type Part = { readonly value: number | null; readonly reason: Reason | null };

/** @param name - the beginning: `demographic_parity` */
export function parity(name: keyof typeof PARITIES, form: "difference" | "ratio", table: GroupTable, terms: Terms): MetricAnswer {
  const rate = PARITIES[name];
  const between = spread(rate, table, terms);
  const details = {
    attributes: [...table.attributes],
    excluded: [...between.excluded],
    labels: labelsOf(rate, terms.labels),
    most: between.most?.group ?? null,
    least: between.least?.group ?? null,
    ...(name === "demographic_parity" ? { parts: { to_overall: toOverall(form, table, terms) } } : {}),
  };
  return answered(`${name}_${form}`, between[form], details);
}

/** The same with everybody as the yardstick, those of unknown group among them. Large groups are near it by construction. */
function toOverall(form: "difference" | "ratio", table: GroupTable, terms: Terms): Part {
  const { comparable } = comparables("selection_rate", table, terms);
  const { all } = table;
  if (comparable.length < 2) return { value: null, reason: all.n === 0 ? "no_decisions" : "too_few" };
  const p = all.x / all.n;
  const rates = comparable.map(({ count }) => count.x / count.n);
  if (form === "difference") return { value: Math.max(...rates.map((rate) => Math.abs(rate - p))), reason: null };
  if (p === 0) return { value: null, reason: "reference_zero" };
  return { value: Math.min(...rates.map((rate) => Math.min(rate / p, rate === 0 ? 0 : p / rate))), reason: null };
}

/** Whether those who turn out well, and those who turn out badly, have the same chances in all groups: the worse of the two. */
export function equalizedOdds(form: "difference" | "ratio", table: GroupTable, terms: Terms): MetricAnswer {
  const metric = `equalized_odds_${form}`;
  const good = spread("true_positive_rate", table, terms, "true_positive_rate");
  const bad = spread("false_positive_rate", table, terms, "false_positive_rate");
  const [a, b] = [good[form], bad[form]];
  const both = (combine: (a: number, b: number) => number): Part => {
    if (a.value === null) return { value: null, reason: a.reason };
    if (b.value === null) return { value: null, reason: b.reason };
    return { value: combine(a.value, b.value), reason: null };
  };
  const worst = both(form === "difference" ? Math.max : Math.min);
  return answered(metric, worst, {
    attributes: [...table.attributes],
    excluded: [...good.excluded, ...bad.excluded],
    labels: labelsOf("true_positive_rate", terms.labels),
    ...worstOf(form, good, bad),
    parts: { true_positive_rate: a, false_positive_rate: b, mean: both((x, y) => (x + y) / 2) },
  });
}

function worstOf(form: "difference" | "ratio", good: Spread, bad: Spread) {
  const [a, b] = [good[form].value, bad[form].value];
  if (a === null || b === null) return { most: null, least: null };
  const isGood = form === "difference" ? a >= b : a <= b;
  const { most, least } = isGood ? good : bad;
  return { most: most?.group ?? null, least: least?.group ?? null };
}

function answered(metric: string, { value, reason }: Part, details: Parameters<typeof numberOf>[2]): MetricAnswer {
  return value === null ? noNumber(metric, reason ?? "too_few", details) : numberOf(metric, value, details);
}
