/** Chunks one after the other in files of some tens of megabytes, so that a gigabyte is stored with a few syncs and not with thousands. */
import { hash } from "node:crypto";
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type { ChunkPlace, Recipe } from "./recipe.ts";

const PACK_BYTES = 64 * 1024 * 1024;
const BUFFER_BYTES = 4 * 1024 * 1024;
/** A compressor's table of 32 KB stays in a core's nearest memory: a quarter less time, and chunks are as small as with the usual one. */
const HASH_LOG = 13;
/**
 * The fastest level: a table shrinks to a third, and higher levels gain little for much time. A compressor that knows the size needs a tenth
 * of the memory, and no longer for it than for the bytes.
 */
export const compressed = (chunk: Uint8Array): Buffer =>
  zstdCompressSync(chunk, {
    params: { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_hashLog]: HASH_LOG },
    pledgedSrcSize: chunk.length,
    chunkSize: Math.max(1024, chunk.length),
  });

/** A pack that is written and synced, and not yet where packs lie. */
export interface StagedPack {
  readonly name: string;
  readonly temporary: string;
}

/** Writes the chunks of one blob that aren't stored yet. Synchronous: it runs on a thread that has nothing else to do. */
export class PackWriter {
  readonly #newFile: () => StagedPack;
  /** Chunks that lie in packs already, by hash. */
  readonly #known: Map<string, { readonly pack: string; readonly place: ChunkPlace }>;
  readonly #packs: string[] = [];
  readonly #chunks: ChunkPlace[] = [];
  readonly #staged: StagedPack[] = [];
  readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  #buffered = 0;
  #file: number | undefined;
  #at = 0;
  #bytes = 0;

  constructor(newFile: () => StagedPack, bases: readonly Recipe[]) {
    this.#newFile = newFile;
    this.#known = new Map(
      bases.flatMap(({ packs, chunks }) => chunks.map((place) => [place.hash, { pack: packs[place.pack] ?? "", place }])),
    );
  }

  get staged(): readonly StagedPack[] {
    return this.#staged;
  }

  add(chunk: Uint8Array): void {
    const id = hash("sha256", chunk, "binary");
    this.#bytes += chunk.length;
    const known = this.#known.get(id);
    if (known) {
      this.#chunks.push({ ...known.place, pack: this.#packNumber(known.pack) });
      return;
    }
    const packed = compressed(chunk);
    const stored = packed.length < chunk.length ? packed : chunk;
    const { name, at } = this.#write(stored);
    const place: ChunkPlace = { hash: id, bytes: chunk.length, pack: this.#packNumber(name), at, storedBytes: stored.length };
    this.#chunks.push(place);
    this.#known.set(id, { pack: name, place });
  }

  /** What was added, all of it synced. */
  finish(): Recipe {
    this.#close();
    return { bytes: this.#bytes, packs: this.#packs, chunks: this.#chunks };
  }

  /** Closes what is open, for a blob that won't be. */
  abandon(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #write(bytes: Uint8Array): { readonly name: string; readonly at: number } {
    if (this.#file !== undefined && this.#at + bytes.length > PACK_BYTES) this.#close();
    if (this.#file === undefined) {
      const pack = this.#newFile();
      this.#file = openSync(pack.temporary, "wx", 0o600);
      this.#staged.push(pack);
      this.#at = 0;
    }
    if (this.#buffered + bytes.length > BUFFER_BYTES) this.#flush(this.#file);
    this.#buffer.set(bytes, this.#buffered);
    this.#buffered += bytes.length;
    const at = this.#at;
    this.#at += bytes.length;
    return { name: this.#staged.at(-1)?.name ?? "", at };
  }

  #flush(file: number): void {
    for (let from = 0; from < this.#buffered;) from += writeSync(file, this.#buffer, from, this.#buffered - from);
    this.#buffered = 0;
  }

  #close(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#flush(file);
    fsyncSync(file);
    closeSync(file);
    this.#file = undefined;
  }

  #packNumber(name: string): number {
    const known = this.#packs.lastIndexOf(name);
    return known < 0 ? this.#packs.push(name) - 1 : known;
  }
}

/** Reads chunks of one blob, each verified; keeps the pack of the last one open. */
export class PackReader {
  readonly #pathOf: (pack: string) => string;
  readonly #recipe: Recipe;
  #open: { readonly pack: number; readonly file: FileHandle } | undefined;

  constructor(recipe: Recipe, pathOf: (pack: string) => string) {
    this.#recipe = recipe;
    this.#pathOf = pathOf;
  }

  /** undefined where the stored bytes are gone, or no longer what they were. */
  async read(chunk: ChunkPlace): Promise<Buffer | undefined> {
    try {
      const file = await this.#fileOf(chunk.pack);
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(chunk.storedBytes), 0, chunk.storedBytes, chunk.at);
      if (bytesRead !== chunk.storedBytes) return undefined;
      const bytes = chunk.storedBytes < chunk.bytes ? zstdDecompressSync(buffer, { maxOutputLength: chunk.bytes }) : buffer;
      return hash("sha256", bytes, "binary") === chunk.hash ? bytes : undefined;
    } catch (error) {
      // Bytes that are no zstd any more, or a pack that isn't there.
      const code = error instanceof Error && "code" in error ? String(error.code) : "";
      if (code === "ENOENT" || code.startsWith("ZSTD_") || code === "ERR_BUFFER_TOO_LARGE") return undefined;
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#open?.file.close();
    this.#open = undefined;
  }

  async #fileOf(pack: number): Promise<FileHandle> {
    if (this.#open?.pack === pack) return this.#open.file;
    await this.close();
    const file = await open(this.#pathOf(this.#recipe.packs[pack] ?? ""), "r");
    this.#open = { pack, file };
    return file;
  }
}
