/** Counts by group: rows and labels of every combination of protected attributes, and sums of them. */
import { Type, type Static } from "typebox";

/** One combination of values of all protected attributes; every row is in exactly one. */
export const GroupCell = Type.Object({
  groups: Type.Record(Type.String(), Type.String(), { description: "A group for every protected attribute" }),
  rows: Type.Integer(),
  labels: Type.Record(Type.String(), Type.Integer(), { description: "Rows by label; rows without one are in no count" }),
});
export type GroupCell = Static<typeof GroupCell>;

/** A group: a value of one attribute, or of two. */
export interface GroupCount {
  readonly group: Readonly<Record<string, string>>;
  readonly rows: number;
  readonly labels: Readonly<Record<string, number>>;
  /** Share of each label among the rows that have one: the group's base rates. */
  readonly rates: Readonly<Record<string, number>>;
}

/** Every single attribute and every pair, in the order given. */
export function attributeSets(attributes: readonly string[]): (readonly string[])[] {
  const pairs = attributes.flatMap((first, i) => attributes.slice(i + 1).map((second) => [first, second]));
  return [...attributes.map((attribute) => [attribute]), ...pairs];
}

/** The part of a cell that a set of attributes sees. */
export function groupWithin(groups: Readonly<Record<string, string>>, attributes: readonly string[]): Record<string, string> {
  return Object.fromEntries(attributes.map((attribute) => [attribute, groups[attribute] ?? "missing"]));
}

/** `education high_school` or `sex female and education high_school`, as sentences say it. */
export function groupText(group: Readonly<Record<string, string>>): string {
  return Object.entries(group)
    .map(([attribute, value]) => `${attribute} ${value}`)
    .join(" and ");
}

/** Sums cells to groups: all values of each attribute, and of each pair of attributes. */
export function groupCounts(cells: readonly GroupCell[]): GroupCount[] {
  const attributes = Object.keys(cells[0]?.groups ?? {});
  return attributeSets(attributes).flatMap((set) => {
    const byGroup = Map.groupBy(cells, (cell) => JSON.stringify(groupWithin(cell.groups, set)));
    return [...byGroup.keys()].toSorted().flatMap((key) => {
      const [first, ...rest] = byGroup.get(key) ?? [];
      if (!first) return [];
      const labels = new Map(Object.entries(first.labels));
      for (const cell of rest)
        for (const [label, count] of Object.entries(cell.labels)) labels.set(label, (labels.get(label) ?? 0) + count);
      const labelled = labels.values().reduce((sum, count) => sum + count, 0);
      const rows = rest.reduce((sum, cell) => sum + cell.rows, first.rows);
      const rates = Object.fromEntries(labels.entries().map(([label, count]) => [label, count / labelled]));
      return [{ group: groupWithin(first.groups, set), rows, labels: Object.fromEntries(labels), rates }];
    });
  });
}
