/** Differences of tables that are written in a test. */
import { tmpdir } from "node:os";
import { diffTables, type TableDiff } from "../src/registry/dataset-diff.ts";
import type { DatasetSpec } from "../src/registry/dataset-spec.ts";
import type { DiffQuestion } from "../src/registry/diff-prepare.ts";
import { diffRows } from "../src/registry/diff-rows.ts";
import type { DiffTable } from "../src/registry/diff-scan.ts";
import { schemaChanges } from "../src/registry/diff-schema.ts";
import { findingsOf, verdictOf, type DiffFinding } from "../src/registry/diff-verdict.ts";
import { bytesInMemory } from "../src/registry/table-file.ts";
import { readRows, type Table } from "../src/registry/table-rows.ts";
import { tableFacts } from "../src/registry/table-facts.ts";
import { inspectTable } from "../src/registry/table-scan.ts";

/** Tables that were read, since a test compares one with many. */
const tables = new Map<string, Promise<DiffTable>>();

export function tableOf(text: string): Promise<DiffTable> {
  const known = tables.get(text);
  if (known) return known;
  if (tables.size > 4) tables.clear();
  const table = readWhole(text);
  tables.set(text, table);
  return table;
}

async function readWhole(text: string): Promise<DiffTable> {
  const table: Table = { format: "csv", files: [bytesInMemory(Buffer.from(text))] };
  const { rows, columns } = await tableFacts(table, await inspectTable(table), {}, "/nowhere");
  return { rows, columns, read: (sink) => readRows(table, sink) };
}

export interface ToldDiff {
  readonly diff: TableDiff;
  readonly findings: readonly DiffFinding[];
  readonly verdict: string;
}

export async function diffTexts(
  before: string,
  after: string,
  asked: Partial<Omit<DiffQuestion, "space">> & { readonly spec?: DatasetSpec; readonly memoryBytes?: number } = {},
): Promise<ToldDiff> {
  const { memoryBytes, spec = {}, ...rest } = asked;
  const [a, b] = [await tableOf(before), await tableOf(after)];
  const space = { folder: tmpdir(), name: `evenkeel-diff-${process.pid}-${performance.now()}`, ...(memoryBytes ? { memoryBytes } : {}) };
  const diff = await diffTables(a, b, { spec, space, ...rest });
  const { sameOrder, renamed, ...told } = diff;
  const names = ({ columns }: DiffTable) => columns.map(({ name }) => name).join();
  const isSame = told.rows.missing + told.rows.added + told.rows.changed === 0 && names(a) === names(b);
  const identity =
    before === after ? "identical" : !isSame ? "different" : sameOrder ? "same rows, other notation" : "same rows, other order";
  const findings = findingsOf({ identity, schema: schemaChanges(a.columns, b.columns, renamed), diff: told, spec });
  return { diff, findings, verdict: verdictOf(findings) };
}

export async function rowsOf(before: string, after: string, spec: DatasetSpec, hidden: readonly string[] = []): Promise<string> {
  const space = { folder: tmpdir(), name: `evenkeel-diff-${process.pid}-${performance.now()}` };
  const { pieces } = await diffRows(await tableOf(before), await tableOf(after), { spec, space, hidden });
  let text = "";
  for await (const piece of pieces) text += piece;
  return text;
}
