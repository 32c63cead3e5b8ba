/** What a version keeps of its table: id, types, counts by group and profile. Memory doesn't grow with the table. */
import { assert } from "../std.ts";
import { isEmpty, type Column } from "./cell-types.ts";
import { ColumnProfiler, type ColumnProfile } from "./column-profile.ts";
import type { Cell } from "./csv-parser.ts";
import { TableProblem } from "./csv-text.ts";
import type { DatasetSpec } from "./dataset-spec.ts";
import type { GroupCell } from "./group-counts.ts";
import { GroupIndex } from "./group-index.ts";
import { HASH_BYTES, RowHasher, type TableId } from "./row-hash.ts";
import { TableIdentity, type RowPlace } from "./table-identity.ts";
import { readRows, type RowSink, type Table } from "./table-rows.ts";

export interface TableFacts {
  readonly id: TableId;
  readonly rows: number;
  readonly columns: readonly ColumnProfile[];
  readonly cells: readonly GroupCell[];
}

/**
 * Second reading of a table that is added, after `inspectTable` told its columns.
 * @param spillPath - where hashes go when they are many; nothing is left there
 * @throws TableProblem also for keys that are empty or double
 */
export async function tableFacts(table: Table, columns: readonly Column[], spec: DatasetSpec, spillPath: string): Promise<TableFacts> {
  const reader = new FactReader(columns, spec, spillPath);
  try {
    await readRows(table, reader);
    return reader.finish(table);
  } finally {
    reader.close();
  }
}

class FactReader implements RowSink {
  readonly #columns: readonly Column[];
  readonly #key: readonly string[] | null;
  readonly #hasher = new RowHasher();
  readonly #identity: TableIdentity;
  readonly #profiler: ColumnProfiler;
  readonly #groups: GroupIndex;
  readonly #keyPlaces: readonly number[];
  readonly #rowHash = Buffer.alloc(HASH_BYTES);
  readonly #keyHash = Buffer.alloc(HASH_BYTES);

  constructor(columns: readonly Column[], spec: DatasetSpec, spillPath: string) {
    this.#columns = columns;
    this.#key = spec.key ?? null;
    this.#identity = new TableIdentity(spillPath);
    this.#profiler = new ColumnProfiler(columns);
    this.#groups = new GroupIndex(columns, spec);
    this.#keyPlaces = (spec.key ?? []).map((name) => columns.findIndex((column) => column.name === name));
  }

  /** Columns are those of the table, in its order: the first reading found them. */
  header(names: readonly string[]): void {
    assert(names.length === this.#columns.length, "a table has the same columns at both readings");
  }

  row(cells: readonly Cell[], line: number, file: number): void {
    const columns = this.#columns;
    this.#hasher.start();
    for (let i = 0; i < columns.length; i++) {
      const column = columns[i];
      if (column) this.#hasher.add(column.type, cells[i] ?? null);
    }
    this.#hasher.finish(this.#rowHash, 0);
    if (this.#key) this.#hashKey(cells, line);
    this.#identity.add(this.#key ? this.#keyHash : this.#rowHash, this.#rowHash, { line, file });
    this.#profiler.add(cells, this.#rowHash.readUInt32BE(0) / 2 ** 32);
    this.#groups.add(cells, line);
  }

  finish({ files }: Table): TableFacts {
    const key = this.#key;
    const nameOf = ({ file }: RowPlace) => files[file]?.name ?? "";
    const refuse = (first: RowPlace, second: RowPlace) => {
      const [one, other] = [nameOf(first), nameOf(second)];
      const same = `lines ${first.line} and ${second.line} have the same`;
      const got = one === other ? same : `line ${first.line} of ${one} and line ${second.line} of ${other} have the same`;
      throw new TableProblem({ expected: `rows that differ in their key (${key?.join(", ")})`, got, line: second.line }, other);
    };
    const id = this.#identity.finish({ columns: this.#columns, key }, key ? refuse : undefined);
    return { id, rows: this.#identity.rows, columns: this.#profiler.profiles(), cells: this.#groups.finish().cells };
  }

  close(): void {
    this.#identity.close();
  }

  #hashKey(cells: readonly Cell[], line: number): void {
    this.#hasher.start();
    for (const place of this.#keyPlaces) {
      const column = this.#columns[place];
      const cell = cells[place] ?? null;
      assert(column, "the key's columns are read");
      if (isEmpty(column.type, cell)) throw new TableProblem({ expected: `a value in the key ${column.name}`, got: "nothing", line });
      this.#hasher.add(column.type, cell);
    }
    this.#hasher.finish(this.#keyHash, 0);
  }
}
