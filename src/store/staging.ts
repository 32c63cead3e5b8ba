/**
 * Bytes on their way into the blob store: written and synced under temporary names, hashed on the way, and not there until they are committed.
 * Synchronous, so that it runs on any thread; whoever needs the result to last hands it to `Blobs.commit`.
 */
import { createHash } from "node:crypto";
import { closeSync, fsyncSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { BlobId } from "../std.ts";
import { Chunker } from "./chunker.ts";
import { PackWriter, type StagedPack } from "./packs.ts";
import { recipeBytes, type Recipe } from "./recipe.ts";

/** Up to so many bytes a blob lies in one piece. */
export const WHOLE_BYTES_MAX = 8 * 1024 * 1024;

/** Plain data: it may come from another thread. */
export interface StagedBlob {
  readonly id: BlobId;
  readonly bytes: number;
  /** The file with the bytes, or with their recipe. */
  readonly temporary: string;
  readonly isChunked: boolean;
  readonly packs: readonly StagedPack[];
}

export interface StagingOptions {
  /** Of the blob store. */
  readonly folder: string;
  /** A fresh name each time. */
  readonly freshName: () => string;
  /** Recipes of blobs that share chunks with this one, an earlier version of the same table for example. */
  readonly bases?: readonly Recipe[];
}

export class BlobStaging {
  readonly #options: StagingOptions;
  readonly #hash = createHash("sha256");
  #head: Uint8Array[] = [];
  #bytes = 0;
  #packs: PackWriter | undefined;
  #chunker: Chunker | undefined;
  #temporary: string | undefined;

  constructor(options: StagingOptions) {
    this.#options = options;
  }

  /** @param piece - may be used for other bytes afterwards */
  write(piece: Uint8Array): void {
    this.#hash.update(piece);
    this.#bytes += piece.length;
    if (this.#chunker) return this.#chunker.push(piece);
    this.#head.push(Uint8Array.prototype.slice.call(piece));
    if (this.#bytes > WHOLE_BYTES_MAX) this.#beginChunks();
  }

  /** Hashed, written and synced. */
  finish(): StagedBlob {
    const digest = this.#hash.digest("hex");
    this.#chunker?.end();
    const recipe = this.#packs?.finish();
    this.#temporary = this.#fresh();
    writeSynced(this.#temporary, recipe ? [recipeBytes(recipe)] : this.#head);
    const packs = this.#packs?.staged ?? [];
    return { id: asBlobId(digest), bytes: this.#bytes, temporary: this.#temporary, isChunked: recipe !== undefined, packs };
  }

  /** Removes what was written. */
  abandon(): void {
    this.#packs?.abandon();
    const files = [...(this.#packs?.staged ?? []).map(({ temporary }) => temporary), ...(this.#temporary ? [this.#temporary] : [])];
    for (const file of files) rmSync(file, { force: true });
  }

  #beginChunks(): void {
    const newFile = () => ({ name: this.#options.freshName(), temporary: this.#fresh() });
    const packs = new PackWriter(newFile, this.#options.bases ?? []);
    this.#packs = packs;
    this.#chunker = new Chunker((chunk) => packs.add(chunk));
    for (const piece of this.#head) this.#chunker.push(piece);
    this.#head = [];
  }

  #fresh(): string {
    const folder = join(this.#options.folder, "tmp");
    mkdirSync(folder, { recursive: true });
    return join(folder, this.#options.freshName());
  }
}

/** Hex digits of a SHA-256 that was just made. */
const asBlobId = (hex: string): BlobId => `sha256:${hex}` as BlobId;

function writeSynced(path: string, pieces: readonly Uint8Array[]): void {
  const file = openSync(path, "wx", 0o600);
  try {
    for (const piece of pieces) for (let from = 0; from < piece.length;) from += writeSync(file, piece, from, piece.length - from);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
