/** Numbers the values of a column that has few of them, and knows a cell again by its bytes. */
import { ValueHash } from "./distinct-sketch.ts";
import type { RowBytes } from "./row-hash.ts";

/** Columns with more values have no numbers for them. */
export const VALUES_MAX = 1000;
/** One value may be written in many ways; those beyond are looked up as text each time. */
const SPELLINGS_MAX = 2 * VALUES_MAX;
/** Of all that is kept of a column's values. */
const BYTES_MAX = 256 * 1024;

export class ValueCodes {
  /** Values as people read them, in the order in which they came; a value's place is its code. */
  readonly texts: string[] = [];
  /** In a numeric column, by code. */
  readonly numbers: number[] = [];
  /** Hashes of the values, by code. */
  readonly #hasher = new ValueHash();
  readonly #highs: number[] = [];
  readonly #lows: number[] = [];
  readonly #codeOfText = new Map<string, number>();

  #spellings = 0;
  #hashes = new Int32Array(16);
  #codes = new Int32Array(16);
  /** Where in `#bytes` a spelling begins, where its canonical bytes do, and so on for the next. */
  #places = new Int32Array(33);
  #bytes = Buffer.allocUnsafe(256);
  /** Spellings by hash, from 1; 0 is a free place. */
  #table = new Int32Array(64);
  #textBytes = 0;
  /** Of the cell that was sought last. */
  #hash = 0;

  /** Which spelling a cell is; -1 where it wasn't seen before. */
  find(bytes: Buffer, start: number, end: number): number {
    const hash = hashOf(bytes, start, end);
    this.#hash = hash;
    const table = this.#table;
    const hashes = this.#hashes;
    const places = this.#places;
    const known = this.#bytes;
    const mask = table.length - 1;
    search: for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const spelling = (table[slot] ?? 0) - 1;
      if (spelling < 0) return -1;
      if (hashes[spelling] !== hash) continue;
      const from = places[spelling * 2] ?? 0;
      if ((places[spelling * 2 + 1] ?? 0) - from !== end - start) continue;
      for (let at = start, other = from; at < end; at++, other++) if (bytes[at] !== known[other]) continue search;
      return spelling;
    }
  }

  codeOf(spelling: number): number {
    return this.#codes[spelling] ?? 0;
  }

  /** Adds the cell to a row as it was added when it was seen first. */
  repeat(spelling: number, into: RowBytes): void {
    const from = this.#places[spelling * 2 + 1] ?? 0;
    const length = (this.#places[spelling * 2 + 2] ?? 0) - from;
    into.reserve(length);
    const to = into.length;
    const out = into.buffer;
    const known = this.#bytes;
    for (let i = 0; i < length; i++) out[to + i] = known[from + i] ?? 0;
    into.length = to + length;
  }

  /**
   * A spelling that `find` has just not found.
   * @param canonical - what the cell was added to its row as
   * @returns the code of its value; -1 where it would be one value, or one byte, too many
   */
  add(
    cell: { readonly bytes: Buffer; readonly start: number; readonly end: number },
    text: string,
    number: number,
    canonical: Buffer,
  ): number {
    let code = this.#codeOfText.get(text);
    if (code === undefined) {
      this.#textBytes += text.length;
      code = this.texts.length;
      if (code === VALUES_MAX || this.#textBytes > BYTES_MAX) return -1;
      this.#codeOfText.set(text, code);
      this.texts.push(text);
      this.numbers.push(number);
      this.#hasher.of(canonical, 0, canonical.length);
      this.#highs.push(this.#hasher.high);
      this.#lows.push(this.#hasher.low);
    }
    if (this.#spellings < SPELLINGS_MAX) this.#keep(cell.bytes.subarray(cell.start, cell.end), canonical, code);
    return code;
  }

  /** The hash of a value, as `ValueHash` has it of its canonical bytes. */
  hash(code: number, into: ValueHash): void {
    into.high = this.#highs[code] ?? 0;
    into.low = this.#lows[code] ?? 0;
  }

  #keep(cell: Buffer, canonical: Buffer, code: number): void {
    const spelling = this.#spellings;
    const from = this.#places[spelling * 2] ?? 0;
    const end = from + cell.length + canonical.length;
    if (end > 2 * BYTES_MAX) return;
    if (end > this.#bytes.length) this.#bytes = grown(this.#bytes, Buffer.allocUnsafe(end * 2));
    if (spelling === this.#hashes.length) this.#grow();
    this.#bytes.set(cell, from);
    this.#bytes.set(canonical, from + cell.length);
    this.#places[spelling * 2 + 1] = from + cell.length;
    this.#places[spelling * 2 + 2] = end;
    this.#hashes[spelling] = this.#hash;
    this.#codes[spelling] = code;
    this.#spellings++;
    place(this.#table, this.#hash, spelling);
  }

  #grow(): void {
    const size = this.#hashes.length * 2;
    this.#hashes = grown(this.#hashes, new Int32Array(size));
    this.#codes = grown(this.#codes, new Int32Array(size));
    this.#places = grown(this.#places, new Int32Array(size * 2 + 1));
    this.#table = new Int32Array(size * 4);
    for (let spelling = 0; spelling < this.#spellings; spelling++) place(this.#table, this.#hashes[spelling] ?? 0, spelling);
  }
}

function place(table: Int32Array, hash: number, spelling: number): void {
  const mask = table.length - 1;
  let slot = hash & mask;
  while (table[slot] !== 0) slot = (slot + 1) & mask;
  table[slot] = spelling + 1;
}

function grown<T extends Buffer | Int32Array>(old: T, larger: T): T {
  larger.set(old);
  return larger;
}

/** Four bytes a step, stirred. */
function hashOf(bytes: Buffer, start: number, end: number): number {
  let hash = end - start;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    const word = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
    hash = Math.imul(hash ^ word, 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  for (; at < end; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x85ebca6b);
  hash ^= hash >>> 13;
  return Math.imul(hash, 0xc2b2ae35) ^ (hash >>> 16);
}
