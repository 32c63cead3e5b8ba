/** Small cells are hidden from readers who may not see groups (fairness-metrics §10): with one person in it, a cell tells their answer. Pure. */
import type { GroupValues, MetricAnswer } from "./answer.ts";
import { GROUP_METRICS, isGroupMetric } from "./group-metrics.ts";
import { groupTable, type CellCounts, type GroupCounts, type GroupTable } from "./groups.ts";
import type { DeclaredGroups } from "../guardrail.ts";

/** Which groups are hidden, and whether what they add up to is. */
export interface Hidden {
  readonly groups: (group: GroupValues) => boolean;
  readonly total: boolean;
}

/**
 * What of one row of cells with a visible total is hidden: every cell with fewer than `k`, and the next smallest ones until those hidden are
 * at least two and add up to at least `k`, so that none can be worked out from the total.
 * @returns indexes of hidden cells
 */
export function hiddenIn(counts: readonly number[], k: number, hiddenBefore: ReadonlySet<number> = new Set()): ReadonlySet<number> {
  const hidden = new Set(hiddenBefore);
  for (const [i, n] of counts.entries()) if (n > 0 && n < k) hidden.add(i);
  const sum = () => [...hidden].reduce((adding, i) => adding + (counts[i] ?? 0), 0);
  while (hidden.size > 0 && (hidden.size < 2 || sum() < k)) {
    // Of equal ones the one declared later. Cells of nobody are shown as 0, and hide nothing.
    let next = -1;
    for (const [i, n] of counts.entries()) if (n > 0 && !hidden.has(i) && (next < 0 || n <= (counts[next] ?? 0))) next = i;
    if (next < 0) break;
    hidden.add(next);
  }
  return hidden;
}

/**
 * What is hidden of tables that are looked at together. Coarse ones come first, and whoever is hidden there is hidden in finer ones too, so
 * that a number doesn't depend on which other tables are asked for.
 * @param sets - attributes of each table
 */
export function hiddenGroups(
  cells: readonly CellCounts[],
  declared: DeclaredGroups,
  sets: readonly (readonly string[])[],
  k: number,
): Hidden {
  const hidden: GroupValues[] = [];
  const total = cells.reduce((sum, { counts }) => sum + counts.n, 0);
  const isTotalHidden = total > 0 && total < k;
  for (const attributes of withSubsets(sets)) {
    const table = groupTable(cells, declared, attributes);
    const before = table.rows.flatMap(({ group, counts }, i) => (counts.n > 0 && isWithin(group, hidden) ? [i] : []));
    for (const i of hiddenRows(table, k, new Set(before))) {
      const row = table.rows[i];
      if (row) hidden.push(row.group);
    }
  }
  const isHidden = new Set(hidden.map(keyOf));
  return { groups: (group) => isTotalHidden || isHidden.has(keyOf(group)), total: isTotalHidden };
}

/** The same for the same values of the same attributes, in whatever order. */
export const keyOf = (group: GroupValues): string => JSON.stringify(Object.entries(group).toSorted(([a], [b]) => (a < b ? -1 : 1)));

/** Whether the group is a part of one that is hidden. */
const isWithin = (group: GroupValues, hidden: readonly GroupValues[]): boolean =>
  hidden.some((coarse) => Object.entries(coarse).every(([attribute, value]) => group[attribute] === value));

function withSubsets(sets: readonly (readonly string[])[]): readonly (readonly string[])[] {
  const all = new Map<string, readonly string[]>();
  for (const set of sets)
    for (let mask = 1; mask < 2 ** set.length; mask++) {
      const subset = set.filter((_, i) => (mask >> i) & 1);
      all.set(JSON.stringify(subset.toSorted()), subset);
    }
  return [...all.values()].toSorted((a, b) => a.length - b.length);
}

