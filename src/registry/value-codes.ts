/** Numbers the values of a column that has few of them, and knows a cell again by its bytes. */
import { plainText, type ColumnType } from "./cell-types.ts";
import { ValueHash } from "./distinct-sketch.ts";
import { viewOf, type RawRow } from "./raw-row.ts";
import type { RowBytes } from "./row-hash.ts";

/** Columns with more values have no numbers for them. */
export const VALUES_MAX = 1000;
/** One value may be written in many ways; those beyond are looked up as numbers each time. */
const SPELLINGS_MAX = 2 * VALUES_MAX;
/** Of all that is kept of a column's values. */
const TEXT_MAX = 256 * 1024;
/** What is known of a spelling. */
const SPELLED = 6;
const CODE = 1;
const FROM = 2;
const TO = 3;
const CANONICAL = 4;
const CANONICAL_TO = 5;
/** Type and length, which stand before a text in its row. */
const TEXT_HEAD = 5;

/** A cell as it is in the file, and what it was added to its row as. */
export interface WrittenCell {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  /** In a column of numbers, its number; of a boolean, 0 or 1. */
  readonly number: number;
  readonly canonical: Buffer;
}

/** Of two thousand columns each has one, so it is all in a few arrays; texts are made when they are asked for. */
export class ValueCodes {
  readonly #type: ColumnType;
  /** Whether two ways to write it may be one value. */
  readonly #isNumber: boolean;
  /** How many values there are; their codes count from 0, in the order in which they came. */
  count = 0;
  /** By code: in a numeric column its number, the hash of the value, and the spelling that came first. */
  #numbers = new Float64Array(8);
  #highs = new Int32Array(8);
  #lows = new Int32Array(8);
  #firsts = new Int32Array(8);
  /** By code, those that were asked for. */
  readonly #texts: (string | undefined)[] = [];
  /** Codes by number, where several spellings may have one. */
  readonly #codeOfNumber = new Map<number, number>();

  #spellings = 0;
  /** By spelling, beside each other: hash of the cell, code of its value, where it begins and ends in `#bytes`, where its canonical bytes do. */
  #spelled = new Int32Array(8 * SPELLED);
  #bytes = Buffer.alloc(128);
  #filled = 0;
  /** Spellings by hash, from 1; 0 is a free place. */
  #table = new Int32Array(16);
  #textLength = 0;
  /** Of the cell that was sought last. */
  #hash = 0;

  constructor(type: ColumnType) {
    this.#type = type;
    this.#isNumber = type === "number" || type === "boolean";
  }

