/** How the columns of two versions differ. */
import type { Column } from "./cell-types.ts";
import type { ColumnProfile } from "./column-profile.ts";
import type { RenamedColumn } from "./diff-look.ts";

export interface SchemaChanges {
  readonly added: readonly Column[];
  readonly removed: readonly Column[];
  /** The same values under another name. */
  readonly renamed: readonly RenamedColumn[];
  readonly retyped: readonly { readonly name: string; readonly from: Column["type"]; readonly to: Column["type"] }[];
  /** Columns in which no cell was empty and one is now, or the other way round. */
  readonly emptied: readonly { readonly name: string; readonly before: number; readonly after: number }[];
}

export function schemaChanges(a: readonly ColumnProfile[], b: readonly ColumnProfile[], renamed: readonly RenamedColumn[]): SchemaChanges {
  const nameIn = new Map(renamed.map(({ from, to }) => [from, to]));
  const isNew = new Set(renamed.map(({ to }) => to));
  const inB = new Map(b.map((column) => [column.name, column]));
  const inA = new Set(a.map(({ name }) => name));
  const shared = a.flatMap((before) => {
    const after = inB.get(nameIn.get(before.name) ?? before.name);
    return after ? [{ name: before.name, before, after }] : [];
  });
  const plain = ({ name, type }: Column): Column => ({ name, type });
  return {
    added: b.filter(({ name }) => !inA.has(name) && !isNew.has(name)).map(plain),
    removed: a.filter(({ name }) => !inB.has(name) && !nameIn.has(name)).map(plain),
    renamed,
    retyped: shared.flatMap(({ name, before, after }) => (before.type === after.type ? [] : [{ name, from: before.type, to: after.type }])),
    emptied: shared.flatMap(({ name, before, after }) =>
      (before.empty === 0) === (after.empty === 0) ? [] : [{ name, before: before.empty, after: after.empty }],
    ),
  };
}
