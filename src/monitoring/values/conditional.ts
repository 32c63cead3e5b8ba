/** Among people who are alike in something else, is the group still worse off? (fairness-metrics §6.6, and §7's odds.) Pure. */
import { UNKNOWN_GROUP } from "../../decisions/index.ts";
import { firstReason, noNumber, numberOf, type Interval, type MetricAnswer, type Reason, type Stratum } from "./answer.ts";
import { referenceIn, type Reference } from "./comparisons.ts";
import { sumOf, type CellCounts, type GroupCounts, type GroupRow, type GroupTable } from "./groups.ts";
import { labelsOf, rateIn, type Terms } from "./rates.ts";

const Z = 1.959963984540054;

/** Both sides of one stratum. */
interface Pair {
  readonly stratum: string;
  readonly own: GroupCounts;
  readonly other: GroupCounts;
}

/** @param given - attribute or stratum of the cells that people are to be alike in */
export function conditionalAdverseImpact(table: GroupTable, given: string, terms: Terms): readonly MetricAnswer[] {
  return compared("conditional_adverse_impact_ratio", table, given, terms, (pairs, details) => {
    let [r, s, v] = [0, 0, 0];
    for (const { own, other } of pairs) {
      const all = own.n + other.n;
      if (own.n === 0 || other.n === 0) continue;
      r += (own.x * other.n) / all;
      s += (other.x * own.n) / all;
      v += ((own.x + other.x) * own.n * other.n - own.x * other.x * all) / all ** 2;
    }
    if (s === 0) return noNumber("conditional_adverse_impact_ratio", "reference_zero", details);
    const value = r / s;
    const spread = r > 0 ? Math.exp(Z * Math.sqrt(v / (r * s))) : Number.NaN;
    const interval: Interval | null = r > 0 ? { level: 0.95, low: value / spread, high: value * spread, kind: "fixed_window" } : null;
    return numberOf("conditional_adverse_impact_ratio", value, { ...details, interval });
  });
}

/** The mean of the differences of rates within strata, weighted by how much each stratum says. */
export function conditionalParity(table: GroupTable, given: string, terms: Terms): readonly MetricAnswer[] {
  const metric = "conditional_demographic_parity_difference";
  return compared(metric, table, given, terms, (pairs, details) => {
    let [sum, weights] = [0, 0];
    for (const { own, other } of pairs) {
      if (own.n === 0 || other.n === 0) continue;
      const weight = (own.n * other.n) / (own.n + other.n);
      sum += weight * (own.x / own.n - other.x / other.n);
      weights += weight;
    }
    return weights === 0 ? noNumber(metric, "too_few", details) : numberOf(metric, sum / weights, details);
  });
}

function compared(
  metric: string,
  table: GroupTable,
  given: string,
  terms: Terms,
  compute: (pairs: readonly Pair[], details: Partial<MetricAnswer>) => MetricAnswer,
): readonly MetricAnswer[] {
  const reference = referenceIn(table, terms);
  return table.rows
    .filter((row) => row.isKnown && row !== reference.row)
    .map((row) => {
      const pairs = pairsOf(row, reference.row, given);
      const { counts } = row;
      const other = reference.row?.counts;
      const details = {
        group: row.group,
        reference: reference.row?.group ?? null,
        reference_mode: reference.mode,
        numerator: { x: counts.x, n: counts.n },
        denominator: other ? { x: other.x, n: other.n } : null,
        strata: pairs.map(stratumOf),
        parts: { unconditional: unconditional(metric, counts, other) },
      };
      const reason = whyNot(counts, other, terms);
      return reason === undefined ? compute(pairs, details) : noNumber(metric, reason, details);
    });
}

function unconditional(metric: string, own: GroupCounts, other: GroupCounts | undefined) {
  const none = (reason: Reason) => ({ value: null, reason });
  if (own.n === 0) return none("no_decisions");
  if (!other || other.n === 0) return none("reference_missing");
  if (metric !== "conditional_adverse_impact_ratio") return { value: own.x / own.n - other.x / other.n, reason: null };
  return other.x === 0 ? none("reference_zero") : { value: (own.x * other.n) / (own.n * other.x), reason: null };
}

function whyNot(own: GroupCounts, other: GroupCounts | undefined, { minimum }: Terms): Reason | undefined {
  const reasons: Reason[] = [];
  if (own.n === 0) reasons.push("no_decisions");
  else if (own.n < minimum) reasons.push("too_few");
  if (!other || other.n === 0) reasons.push("reference_missing");
  else if (other.n < minimum) reasons.push("reference_too_few");
  return firstReason(reasons);
}

