/** What a version keeps of its table: id, types, counts by group and profile. Memory doesn't grow with the table. */
import { assert, type Issue, type Result, err, ok } from "../std.ts";
import { type Column, type TypeGuess } from "./cell-types.ts";
import { ColumnProfiler, type ColumnProfile } from "./column-profile.ts";
import type { TableSketches } from "./column-sketch.ts";
import { NO_VALUE, OtherType } from "./column-tally.ts";
import { TableProblem } from "./csv-text.ts";
import { columnIssues } from "./dataset-diffs.ts";
import { attributeName, type DatasetSpec } from "./dataset-spec.ts";
import { stirred } from "./distinct-sketch.ts";
import type { GroupCell } from "./group-counts.ts";
import { HashBatch } from "./hash-batch.ts";
import { BLOCK_ROWS } from "./row-block.ts";
import { RowGroups } from "./row-groups.ts";
import { HASH_WORDS, type TableId } from "./row-hash.ts";
import { HeldRows, type RawRow } from "./raw-row.ts";
import { TableIdentity, type RowPlace } from "./table-identity.ts";
import { readRawRows, type RawRowSink, type Table } from "./table-rows.ts";
import { ColumnGuesses, inspectTable } from "./table-scan.ts";

export interface TableFacts {
  readonly id: TableId;
  readonly rows: number;
  readonly columns: readonly ColumnProfile[];
  readonly cells: readonly GroupCell[];
  readonly sketches: TableSketches;
}

/** So many rows at the beginning of a table show what its columns are, or so many bytes of them. */
const HELD_ROWS = 1000;
const HELD_BYTES = 1024 * 1024;
/** A block of rows ends early where they are so long. */
const BATCH_BYTES_MAX = 4 * 1024 * 1024;

/**
 * Reads a table that is added: once, where its columns are what its first rows show them to be; where a later cell is something else, again
 * from the beginning, first for the types of all columns.
 * @param spillPath - where hashes go when they are many; nothing is left there
 * @returns issues for columns that are declared and aren't there
 * @throws TableProblem also for keys that are empty or double
 */
export async function readTable(
  table: Table,
  spec: DatasetSpec,
  spillPath: string,
): Promise<Result<{ readonly columns: readonly Column[]; readonly facts: TableFacts }, readonly Issue[]>> {
  const reader = new HopefulReader(spec, spillPath);
  try {
    await readRawRows(table, reader);
    return ok(reader.finish(table));
  } catch (error) {
    if (error instanceof MissingColumns) return err(error.issues);
    if (!(error instanceof OtherType)) throw error;
  } finally {
    reader.close();
  }
  const columns = await inspectTable(table);
  return ok({ columns, facts: await tableFacts(table, columns, spec, spillPath) });
}

/** Reads a table whose columns are known. @throws TableProblem also for keys that are empty or double */
export async function tableFacts(table: Table, columns: readonly Column[], spec: DatasetSpec, spillPath: string): Promise<TableFacts> {
  const reader = new FactReader(columns, spec, spillPath);
  try {
    await readRawRows(table, reader);
    return reader.finish(table);
  } finally {
    reader.close();
  }
}

class MissingColumns extends Error {
  override readonly name = "MissingColumns";
  readonly issues: readonly Issue[];
  constructor(issues: readonly Issue[]) {
    super();
    this.issues = issues;
  }
}

/** Holds the first rows back until they show types, and goes on with those. @throws OtherType where that was wrong, or may have been */
class HopefulReader implements RawRowSink {
  readonly #spec: DatasetSpec;
  readonly #spillPath: string;
  readonly #held = new HeldRows();
  #guesses = new ColumnGuesses([]);
  #reader: FactReader | undefined;

  constructor(spec: DatasetSpec, spillPath: string) {
    this.#spec = spec;
    this.#spillPath = spillPath;
  }

