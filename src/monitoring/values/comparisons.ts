/** Groups beside each other: with a reference, and the luckiest with the unluckiest (fairness-metrics §6.2 to §6.4, §7). Pure. */
import { isRatioBelow } from "../exact.ts";
import { firstReason, noNumber, numberOf, type Count, type Excluded, type FourFifths, type MetricAnswer, type Reason } from "./answer.ts";
import { isSameGroup, type GroupCounts, type GroupRow, type GroupTable } from "./groups.ts";
import { labelsOf, rateIn, type RateName, type Terms } from "./rates.ts";
import { compareRates, differenceInterval, falseDiscovery, fisher, isByOnePerson, ratioInterval, standardDeviations } from "./two-rates.ts";

/** A group whose rate may be compared. */
interface Comparable {
  readonly row: GroupRow;
  readonly count: Count;
}
interface Compared {
  readonly comparable: readonly Comparable[];
  readonly excluded: readonly Excluded[];
}

/** The known groups with enough people in the rate's own denominator; the others are named with why they are left out. */
export function comparables(name: RateName, table: GroupTable, terms: Terms, part?: string): Compared {
  const comparable: Comparable[] = [];
  const excluded: Excluded[] = [];
  for (const row of table.rows) {
    if (!row.isKnown) continue;
    const rate = rateIn(name, row.counts, terms.labels);
    const leaveOut = (reason: Reason, n: number) => excluded.push({ group: row.group, n, reason, ...(part === undefined ? {} : { part }) });
    if (!rate.ok) leaveOut(rate.reason, rate.reason === "no_denominator" ? 0 : row.counts.n);
    else if (rate.count.n < terms.minimum) leaveOut("too_few", rate.count.n);
    else comparable.push({ row, count: rate.count });
  }
  return { comparable, excluded };
}

/** Why fewer than two are left: what holds for all of them, else that they are too few. */
function whyNone({ comparable, excluded }: Compared): Reason {
  const reasons = new Set(excluded.map(({ reason }) => reason));
  const [only] = reasons;
  return comparable.length === 0 && reasons.size === 1 && only !== undefined ? only : "too_few";
}

export interface Reference {
  readonly mode: "declared" | "best_off";
  readonly row: GroupRow | undefined;
}

/** Whom the groups are compared with: the declared group, in every window the same; else the one that is best off in this one. */
export function referenceIn(table: GroupTable, terms: Terms): Reference {
  const declared = terms.referenceOf(table.attributes);
  if (declared) return { mode: "declared", row: table.rows.find(({ isKnown, group }) => isKnown && isSameGroup(group, declared)) };
  const real = comparables("selection_rate", table, terms).comparable.filter(({ count }) => count.n >= terms.minGroupShare * table.all.n);
  // Of equal ones the larger, then the one declared first: sorting keeps their order.
  const [best] = real.toSorted((a, b) => compareRates(b.count, a.count) || b.count.n - a.count.n);
  return { mode: "best_off", row: best?.row };
}

/** Two rates that may be compared, or why not. */
type Pair =
  | { readonly ok: true; readonly own: Count; readonly other: Count }
  | { readonly ok: false; readonly reason: Reason; readonly own: Count | null; readonly other: Count | null };

function pairOf(name: RateName, row: GroupRow, reference: GroupCounts | undefined, terms: Terms): Pair {
  const own = rateIn(name, row.counts, terms.labels);
  const other = reference && rateIn(name, reference, terms.labels);
  const reasons: Reason[] = [];
  if (!own.ok) reasons.push(own.reason);
  else if (own.count.n < terms.minimum) reasons.push("too_few");
  if (!other?.ok) reasons.push(other === undefined || other.reason === "no_decisions" ? "reference_missing" : other.reason);
  else if (other.count.n < terms.minimum) reasons.push("reference_too_few");
  const counts = { own: own.ok ? own.count : null, other: other?.ok ? other.count : null };
  const reason = firstReason(reasons);
  if (reason !== undefined || counts.own === null || counts.other === null) return { ok: false, reason: reason ?? "too_few", ...counts };
  return { ok: true, own: counts.own, other: counts.other };
}

