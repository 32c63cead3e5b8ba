/** Takes the cells of one column from their bytes: checks that each is what the column is, hashes it into its row, and counts it. */
import { BOOLEAN, NUMBER, type TypeGuess, type Column, type ColumnType } from "./cell-types.ts";
import { DIGITS_MAX, INTEGER_FORM, dayOf, decimalOf, kindsOfBytes, microsecondsOfBytes, numberForm } from "./cell-bytes.ts";
import { ColumnCounts } from "./column-counts.ts";
import type { ColumnPart } from "./column-part.ts";
import { ValueHash } from "./distinct-sketch.ts";
import type { RawRow } from "./raw-row.ts";
import type { RowBlock } from "./row-block.ts";
import { TAGS, type RowBytes } from "./row-hash.ts";
import { ValueCodes } from "./value-codes.ts";

/** Thrown for a cell that isn't what its column was taken for. */
export class OtherType extends Error {
  override readonly name = "OtherType";
}

/** What `add` says of a cell without a value, and of one whose value has no code since there are too many. */
export const NO_VALUE = -1;
export const NO_CODE = -2;

/** A moment has at most 32 characters; one byte says how many. */
const WRITTEN_BYTES = 33;

export class ColumnTally {
  readonly column: Column;
  readonly isNumeric: boolean;
  /** undefined once there are too many values. */
  codes: ValueCodes | undefined;
  /** Of rows of the block that came before there were too many values. */
  #formerCodes: ValueCodes | undefined;
  /** Of the cell that is added: its number in a numeric column, 0 or 1 in one of booleans. */
  #number = Number.NaN;
  readonly #hash = new ValueHash();
  readonly #block: RowBlock;
  /** Of the column, and of its cells in the block. */
  readonly #place: number;
  readonly #base: number;
  /** Moments as they are written: their bytes in a row are another spelling. */
  readonly #writtenOf: Buffer;
  /** Entries of the block that are counted already. */
  #counted = 0;
  /** Of the rows, as the block's places divide them. */
  readonly #parts: ColumnCounts;
  readonly #type: ColumnType;
  readonly #tag: number;
  /** Of a column that is text for want of anything else: its next cell may tell more. */
  #isOpen: boolean;

  /** @param place - among the columns @param block - that the rows are added to @param guess - where the type was found from some of the cells */
  constructor(column: Column, place: number, block: RowBlock, guess?: TypeGuess) {
    this.column = column;
    this.#block = block;
    this.isNumeric = column.type === "integer" || column.type === "number";
    this.#place = place;
    this.#base = place * block.rowsMax;
    this.#writtenOf = Buffer.alloc(column.type === "timestamp" ? block.rowsMax * WRITTEN_BYTES : 0);
    this.#type = column.type;
    this.codes = new ValueCodes(column.type);
    this.#parts = new ColumnCounts(this.isNumeric);
    this.#tag = TAGS[column.type];
    this.#isOpen = guess !== undefined && !guess.isText && column.type === "string";
  }

