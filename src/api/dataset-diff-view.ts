/** The difference of two versions as the API shows it: groups, and values of protected columns, only to those who may see them. */
import { Type, type Static } from "typebox";
import { orNull } from "../checked.ts";
import type { DatasetDiff } from "../registry/index.ts";

const Named = Type.Object({ dataset: Type.String(), number: Type.Integer(), id: Type.String() });
const ColumnRef = Type.Object({ name: Type.String(), type: Type.String() });
const Group = Type.Record(Type.String(), Type.String(), { description: "A group for each attribute; empty for everybody" });
const ContrastView = Type.Object({
  rate: Type.Number(),
  rateOfRest: Type.Number(),
  countOfRest: Type.Integer(),
  ofRest: Type.Integer(),
  z: Type.Number({ description: "Difference of the rates in standard errors" }),
});

const SchemaView = Type.Object({
  added: Type.Array(ColumnRef),
  removed: Type.Array(ColumnRef),
  renamed: Type.Array(
    Type.Object({
      from: Type.String(),
      to: Type.String(),
      type: Type.String(),
      equal: Type.Number({ description: "Share of equal cells" }),
    }),
  ),
  retyped: Type.Array(Type.Object({ name: Type.String(), from: Type.String(), to: Type.String() })),
  emptied: Type.Array(Type.Object({ name: Type.String(), before: Type.Integer(), after: Type.Integer() }), {
    description: "Columns that had no empty cell and have some now, or the other way round",
  }),
});

const RowsView = Type.Object({
  key: orNull(
    Type.Object(
      { columns: Type.Array(Type.String()), source: Type.Enum(["declared", "asked", "proposed"]) },
      { description: "What names a row; null where rows are compared by content, so that none can be told as changed" },
    ),
  ),
  before: Type.Integer(),
  after: Type.Integer(),
  missing: Type.Integer(),
  added: Type.Integer(),
  changed: Type.Integer(),
  unchanged: Type.Integer(),
  duplicates: Type.Object({
    keys: Type.Integer({ description: "Keys that more than one row of a version has" }),
    listed: Type.Array(Type.Object({ key: Type.Array(orNull(Type.String())), before: Type.Integer(), after: Type.Integer() }), {
      description: "The first hundred; none without protected:read where the key is protected",
    }),
  }),
});

const rows = Type.Integer({ description: "Changed cells that it explains" });
const PatternView = Type.Union([
  Type.Object({ kind: Type.Literal("factor"), factor: Type.Number(), rows }),
  Type.Object({ kind: Type.Literal("offset"), offset: Type.Number(), rows }),
  Type.Object({ kind: Type.Literal("swapped"), with: Type.String(), rows }),
  Type.Object({ kind: Type.Enum(["constant", "was-constant"]), value: Type.String(), rows }),
  Type.Object({ kind: Type.Literal("replaced"), from: Type.String(), to: Type.String(), rows }),
  Type.Object({
    kind: Type.Enum(["zeros-trimmed", "zeros-added", "case", "whitespace", "fewer-decimals", "more-decimals"]),
    rows,
  }),
]);

const CellsView = Type.Object({
  column: Type.String({ description: "As the version before calls it" }),
  changed: Type.Integer(),
  emptied: Type.Integer({ description: "Of these, now empty" }),
  filled: Type.Integer({ description: "Of these, empty before" }),
  patterns: orNull(Type.Array(PatternView, { description: "What was done to them; null for protected columns without protected:read" })),
  groups: orNull(
    Type.Array(Type.Object({ group: Group, count: Type.Integer(), of: Type.Integer(), againstRest: ContrastView }), {
      description: "Most telling first; null without protected:read",
    }),
  ),
});

const GroupChangeView = Type.Object({
  group: Group,
  label: orNull(Type.String({ description: "Rows with this label; null for all" })),
  before: Type.Integer(),
  after: Type.Integer(),
  missing: Type.Integer(),
  added: Type.Integer(),
  relabelled: Type.Integer(),
  shareBefore: orNull(Type.Number({ description: "Of the label in the group" })),
  shareAfter: orNull(Type.Number()),
  missingAgainstRest: orNull(ContrastView),
  relabelledAgainstRest: orNull(ContrastView),
  addedAgainstRest: orNull(ContrastView),
});

const FlipView = Type.Object({
  group: Group,
  from: Type.String(),
  to: Type.String(),
  rows: Type.Integer(),
  of: Type.Integer({ description: "Rows of the group with the label `from` that both versions have" }),
  againstRest: orNull(ContrastView),
});

