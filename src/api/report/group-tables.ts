/** Tables of how groups fared, from the counts of a period. Pure. */
import {
  groupAnswers,
  groupKey,
  withoutSmallCells,
  type CellCounts,
  type GroupMetricName,
  type GroupTable,
  type GroupValues,
  type MetricAnswer,
  type Published,
} from "../../monitoring/index.ts";
import type { MetricTerms } from "../../releases/index.ts";
import { UNKNOWN_GROUP } from "../../decisions/index.ts";
import type { GroupNames } from "../group-names.ts";
import type { Figure, GroupRowView, GroupTableView } from "./report-view.ts";

const METRICS = [
  "selection_rate",
  "adverse_impact_ratio",
  "selection_rate_difference",
  "selection_shortfall",
  "outcome_coverage",
  "true_positive_rate",
  "false_positive_rate",
  "positive_predictive_value",
  "accuracy_score",
] as const satisfies readonly GroupMetricName[];

export interface GroupTablesQuestion {
  /** Whose answers these are counts of. */
  readonly scope: string;
  readonly declared: Readonly<Record<string, readonly string[]>>;
  readonly terms: MetricTerms;
  readonly names: GroupNames;
  /** What a reader who may not see groups gets of the period; null for others. */
  readonly published: Published | null;
}

/** Outcomes are told by whole months: of another period those of every group are few. */
function fewIn({ decisions, outcomes }: Published, tables: readonly GroupTable[]): ReadonlySet<string> {
  const isSamePeriod = decisions.window.fromMinute === outcomes.window.fromMinute && decisions.window.toMinute === outcomes.window.toMinute;
  return isSamePeriod ? outcomes.few : new Set(tables.flatMap(({ rows }) => rows.map(({ group }) => groupKey(group))));
}

/** One table for each attribute and declared intersection. */
export function groupTables(
  cells: readonly CellCounts[],
  { scope, declared, terms, names, published }: GroupTablesQuestion,
): GroupTableView[] {
  const sets = [...Object.keys(declared).map((attribute) => [attribute]), ...terms.intersections];
  const { tables, answers } = groupAnswers(cells, { declared, sets, metrics: METRICS, terms });
  const shown = published ? withoutSmallCells(answers, tables, published.decisions.hidden, fewIn(published, tables)) : answers;
  const of = (metric: GroupMetricName) => shown.filter((answer) => answer.metric === metric);
  return tables
    .filter(({ attributes }) => attributes.length > 0)
    .map(({ attributes, rows }) => {
      const about = (metric: GroupMetricName, group: GroupValues) =>
        of(metric).find((answer) => answer.attributes === null && answer.group !== null && isSame(answer.group, group));
      const smallest = of("adverse_impact_ratio").find((answer) => answer.attributes !== null && isSameSet(answer.attributes, attributes));
      const reference = smallest?.reference ?? null;
      const hasOutcomes = rows.some(({ counts: { tp, fp, fn, tn } }) => tp + fp + fn + tn > 0);
      return {
        scope,
        attributes: [...attributes],
        reference: reference && labelOf(reference, names),
        referenceMode: smallest?.reference_mode ?? null,
        rows: rows.map(({ group, isKnown }) =>
          groupRow(labelOf(group, names), {
            isReference: reference !== null && isSame(reference, group),
            rate: about("selection_rate", group),
            ...(isKnown
              ? {
                  ratio: about("adverse_impact_ratio", group),
                  difference: about("selection_rate_difference", group),
                  shortfall: about("selection_shortfall", group),
                }
              : {}),
          }),
        ),
        smallest: { group: smallest?.least ? labelOf(smallest.least, names) : null, ...figureOf(smallest) },
        outcomes: hasOutcomes
          ? rows.map(({ group }) => ({
              group: labelOf(group, names),
              coverage: figureOf(about("outcome_coverage", group)),
              truePositiveRate: figureOf(about("true_positive_rate", group)),
              falsePositiveRate: figureOf(about("false_positive_rate", group)),
              positivePredictiveValue: figureOf(about("positive_predictive_value", group)),
              accuracy: figureOf(about("accuracy_score", group)),
            }))
          : [],
      };
    });
}

interface Answers {
  readonly isReference: boolean;
  readonly rate: MetricAnswer | undefined;
  readonly ratio?: MetricAnswer | undefined;
  readonly difference?: MetricAnswer | undefined;
  readonly shortfall?: MetricAnswer | undefined;
}

function groupRow(group: string, { isReference, rate, ratio, difference, shortfall }: Answers): GroupRowView {
  const found = ratio?.four_fifths;
  const isHidden = rate?.reason === "suppressed";
  return {
    group,
    isReference,
    decisions: isHidden ? null : (rate?.numerator?.n ?? 0),
    favourable: isHidden ? null : (rate?.numerator?.x ?? 0),
    rate: figureOf(rate),
    ratio: figureOf(ratio),
    difference: figureOf(difference),
    belowFourFifths: found?.below_four_fifths ?? null,
    byOnePerson: found?.small_numbers ?? null,
    pValue: found?.p_value ?? null,
    qValue: found?.q_value ?? null,
    shortfall: shortfall?.value ?? null,
  };
}

/** Bounds, where there is no number, are the range of what it can be. */
function figureOf(answer: MetricAnswer | undefined): Figure {
  if (!answer) return { value: null, low: null, high: null, why: null };
  const range = answer.interval ?? answer.bounds;
  return { value: answer.value, low: range?.low ?? null, high: range?.high ?? null, why: answer.reason };
}

function labelOf(group: GroupValues, names: GroupNames): string {
  return Object.entries(group)
    .map(([attribute, value]) => (value === UNKNOWN_GROUP ? "not told" : names.word(attribute, value)))
    .join(names.areVisible ? ", " : "×");
}

const isSame = (a: GroupValues, b: GroupValues): boolean =>
  Object.keys(a).length === Object.keys(b).length && Object.entries(a).every(([name, value]) => b[name] === value);
const isSameSet = (a: readonly string[], b: readonly string[]): boolean => a.length === b.length && a.every((name) => b.includes(name));