const strataOf = (cells: readonly CellCounts[], given: string): ReadonlyMap<string, readonly CellCounts[]> =>
  Map.groupBy(cells, ({ groups }) => groups[given] ?? UNKNOWN_GROUP);

function pairsOf(row: GroupRow, reference: Reference["row"], given: string): readonly Pair[] {
  const [own, other] = [strataOf(row.cells, given), strataOf(reference?.cells ?? [], given)];
  return [...new Set([...own.keys(), ...other.keys()])]
    .toSorted()
    .map((stratum) => ({ stratum, own: sumOf(own.get(stratum) ?? []), other: sumOf(other.get(stratum) ?? []) }));
}

const stratumOf = ({ stratum, own, other }: Pair): Stratum => ({
  stratum,
  numerator: { x: own.x, n: own.n },
  denominator: { x: other.x, n: other.n },
  difference: own.n === 0 || other.n === 0 ? null : own.x / own.n - other.x / other.n,
});

/**
 * The group's share among those turned away less its share among those favoured, within strata, weighted by their size: positive is
 * over-represented among those turned away. Strata where nobody, or everybody, was favoured add 0.
 */
export function conditionalDisparity(table: GroupTable, given: string, terms: Terms): readonly MetricAnswer[] {
  const metric = "conditional_demographic_disparity";
  const known = table.rows.filter(({ isKnown }) => isKnown);
  const everybody = strataOf(
    known.flatMap(({ cells }) => cells),
    given,
  );
  const all = sumOf(known.flatMap(({ cells }) => cells));
  return known.map((row) => {
    const own = strataOf(row.cells, given);
    const strata = [...everybody]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([stratum, cells]) => {
        const [of, counts] = [sumOf(cells), sumOf(own.get(stratum) ?? [])];
        return { stratum, of, counts, value: disparity(counts, of) };
      });
    const total = disparity(row.counts, all);
    const details = {
      group: row.group,
      strata: strata.map(({ stratum, of, counts, value }) => ({
        stratum,
        numerator: { x: counts.x, n: counts.n },
        denominator: { x: of.x, n: of.n },
        difference: value,
      })),
      parts: {
        unconditional: total === null ? { value: null, reason: "no_denominator" as const } : { value: total, reason: null },
      },
    };
    if (row.counts.n === 0) return noNumber(metric, "no_decisions", details);
    if (row.counts.n < terms.minimum) return noNumber(metric, "too_few", details);
    const sum = strata.reduce((adding, { of, value }) => adding + (value ?? 0) * of.n, 0);
    return numberOf(metric, sum / all.n, details);
  });
}

/** Null where nobody was turned away, or nobody favoured. */
function disparity(own: GroupCounts, all: GroupCounts): number | null {
  const [refused, approved] = [all.n - all.x, all.x];
  return refused === 0 || approved === 0 ? null : (own.n - own.x) / refused - own.x / approved;
}

/** The mean of both kinds of odds, group less reference (AIF360's `average_odds_difference`). */
export function averageOdds(table: GroupTable, terms: Terms): readonly MetricAnswer[] {
  const metric = "average_odds_difference";
  const reference = referenceIn(table, terms);
  const labels = labelsOf("true_positive_rate", terms.labels);
  return table.rows
    .filter((row) => row.isKnown && row !== reference.row)
    .map((row) => {
      const details = { group: row.group, reference: reference.row?.group ?? null, reference_mode: reference.mode, labels };
      const reasons: Reason[] = [];
      const rates = (["true_positive_rate", "false_positive_rate"] as const).map((name) => {
        const own = rateIn(name, row.counts, terms.labels);
        const other = reference.row && rateIn(name, reference.row.counts, terms.labels);
        if (!own.ok) reasons.push(own.reason);
        else if (own.count.n < terms.minimum) reasons.push("too_few");
        if (!other?.ok) reasons.push(other === undefined || other.reason === "no_decisions" ? "reference_missing" : other.reason);
        else if (other.count.n < terms.minimum) reasons.push("reference_too_few");
        return own.ok && other?.ok ? own.count.x / own.count.n - other.count.x / other.count.n : 0;
      });
      const reason = firstReason(reasons);
      if (reason !== undefined) return noNumber(metric, reason, details);
      return numberOf(metric, rates.reduce((sum, rate) => sum + rate, 0) / 2, details);
    });
}