const SummaryView = Type.Object({
  rows: Type.Integer(),
  empty: Type.Integer(),
  mean: orNull(Type.Number({ description: "null for what isn't numeric" })),
  deviation: orNull(Type.Number()),
  quantiles: Type.Record(Type.String(), Type.Number()),
});
const Values = orNull(Type.Array(Type.String(), { description: "null where there are more than 20 different ones" }));
const DistributionView = Type.Object({
  column: Type.String({ description: "As the version before calls it" }),
  type: Type.String(),
  before: SummaryView,
  after: SummaryView,
  psi: Type.Number({ description: "Population stability index" }),
  distance: Type.Object({ kind: Type.Enum(["ks", "total-variation"]), value: Type.Number() }),
  chance: Type.Number({
    description: "Of such a difference between samples of one population, corrected for the number of columns (Holm)",
  }),
  isShifted: Type.Boolean({ description: "Not by chance, and large enough to matter" }),
  newValues: Values,
  goneValues: Values,
  bins: Type.Array(Type.Object({ label: Type.String(), before: Type.Integer(), after: Type.Integer() }), {
    description: "Numbers up to each label; empty cells are in none",
  }),
});
const DifferentialView = Type.Object({
  group: Group,
  rows: Type.Object({ before: Type.Integer(), after: Type.Integer() }),
  measure: Type.Enum(["share", "label", "empty", "values"], {
    description: "Share of all rows; share of a label, or of empty cells, among the group's rows; PSI of a column inside the group",
  }),
  column: orNull(Type.String()),
  label: orNull(Type.String()),
  before: Type.Number(),
  after: Type.Number(),
  change: Type.Number(),
  changeOfRest: Type.Number(),
  differential: Type.Number({ description: "`change` less `changeOfRest`" }),
  z: Type.Number(),
});

const FindingView = Type.Object({
  kind: Type.Enum(["identity", "schema", "rows", "missing", "added", "labels", "cells", "distribution", "groups"]),
  group: orNull(Type.Record(Type.String(), Type.String(), { description: "Whom it concerns more than others" })),
  columns: Type.Array(Type.String()),
  text: Type.String(),
});

const toSome = "null without protected:read";
export const DatasetDiffView = Type.Object(
  {
    from: Named,
    to: Named,
    identity: Type.Enum(["identical", "same rows, other order", "same rows, other notation", "different"]),
    schema: SchemaView,
    rows: RowsView,
    cells: Type.Array(CellsView, { description: "Columns with changed cells, those with most first; none without a key" }),
    groups: orNull(Type.Array(GroupChangeView, { description: `Most telling first; ${toSome}` })),
    flips: orNull(Type.Array(FlipView, { description: `Labels that are others now, by group, most telling first; ${toSome}` })),
    distributions: Type.Array(DistributionView, {
      description: "Of every column that both have, those that moved most first; protected columns only with protected:read",
    }),
    differentials: orNull(
      Type.Array(DifferentialView, {
        description: `What moved in a group of at least a hundred rows and not for all others, most telling first, at most 500; ${toSome}`,
      }),
    ),
    findings: orNull(Type.Array(FindingView, { description: `The verdict, sentence by sentence; ${toSome}` })),
    verdict: orNull(Type.String({ description: `The whole in a few sentences; ${toSome}, since it names groups` })),
  },
  { title: "DatasetDiff" },
);
export type DatasetDiffView = Static<typeof DatasetDiffView>;

/** @param reader - `guarded`: columns whose values they may not see */
export function diffView(
  diff: DatasetDiff,
  { seesGroups, guarded }: { readonly seesGroups: boolean; readonly guarded: readonly string[] },
): DatasetDiffView {
  const isGuarded = (column: string) => guarded.includes(column);
  const copy: DatasetDiffView = structuredClone(mutable(diff));
  const { duplicates } = copy.rows;
  return {
    ...copy,
    rows: {
      ...copy.rows,
      duplicates: copy.rows.key?.columns.some(isGuarded) ? { ...duplicates, listed: [] } : duplicates,
    },
    cells: copy.cells.map((change) => ({
      ...change,
      patterns: isGuarded(change.column) ? null : change.patterns,
      groups: seesGroups ? change.groups : null,
    })),
    distributions: copy.distributions.filter(({ column }) => !isGuarded(column)),
    ...(seesGroups ? {} : { groups: null, flips: null, differentials: null, findings: null, verdict: null }),
  };
}

/** The view has the fields of the difference and may be written to; it is made of a copy. */
const mutable = (diff: DatasetDiff) => diff as DatasetDiffView;