  /**
   * Adds a cell to its row's hash and to the block's next row; `count` counts it.
   * @returns the code of its value, or why it has none
   * @throws OtherType
   */
  add(row: RawRow, into: RowBytes): number {
    const start = row.starts[this.#place] ?? 0;
    const end = row.ends[this.#place] ?? -1;
    if (end < 0 || (end === start && this.#type !== "string")) {
      into.reserve(1);
      into.buffer[into.length++] = TAGS.empty;
      return this.#is(NO_VALUE);
    }
    const { codes } = this;
    if (codes) {
      const spelling = codes.find(row, start, end);
      if (spelling < 0) return this.#fresh(codes, row.bytes, start, end, into);
      codes.repeat(spelling, into);
      return this.#is(codes.codeOf(spelling));
    }
    const from = into.length;
    this.#write(row.bytes, start, end, into);
    if (this.#type === "timestamp") this.#keepWritten(row.bytes, start, end);
    return this.#isHashed(into, from);
  }

  #is(code: number): number {
    const { codes, rows } = this.#block;
    codes[this.#base + rows] = code;
    return code;
  }

  /** Of a value without a code. @param from - where its bytes begin in those of the row */
  #isHashed(into: RowBytes, from: number): number {
    const { rows, highs, lows, numbers } = this.#block;
    const at = this.#base + rows;
    this.#hash.of(into.view, from, into.length);
    highs[at] = this.#hash.high;
    lows[at] = this.#hash.low;
    numbers[at] = this.#number;
    return this.#is(NO_CODE);
  }

  /** Of a row of the block, in a numeric column; NaN for none. */
  numberAt(row: number): number {
    const code = this.#block.codes[this.#base + row] ?? NO_VALUE;
    if (code === NO_CODE) return this.#block.numbers[this.#base + row] ?? Number.NaN;
    return (this.codes ?? this.#formerCodes)?.numberOf(code) ?? Number.NaN;
  }

  /** Of a row of the block, in a column that isn't numeric; null for none, and for a text of more bytes. */
  textAt(row: number, bytesMax: number): string | null {
    const code = this.#block.codes[this.#base + row] ?? NO_VALUE;
    if (code === NO_VALUE) return null;
    if (code >= 0) return (this.codes ?? this.#formerCodes)?.textOf(code) ?? null;
    if (this.#type === "timestamp") {
      const from = row * WRITTEN_BYTES;
      return this.#writtenOf.toString("latin1", from + 1, from + 1 + (this.#writtenOf[from] ?? 0));
    }
    // Behind its type and length.
    const start = this.#block.startOf(row, this.#place) + 5;
    const end = this.#block.endOf(row, this.#place);
    return end - start > bytesMax ? null : this.#block.bytes.buffer.toString("utf8", start, end);
  }

  /** Counts the block's rows. */
  count(): void {
    const { entries, entryRows, entryParts, parts, codes, numbers, highs, lows } = this.#block;
    const { isNumeric } = this;
    const counts = this.#parts;
    counts.reserve(parts);
    for (let i = this.#counted; i < entries; i++) {
      const at = this.#base + (entryRows[i] ?? 0);
      const part = entryParts[i] ?? 0;
      const code = codes[at] ?? NO_VALUE;
      if (code >= 0) counts.addCode(part, code);
      else if (code === NO_VALUE) counts.addEmpty(part);
      else {
        counts.addHash(part, highs[at] ?? 0, lows[at] ?? 0);
        if (isNumeric) counts.addNumber(part, numbers[at] ?? Number.NaN);
      }
    }
    this.#counted = entries;
  }

  /** The block begins anew. */
  endBlock(): void {
    this.count();
    this.#counted = 0;
    this.#formerCodes = undefined;
  }

  /** What was counted in several parts that have no row in common. */
  sum(places: readonly number[]): ColumnPart {
    return this.#parts.sum(places);
  }

  /** From now on the column has other parts. @param of - for each of them, which of the present ones it is made of */
  regroup(of: readonly (readonly number[])[]): void {
    this.#parts.regroup(of);
  }

  #fresh(codes: ValueCodes, bytes: Buffer, start: number, end: number, into: RowBytes): number {
    const from = into.length;
    this.#write(bytes, start, end, into);
    const code = codes.add({ bytes, start, end, number: this.#number, canonical: into.buffer.subarray(from, into.length) });
    if (code >= 0) return this.#is(code);
    this.count();
    this.#parts.foldCodes(codes, this.#hash);
    this.codes = undefined;
    this.#formerCodes = codes;
    if (this.#type === "timestamp") this.#keepWritten(bytes, start, end);
    return this.#isHashed(into, from);
  }

  /** The length and the bytes. @pre it is a moment */
  #keepWritten(bytes: Buffer, start: number, end: number): void {
    const at = this.#block.rows * WRITTEN_BYTES;
    this.#writtenOf[at] = end - start;
    bytes.copy(this.#writtenOf, at + 1, start, end);
  }

  /** Writes the cell's type and value, as `row-hash.ts` has it, and sets `#number`. */
  #write(bytes: Buffer, start: number, end: number, into: RowBytes): void {
    into.reserve(16 + end - start);
    const type = this.#type;
    into.buffer[into.length++] = this.#tag;
    switch (type) {
      case "integer":
        return this.#writeInteger(bytes, start, end, into);
      case "number":
        this.#number = numberOf(bytes, start, end);
        into.view.setFloat64(into.length, this.#number);
        into.length += 8;
        return;
      case "boolean": {
        if (kindsOfBytes(bytes, start, end) !== BOOLEAN) throw new OtherType();
        // "true" has four letters.
        this.#number = end - start === 4 ? 1 : 0;
        into.buffer[into.length++] = this.#number;
        return;
      }
      case "date":
        if (end - start !== 10 || Number.isNaN(dayOf(bytes, start))) throw new OtherType();
        return writeText(bytes, start, end, into);
      case "timestamp": {
        const microseconds = microsecondsOfBytes(bytes, start, end);
        if (microseconds === undefined) throw new OtherType();
        into.view.setBigInt64(into.length, microseconds);
        into.length += 8;
        return;
      }
      case "string":
        if (this.#isOpen && end > start) {
          if (kindsOfBytes(bytes, start, end) !== 0) throw new OtherType();
          this.#isOpen = false;
        }
        return writeText(bytes, start, end, into);
    }
  }

  /** Digits are checked, added up and copied at once. */
  #writeInteger(bytes: Buffer, start: number, end: number, into: RowBytes): void {
    const isNegative = bytes[start] === MINUS;
    const first = isNegative ? start + 1 : start;
    if (first === end || (bytes[first] === ZERO && end - first > 1)) throw new OtherType();
    const isMinusZero = isNegative && bytes[first] === ZERO;
    const from = isMinusZero ? first : start;
    const out = into.buffer;
    const to = into.length + 4 - from;
    let value = 0;
    for (let at = first; at < end; at++) {
      const digit = (bytes[at] ?? 0) - ZERO;
      if (digit < 0 || digit > 9) throw new OtherType();
      value = value * 10 + digit;
      out[to + at] = digit + ZERO;
    }
    if (isNegative && !isMinusZero) out[to + start] = MINUS;
    into.view.setUint32(into.length, end - from);
    into.length += 4 + end - from;
    // More digits than a double holds would have been rounded at each step.
    if (end - start > DIGITS_MAX) this.#number = Number(bytes.toString("latin1", start, end));
    else this.#number = isNegative && !isMinusZero ? -value : value;
  }
}

const MINUS = 45;
const ZERO = 48;

/** The double that is nearest to a cell; one zero and one NaN. @throws OtherType */
function numberOf(bytes: Buffer, start: number, end: number): number {
  const form = numberForm(bytes, start, end);
  if (form === 0 || (form === INTEGER_FORM && end - start > DIGITS_MAX)) {
    if ((kindsOfBytes(bytes, start, end) & NUMBER) === 0) throw new OtherType();
    const value = Number(bytes.toString("latin1", start, end));
    return Number.isNaN(value) ? Number.NaN : value + 0;
  }
  return decimalOf(bytes, start, end) + 0;
}

/** Below that a loop is faster than a call. */
const COPY_MIN = 48;

/** The length and the bytes. */
function writeText(bytes: Buffer, start: number, end: number, into: RowBytes): void {
  const out = into.buffer;
  const length = end - start;
  const to = into.length + 4;
  into.view.setUint32(into.length, length);
  if (length >= COPY_MIN) bytes.copy(out, to, start, end);
  else for (let at = start; at < end; at++) out[to + at - start] = bytes[at] ?? 0;
  into.length = to + length;
}
