/** What the registry knows of one version of a dataset. */
import type { Selectable } from "kysely";
import { Type, type Static } from "typebox";
import { checked } from "../checked.ts";
import type { Schema } from "../store/index.ts";
import { assert, type BlobId } from "../std.ts";
import { ColumnProfile } from "./column-profile.ts";
import { DatasetSpec } from "./dataset-spec.ts";
import { GroupCell, groupCounts, type GroupCount } from "./group-counts.ts";
import type { TableId } from "./row-hash.ts";
import type { VersionFormat, VersionLayout } from "./stored-table.ts";
import { tableFormats } from "./table-rows.ts";

export const DatasetProfile = Type.Object({
  columns: Type.Array(ColumnProfile),
  cells: Type.Array(GroupCell, { description: "Counts by combination of protected attributes; protected" }),
});
export type DatasetProfile = Static<typeof DatasetProfile>;

export interface DatasetVersion {
  /** The same for versions with the same rows in another order or notation. */
  readonly id: TableId;
  readonly dataset: string;
  /** Counts up within the dataset, from 1. People see `credit/2`. */
  readonly number: number;
  /** The file as it came, byte for byte; of a folder, its manifest. */
  readonly blob: BlobId;
  readonly format: VersionFormat;
  readonly layout: VersionLayout;
  readonly bytes: number;
  readonly rows: number;
  readonly profile: DatasetProfile;
  /** Rows and base rates by protected group, singly and in pairs. Protected. */
  readonly groups: readonly GroupCount[];
  readonly tags: readonly string[];
  readonly createdAtMs: number;
  readonly createdBy: string;
  /** When and why its bytes were taken away; null while they are there. */
  readonly removal: { readonly atMs: number; readonly by: string; readonly because: string } | null;
}

const parseSpec = checked(DatasetSpec);
const parseProfile = checked(DatasetProfile);

export function specOf(row: Selectable<Schema["dataset"]>): DatasetSpec {
  const spec = parseSpec(JSON.parse(row.spec_json));
  assert(spec.ok, `the declaration of dataset ${row.name} fits its schema`);
  return spec.value;
}

/** @param tags - where each tag of the dataset points */
export function versionOf(row: Selectable<Schema["dataset_version"]>, tags: Readonly<Record<string, number>>): DatasetVersion {
  const profile = parseProfile(JSON.parse(row.profile_json));
  assert(profile.ok, `the profile of ${row.dataset}/${row.number} fits its schema`);
  return {
    ...asIds(row),
    dataset: row.dataset,
    number: row.number,
    ...kindOf(row),
    bytes: row.bytes,
    rows: row.rows,
    profile: profile.value,
    groups: groupCounts(profile.value.cells),
    tags: Object.keys(tags).filter((tag) => tags[tag] === row.number),
    createdAtMs: row.created_at_ms,
    createdBy: row.created_by,
    removal: row.removed_at_ms === null ? null : { atMs: row.removed_at_ms, by: row.removed_by ?? "", because: row.removed_because ?? "" },
  };
}

const parseKind = checked(Type.Object({ format: Type.Enum([...tableFormats, "none"]), layout: Type.Enum(["file", "folder"]) }));
function kindOf({ format, layout, ...row }: Selectable<Schema["dataset_version"]>): {
  readonly format: VersionFormat;
  readonly layout: VersionLayout;
} {
  const kind = parseKind({ format, layout });
  assert(kind.ok, `${row.dataset}/${row.number} has a format that is known`);
  return kind.value;
}

/** These columns hold ids that were made before they were written. */
const asIds = (row: Selectable<Schema["dataset_version"]>) => ({ id: row.id as TableId, blob: row.blob as BlobId });