/** What every answer that compares one group with the reference says. */
function detailsOf(row: GroupRow, { mode, row: other }: Reference, pair: Pair, labels: MetricAnswer["labels"]) {
  return {
    group: row.group,
    reference: other?.group ?? null,
    reference_mode: mode,
    numerator: pair.own,
    denominator: pair.other,
    labels,
  };
}

/**
 * For every 100 that the reference gets, how many does each group get: one answer a group, then the smallest of all. The reference itself
 * is 1, and the unknown are in no comparison.
 */
export function adverseImpact(table: GroupTable, terms: Terms): readonly MetricAnswer[] {
  const metric = "adverse_impact_ratio";
  const reference = referenceIn(table, terms);
  const rows = table.rows.filter(({ isKnown }) => isKnown);
  const pairs = rows.map((row) => ({ row, pair: pairOf("selection_rate", row, reference.row?.counts, terms) }));
  const others = pairs.filter(({ row }) => row !== reference.row);
  const tests = others.flatMap(({ row, pair }) => (pair.ok && pair.other.x > 0 ? [{ row, ...fisher(pair.own, pair.other) }] : []));
  const q = falseDiscovery(tests.map(({ p }) => p));
  const answers = pairs.map(({ row, pair }): MetricAnswer => {
    const details = detailsOf(row, reference, pair, null);
    if (!pair.ok) return noNumber(metric, pair.reason, details);
    const { own, other } = pair;
    if (other.x === 0) return noNumber(metric, "reference_zero", details);
    const value = (own.x * other.n) / (own.n * other.x);
    const at = tests.findIndex((test) => test.row === row);
    const test = tests[at];
    if (!test) return numberOf(metric, value, details);
    return numberOf(metric, value, {
      ...details,
      interval: shownInterval(own, other),
      four_fifths: fourFifths(own, other, test, q[at] ?? 1),
    });
  });
  return [...answers, smallest(table, reference, answers)];
}

/** The half person that stands in for the logarithm of 0 keeps the interval of a ratio of 0 from reaching it. */
function shownInterval(own: Count, other: Count): MetricAnswer["interval"] {
  const interval = ratioInterval(own, other);
  return own.x === 0 ? { ...interval, low: 0 } : interval;
}

function fourFifths(own: Count, other: Count, test: { readonly p: number; readonly approximate: boolean }, q: number): FourFifths {
  return {
    below_four_fifths: isRatioBelow({ k: own.x, n: own.n }, { k: other.x, n: other.n }, 0.8) ?? false,
    significant: test.p < 0.05,
    small_numbers: isByOnePerson(own, other),
    z: standardDeviations(own, other),
    p_value: test.p,
    q_value: q,
    approximate: test.approximate,
  };
}

/** One number for all groups of an attribute: the smallest ratio, with whose it is. */
function smallest(table: GroupTable, reference: Reference, answers: readonly MetricAnswer[]): MetricAnswer {
  const metric = "adverse_impact_ratio";
  const others = answers.filter(({ group }) => group !== reference.row?.group);
  const common = {
    attributes: [...table.attributes],
    reference: reference.row?.group ?? null,
    reference_mode: reference.mode,
    excluded: others.flatMap(({ group, reason, numerator }) =>
      reason === null || group === null ? [] : [{ group, n: numerator?.n ?? 0, reason }],
    ),
  };
  let least: MetricAnswer | undefined;
  for (const answer of others) {
    const [a, b] = [answer.numerator, least?.numerator];
    if (answer.value !== null && a && (!b || compareRates(a, b) < 0)) least = answer;
  }
  if (least?.value === null || least === undefined)
    return noNumber(metric, firstReason(others.flatMap(({ reason }) => reason ?? [])) ?? "too_few", common);
  const { value, numerator, denominator, interval, group, four_fifths } = least;
  return numberOf(metric, value, { ...common, numerator, denominator, interval, least: group, ...(four_fifths ? { four_fifths } : {}) });
}

