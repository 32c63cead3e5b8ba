/**
 * The logical id of a table of any size: hashes of rows are put into 256 heaps by their first byte, which go to a file on the disk when they
 * are many, and each heap is sorted by itself. It is the id that `row-hash.ts` describes.
 */
import { closeSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { HASH_WORDS, RootBuilder, tableIdOf, type TableId, type TableShape } from "./row-hash.ts";

const HEAPS = 256;
/** Words of 32 bits: key hash, row hash, line (two) and file. */
const RECORD_WORDS = HASH_WORDS * 2 + 3;
const LINE_AT = HASH_WORDS * 2;
const HEAP_RECORDS = 16;
/** Records in memory at most: some 44 MB. */
const HELD_RECORDS_MAX = 1_000_000;

export interface RowPlace {
  readonly line: number;
  readonly file: number;
}

interface Heap {
  words: Uint32Array<ArrayBuffer>;
  count: number;
  readonly spilled: { readonly at: number; readonly bytes: number }[];
}

export class TableIdentity {
  readonly #heaps: readonly Heap[] = Array.from({ length: HEAPS }, () => ({
    words: new Uint32Array(),
    count: 0,
    spilled: [],
  }));
  readonly #spillPath: string;
  #spill: { readonly file: number; at: number } | undefined;
  #held = 0;
  /** Of a heap that was spilled. */
  #whole = new Uint32Array();
  #rows = 0;

  readonly #heldMax: number;

  /**
   * @param spillPath - of a file that doesn't exist; made only for large tables, and removed by `close`
   * @param heldMax - rows whose hashes are kept in memory
   */
  constructor(spillPath: string, heldMax = HELD_RECORDS_MAX) {
    this.#spillPath = spillPath;
    this.#heldMax = heldMax;
  }

  get rows(): number {
    return this.#rows;
  }

  /**
   * @param hashes - has both hashes of the row
   * @param keyAt - where that of its key begins, or that of the row where there is none
   */
  add(hashes: Uint32Array, keyAt: number, rowAt: number, { line, file }: RowPlace): void {
    const heap = this.#heaps[(hashes[keyAt] ?? 0) >>> 24];
    if (!heap) return;
    const at = heap.count * RECORD_WORDS;
    if (at === heap.words.length) heap.words = grown(heap.words);
    const { words } = heap;
    for (let i = 0; i < HASH_WORDS; i++) words[at + i] = hashes[keyAt + i] ?? 0;
    for (let i = 0; i < HASH_WORDS; i++) words[at + HASH_WORDS + i] = hashes[rowAt + i] ?? 0;
    words[at + LINE_AT] = line / 2 ** 32;
    words[at + LINE_AT + 1] = line;
    words[at + LINE_AT + 2] = file;
    heap.count++;
    this.#rows++;
    if (++this.#held >= this.#heldMax) this.#spillAll();
  }

  /** @param onSameKey - told of two rows with one key, the earlier first; what it throws ends the search */
  finish(shape: Omit<TableShape, "rows">, onSameKey: ((first: RowPlace, second: RowPlace) => void) | undefined): TableId {
    const root = new RootBuilder();
    for (const heap of this.#heaps) addSorted(this.#wordsOf(heap), root, onSameKey);
    return tableIdOf({ ...shape, rows: this.#rows }, root.finish());
  }

  close(): void {
    if (!this.#spill) return;
    closeSync(this.#spill.file);
    rmSync(this.#spillPath, { force: true });
    this.#spill = undefined;
  }

  #spillAll(): void {
    this.#spill ??= { file: openSync(this.#spillPath, "wx+", 0o600), at: 0 };
    for (const heap of this.#heaps) {
      const { buffer } = heap.words;
      const bytes = heap.count * RECORD_WORDS * 4;
      for (let from = 0; from < bytes;)
        from += writeSync(this.#spill.file, new Uint8Array(buffer), from, bytes - from, this.#spill.at + from);
      heap.spilled.push({ at: this.#spill.at, bytes });
      this.#spill.at += bytes;
      heap.count = 0;
    }
    this.#held = 0;
  }

  #wordsOf(heap: Heap): Uint32Array {
    const held = heap.words.subarray(0, heap.count * RECORD_WORDS);
    if (heap.spilled.length === 0) return held;
    const { file } = this.#spill ?? { file: -1 };
    const spilled = heap.spilled.reduce((sum, { bytes }) => sum + bytes, 0);
    const words = spilled / 4 + held.length;
    // One for all heaps, which are about the same.
    if (this.#whole.length < words) this.#whole = new Uint32Array(Math.ceil(words * 1.1));
    const whole = this.#whole.subarray(0, words);
    let to = 0;
    for (const { at, bytes } of heap.spilled) {
      const part = new Uint8Array(whole.buffer, to, bytes);
      for (let from = 0; from < bytes;) {
        const read = readSync(file, part, from, bytes - from, at + from);
        if (read === 0) throw new Error("the file of hashes is shorter than what was written");
        from += read;
      }
      to += bytes;
    }
    whole.set(held, to / 4);
    return whole;
  }
}

function grown(words: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(Math.max(words.length * 2, RECORD_WORDS * HEAP_RECORDS));
  larger.set(words);
  return larger;
}

function addSorted(words: Uint32Array, root: RootBuilder, onSameKey: ((first: RowPlace, second: RowPlace) => void) | undefined): void {
  const order = sortedPlaces(words, words.length / RECORD_WORDS);
  for (let i = 0; i < order.length; i++) {
    const at = order[i] ?? 0;
    const before = i === 0 ? -1 : (order[i - 1] ?? 0);
    if (onSameKey && before >= 0 && isSameKey(words, before, at)) {
      const [first, second] = [placeAt(words, before), placeAt(words, at)].toSorted((a, b) => a.file - b.file || a.line - b.line);
      if (first && second) onSameKey(first, second);
    }
    root.add(words, at + HASH_WORDS);
  }
}

/** Runs that start alike are short, but where rows are the same. */
const RUN_SHORT = 16;

/**
 * Where the records begin, in their order: put in place by the three bytes behind the first, which is the same in all of a heap, and compared
 * only where those are the same.
 */
function sortedPlaces(words: Uint32Array, count: number): Uint32Array {
  // Some two times as many places as records.
  const shift = 24 - Math.min(24, Math.ceil(Math.log2(count + 1)) + 1);
  const startOf = (at: number) => ((words[at] ?? 0) & 0xffffff) >> shift;
  const ends = new Uint32Array(1 << (24 - shift));
  for (let i = 0; i < count; i++) {
    const start = startOf(i * RECORD_WORDS);
    ends[start] = (ends[start] ?? 0) + 1;
  }
  let sum = 0;
  for (let i = 0; i < ends.length; i++) {
    const held = ends[i] ?? 0;
    ends[i] = sum;
    sum += held;
  }
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const start = startOf(i * RECORD_WORDS);
    const to = ends[start] ?? 0;
    order[to] = i * RECORD_WORDS;
    ends[start] = to + 1;
  }
  let from = 0;
  for (let i = 0; i < ends.length; i++) {
    const to = ends[i] ?? 0;
    if (to - from > RUN_SHORT) order.subarray(from, to).sort((a, b) => compared(words, a, b));
    else if (to - from > 1) sortRun(words, order, from, to);
    from = to;
  }
  return order;
}

function sortRun(words: Uint32Array, order: Uint32Array, from: number, to: number): void {
  for (let i = from + 1; i < to; i++) {
    const record = order[i] ?? 0;
    let at = i;
    for (; at > from; at--) {
      const before = order[at - 1] ?? 0;
      if (compared(words, before, record) <= 0) break;
      order[at] = before;
    }
    order[at] = record;
  }
}

function compared(words: Uint32Array, a: number, b: number): number {
  for (let i = 0; i < RECORD_WORDS; i++) {
    const difference = (words[a + i] ?? 0) - (words[b + i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function isSameKey(words: Uint32Array, a: number, b: number): boolean {
  for (let i = 0; i < HASH_WORDS; i++) if (words[a + i] !== words[b + i]) return false;
  return true;
}

const placeAt = (words: Uint32Array, at: number): RowPlace => ({
  line: (words[at + LINE_AT] ?? 0) * 2 ** 32 + (words[at + LINE_AT + 1] ?? 0),
  file: words[at + LINE_AT + 2] ?? 0,
});
