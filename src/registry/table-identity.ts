/**
 * The logical id of a table of any size: hashes of rows are put into 256 heaps by their first byte, which go to a file on the disk when they
 * are many, and each heap is sorted by itself. It is the id that `row-hash.ts` describes.
 */
import { closeSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { HASH_BYTES, RootBuilder, tableIdOf, type TableId, type TableShape } from "./row-hash.ts";

const HEAPS = 256;
/** Key hash, row hash, line (6 bytes) and file (4 bytes). */
const RECORD_BYTES = HASH_BYTES * 2 + 10;
const HEAP_RECORDS = 16;
const EMPTY = Buffer.alloc(0);
/** Records in memory at most: some 43 MB. */
const HELD_RECORDS_MAX = 1_000_000;

export interface RowPlace {
  readonly line: number;
  readonly file: number;
}

interface Heap {
  bytes: Buffer;
  count: number;
  readonly spilled: { readonly at: number; readonly bytes: number }[];
}

export class TableIdentity {
  readonly #heaps: readonly Heap[] = Array.from({ length: HEAPS }, () => ({
    bytes: EMPTY,
    count: 0,
    spilled: [],
  }));
  readonly #spillPath: string;
  #spill: { readonly file: number; at: number } | undefined;
  #held = 0;
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

  /** @param key - hash of the row's key, or of the row where there is none */
  add(key: Buffer, row: Buffer, { line, file }: RowPlace): void {
    const heap = this.#heaps[key[0] ?? 0];
    if (!heap) return;
    let at = heap.count * RECORD_BYTES;
    if (at === heap.bytes.length) heap.bytes = Buffer.concat([heap.bytes], Math.max(at * 2, RECORD_BYTES * HEAP_RECORDS));
    const { bytes } = heap;
    for (let i = 0; i < HASH_BYTES; i++) bytes[at++] = key[i] ?? 0;
    for (let i = 0; i < HASH_BYTES; i++) bytes[at++] = row[i] ?? 0;
    const highest = Math.floor(line / 2 ** 32);
    bytes[at] = highest >>> 8;
    bytes[at + 1] = highest;
    bytes[at + 2] = line >>> 24;
    bytes[at + 3] = line >>> 16;
    bytes[at + 4] = line >>> 8;
    bytes[at + 5] = line;
    bytes[at + 6] = file >>> 24;
    bytes[at + 7] = file >>> 16;
    bytes[at + 8] = file >>> 8;
    bytes[at + 9] = file;
    heap.count++;
    this.#rows++;
    if (++this.#held >= this.#heldMax) this.#spillAll();
  }

  /** @param onSameKey - told of two rows with one key, the earlier first; what it throws ends the search */
  finish(shape: Omit<TableShape, "rows">, onSameKey: ((first: RowPlace, second: RowPlace) => void) | undefined): TableId {
    const root = new RootBuilder();
    for (const heap of this.#heaps) addSorted(this.#whole(heap), root, onSameKey);
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
      const bytes = heap.count * RECORD_BYTES;
      for (let from = 0; from < bytes;) from += writeSync(this.#spill.file, heap.bytes, from, bytes - from, this.#spill.at + from);
      heap.spilled.push({ at: this.#spill.at, bytes });
      this.#spill.at += bytes;
      heap.count = 0;
    }
    this.#held = 0;
  }

  #whole(heap: Heap): Buffer {
    const held = heap.bytes.subarray(0, heap.count * RECORD_BYTES);
    const { file } = this.#spill ?? { file: -1 };
    const parts = heap.spilled.map(({ at, bytes }) => {
      const part = Buffer.allocUnsafe(bytes);
      for (let from = 0; from < bytes;) {
        const read = readSync(file, part, from, bytes - from, at + from);
        if (read === 0) throw new Error("the file of hashes is shorter than what was written");
        from += read;
      }
      return part;
    });
    return parts.length === 0 ? held : Buffer.concat([...parts, held]);
  }
}

function addSorted(bytes: Buffer, root: RootBuilder, onSameKey: ((first: RowPlace, second: RowPlace) => void) | undefined): void {
  const order = sortedPlaces(bytes, bytes.length / RECORD_BYTES);
  for (let i = 0; i < order.length; i++) {
    const at = order[i] ?? 0;
    const before = i === 0 ? -1 : (order[i - 1] ?? 0);
    if (onSameKey && before >= 0 && isSameKey(bytes, before, at)) {
      const [first, second] = [placeAt(bytes, before), placeAt(bytes, at)].toSorted((a, b) => a.file - b.file || a.line - b.line);
      if (first && second) onSameKey(first, second);
    }
    root.add(bytes, at + HASH_BYTES);
  }
}

/** Runs that start alike are short, but where rows are the same. */
const RUN_SHORT = 16;

/**
 * Where the records begin, in their order: put in place by the three bytes behind the first, which is the same in all of a heap, and compared
 * only where those are the same.
 */
function sortedPlaces(bytes: Buffer, count: number): Uint32Array {
  // Some eight times as many places as records.
  const shift = 24 - Math.min(24, Math.ceil(Math.log2(count + 1)) + 3);
  const startOf = (at: number) => (((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >> shift;
  const ends = new Uint32Array(1 << (24 - shift));
  for (let i = 0; i < count; i++) {
    const start = startOf(i * RECORD_BYTES);
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
    const start = startOf(i * RECORD_BYTES);
    const to = ends[start] ?? 0;
    order[to] = i * RECORD_BYTES;
    ends[start] = to + 1;
  }
  let from = 0;
  for (let i = 0; i < ends.length; i++) {
    const to = ends[i] ?? 0;
    if (to - from > RUN_SHORT) order.subarray(from, to).sort((a, b) => compared(bytes, a, b));
    else if (to - from > 1) sortRun(bytes, order, from, to);
    from = to;
  }
  return order;
}

function sortRun(bytes: Buffer, order: Uint32Array, from: number, to: number): void {
  for (let i = from + 1; i < to; i++) {
    const record = order[i] ?? 0;
    let at = i;
    for (; at > from; at--) {
      const before = order[at - 1] ?? 0;
      if (compared(bytes, before, record) <= 0) break;
      order[at] = before;
    }
    order[at] = record;
  }
}

function compared(bytes: Buffer, a: number, b: number): number {
  for (let i = 0; i < RECORD_BYTES; i++) {
    const difference = (bytes[a + i] ?? 0) - (bytes[b + i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function isSameKey(bytes: Buffer, a: number, b: number): boolean {
  for (let i = 0; i < HASH_BYTES; i++) if (bytes[a + i] !== bytes[b + i]) return false;
  return true;
}

const placeAt = (bytes: Buffer, at: number): RowPlace => ({
  line: bytes.readUIntBE(at + HASH_BYTES * 2, 6),
  file: bytes.readUInt32BE(at + HASH_BYTES * 2 + 6),
});