/** The group's rate less that of the reference: negative is worse off. */
export function rateDifferences(metric: string, name: RateName, table: GroupTable, terms: Terms): readonly MetricAnswer[] {
  const reference = referenceIn(table, terms);
  return table.rows
    .filter((row) => row.isKnown && row !== reference.row)
    .map((row) => {
      const pair = pairOf(name, row, reference.row?.counts, terms);
      const details = detailsOf(row, reference, pair, labelsOf(name, terms.labels));
      if (!pair.ok) return noNumber(metric, pair.reason, details);
      const { own, other } = pair;
      return numberOf(metric, own.x / own.n - other.x / other.n, { ...details, interval: differenceInterval(own, other) });
    });
}

/** How many more people of the group would have got a favourable answer at the rate of the reference, and at four fifths of it. */
export function shortfalls(table: GroupTable, terms: Terms): readonly MetricAnswer[] {
  const reference = referenceIn(table, terms);
  return table.rows
    .filter((row) => row.isKnown && row !== reference.row)
    .map((row) => {
      const pair = pairOf("selection_rate", row, reference.row?.counts, terms);
      const details = detailsOf(row, reference, pair, null);
      if (!pair.ok) return noNumber("selection_shortfall", pair.reason, details);
      const missing = (target: number) => Math.max(0, (target * pair.other.x * pair.own.n) / pair.other.n - pair.own.x);
      return numberOf("selection_shortfall", missing(1), {
        ...details,
        parts: { to_four_fifths: { value: missing(0.8), reason: null } },
      });
    });
}

/** Standard deviations and Fisher's exact p, as numbers of their own for whoever asks for them by name. */
export function selectionTests(metric: "selection_rate_z" | "selection_rate_p_value", answers: readonly MetricAnswer[]): MetricAnswer[] {
  return answers
    .filter(({ attributes, group, reference }) => attributes === null && group !== reference)
    .map((answer) => {
      const { group, reference, reference_mode, numerator, denominator, four_fifths } = answer;
      const details = { group, reference, reference_mode, numerator, denominator };
      if (!four_fifths) return noNumber(metric, answer.reason ?? "no_denominator", details);
      const value = metric === "selection_rate_z" ? four_fifths.z : four_fifths.p_value;
      return value === null ? noNumber(metric, "no_denominator", details) : numberOf(metric, value, details);
    });
}

/** How far the luckiest and the unluckiest are apart. */
export interface Spread extends Compared {
  readonly difference: { readonly value: number | null; readonly reason: Reason | null };
  readonly ratio: { readonly value: number | null; readonly reason: Reason | null };
  readonly most: GroupRow | null;
  readonly least: GroupRow | null;
}

export function spread(name: RateName, table: GroupTable, terms: Terms, part?: string): Spread {
  const compared = comparables(name, table, terms, part);
  const [first, ...rest] = compared.comparable;
  if (!first || rest.length === 0) {
    const none = { value: null, reason: whyNone(compared) };
    return { ...compared, difference: none, ratio: none, most: null, least: null };
  }
  let [low, high] = [first, first];
  for (const one of rest) {
    if (compareRates(one.count, low.count) < 0) low = one;
    if (compareRates(one.count, high.count) > 0) high = one;
  }
  const [a, b] = [low.count, high.count];
  return {
    ...compared,
    difference: { value: b.x / b.n - a.x / a.n, reason: null },
    ratio: b.x === 0 ? { value: null, reason: "reference_zero" } : { value: (a.x * b.n) / (a.n * b.x), reason: null },
    most: high.row,
    least: low.row,
  };
}
