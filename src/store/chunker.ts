/**
 * Cuts bytes where their content says so, so that a file with a row more shares nearly all chunks with the one before. Gear hashing as in
 * FastCDC (Xia et al., USENIX ATC 2016): at least 16 KiB, at most 256 KiB, about 64 KiB; cuts are rarer before that and likelier after.
 */
import { createHash } from "node:crypto";

export const CHUNK_MIN = 16 * 1024;
const CHUNK_USUAL = 64 * 1024;
export const CHUNK_MAX = 256 * 1024;
/** The top bits have seen the most bytes. */
const RARE = 0xffffc000 | 0;
const LIKELY = 0xfffc0000 | 0;

/** A number for each byte, the same for ever: other numbers would cut the same file elsewhere. */
const gear = Int32Array.from({ length: 256 }, (_, byte) => createHash("sha256").update(`gear ${byte}`).digest().readInt32LE(0));

/** Where the first chunk of `bytes` from `from` ends. @pre at least `CHUNK_MAX` bytes are there, or all there are */
export function cutAfter(bytes: Uint8Array, from: number): number {
  const end = Math.min(bytes.length, from + CHUNK_MAX);
  const usual = Math.min(end, from + CHUNK_USUAL);
  let hash = 0;
  let at = Math.min(end, from + CHUNK_MIN);
  for (; at < usual; at++) {
    hash = ((hash << 1) + (gear[bytes[at] ?? 0] ?? 0)) | 0;
    if ((hash & RARE) === 0) return at + 1;
  }
  for (; at < end; at++) {
    hash = ((hash << 1) + (gear[bytes[at] ?? 0] ?? 0)) | 0;
    if ((hash & LIKELY) === 0) return at + 1;
  }
  return end;
}

/** Takes bytes in pieces of any size and gives chunks; a chunk is only valid until the next call. */
export class Chunker {
  readonly #emit: (chunk: Uint8Array) => void;
  /** One for all chunks: memory outside of the heap that comes and goes costs more than cutting does. */
  readonly #bytes = Buffer.allocUnsafeSlow(CHUNK_MAX * 4);
  #end = 0;

  constructor(emit: (chunk: Uint8Array) => void) {
    this.#emit = emit;
  }

  push(piece: Uint8Array): void {
    for (let from = 0; from < piece.length;) {
      const taken = Math.min(piece.length - from, this.#bytes.length - this.#end);
      this.#bytes.set(piece.subarray(from, from + taken), this.#end);
      this.#end += taken;
      from += taken;
      if (this.#end === this.#bytes.length) this.#cut(CHUNK_MAX);
    }
  }

  end(): void {
    this.#cut(1);
  }

  /** Gives chunks while at least so many bytes are left. */
  #cut(atLeast: number): void {
    const bytes = this.#bytes.subarray(0, this.#end);
    let from = 0;
    while (bytes.length - from >= atLeast) {
      const end = cutAfter(bytes, from);
      this.#emit(bytes.subarray(from, end));
      from = end;
    }
    this.#bytes.copyWithin(0, from, this.#end);
    this.#end -= from;
  }
}
