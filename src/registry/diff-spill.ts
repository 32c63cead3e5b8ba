/**
 * Rows of one table, sorted into 256 parts by the hash of their key: rows of two tables that belong together are in parts of the same
 * number, so that a comparison holds one part of each and never a whole table. Small tables stay in memory, larger ones go to a file.
 */
import { closeSync, mkdirSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { HASH_BYTES } from "./row-hash.ts";

export const PARTS = 256;

/** Where things are in a record, in words of four bytes. A record is a whole number of words long. */
export const RECORD = { key: 0, row: 4, cell: 8, label: 9, bytes: 10, head: 11 } as const;

const CHUNK_MIN = 1024;
const CHUNK_MAX = 64 * 1024;
/** Of full chunks, before the first goes to disk. */
const MEMORY_BYTES = 64 * 1024 * 1024;

export interface SpilledRow {
  readonly keyHash: Buffer;
  readonly rowHash: Buffer;
  /** Number of its combination of groups. */
  readonly cell: number;
  /** Number of its label from 1; 0 for none. */
  readonly label: number;
  readonly bytes: Uint8Array;
}

export interface Part {
  readonly bytes: Buffer;
  /** The same memory. */
  readonly words: Uint32Array;
}

interface PartWriter {
  readonly full: Buffer[];
  chunk: Buffer;
  used: number;
  /** Places and lengths in the file, in turn. */
  readonly extents: number[];
  size: number;
}

/** Where rows that don't fit in memory go; the name is one that nobody else uses. */
export interface SpillSpace {
  readonly folder: string;
  readonly name: string;
  readonly memoryBytes?: number;
}

export class RowSpill {
  readonly #parts: readonly PartWriter[];
  readonly #path: string;
  readonly #folder: string;
  readonly #memoryBytes: number;
  #held = 0;
  #file: number | null = null;
  #end = 0;

  constructor({ folder, name, memoryBytes = MEMORY_BYTES }: SpillSpace) {
    this.#folder = folder;
    this.#path = join(folder, name);
    this.#memoryBytes = memoryBytes;
    this.#parts = Array.from({ length: PARTS }, () => ({ full: [], chunk: Buffer.alloc(0), used: 0, extents: [], size: 0 }));
  }

  add({ keyHash, rowHash, cell, label, bytes }: SpilledRow): void {
    const part = this.#parts[keyHash[0] ?? 0];
    if (!part) return;
    const length = RECORD.head * 4 + Math.ceil(bytes.length / 4) * 4;
    if (part.chunk.length - part.used < length) this.#renew(part, length);
    const { chunk, used: at } = part;
    keyHash.copy(chunk, at, 0, HASH_BYTES);
    rowHash.copy(chunk, at + RECORD.row * 4, 0, HASH_BYTES);
    chunk.writeUInt32LE(cell, at + RECORD.cell * 4);
    chunk.writeUInt32LE(label, at + RECORD.label * 4);
    chunk.writeUInt32LE(bytes.length, at + RECORD.bytes * 4);
    chunk.set(bytes, at + RECORD.head * 4);
    part.used += length;
    part.size += length;
  }

  part(number: number): Part {
    const part = this.#parts[number];
    const bytes = Buffer.allocUnsafeSlow(part?.size ?? 0);
    let at = 0;
    for (let i = 0; part && i < part.extents.length; i += 2) {
      const [place = 0, length = 0] = [part.extents[i], part.extents[i + 1]];
      for (let done = 0; done < length;) {
        const read = readSync(this.#file ?? -1, bytes, at + done, length - done, place + done);
        if (read === 0) throw new Error(`${this.#path} was cut short while it was in use`);
        done += read;
      }
      at += length;
    }
    for (const chunk of part?.full ?? []) at += chunk.copy(bytes, at);
    part?.chunk.copy(bytes, at, 0, part.used);
    return { bytes, words: new Uint32Array(bytes.buffer, 0, bytes.length / 4) };
  }

  close(): void {
    if (this.#file === null) return;
    closeSync(this.#file);
    this.#file = null;
  }

  #renew(part: PartWriter, length: number): void {
    if (part.used > 0) {
      part.full.push(part.chunk.subarray(0, part.used));
      this.#held += part.used;
    }
    const isSpilling = this.#file !== null || this.#held > this.#memoryBytes;
    if (isSpilling && this.#file === null) {
      for (const each of this.#parts) this.#write(each);
      this.#held = 0;
    } else if (isSpilling) this.#write(part);
    part.chunk = Buffer.allocUnsafeSlow(Math.max(length, Math.min(CHUNK_MAX, Math.max(CHUNK_MIN, part.chunk.length * 2))));
    part.used = 0;
  }

  #write(part: PartWriter): void {
    if (this.#file === null) {
      mkdirSync(this.#folder, { recursive: true });
      this.#file = openSync(this.#path, "wx+", 0o600);
      // Open, it can be used on without its name; so nothing of people's data stays behind, however this process ends.
      rmSync(this.#path, { force: true });
    }
    for (const chunk of part.full) {
      for (let done = 0; done < chunk.length;) done += writeSync(this.#file, chunk, done, chunk.length - done, this.#end + done);
      part.extents.push(this.#end, chunk.length);
      this.#end += chunk.length;
    }
    part.full.length = 0;
  }
}
