/** Where the bytes of a table come from: a file on disk, memory, or the blob store. Read from the beginning or in slices, as often as needed. */
import { open, stat } from "node:fs/promises";
import { setImmediate } from "node:timers/promises";
import type { Blobs } from "../store/index.ts";
import type { BlobId } from "../std.ts";

/** One file of a table. */
export interface TableFile {
  /** Its path within the folder; empty for a table that is one file. */
  readonly name: string;
  readonly bytes: number;
  /** All bytes from the beginning, each time anew. A piece is only valid until the next is asked for. From the store: verified. */
  stream(): AsyncIterable<Uint8Array>;
  /** Bytes from `from` up to `to`. From the store: verified. */
  slice(from: number, to: number): Promise<Uint8Array>;
}

/** Of a file on disk: some milliseconds' work. */
const PIECE_BYTES = 128 * 1024;
const CHUNK_BYTES = 64 * 1024;

/** @throws what Node throws for a file that isn't there */
export async function fileOnDisk(path: string, name = ""): Promise<TableFile> {
  const { size } = await stat(path);
  return {
    name,
    bytes: size,
    async *stream() {
      const file = await open(path, "r");
      try {
        // One buffer for all pieces: memory outside of the heap that comes and goes costs more than reading does.
        const buffer = Buffer.allocUnsafeSlow(PIECE_BYTES);
        for (;;) {
          const { bytesRead } = await file.read(buffer, 0, buffer.length);
          if (bytesRead === 0) return;
          yield buffer.subarray(0, bytesRead);
        }
      } finally {
        await file.close();
      }
    },
    async slice(from, to) {
      const file = await open(path, "r");
      try {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(to - from), 0, to - from, from);
        return buffer.subarray(0, bytesRead);
      } finally {
        await file.close();
      }
    },
  };
}

/** Bytes in memory, with a breath between chunks, so that a server that reads them goes on serving. */
export function bytesInMemory(bytes: Uint8Array, name = ""): TableFile {
  return {
    name,
    bytes: bytes.length,
    async *stream() {
      for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
        yield bytes.subarray(at, at + CHUNK_BYTES);
        await setImmediate();
      }
    },
    async slice(from, to) {
      return bytes.subarray(from, to);
    },
  };
}

/** A blob of the store. @throws BlobError at once where there is none, while reading where its bytes are no longer those that were stored */
export async function fileInStore(blobs: Blobs, id: BlobId, name = ""): Promise<TableFile> {
  return {
    name,
    bytes: await blobs.size(id),
    async *stream() {
      yield* (await blobs.read(id)).pieces;
    },
    slice: (from, to) => blobs.slice(id, from, to),
  };
}
