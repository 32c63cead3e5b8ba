/** A folder of immutable files, each named by the SHA-256 of its bytes. No text of a user's ever becomes part of a path. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { BlobId } from "../std.ts";
import { sha256Hex } from "./content.ts";
import type { Ids } from "./runtime.ts";

/** Thrown for an id that the store doesn't have, or whose bytes are no longer those that were put in. */
export class BlobError extends Error {
  override readonly name = "BlobError";
  readonly kind: "missing" | "corrupt";
  readonly id: BlobId;
  constructor(kind: "missing" | "corrupt", id: BlobId) {
    super(
      kind === "missing"
        ? `blob ${id} is not in the store`
        : `blob ${id} no longer has the bytes that were stored: restore it from a backup`,
    );
    this.kind = kind;
    this.id = id;
  }
}

/** Parses `sha256:<64 hex>`; anything else is undefined. */
export function parseBlobId(text: string): BlobId | undefined {
  return /^sha256:[0-9a-f]{64}$/.test(text) ? (text as BlobId) : undefined;
}

export class Blobs {
  readonly #folder: string;
  readonly #ids: Ids;
  /** Blobs that were read whole, and found right, before slices of them were asked for. */
  readonly #sound = new Set<BlobId>();

  constructor(folder: string, ids: Ids) {
    this.#folder = folder;
    this.#ids = ids;
  }

  /** Stores bytes; returns once they survive a power cut. Storing the same bytes again changes nothing. */
  async put(bytes: Uint8Array): Promise<BlobId> {
    const id = `sha256:${sha256Hex(bytes)}` as BlobId;
    if (await this.has(id)) return id;
    const temporary = await this.#temporary();
    const file = await open(temporary, "wx");
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await this.#moveIn(temporary, id);
    return id;
  }

  /** Stores a file of any size while hashing it once. */
  async putFile(path: string): Promise<{ readonly id: BlobId; readonly bytes: number }> {
    const temporary = await this.#temporary();
    const file = await open(temporary, "wx");
    const hash = createHash("sha256");
    let bytes = 0;
    try {
      for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
        hash.update(chunk);
        bytes += chunk.length;
        await file.write(chunk);
      }
      await file.sync();
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    } finally {
      await file.close();
    }
    const id = `sha256:${hash.digest("hex")}` as BlobId;
    if (await this.has(id)) await rm(temporary, { force: true });
    else await this.#moveIn(temporary, id);
    return { id, bytes };
  }

  /** The bytes of a blob, verified against its id. @throws BlobError */
  async get(id: BlobId): Promise<Buffer> {
    const { bytes, pieces } = await this.read(id);
    const whole = Buffer.allocUnsafe(bytes);
    let at = 0;
    for await (const piece of pieces) at += piece.copy(whole, at);
    return whole;
  }

  /**
   * The bytes of a blob in pieces, each hashed as it is read, so that a large one keeps nobody waiting. The last piece comes only once
   * the hash is right: whoever has all the bytes that were announced has the right ones.
   * @throws BlobError at once where there is none, in place of the last piece where they are no longer those that were put in
   */
  async read(id: BlobId): Promise<{ readonly bytes: number; readonly pieces: AsyncIterable<Buffer> }> {
    try {
      return { bytes: (await stat(this.path(id))).size, pieces: verified(this.path(id), id) };
    } catch (error) {
      if (isNotFound(error)) throw new BlobError("missing", id);
      throw error;
    }
  }

  /** @throws BlobError where there is none */
  async size(id: BlobId): Promise<number> {
    return (await this.read(id)).bytes;
  }

  /**
   * Bytes from `from` up to `to`, verified: the first slice of a blob makes sure of all its bytes.
   * @throws BlobError
   */
  async slice(id: BlobId, from: number, to: number): Promise<Buffer> {
    if (!this.#sound.has(id)) {
      for await (const _piece of (await this.read(id)).pieces);
      if (this.#sound.size >= SOUND_MAX) this.#sound.clear();
      this.#sound.add(id);
    }
    const file = await open(this.path(id), "r");
    try {
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(to - from), 0, to - from, from);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  }

  async has(id: BlobId): Promise<boolean> {
    try {
      await stat(this.path(id));
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  /** Where the blob lies, for a process that reads it itself. It may not exist. */
  path(id: BlobId): string {
    const hex = id.slice("sha256:".length);
    return join(this.#folder, hex.slice(0, 2), hex.slice(2, 4), hex);
  }

  async #temporary(): Promise<string> {
    const folder = join(this.#folder, "tmp");
    await mkdir(folder, { recursive: true });
    return join(folder, this.#ids.next());
  }

  /** The rename is durable once its folder is synced. */
  async #moveIn(temporary: string, id: BlobId): Promise<void> {
    const target = this.path(id);
    const folder = join(target, "..");
    await mkdir(folder, { recursive: true });
    await rename(temporary, target);
    for (const each of [folder, join(folder, ".."), this.#folder]) {
      const handle = await open(each, "r");
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    }
  }
}

const SOUND_MAX = 1000;
/** Some tenths of a millisecond's hashing. */
const PIECE_BYTES = 256 * 1024;

async function* verified(path: string, id: BlobId): AsyncGenerator<Buffer> {
  const hash = createHash("sha256");
  let held: Buffer | undefined;
  const file: AsyncIterable<Buffer> = createReadStream(path, { highWaterMark: PIECE_BYTES });
  for await (const piece of file) {
    hash.update(piece);
    if (held) yield held;
    held = piece;
  }
  if (`sha256:${hash.digest("hex")}` !== id) throw new BlobError("corrupt", id);
  if (held) yield held;
}

function isNotFound(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
