/**
 * Some hundred rows that are counted together, column by column: what is counted of one column fits a processor's nearest memory, that of all
 * columns and groups doesn't. Their bytes stay until they are counted.
 */
import type { RowBytes } from "./row-hash.ts";

export const BLOCK_ROWS = 256;

export class RowBlock {
  /** Rows that are in it. */
  rows = 0;
  /** What is to be counted of every column: row by row, each part that the row is in. */
  entries = 0;
  entryRows = new Int32Array(BLOCK_ROWS);
  entryParts = new Int32Array(BLOCK_ROWS);
  /** How many parts there are by now. */
  parts = 0;
  /** Of each row: the number of its combination of groups. */
  readonly cells = new Int32Array(BLOCK_ROWS);
  /** Of each row: its hash, spread evenly over 0…1. */
  readonly hashes = new Float64Array(BLOCK_ROWS);
  /** Where the cells of all its rows are, in the one spelling of their values. */
  readonly bytes: RowBytes;
  /** How many rows it may have. */
  readonly rowsMax: number;
  /** Of each cell, column by column: the code of its value, and where it has none, its hash and its number. That of a row is at `placeOf` its column + row. */
  readonly codes: Int32Array;
  readonly highs: Int32Array;
  readonly lows: Int32Array;
  readonly numbers: Float64Array;
  readonly #rowSpots: number;
  /** Row by row: where the first cell begins, and where each cell ends. */
  readonly #spots: Int32Array;

  constructor(bytes: RowBytes, columns: number, rowsMax: number) {
    this.bytes = bytes;
    this.#rowSpots = columns + 1;
    this.rowsMax = rowsMax;
    const cells = rowsMax * columns;
    this.codes = new Int32Array(cells);
    this.highs = new Int32Array(cells);
    this.lows = new Int32Array(cells);
    this.numbers = new Float64Array(cells);
    this.#spots = new Int32Array(rowsMax * this.#rowSpots);
  }

  /** Of the row that is read: says where a cell ends, or for -1, where the first one begins. */
  mark(column: number, at: number): void {
    this.#spots[this.rows * this.#rowSpots + column + 1] = at;
  }

  /** The row that was read is in these parts. */
  end(cell: number, parts: Int32Array): void {
    const row = this.rows++;
    this.cells[row] = cell;
    for (let i = 0; i < parts.length; i++) {
      if (this.entries === this.entryRows.length) this.#widen();
      this.entryRows[this.entries] = row;
      this.entryParts[this.entries++] = parts[i] ?? 0;
    }
  }

  /** Has no rows any more. */
  clear(): void {
    this.rows = 0;
    this.entries = 0;
  }

  startOf(row: number, column: number): number {
    return this.#spots[row * this.#rowSpots + column] ?? 0;
  }

  endOf(row: number, column: number): number {
    return this.#spots[row * this.#rowSpots + column + 1] ?? 0;
  }

  #widen(): void {
    const [rows, parts] = [new Int32Array(this.entries * 2), new Int32Array(this.entries * 2)];
    rows.set(this.entryRows);
    parts.set(this.entryParts);
    [this.entryRows, this.entryParts] = [rows, parts];
  }
}
