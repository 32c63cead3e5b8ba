/** Reads a table twice: first for what its columns are, then for what its rows are. Nothing of it is kept but counts and hashes. */
import { assert } from "../std.ts";
import { TypeGuess, isEmpty, type Column } from "./cell-types.ts";
import { ColumnProfiler, type ColumnProfile } from "./column-profile.ts";
import type { Cell } from "./csv-parser.ts";
import { TableProblem } from "./csv-text.ts";
import type { DatasetSpec } from "./dataset-spec.ts";
import { GroupIndex, type TableGroups } from "./group-index.ts";
import { HASH_BYTES, RowHasher, compareAt, orderOf, tableId, type TableId } from "./row-hash.ts";
import { readRows, type RowSink, type Table } from "./table-rows.ts";

/** First reading: the type of every column, from all its cells. @throws TableProblem */
export async function inspectTable(table: Table): Promise<readonly Column[]> {
  let names: readonly string[] = [];
  let guesses: TypeGuess[] = [];
  await readRows(table, {
    header(header) {
      names = header;
      guesses = header.map(() => new TypeGuess());
    },
    row(cells) {
      for (let i = 0; i < guesses.length; i++) guesses[i]?.add(cells[i] ?? null);
    },
  });
  return names.map((name, i) => ({ name, type: guesses[i]?.type() ?? "string" }));
}

/** Every row by number, in the order of the file. */
export interface TableIndex extends TableGroups {
  readonly id: TableId;
  readonly rows: number;
  readonly rowHashes: Buffer;
  /** null without a key. */
  readonly keyHashes: Buffer | null;
  /** Row numbers in the order of the table's identity. */
  readonly order: Uint32Array;
  readonly columns: readonly ColumnProfile[];
}

/**
 * Second reading: hashes, groups, labels, profile.
 * @param columns - those to read, in the order in which they enter the rows' hashes
 * @throws TableProblem also for keys that are empty or double
 */
export async function indexTable(table: Table, columns: readonly Column[], spec: DatasetSpec): Promise<TableIndex> {
  const indexer = new Indexer(table, columns, spec);
  await readRows(table, indexer);
  return indexer.finish();
}

class Indexer implements RowSink {
  readonly #table: Table;
  readonly #columns: readonly Column[];
  readonly #spec: DatasetSpec;
  readonly #hasher = new RowHasher();
  readonly #profiler: ColumnProfiler;
  readonly #groups: GroupIndex;
  /** Where in a row each planned column is. */
  #places: readonly number[] = [];
  #keyPlaces: readonly number[] = [];
  readonly #cells: Cell[] = [];
  readonly #lines: number[] = [];
  /** The row with which each file begins. */
  readonly #firstRows: number[] = [];
  #rowHashes = Buffer.alloc(HASH_BYTES * 1024);
  #keyHashes: Buffer | null;

  constructor(table: Table, columns: readonly Column[], spec: DatasetSpec) {
    this.#table = table;
    this.#columns = columns;
    this.#spec = spec;
    this.#profiler = new ColumnProfiler(columns);
    this.#groups = new GroupIndex(columns, spec);
    this.#keyHashes = spec.key ? Buffer.alloc(HASH_BYTES * 1024) : null;
  }

  header(names: readonly string[]): void {
    this.#places = this.#columns.map(({ name }) => names.indexOf(name));
    this.#keyPlaces = (this.#spec.key ?? []).map((name) => this.#columns.findIndex((column) => column.name === name));
  }

  row(cells: readonly Cell[], line: number, file: number): void {
    const row = this.#lines.length;
    this.#lines.push(line);
    if (file === this.#firstRows.length) this.#firstRows.push(row);
    const at = row * HASH_BYTES;
    if (at === this.#rowHashes.length) {
      this.#rowHashes = doubled(this.#rowHashes);
      this.#keyHashes &&= doubled(this.#keyHashes);
    }
    this.#hasher.start();
    for (const [i, column] of this.#columns.entries()) {
      const cell = cells[this.#places[i] ?? -1] ?? null;
      this.#cells[i] = cell;
      this.#hasher.add(column.type, cell);
    }
    this.#hasher.finish(this.#rowHashes, at);
    if (this.#keyHashes) this.#key(this.#keyHashes, at, line);
    this.#profiler.add(this.#cells, this.#rowHashes.readUInt32BE(at) / 2 ** 32);
    this.#groups.add(this.#cells, line);
  }

  finish(): TableIndex {
    const rows = this.#lines.length;
    const keyHashes = this.#keyHashes;
    const order = orderOf(rows, this.#rowHashes, keyHashes);
    if (keyHashes) this.#refuseDoubleKeys(keyHashes, order);
    return {
      id: tableId({ columns: this.#columns, key: this.#spec.key ?? null, rows }, this.#rowHashes, order),
      rows,
      rowHashes: this.#rowHashes,
      keyHashes,
      order,
      ...this.#groups.finish(),
      columns: this.#profiler.profiles(),
    };
  }

  #key(into: Buffer, at: number, line: number): void {
    this.#hasher.start();
    for (const place of this.#keyPlaces) {
      const column = this.#columns[place];
      const cell = this.#cells[place] ?? null;
      assert(column, "the key's columns are read");
      if (isEmpty(column.type, cell)) throw new TableProblem({ expected: `a value in the key ${column.name}`, got: "nothing", line });
      this.#hasher.add(column.type, cell);
    }
    this.#hasher.finish(into, at);
  }

  #refuseDoubleKeys(keyHashes: Buffer, order: Uint32Array): void {
    for (let place = 1; place < order.length; place++) {
      const [a = 0, b = 0] = [order[place - 1], order[place]];
      if (compareAt(keyHashes, a, b) !== 0) continue;
      const [first, second] = a < b ? [a, b] : [b, a];
      const key = (this.#spec.key ?? []).join(", ");
      const [one, other] = [this.#placeOf(first), this.#placeOf(second)];
      const got =
        one.file === other.file
          ? `lines ${one.line} and ${other.line} have the same`
          : `line ${one.line} of ${one.file} and line ${other.line} of ${other.file} have the same`;
      throw new TableProblem({ expected: `rows that differ in their key (${key})`, got, line: other.line }, other.file);
    }
  }

  #placeOf(row: number): { readonly file: string; readonly line: number } {
    const file = this.#firstRows.findLastIndex((first) => first <= row);
    return { file: this.#table.files[file]?.name ?? "", line: this.#lines[row] ?? 0 };
  }
}

function doubled(bytes: Buffer): Buffer<ArrayBuffer> {
  const larger = Buffer.alloc(bytes.length * 2);
  bytes.copy(larger);
  return larger;
}
