/** Datasets as the API shows them: groups only to those who may see them. */
import { Type, type Static } from "typebox";
import { iso } from "./iso.ts";
import { orNull } from "../checked.ts";
import {
  ColumnProfile,
  DatasetSpec,
  tableFormats,
  type Datasets,
  type Registry,
  type DatasetVersion,
  type DatasetView as KnownDataset,
  type TagHistoryEntry,
} from "../registry/index.ts";
import {} from "./registry-parts.ts";

const Time = Type.String({ description: "ISO 8601, UTC" });

const versionFields = {
  dataset: Type.String(),
  number: Type.Integer(),
  id: Type.String({ description: "tbl:…, over the rows in any order and notation" }),
  blob: Type.String({ description: "The file, byte for byte; of a folder, the list of its files" }),
  format: Type.Enum([...tableFormats, "none"], { description: "none: a folder without a table" }),
  layout: Type.Enum(["file", "folder"]),
  rows: Type.Integer(),
  bytes: Type.Integer(),
  tags: Type.Array(Type.String()),
  createdAt: Time,
  createdBy: Type.String(),
  removal: orNull(
    Type.Object(
      { at: Time, by: Type.String(), because: Type.String() },
      { description: "When its bytes were taken away; null while they are there" },
    ),
  ),
};
export const DatasetVersionView = Type.Object(versionFields, { title: "DatasetVersion" });
export type DatasetVersionView = Static<typeof DatasetVersionView>;
export const AddedDatasetVersionView = Type.Object(
  { ...versionFields, isNew: Type.Boolean({ description: "false: these very bytes were there already" }) },
  { title: "AddedDatasetVersion" },
);
export type AddedDatasetVersionView = Static<typeof AddedDatasetVersionView>;

const GroupCountView = Type.Object({
  group: Type.Record(Type.String(), Type.String()),
  rows: Type.Integer(),
  labels: Type.Record(Type.String(), Type.Integer()),
  rates: Type.Record(Type.String(), Type.Number(), { description: "Share of each label among the rows that have one" }),
});
const ColumnView = Type.Object({ ...ColumnProfile.properties, isHidden: Type.Boolean({ description: "Values need protected:read" }) });
export const DatasetVersionDetailView = Type.Object(
  {
    ...versionFields,
    columns: Type.Array(ColumnView),
    groups: orNull(Type.Array(GroupCountView, { description: "By protected attribute and pairs of them; null without protected:read" })),
  },
  { title: "DatasetVersionDetail" },
);
export type DatasetVersionDetailView = Static<typeof DatasetVersionDetailView>;

const datasetFields = {
  name: Type.String(),
  spec: DatasetSpec,
  tags: Type.Record(Type.String(), Type.Integer()),
  createdAt: Time,
};
export const DatasetView = Type.Object(
  { ...datasetFields, latest: Type.Object({ number: Type.Integer(), id: Type.String(), rows: Type.Integer(), createdAt: Time }) },
  { title: "Dataset" },
);
export type DatasetView = Static<typeof DatasetView>;

/** Moves of a tag of a dataset or an alias of a model. */
export const MoveView = Type.Object(
  {
    label: Type.String(),
    from: orNull(Type.Integer()),
    to: orNull(Type.Integer()),
    movedAt: Time,
    movedBy: Type.String(),
    reason: Type.String(),
  },
  { title: "Move" },
);
export type MoveView = Static<typeof MoveView>;
export const DatasetDetailView = Type.Object(
  {
    ...datasetFields,
    versions: Type.Array(DatasetVersionView),
    moves: Type.Array(MoveView, { description: "Of tags, oldest first" }),
    pins: Type.Array(Type.Object({ number: Type.Integer(), reason: Type.String(), by: Type.String(), at: Time })),
    protectedTags: Type.Array(Type.String(), { description: "Moved by those with registry:protected only" }),
    redactions: Type.Array(
      Type.Object({
        number: Type.Integer(),
        rows: Type.Integer(),
        reference: Type.String(),
        before: Type.Object({ id: Type.String(), blob: Type.String() }),
        after: orNull(Type.Object({ id: Type.String(), blob: Type.String() })),
        at: Time,
        by: Type.String(),
      }),
      { description: "Rows that were taken out for good, newest first" },
    ),
  },
  { title: "DatasetDetail" },
);
export type DatasetDetailView = Static<typeof DatasetDetailView>;

export function versionView(version: DatasetVersion): DatasetVersionView {
  const { dataset, number, id, blob, format, layout, rows, bytes, tags, createdAtMs, createdBy, removal } = version;
  return {
    dataset,
    number,
    id,
    blob,
    format,
    layout,
    rows,
    bytes,
    tags: [...tags],
    createdAt: iso(createdAtMs),
    createdBy,
    removal: removal && { at: iso(removal.atMs), by: removal.by, because: removal.because },
  };
}

/** @param seesGroups - otherwise the values of protected columns are left out as well: they are counts of groups */
export function versionDetailView(version: DatasetVersion, spec: DatasetSpec, seesGroups: boolean): DatasetVersionDetailView {
  const guarded = new Set(seesGroups ? [] : (spec.protected ?? []).map(({ column }) => column));
  const columns = version.profile.columns.map((column) =>
    guarded.has(column.name) ? { ...column, numbers: null, top: [], isHidden: true } : { ...column, isHidden: false },
  );
  const groups = seesGroups
    ? version.groups.map(({ group, rows, labels, rates }) => ({ group: { ...group }, rows, labels: { ...labels }, rates: { ...rates } }))
    : null;
  return { ...versionView(version), columns, groups };
}

export function datasetView({ name, spec, latest, tags, createdAtMs }: KnownDataset): DatasetView {
  const { createdAtMs: latestAtMs, ...rest } = latest;
  return { name, spec, tags: { ...tags }, createdAt: iso(createdAtMs), latest: { ...rest, createdAt: iso(latestAtMs) } };
}

export function datasetDetailView(
  { latest: _latest, ...dataset }: DatasetView,
  known: {
    readonly versions: readonly DatasetVersion[];
    readonly history: readonly TagHistoryEntry[];
    readonly redactions: Awaited<ReturnType<Datasets["redactions"]>>;
    readonly held: Awaited<ReturnType<Registry["keeping"]["held"]>>;
  },
): DatasetDetailView {
  const { versions, history, redactions, held } = known;
  const moves = history.map(({ tag: label, movedAtMs, ...move }) => ({ ...move, label, movedAt: iso(movedAtMs) }));
  return {
    ...dataset,
    versions: versions.map(versionView),
    moves,
    pins: held.pins.map(({ atMs, ...pin }) => ({ ...pin, at: iso(atMs) })),
    protectedTags: [...held.protectedTags],
    redactions: redactions.map((one) => ({
      number: one.number,
      rows: one.rows,
      reference: one.reference,
      before: { id: one.id_before, blob: one.blob_before },
      after: one.id_after === null || one.blob_after === null ? null : { id: one.id_after, blob: one.blob_after },
      at: iso(one.redacted_at_ms),
      by: one.redacted_by,
    })),
  };
}
