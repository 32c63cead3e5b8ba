/** Reads a table twice: first for what its columns are, then for what its rows are. Nothing of it is kept but counts and hashes. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { parseBlobId } from "../store/index.ts";
import { assert, type BlobId } from "../std.ts";
import { TypeGuess, isEmpty, type Column } from "./cell-types.ts";
import { ColumnProfiler, type ColumnProfile } from "./column-profile.ts";
import { CsvParser, type Cell, type CsvSink } from "./csv-parser.ts";
import { TableProblem, decodedText } from "./csv-text.ts";
import type { DatasetSpec } from "./dataset-spec.ts";
import { GroupIndex, type TableGroups } from "./group-index.ts";
import { HASH_BYTES, RowHasher, compareAt, orderOf, tableId, type TableId } from "./row-hash.ts";

/** Gives the bytes from the beginning, each time anew. */
export type OpenTable = () => AsyncIterable<Uint8Array>;

const CHUNK_BYTES = 64 * 1024;

export const openFile =
  (path: string): OpenTable =>
  () =>
    createReadStream(path, { highWaterMark: CHUNK_BYTES });

/** Bytes in memory, with a breath between chunks, so that a server that reads them goes on serving. */
export const openBytes = (bytes: Uint8Array): OpenTable =>
  async function* slices() {
    for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
      yield bytes.subarray(at, at + CHUNK_BYTES);
      await setImmediate();
    }
  };

export interface TableInspection {
  readonly blob: BlobId;
  readonly bytes: number;
  readonly columns: readonly Column[];
}

/** First reading: byte id, and the type of every column from all its cells. @throws TableProblem */
export async function inspectTable(open: OpenTable): Promise<TableInspection> {
  let names: readonly string[] = [];
  let guesses: TypeGuess[] = [];
  const read = await readTable(open, {
    header(header) {
      names = header;
      guesses = header.map(() => new TypeGuess());
    },
    row(cells) {
      for (let i = 0; i < guesses.length; i++) guesses[i]?.add(cells[i] ?? null);
    },
  });
  return { ...read, columns: names.map((name, i) => ({ name, type: guesses[i]?.type() ?? "string" })) };
}

/** Every row by number, in the order of the file. */
export interface TableIndex extends TableGroups {
  readonly id: TableId;
  /** Of the bytes that were read. */
  readonly blob: BlobId;
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
export async function indexTable(open: OpenTable, columns: readonly Column[], spec: DatasetSpec): Promise<TableIndex> {
  const indexer = new Indexer(columns, spec);
  const { blob } = await readTable(open, { header: (names) => indexer.header(names), row: (cells, line) => indexer.row(cells, line) });
  return { blob, ...indexer.finish() };
}

/** Every row, and the id of the bytes it came from. @throws TableProblem */
export async function readTable(open: OpenTable, sink: CsvSink): Promise<{ readonly blob: BlobId; readonly bytes: number }> {
  const parser = new CsvParser(sink);
  const hash = createHash("sha256");
  let bytes = 0;
  const hashed = async function* counted() {
    for await (const chunk of open()) {
      hash.update(chunk);
      bytes += chunk.length;
      yield chunk;
    }
  };
  for await (const text of decodedText(hashed())) parser.push(text);
  parser.end();
  const blob = parseBlobId(`sha256:${hash.digest("hex")}`);
  assert(blob, "a SHA-256 makes a blob id");
  return { blob, bytes };
}

class Indexer {
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
  #rowHashes = Buffer.alloc(HASH_BYTES * 1024);
  #keyHashes: Buffer | null;

  constructor(columns: readonly Column[], spec: DatasetSpec) {
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

  row(cells: readonly Cell[], line: number): void {
    const row = this.#lines.length;
    this.#lines.push(line);
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

  finish(): Omit<TableIndex, "blob"> {
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
      const [first = 0, second = 0] = [this.#lines[a], this.#lines[b]].toSorted((x = 0, y = 0) => x - y);
      const key = (this.#spec.key ?? []).join(", ");
      throw new TableProblem({
        expected: `rows that differ in their key (${key})`,
        got: `lines ${first} and ${second} have the same`,
        line: second,
      });
    }
  }
}

function doubled(bytes: Buffer): Buffer<ArrayBuffer> {
  const larger = Buffer.alloc(bytes.length * 2);
  bytes.copy(larger);
  return larger;
}
