/**
 * The logical id of a table of any size: hashes of rows are put into 256 heaps by their first byte, which go to a file on the disk when they
 * are many, and each heap is sorted by itself. It is the id that `row-hash.ts` describes.
 */
import { closeSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { HASH_BYTES, RootBuilder, tableIdOf, type TableId, type TableShape } from "./row-hash.ts";

const HEAPS = 256;
/** Key hash, row hash, line (6 bytes) and file (4 bytes). */
const RECORD_BYTES = HASH_BYTES * 2 + 10;
const HEAP_RECORDS = 128;
/** Records in memory at most: some 86 MB. */
const HELD_RECORDS_MAX = 2_000_000;

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
    bytes: Buffer.alloc(RECORD_BYTES * HEAP_RECORDS),
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
    if (at === heap.bytes.length) heap.bytes = Buffer.concat([heap.bytes], heap.bytes.length * 2);
    const { bytes } = heap;
    for (let i = 0; i < HASH_BYTES; i++) bytes[at++] = key[i] ?? 0;
    for (let i = 0; i < HASH_BYTES; i++) bytes[at++] = row[i] ?? 0;
    bytes.writeUIntBE(line, at, 6);
    bytes.writeUInt32BE(file, at + 6);
    heap.count++;
    this.#rows++;
    if (++this.#held >= this.#heldMax) this.#spillAll();
  }

  /** @param onSameKey - told of two rows with one key, the earlier first; what it throws ends the search */
  finish(shape: Omit<TableShape, "rows">, onSameKey: ((first: RowPlace, second: RowPlace) => void) | undefined): TableId {
    const root = new RootBuilder();
    for (const heap of this.#heaps) {
      const bytes = this.#whole(heap);
      const count = bytes.length / RECORD_BYTES;
      const order = sortedPlaces(bytes, count);
      for (let i = 0; i < count; i++) {
        const at = order[i] ?? 0;
        const before = order[i - 1];
        if (onSameKey && before !== undefined && bytes.compare(bytes, before, before + HASH_BYTES, at, at + HASH_BYTES) === 0) {
          const [first, second] = [placeAt(bytes, before), placeAt(bytes, at)].toSorted((a, b) => a.file - b.file || a.line - b.line);
          if (first && second) onSameKey(first, second);
        }
        root.add(bytes, at + HASH_BYTES);
      }
    }
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

/**
 * Where the records begin, in their order. Numbers that start a record and end in its place sort ten times as fast as records that are
 * compared; only those that start alike are.
 */
function sortedPlaces(bytes: Buffer, count: number): Float64Array {
  const step = 2 ** Math.ceil(Math.log2(count + 1));
  // A double has 53 bits. All records of a heap have the same first byte.
  const drop = 2 ** Math.max(0, Math.log2(step) - 21);
  const order = Float64Array.from(
    { length: count },
    (_, i) => Math.floor(bytes.readUInt32BE(i * RECORD_BYTES + 1) / drop) * step + i,
  ).sort();
  const startOf = (number: number | undefined) => Math.floor((number ?? 0) / step);
  const compare = (a: number, b: number) => bytes.compare(bytes, b, b + RECORD_BYTES, a, a + RECORD_BYTES);
  for (let from = 0; from < count;) {
    const start = startOf(order[from]);
    let to = from + 1;
    while (to < count && startOf(order[to]) === start) to++;
    const alike = order.subarray(from, to);
    for (const [i, number] of alike.entries()) alike[i] = (number - start * step) * RECORD_BYTES;
    if (alike.length > 1) alike.sort(compare);
    from = to;
  }
  return order;
}

const placeAt = (bytes: Buffer, at: number): RowPlace => ({
  line: bytes.readUIntBE(at + HASH_BYTES * 2, 6),
  file: bytes.readUInt32BE(at + HASH_BYTES * 2 + 6),
});
