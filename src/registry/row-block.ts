/**
 * Some hundred rows that are counted together, column by column: what is counted of one column fits a processor's nearest memory, that of all
 * columns and groups doesn't. Their bytes stay until they are counted.
 */
import type { RowBytes } from "./row-hash.ts";

export const BLOCK_ROWS = 256;

export class RowBlock {
  /** Rows that are in it. */
  rows = 0;
  /** Of each row: in which parts of every column it counts. */
  readonly places: Int32Array[] = [];
  /** How many parts there are by now. */
  parts = 0;
  /** Of each row: the number of its combination of groups. */
  readonly cells = new Int32Array(BLOCK_ROWS);
  /** Of each row: its hash, spread evenly over 0…1. */
  readonly hashes = new Float64Array(BLOCK_ROWS);
  /** Where the cells of all its rows are, in the one spelling of their values. */
  readonly bytes: RowBytes;
  readonly #rowSpots: number;
  /** Row by row: where the first cell begins, and where each cell ends. */
  readonly #spots: Int32Array;

  constructor(bytes: RowBytes, columns: number, rowsMax: number) {
    this.bytes = bytes;
    this.#rowSpots = columns + 1;
    this.#spots = new Int32Array(rowsMax * this.#rowSpots);
  }

  /** Of the row that is read: says where a cell ends, or for -1, where the first one begins. */
  mark(column: number, at: number): void {
    this.#spots[this.rows * this.#rowSpots + column + 1] = at;
  }

  startOf(row: number, column: number): number {
    return this.#spots[row * this.#rowSpots + column] ?? 0;
  }

  endOf(row: number, column: number): number {
    return this.#spots[row * this.#rowSpots + column + 1] ?? 0;
  }
}