  header(names: readonly string[]): void {
    this.#guesses = new ColumnGuesses(names);
    const issues = columnIssues(this.#spec, this.#guesses.columns);
    if (issues.length > 0) throw new MissingColumns(issues);
  }

  row(row: RawRow, line: number, file: number): void {
    if (this.#reader) return this.#read(this.#reader, row, line, file);
    this.#guesses.add(row);
    this.#held.add(row, this.#guesses.guesses.length, { line, file });
    if (this.#held.rows === HELD_ROWS || this.#held.bytes > HELD_BYTES) this.#begin();
  }

  finish(table: Table): { readonly columns: readonly Column[]; readonly facts: TableFacts } {
    const reader = this.#reader ?? this.#begin();
    return { columns: reader.columns, facts: reader.finish(table) };
  }

  close(): void {
    this.#reader?.close();
  }

  #begin(): FactReader {
    const { columns, guesses } = this.#guesses;
    const reader = new FactReader(columns, this.#spec, this.#spillPath, guesses);
    this.#reader = reader;
    for (const { row, line, file } of this.#held.take()) this.#read(reader, row, line, file);
    return reader;
  }

  #read(reader: FactReader, row: RawRow, line: number, file: number): void {
    try {
      reader.row(row, line, file);
    } catch (error) {
      // Were a column of another type, its cells could be other keys or groups.
      throw error instanceof TableProblem ? new OtherType() : error;
    }
  }
}

class FactReader implements RawRowSink {
  readonly columns: readonly Column[];
  readonly #key: readonly string[] | null;
  readonly #batch = new HashBatch();
  readonly #identity: TableIdentity;
  readonly #profiler: ColumnProfiler;
  readonly #groups: RowGroups;
  readonly #keyPlaces: readonly number[];
  /** Of the row that is read: the codes of its values. */
  readonly #codes: Int32Array;
  /** Of the block's rows. */
  readonly #lines = new Float64Array(BLOCK_ROWS);
  readonly #files = new Int32Array(BLOCK_ROWS);

  /** @param guesses - where the types were found from some of the cells */
  constructor(columns: readonly Column[], spec: DatasetSpec, spillPath: string, guesses?: readonly TypeGuess[]) {
    this.columns = columns;
    this.#key = spec.key ?? null;
    this.#identity = new TableIdentity(spillPath);
    const attributes = (spec.protected ?? []).map(attributeName);
    this.#profiler = new ColumnProfiler(columns, { guesses, attributes, bytes: this.#batch });
    this.#groups = new RowGroups(columns, spec);
    this.#keyPlaces = (spec.key ?? []).map((name) => columns.findIndex((column) => column.name === name));
    this.#codes = new Int32Array(columns.length);
  }

  /** Columns are those of the table, in its order. */
  header(names: readonly string[]): void {
    assert(names.length === this.columns.length, "a table has the same columns at both readings");
  }

  row(row: RawRow, line: number, file: number): void {
    const batch = this.#batch;
    const profiler = this.#profiler;
    const at = profiler.block.rows;
    this.#lines[at] = line;
    this.#files[at] = file;
    batch.begin();
    profiler.read(row, this.#codes);
    batch.end();
    if (this.#key) this.#addKey(at, line);
    const cell = this.#groups.add(row, this.#codes, line);
    const isFull = profiler.endRow(cell, this.#groups.groups);
    if (isFull || batch.length > BATCH_BYTES_MAX) this.#endBlock();
  }

  finish({ files }: Table): TableFacts {
    this.#endBlock();
    const key = this.#key;
    const nameOf = ({ file }: RowPlace) => files[file]?.name ?? "";
    const refuse = (first: RowPlace, second: RowPlace) => {
      const [one, other] = [nameOf(first), nameOf(second)];
      const same = `lines ${first.line} and ${second.line} have the same`;
      const got = one === other ? same : `line ${first.line} of ${one} and line ${second.line} of ${other} have the same`;
      throw new TableProblem({ expected: `rows that differ in their key (${key?.join(", ")})`, got, line: second.line }, other);
    };
    const id = this.#identity.finish({ columns: this.columns, key }, key ? refuse : undefined);
    return {
      id,
      rows: this.#identity.rows,
      columns: this.#profiler.profiles(),
      cells: this.#groups.cells(),
      sketches: this.#profiler.sketches((attribute) => this.#groups.namesOf(attribute)),
    };
  }

  close(): void {
    this.#identity.close();
  }

  /** The key's cells as they are in the row. */
  #addKey(row: number, line: number): void {
    const batch = this.#batch;
    const { block } = this.#profiler;
    batch.begin();
    for (const place of this.#keyPlaces) {
      if (this.#codes[place] === NO_VALUE) {
        throw new TableProblem({ expected: `a value in the key ${this.columns[place]?.name}`, got: "nothing", line });
      }
      const from = block.startOf(row, place);
      const length = block.endOf(row, place) - from;
      batch.reserve(length);
      const { buffer, length: to } = batch;
      for (let i = 0; i < length; i++) buffer[to + i] = buffer[from + i] ?? 0;
      batch.length = to + length;
    }
    batch.end();
  }

  /** Hashes the block's rows and keys, and counts the rows. */
  #endBlock(): void {
    const batch = this.#batch;
    const { block } = this.#profiler;
    batch.hashAll();
    const { hashes } = batch;
    const step = this.#key ? 2 * HASH_WORDS : HASH_WORDS;
    for (let row = 0; row < block.rows; row++) {
      const rowAt = row * step;
      const keyAt = this.#key ? rowAt + HASH_WORDS : rowAt;
      this.#identity.add(hashes, keyAt, rowAt, { line: this.#lines[row] ?? 0, file: this.#files[row] ?? 0 });
      // Rows without a key may be the same many times: each is in the sample or not for itself.
      const start = hashes[keyAt] ?? 0;
      const sampling = this.#key ? start : stirred(start ^ Math.imul(this.#identity.rows, 0x9e3779b1)) >>> 0;
      block.hashes[row] = sampling / 2 ** 32;
    }
    this.#profiler.endBlock();
    batch.clear();
  }
}
