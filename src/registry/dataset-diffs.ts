/** Reads two versions of a table out of the store and tells what differs. */
import { nearest } from "../checked.ts";
import type { Blobs } from "../store/index.ts";
import { err, ok, type Issue, type Result } from "../std.ts";
import type { Column } from "./cell-types.ts";
import { TableProblem } from "./csv-text.ts";
import { diffTables, type TableDiff } from "./dataset-diff.ts";
import { missingColumns, type DatasetSpec } from "./dataset-spec.ts";
import type { DatasetVersion } from "./dataset-version.ts";
import type { DiffQuestion } from "./diff-prepare.ts";
import { diffRows, type DiffRows } from "./diff-rows.ts";
import type { DiffTable } from "./diff-scan.ts";
import { schemaChanges, type SchemaChanges } from "./diff-schema.ts";
import { findingsOf, verdictOf, type DiffFinding, type DiffIdentity } from "./diff-verdict.ts";
import { invalid, type Refusal } from "./refusal.ts";
import { storedTable } from "./stored-table.ts";
import { readRows } from "./table-rows.ts";

export interface DatasetDiff extends Omit<TableDiff, "sameOrder" | "renamed"> {
  readonly from: { readonly dataset: string; readonly number: number; readonly id: string };
  readonly to: { readonly dataset: string; readonly number: number; readonly id: string };
  readonly identity: DiffIdentity;
  readonly schema: SchemaChanges;
  /** What is worth saying, in the order of the verdict. Protected. */
  readonly findings: readonly DiffFinding[];
  /** The whole in a few sentences. */
  readonly verdict: string;
}

export interface VersionsAsked extends DiffQuestion {
  readonly from: DatasetVersion;
  readonly to: DatasetVersion;
}

/** Compares the columns that both have, by the key, label and protected attributes of `spec`. */
export function diffVersions(blobs: Blobs, asked: VersionsAsked): Promise<Result<DatasetDiff, Refusal>> {
  const { from, to, spec } = asked;
  return withTables(blobs, asked, async (a, b) => {
    const { sameOrder, renamed, ...diff } = await diffTables(a, b, asked);
    const identity = identityOf(from, to, sameOrder);
    const schema = schemaChanges(from.profile.columns, to.profile.columns, renamed);
    const findings = findingsOf({ identity, schema, diff, spec });
    return { from: named(from), to: named(to), identity, schema, ...diff, findings, verdict: verdictOf(findings) };
  });
}

/** The rows that differ, as CSV. @param asked - `hidden`: columns that are left out */
export const rowsOfVersions = (
  blobs: Blobs,
  asked: VersionsAsked & { readonly hidden: readonly string[] },
): Promise<Result<DiffRows, Refusal>> => withTables(blobs, asked, (a, b) => diffRows(a, b, asked));

async function withTables<T>(
  blobs: Blobs,
  { from, to, key = [] }: VersionsAsked,
  compare: (a: DiffTable, b: DiffTable) => Promise<T>,
): Promise<Result<T, Refusal>> {
  const issues = [...tableIssues({ from, to }), ...keyIssues(key, from, to)];
  if (issues.length > 0) return err(invalid(issues));
  try {
    return ok(await compare(await readable(blobs, from), await readable(blobs, to)));
  } catch (error) {
    if (error instanceof TableProblem) return err(invalid([error.issue]));
    throw error;
  }
}

/** @throws BlobError, also while it is read, where the stored bytes are gone or no longer what they were */
async function readable(blobs: Blobs, version: DatasetVersion): Promise<DiffTable> {
  const table = await storedTable(blobs, version);
  return { rows: version.rows, columns: version.profile.columns, read: (sink) => readRows(table, sink) };
}

const named = ({ dataset, number, id }: DatasetVersion) => ({ dataset, number, id });

export function columnIssues(spec: DatasetSpec, columns: readonly Column[]): Issue[] {
  const names = columns.map(({ name }) => name);
  return missingColumns(spec, names).map(({ path, column }) => {
    const near = nearest(column, names);
    return { path: `/spec${path}`, expected: "a column of the table", got: column, ...(near ? { hint: `did you mean "${near}"?` } : {}) };
  });
}

const tableIssues = (versions: Readonly<Record<"from" | "to", DatasetVersion>>): Issue[] =>
  (["from", "to"] as const).flatMap((side) =>
    versions[side].format === "none" ? [{ path: `/${side}`, expected: "a version with a table", got: "files that are none" }] : [],
  );

function keyIssues(key: readonly string[], from: DatasetVersion, to: DatasetVersion): Issue[] {
  const inBoth = from.profile.columns.map(({ name }) => name).filter((name) => to.profile.columns.some((column) => column.name === name));
  return key.flatMap((name): Issue[] => {
    if (inBoth.includes(name)) return [];
    const near = nearest(name, inBoth);
    return [{ path: "/key", expected: "a column of both versions", got: name, ...(near ? { hint: `did you mean "${near}"?` } : {}) }];
  });
}

function identityOf(a: DatasetVersion, b: DatasetVersion, sameOrder: boolean): DiffIdentity {
  if (a.blob === b.blob) return "identical";
  if (a.id !== b.id) return "different";
  return sameOrder ? "same rows, other notation" : "same rows, other order";
}
