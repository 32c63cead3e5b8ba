/**
 * Logical identity of a table: the same rows have the same id whatever the file's order, line ends or quotes.
 *
 * A cell is one byte for its type and its value (whole numbers as digits, numbers as IEEE bits with one zero and one NaN, moments as
 * microseconds, text as UTF-8); a row's hash is the first 16 bytes of the SHA-256 of its cells; the table's is the root of a tree
 * over all rows' hashes in order of (key hash, row hash), 1,024 to a node, together with its columns, key and number of rows.
 */
import { createHash, hash } from "node:crypto";
import { contentId } from "../store/index.ts";
import type { BlobId, Brand } from "../std.ts";
import { isEmpty, microsecondsOf, type Column, type ColumnType } from "./cell-types.ts";
import type { Cell } from "./csv-parser.ts";

/** Logical id of a table, `tbl:` and 64 hex digits; of a folder without one, `dir:` and 64 hex digits. */
export type TableId = Brand<string, "TableId">;

/** What a folder without a table has instead: its files are all that can be compared. */
export const folderId = (manifest: BlobId): TableId => asFolderId(manifest.replace(/^sha256:/, "dir:"));
const asFolderId = (id: string): TableId => id as TableId;

export const HASH_BYTES = 16;
/** Of 32 bits, that of the first bytes first. */
export const HASH_WORDS = HASH_BYTES / 4;
const FAN_OUT = 1024;
/** First byte of a cell. */
export const TAGS = { empty: 0, integer: 1, number: 2, boolean: 3, date: 4, timestamp: 5, string: 6 } as const satisfies Record<
  ColumnType | "empty",
  number
>;

/** Where cells are written as bytes. */
export interface RowBytes {
  /** What was added lies here; whoever writes to it asks `reserve` for room first, and moves `length`. Another one after `reserve`. */
  readonly buffer: Buffer;
  /** Of the buffer, for numbers. */
  readonly view: DataView;
  length: number;
  reserve(more: number): void;
}

/** Turns cells to bytes and those to a hash; one buffer for all rows. */
export class RowHasher implements RowBytes {
  buffer = Buffer.allocUnsafeSlow(4096);
  length = 0;
  view = new DataView(this.buffer.buffer);
  /** Of the buffer, by length: making one takes as long as hashing a short key. */
  #views: (Buffer | undefined)[] = [];

  start(): void {
    this.length = 0;
  }

  add(type: ColumnType, cell: Cell): void {
    if (isEmpty(type, cell)) {
      this.reserve(1);
      this.buffer[this.length++] = TAGS.empty;
      return;
    }
    this.reserve(16 + cell.length * 3);
    this.buffer[this.length++] = TAGS[type];
    switch (type) {
      case "number": {
        const value = Number(cell);
        this.length = this.buffer.writeDoubleBE(Number.isNaN(value) ? Number.NaN : value + 0, this.length);
        return;
      }
      case "boolean":
        this.buffer[this.length++] = cell.toLowerCase() === "true" ? 1 : 0;
        return;
      case "timestamp":
        this.length = this.buffer.writeBigInt64BE(microsecondsOf(cell) ?? 0n, this.length);
        return;
      case "integer":
      case "date":
      case "string": {
        const written = this.buffer.write(type === "integer" && cell === "-0" ? "0" : cell, this.length + 4);
        this.buffer.writeUInt32BE(written, this.length);
        this.length += 4 + written;
      }
    }
  }

  /** The cells that were added since `start`, in the one spelling of their values; overwritten by the next row. */
  get bytes(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  /** Writes the hash of what was added since `start`. */
  finish(into: Buffer, at: number): void {
    const { length } = this;
    const view = length < VIEWS ? (this.#views[length] ??= this.buffer.subarray(0, length)) : this.bytes;
    // As text it takes a third of the time that a buffer does.
    const text = hash("sha256", view, "binary");
    for (let i = 0; i < HASH_BYTES; i++) into[at + i] = text.charCodeAt(i);
  }

  reserve(more: number): void {
    if (this.length + more <= this.buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.buffer.length * 2, this.length + more));
    this.buffer.copy(larger, 0, 0, this.length);
    this.buffer = larger;
    this.view = new DataView(larger.buffer);
    this.#views = [];
  }
}

const VIEWS = 4096;

export interface TableShape {
  readonly columns: readonly Column[];
  readonly key: readonly string[] | null;
  readonly rows: number;
}

/** @param root - of the tree over the hashes of all rows */
export function tableIdOf(shape: TableShape, root: string): TableId {
  return contentId<"TableId">("tbl", {
    columns: shape.columns.map(({ name, type }) => [name, type]),
    key: shape.key,
    root,
    rows: shape.rows,
    version: 1,
  });
}

/** Takes the hashes of rows in order, and holds one node of each level at most. */
export class RootBuilder {
  readonly #leaves = Buffer.alloc(FAN_OUT * HASH_BYTES);
  readonly #view = new DataView(this.#leaves.buffer, this.#leaves.byteOffset);
  #filled = 0;
  #count = 0;
  readonly #nodes: Buffer[] = [];

  /** @param at - where in `words` the hash begins */
  add(words: Uint32Array, at: number): void {
    if (this.#filled === this.#leaves.length) this.#close();
    const to = this.#filled;
    for (let i = 0; i < HASH_WORDS; i++) this.#view.setUint32(to + 4 * i, words[at + i] ?? 0);
    this.#filled = to + HASH_BYTES;
    this.#count++;
  }

  finish(): string {
    if (this.#filled > 0 || this.#count === 0) this.#close();
    let level = Buffer.concat(this.#nodes);
    for (let height = 1; level.length > 32; height++) {
      const nodes: Buffer[] = [];
      const size = FAN_OUT * 32;
      for (let at = 0; at < level.length; at += size) nodes.push(nodeOf(height, level.subarray(at, at + size)));
      level = Buffer.concat(nodes);
    }
    return level.toString("hex");
  }

  #close(): void {
    this.#nodes.push(nodeOf(0, this.#leaves.subarray(0, this.#filled)));
    this.#filled = 0;
  }
}

/** The height in front of the children keeps a row from passing for a node. */
function nodeOf(height: number, children: Buffer): Buffer {
  return createHash("sha256").update(Uint8Array.of(height)).update(children).digest();
}
