/** Reads two versions of a table out of the store and tells what differs. */
import { nearest } from "../checked.ts";
import type { Blobs } from "../store/index.ts";
import { err, ok, type Issue, type Result } from "../std.ts";
import { commonType, type Column } from "./cell-types.ts";
import { TableProblem } from "./csv-text.ts";
import { diffIndexes, type GroupChange, type RowChanges } from "./dataset-diff.ts";
import { missingColumns, type DatasetSpec } from "./dataset-spec.ts";
import type { DatasetVersion } from "./dataset-version.ts";
import { verdictOf, type DiffIdentity, type SchemaChanges } from "./diff-verdict.ts";
import { invalid, type Refusal } from "./refusal.ts";
import { storedTable } from "./stored-table.ts";
import { indexTable } from "./table-scan.ts";

export interface DatasetDiff {
  readonly from: { readonly dataset: string; readonly number: number; readonly id: string };
  readonly to: { readonly dataset: string; readonly number: number; readonly id: string };
  readonly identity: DiffIdentity;
  readonly schema: SchemaChanges;
  readonly rows: RowChanges;
  /** Most telling first. Protected. */
  readonly groups: readonly GroupChange[];
  /** The whole in a few sentences. */
  readonly verdict: string;
}

/** Compares the columns that both have, by the key, label and protected attributes of `spec`. */
export async function diffVersions(
  blobs: Blobs,
  asked: { readonly from: DatasetVersion; readonly to: DatasetVersion; readonly spec: DatasetSpec; readonly by?: readonly string[] },
): Promise<Result<DatasetDiff, Refusal>> {
  const { from, to, spec } = asked;
  const schema = schemaChanges(from.profile.columns, to.profile.columns);
  const columns = commonColumns(from.profile.columns, to.profile.columns);
  const issues = columnIssues(spec, columns);
  if (issues.length > 0) return err(invalid(issues));
  try {
    const [a, b] = [
      await indexTable(await storedTable(blobs, from), columns, spec),
      await indexTable(await storedTable(blobs, to), columns, spec),
    ];
    const diff = diffIndexes(a, b, asked.by);
    const identity = identityOf(from, to, diff.sameOrder);
    const { rows, groups } = diff;
    return ok({ from: named(from), to: named(to), identity, schema, rows, groups, verdict: verdictOf(identity, schema, diff, spec) });
  } catch (error) {
    if (error instanceof TableProblem) return err(invalid([error.issue]));
    throw error;
  }
}

const named = ({ dataset, number, id }: DatasetVersion) => ({ dataset, number, id });

export function columnIssues(spec: DatasetSpec, columns: readonly Column[]): Issue[] {
  const names = columns.map(({ name }) => name);
  return missingColumns(spec, names).map(({ path, column }) => {
    const near = nearest(column, names);
    return { path: `/spec${path}`, expected: "a column of the table", got: column, ...(near ? { hint: `did you mean "${near}"?` } : {}) };
  });
}

function schemaChanges(a: readonly Column[], b: readonly Column[]): SchemaChanges {
  const [inA, inB] = [new Map(a.map(({ name, type }) => [name, type])), new Map(b.map(({ name, type }) => [name, type]))];
  const plain = ({ name, type }: Column): Column => ({ name, type });
  return {
    added: b.filter(({ name }) => !inA.has(name)).map(plain),
    removed: a.filter(({ name }) => !inB.has(name)).map(plain),
    retyped: a.flatMap(({ name, type: from }) => {
      const to = inB.get(name);
      return to !== undefined && to !== from ? [{ name, from, to }] : [];
    }),
  };
}

function commonColumns(a: readonly Column[], b: readonly Column[]): Column[] {
  return a.flatMap(({ name, type }) => {
    const other = b.find((column) => column.name === name);
    return other ? [{ name, type: commonType(type, other.type) }] : [];
  });
}

function identityOf(a: DatasetVersion, b: DatasetVersion, sameOrder: boolean): DiffIdentity {
  if (a.blob === b.blob) return "identical";
  if (a.id !== b.id) return "different";
  return sameOrder ? "same rows, other notation" : "same rows, other order";
}
