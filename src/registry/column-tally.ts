/** Takes the cells of one column from their bytes: checks that each is what the column is, hashes it into its row, and counts it. */
import { BOOLEAN, NUMBER, type TypeGuess, plainText, type Column, type ColumnType } from "./cell-types.ts";
import { DECIMAL_FORM, INTEGER_FORM, dayOf, decimalOf, kindsOfBytes, microsecondsOfBytes, numberForm } from "./cell-bytes.ts";
import { Moments } from "./moments.ts";
import { TAGS, type RowHasher } from "./row-hash.ts";
import { ValueCodes } from "./value-codes.ts";

/** Thrown for a cell that isn't what its column was taken for. */
export class OtherType extends Error {
  override readonly name = "OtherType";
}

/** What `add` says of a cell without a value, and of one whose value has no code since there are too many. */
export const NO_VALUE = -1;
export const NO_CODE = -2;

export class ColumnTally {
  readonly column: Column;
  readonly moments = new Moments();
  empty = 0;
  /** undefined once there are too many values. */
  codes: ValueCodes | undefined = new ValueCodes();
  /** Of the cell that was added last: its number in a numeric column, NaN for none. */
  number = Number.NaN;
  readonly #type: ColumnType;
  /** Of a column that is text for want of anything else: its next cell may tell more. */
  #isOpen: boolean;

  /** @param guess - where the type was found from some of the cells */
  constructor(column: Column, guess?: TypeGuess) {
    this.column = column;
    this.#type = column.type;
    this.#isOpen = guess !== undefined && !guess.isText && column.type === "string";
  }

  /**
   * Adds a cell to the column, and to its row's hash.
   * @returns the code of its value, or why it has none
   * @throws OtherType
   */
  add(bytes: Buffer, start: number, end: number, into: RowHasher): number {
    if (end < 0 || (end === start && this.#type !== "string")) {
      into.reserve(1);
      into.buffer[into.length++] = TAGS.empty;
      this.number = Number.NaN;
      this.empty++;
      return NO_VALUE;
    }
    const { codes } = this;
    if (codes) {
      const spelling = codes.find(bytes, start, end);
      if (spelling < 0) return this.#fresh(codes, bytes, start, end, into);
      codes.repeat(spelling, into);
      const code = codes.codeOf(spelling);
      this.number = codes.numbers[code] ?? Number.NaN;
      codes.counts[code] = (codes.counts[code] ?? 0) + 1;
      return code;
    }
    this.#write(bytes, start, end, into);
    if (this.#type === "integer" || this.#type === "number") this.moments.add(this.number);
    return NO_CODE;
  }

  #fresh(codes: ValueCodes, bytes: Buffer, start: number, end: number, into: RowHasher): number {
    const from = into.length;
    this.#write(bytes, start, end, into);
    const text = plainText(this.#type, bytes.toString("utf8", start, end));
    const code = codes.add({ bytes, start, end }, text, this.number, into.buffer.subarray(from, into.length));
    if (code >= 0) {
      codes.counts[code] = (codes.counts[code] ?? 0) + 1;
      return code;
    }
    this.foldCodes();
    if (this.#type === "integer" || this.#type === "number") this.moments.add(this.number);
    return NO_CODE;
  }

  /** Counts of values become moments; in order of the values, so that the rows' order doesn't matter. */
  foldCodes(): void {
    const { codes } = this;
    this.codes = undefined;
    if (codes) this.moments.addCounts(codes.numbers, codes.counts);
  }

  /** Writes the cell's type and value, as `row-hash.ts` has it, and sets `number`. */
  #write(bytes: Buffer, start: number, end: number, into: RowHasher): void {
    into.reserve(16 + end - start);
    const type = this.#type;
    into.buffer[into.length++] = TAGS[type];
    switch (type) {
      case "integer": {
        if (numberForm(bytes, start, end) !== INTEGER_FORM) throw new OtherType();
        this.number = decimalOf(bytes, start, end) + 0;
        const isMinusZero = this.number === 0 && end - start === 2;
        writeText(bytes, isMinusZero ? start + 1 : start, end, into);
        return;
      }
      case "number": {
        const form = numberForm(bytes, start, end);
        const isPlain = form === DECIMAL_FORM || (form === INTEGER_FORM && end - start <= 15);
        if (!isPlain && (kindsOfBytes(bytes, start, end) & NUMBER) === 0) throw new OtherType();
        // One zero and one NaN.
        this.number = (form === 0 ? Number(bytes.toString("latin1", start, end)) : decimalOf(bytes, start, end)) + 0;
        into.length = into.buffer.writeDoubleBE(Number.isNaN(this.number) ? Number.NaN : this.number, into.length);
        return;
      }
      case "boolean": {
        if (kindsOfBytes(bytes, start, end) !== BOOLEAN) throw new OtherType();
        // "true" has four letters.
        into.buffer[into.length++] = end - start === 4 ? 1 : 0;
        return;
      }
      case "date":
        if (end - start !== 10 || Number.isNaN(dayOf(bytes, start))) throw new OtherType();
        return writeText(bytes, start, end, into);
      case "timestamp": {
        const microseconds = microsecondsOfBytes(bytes, start, end);
        if (microseconds === undefined) throw new OtherType();
        into.length = into.buffer.writeBigInt64BE(microseconds, into.length);
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
}

/** Below that a loop is faster than a call. */
const COPY_MIN = 48;

/** The length and the bytes. */
function writeText(bytes: Buffer, start: number, end: number, into: RowHasher): void {
  const out = into.buffer;
  const length = end - start;
  let to = into.length;
  out[to] = length >>> 24;
  out[to + 1] = length >>> 16;
  out[to + 2] = length >>> 8;
  out[to + 3] = length;
  to += 4;
  if (length >= COPY_MIN) bytes.copy(out, to, start, end);
  else for (let at = start; at < end; at++) out[to + at - start] = bytes[at] ?? 0;
  into.length = to + length;
}
