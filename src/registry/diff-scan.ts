/** Reads one of two tables that are compared: every row to its hashes, groups, and the part in which its like will be. */
import { createHash } from "node:crypto";
import type { Column } from "./cell-types.ts";
import type { ColumnProfile } from "./column-profile.ts";
import type { Cell } from "./csv-parser.ts";
import type { DatasetSpec } from "./dataset-spec.ts";
import { Histograms, type ColumnBins } from "./diff-bins.ts";
import { RowSpill, type SpillSpace } from "./diff-spill.ts";
import { GroupIndex, type TableGroups } from "./group-index.ts";
import { HASH_BYTES, RowHasher } from "./row-hash.ts";
import type { RowSink } from "./table-rows.ts";

/** A table that can be read from its beginning, each time anew. */
export interface DiffTable {
  readonly rows: number;
  readonly columns: readonly ColumnProfile[];
  read(sink: RowSink): Promise<void>;
}

/** A column of both tables, in a type that both fit; `after` is its name in the second. */
export interface SharedColumn extends Column {
  readonly after: string;
}

export interface ScanPlan {
  readonly columns: readonly SharedColumn[];
  /** Places of the key's columns in `columns`; none where rows are compared by content. */
  readonly key: readonly number[];
  /** Of every column. */
  readonly bins: readonly ColumnBins[];
  readonly spec: DatasetSpec;
  /** Whether the cells of rows will be asked for, and not only whether they are the same. */
  readonly keepsCells: boolean;
}

export interface ScannedTable extends TableGroups {
  readonly rows: number;
  /** The same for the same rows in the same order. */
  readonly order: string;
  readonly spill: RowSpill;
  readonly histograms: Histograms;
}

const NO_BYTES = new Uint8Array();

/** Both, and what closes them. @throws TableProblem */
export async function scanBoth(
  a: DiffTable,
  b: DiffTable,
  plan: ScanPlan,
  space: SpillSpace,
): Promise<{ readonly before: ScannedTable; readonly after: ScannedTable; readonly close: () => void }> {
  const before = await scanTable(a, plan, { side: "before", space: { ...space, name: `${space.name}-a` } });
  try {
    const after = await scanTable(b, plan, { side: "after", space: { ...space, name: `${space.name}-b` } });
    const close = () => {
      before.spill.close();
      after.spill.close();
    };
    return { before, after, close };
  } catch (error) {
    before.spill.close();
    throw error;
  }
}

async function scanTable(
  table: DiffTable,
  { columns, key, bins, spec, keepsCells }: ScanPlan,
  { side, space }: { readonly side: "before" | "after"; readonly space: SpillSpace },
): Promise<ScannedTable> {
  const names = columns.map(({ name, after }) => (side === "before" ? name : after));
  const groups = new GroupIndex(columns, spec);
  const hasher = new RowHasher();
  const keyHasher = new RowHasher();
  const histograms = new Histograms(bins);
  const spill = new RowSpill(space);
  const [rowHash, keyHash] = [Buffer.alloc(HASH_BYTES), Buffer.alloc(HASH_BYTES)];
  const order = createHash("sha256");
  const cells: Cell[] = [];
  let places: readonly number[] = [];
  let rows = 0;
  try {
    await table.read({
      header(header) {
        places = names.map((name) => header.indexOf(name));
      },
      row(read, line) {
        hasher.start();
        for (let i = 0; i < columns.length; i++) {
          const cell = read[places[i] ?? -1] ?? null;
          cells[i] = cell;
          hasher.add(columns[i]?.type ?? "string", cell);
        }
        hasher.finish(rowHash, 0);
        order.update(rowHash);
        if (key.length > 0) {
          keyHasher.start();
          for (const place of key) keyHasher.add(columns[place]?.type ?? "string", cells[place] ?? null);
          keyHasher.finish(keyHash, 0);
        }
        const { cell, label } = groups.add(cells, line);
        histograms.add(cell, cells);
        spill.add({
          keyHash: key.length > 0 ? keyHash : rowHash,
          rowHash,
          cell,
          label: label + 1,
          bytes: keepsCells ? hasher.bytes : NO_BYTES,
        });
        rows++;
      },
    });
  } catch (error) {
    spill.close();
    throw error;
  }
  return { rows, order: order.digest("hex"), spill, histograms, ...groups.finish() };
}