  /** Which spelling a cell is; -1 where it wasn't seen before. */
  find({ bytes, view }: RawRow, start: number, end: number): number {
    const hash = hashOf(view, start, end);
    this.#hash = hash;
    const table = this.#table;
    const spelled = this.#spelled;
    const known = this.#bytes;
    const mask = table.length - 1;
    search: for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const spelling = (table[slot] ?? 0) - 1;
      if (spelling < 0) return -1;
      const record = spelling * SPELLED;
      if (spelled[record] !== hash) continue;
      const from = spelled[record + FROM] ?? 0;
      if ((spelled[record + TO] ?? 0) - from !== end - start) continue;
      for (let at = start, other = from; at < end; at++, other++) if (bytes[at] !== known[other]) continue search;
      return spelling;
    }
  }

  codeOf(spelling: number): number {
    return this.#spelled[spelling * SPELLED + CODE] ?? 0;
  }

  numberOf(code: number): number {
    return code < 0 ? Number.NaN : (this.#numbers[code] ?? Number.NaN);
  }

  /** In a numeric column, by code. */
  get numbers(): Float64Array {
    return this.#numbers.subarray(0, this.count);
  }

  /** A value as people read it. */
  textOf(code: number): string {
    return this.#texts[code] ?? this.#textOfFirst(code);
  }

  /** Adds the cell to a row as it was added when it was seen first. */
  repeat(spelling: number, into: RowBytes): void {
    const from = this.#spelled[spelling * SPELLED + CANONICAL] ?? 0;
    const length = (this.#spelled[spelling * SPELLED + CANONICAL_TO] ?? 0) - from;
    into.reserve(length);
    const to = into.length;
    const out = into.buffer;
    const known = this.#bytes;
    for (let i = 0; i < length; i++) out[to + i] = known[from + i] ?? 0;
    into.length = to + length;
  }

  /**
   * A spelling that `find` has just not found.
   * @returns the code of its value; -1 where it would be one value, or too much text
   */
  add(cell: WrittenCell): number {
    const { canonical, number } = cell;
    // A whole number has one spelling, but for 0.
    const isNumber = this.#isNumber || (this.#type === "integer" && number === 0);
    const known = isNumber ? this.#codeOfNumber.get(number) : undefined;
    if (known !== undefined) {
      if (this.#spellings < SPELLINGS_MAX) this.#keep(cell, known);
      return known;
    }
    const code = this.count;
    this.#textLength += plainText(this.#type, cell.bytes.toString("utf8", cell.start, cell.end)).length;
    if (code === VALUES_MAX || this.#textLength > TEXT_MAX) return -1;
    if (isNumber) this.#codeOfNumber.set(number, code);
    if (code === this.#highs.length) this.#widenValues(code * 2);
    const hash = new ValueHash();
    hash.of(viewOf(canonical), 0, canonical.length);
    this.#highs[code] = hash.high;
    this.#lows[code] = hash.low;
    this.#numbers[code] = number;
    this.#firsts[code] = this.#spellings;
    this.count++;
    this.#keep(cell, code);
    return code;
  }

  /** The hash of a value, as `ValueHash` has it of its canonical bytes. */
  hash(code: number, into: ValueHash): void {
    into.high = this.#highs[code] ?? 0;
    into.low = this.#lows[code] ?? 0;
  }

  #textOfFirst(code: number): string {
    const first = (this.#firsts[code] ?? 0) * SPELLED;
    const text = plainText(this.#type, this.#bytes.toString("utf8", this.#spelled[first + FROM], this.#spelled[first + TO]));
    // Numbers are asked for at the end only, and texts for each row of a sample.
    if (this.#type !== "number" && this.#type !== "integer") this.#texts[code] = text;
    return text;
  }

  #keep({ bytes, start, end, canonical }: WrittenCell, code: number): void {
    const spelling = this.#spellings++;
    if (spelling * SPELLED === this.#spelled.length) this.#widenSpellings(spelling * 2);
    // What stands in the row as it is in the file is kept once.
    const isSame =
      this.#type === "string" || this.#type === "date" || (this.#type === "integer" && canonical.length - TEXT_HEAD === end - start);
    const written = isSame ? 0 : end - start;
    const from = this.#filled;
    const to = from + written + canonical.length;
    if (to > this.#bytes.length) this.#bytes = widened(this.#bytes, Buffer.alloc(Math.max(to, this.#bytes.length * 2)));
    bytes.copy(this.#bytes, from, start, start + written);
    this.#bytes.set(canonical, from + written);
    const [cellFrom, cellTo] = isSame ? [from + TEXT_HEAD, to] : [from, from + written];
    this.#spelled.set([this.#hash, code, cellFrom, cellTo, from + written, to], spelling * SPELLED);
    this.#filled = to;
    place(this.#table, this.#hash, spelling);
  }

  #widenValues(size: number): void {
    this.#numbers = widened(this.#numbers, new Float64Array(size));
    this.#highs = widened(this.#highs, new Int32Array(size));
    this.#lows = widened(this.#lows, new Int32Array(size));
    this.#firsts = widened(this.#firsts, new Int32Array(size));
  }

  #widenSpellings(size: number): void {
    this.#spelled = widened(this.#spelled, new Int32Array(size * SPELLED));
    this.#table = new Int32Array(size * 2);
    for (let spelling = 0; spelling < size / 2; spelling++) place(this.#table, this.#spelled[spelling * SPELLED] ?? 0, spelling);
  }
}

function place(table: Int32Array, hash: number, spelling: number): void {
  const mask = table.length - 1;
  let slot = hash & mask;
  while (table[slot] !== 0) slot = (slot + 1) & mask;
  table[slot] = spelling + 1;
}

function widened<T extends Buffer | Int32Array | Float64Array>(old: T, wider: T): T {
  wider.set(old);
  return wider;
}

/** Four bytes a step, stirred. */
function hashOf(bytes: DataView, start: number, end: number): number {
  let hash = end - start;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    hash = Math.imul(hash ^ bytes.getInt32(at, true), 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  for (; at < end; at++) hash = Math.imul(hash ^ bytes.getUint8(at), 0x85ebca6b);
  hash ^= hash >>> 13;
  return Math.imul(hash, 0xc2b2ae35) ^ (hash >>> 16);
}