/** The whole table against its total, and each line of it against the total of the coarser table's group, until nothing changes. */
function hiddenRows(table: GroupTable, k: number, before: ReadonlySet<number>): ReadonlySet<number> {
  const lines: (readonly number[])[] = [table.rows.map((_, i) => i)];
  if (table.attributes.length > 1)
    for (const attribute of table.attributes) {
      const known = table.rows.flatMap((row, i) => (row.isKnown ? [{ i, rest: keyOf(without(row.group, attribute)) }] : []));
      lines.push(
        ...Map.groupBy(known, ({ rest }) => rest)
          .values()
          .map((line) => line.map(({ i }) => i)),
      );
    }
  let hidden = before;
  for (;;) {
    const { size } = hidden;
    for (const line of lines) {
      const inLine = new Set(line.flatMap((row, at) => (hidden.has(row) ? [at] : [])));
      const found = hiddenIn(
        line.map((row) => table.rows[row]?.counts.n ?? 0),
        k,
        inLine,
      );
      hidden = new Set([...hidden, ...[...found].flatMap((at) => line[at] ?? [])]);
    }
    if (hidden.size === size) return hidden;
  }
}

function without(group: GroupValues, attribute: string): GroupValues {
  return Object.fromEntries(Object.entries(group).filter(([name]) => name !== attribute));
}

/** Whether outcomes of a group are so few of a kind that its rates would tell of single people. */
export function hasFewOutcomes({ tp, fp, fn, tn }: GroupCounts, k: number): boolean {
  return [tp + fn, fp + tn, tp + fp, fn + tn].some((n) => n > 0 && n < k);
}

/** Keys of the groups of some tables whose outcomes are few. */
export const fewOutcomes = (tables: readonly GroupTable[], k: number): ReadonlySet<string> =>
  new Set(tables.flatMap(({ rows }) => rows.flatMap(({ group, counts }) => (hasFewOutcomes(counts, k) ? [keyOf(group)] : []))));

/**
 * Answers as a reader who may not see groups gets them.
 * @param tables - the tables that the answers are about
 * @param few - keys of the groups whose outcomes are few
 */
export function withoutSmallCells(
  answers: readonly MetricAnswer[],
  tables: readonly GroupTable[],
  hidden: Hidden,
  few: ReadonlySet<string>,
): readonly MetricAnswer[] {
  const isHidden = (group: GroupValues, metric: string) =>
    (Object.keys(group).length === 0 ? hidden.total : hidden.groups(group)) || (usesOutcomes(metric) && few.has(keyOf(group)));
  return answers.map((answer) => {
    const about = [answer.group, answer.reference, answer.most ?? null, answer.least ?? null].filter((group) => group !== null);
    // Of a comparison of all groups, whoever isn't excluded is part of what came out.
    const compared =
      answer.attributes === null
        ? []
        : (tables.find((table) => setKey(table.attributes) === setKey(answer.attributes ?? []))?.rows ?? [])
            .filter(({ isKnown, group }) => isKnown && !answer.excluded.some((one) => keyOf(one.group) === keyOf(group)))
            .map(({ group }) => group);
    const { strata: _strata, ...rest } = answer;
    const shown: MetricAnswer = {
      ...rest,
      excluded: answer.excluded.map((one) => (isHidden(one.group, answer.metric) ? { ...one, n: null } : one)),
    };
    return [...about, ...compared].some((group) => isHidden(group, answer.metric)) ? suppressed(shown) : shown;
  });
}

const setKey = (attributes: readonly string[]): string => JSON.stringify(attributes);

const usesOutcomes = (metric: string): boolean => isGroupMetric(metric) && GROUP_METRICS[metric].usesOutcomes;

/** The same without anything that it says. */
export function suppressed({
  metric,
  group,
  attributes,
  reference,
  reference_mode,
  basis,
  excluded,
  labels,
  ...rest
}: MetricAnswer): MetricAnswer {
  const empty = { value: null, numerator: null, denominator: null, interval: null };
  return {
    metric,
    ...empty,
    reason: "suppressed",
    group,
    attributes,
    reference,
    reference_mode,
    basis,
    excluded,
    labels,
    ...aboutOf(rest),
  };
}

const aboutOf = ({ feature, action, drift_of, against }: Partial<MetricAnswer>): Partial<MetricAnswer> => ({
  ...(feature === undefined ? {} : { feature }),
  ...(action === undefined ? {} : { action }),
  ...(drift_of === undefined ? {} : { drift_of }),
  ...(against === undefined ? {} : { against }),
});
