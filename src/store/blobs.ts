/**
 * A folder of immutable bytes, each named by their SHA-256. No text of a user's ever becomes part of a path.
 *
 * A blob lies whole under its hash; or, where it was staged and is larger than 8 MiB, as a recipe of chunks, which lie compressed in packs.
 * A recipe is there or not, so a blob is: packs come first and are swept when no recipe names them.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readFile, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { assert, type BlobId } from "../std.ts";
import { compact, type PackStore } from "./compaction.ts";
import { sha256Hex } from "./content.ts";
import { PackReader } from "./packs.ts";
import { parseRecipe, recipeBytes, type Recipe } from "./recipe.ts";
import type { Ids } from "./runtime.ts";
import { BlobStaging, type StagedBlob } from "./staging.ts";
import { noteUnfinished, unfinishedIn, type UnfinishedBlobs } from "./unfinished.ts";

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

type Form = { readonly kind: "whole"; readonly bytes: number } | { readonly kind: "chunked"; readonly recipe: Recipe };

export class Blobs {
  readonly folder: string;
  readonly #ids: Pick<Ids, "next">;
  /** Blobs that were read whole, and found right, before slices of them were asked for. */
  readonly #sound = new Set<BlobId>();
  #turn: Promise<void> = Promise.resolve();

  /** @param ids - texts of at most 36 letters, digits, `-` and `_` that nobody else gives out for this folder */
  constructor(folder: string, ids: Pick<Ids, "next">) {
    this.folder = folder;
    this.#ids = ids;
  }

  /** Stores bytes; returns once they survive a power cut. Storing the same bytes again changes nothing. */
  async put(bytes: Uint8Array): Promise<BlobId> {
    const id = `sha256:${sha256Hex(bytes)}` as BlobId;
    if (await exists(this.path(id))) return id;
    const temporary = await this.#temporary();
    const file = await open(temporary, "wx");
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await this.#moveIn(temporary, this.path(id));
    return id;
  }

  /** Stores a file of any size in one piece, so that `path` has it, while hashing it once. */
  async putFile(path: string): Promise<{ readonly id: BlobId; readonly bytes: number }> {
    return this.#putWhole(createReadStream(path, { highWaterMark: 1 << 20 }));
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
   * the hash is right: whoever has all the bytes that were announced has the right ones. A chunk is right before it is given.
   * @throws BlobError at once where there is none, in place of a piece where they are no longer those that were put in
   */
  async read(id: BlobId): Promise<{ readonly bytes: number; readonly pieces: AsyncIterable<Buffer> }> {
    const form = await this.#form(id);
    if (form.kind === "whole") return { bytes: form.bytes, pieces: verified(this.path(id), id) };
    return { bytes: form.recipe.bytes, pieces: this.#chunks(id, form.recipe, { from: 0, to: form.recipe.bytes }) };
  }

  /** @throws BlobError where there is none */
  async size(id: BlobId): Promise<number> {
    const form = await this.#form(id);
    return form.kind === "whole" ? form.bytes : form.recipe.bytes;
  }

  /**
   * Bytes from `from` up to `to`, verified: by chunks, or, where a blob lies whole, all of it before its first slice.
   * @throws BlobError
   */
  async slice(id: BlobId, from: number, to: number): Promise<Buffer> {
    const form = await this.#form(id);
    if (form.kind === "chunked") {
      const pieces: Buffer[] = [];
      for await (const piece of this.#chunks(id, form.recipe, { from, to })) pieces.push(piece);
      return Buffer.concat(pieces);
    }
    if (!this.#sound.has(id)) {
      for await (const _piece of verified(this.path(id), id));
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

  /** Reads all of a blob. @throws BlobError where a bit of it isn't what it was */
  async verify(id: BlobId): Promise<void> {
    const hash = createHash("sha256");
    for await (const piece of (await this.read(id)).pieces) hash.update(piece);
    if (`sha256:${hash.digest("hex")}` !== id) throw new BlobError("corrupt", id);
  }

  async has(id: BlobId): Promise<boolean> {
    return (await exists(this.path(id))) || (await exists(this.#recipePath(id)));
  }

  /** Where the blob lies whole, for a process that reads it itself. It may not exist, or lie in chunks: then `whole` makes the file. */
  path(id: BlobId): string {
    return join(this.folder, ...fanOut(id));
  }

  /** The blob as one file, made from its chunks where it lies in some. @throws BlobError */
  async whole(id: BlobId): Promise<string> {
    const form = await this.#form(id);
    if (form.kind === "chunked") {
      const made = await this.#putWhole(this.#chunks(id, form.recipe, { from: 0, to: form.recipe.bytes }));
      if (made.id !== id) throw new BlobError("corrupt", id);
    }
    return this.path(id);
  }

  /** Of a file of the caller's that is gone after the next start at the latest. Its folder is there once something was staged. */
  temporaryPath(): string {
    return join(this.folder, "tmp", this.#ids.next());
  }

  /** Removes what somebody was writing under names that begin so, and who was ended while doing it. */
  async dropTemporaries(begin: string): Promise<void> {
    const folder = join(this.folder, "tmp");
    const names = await readdir(folder).catch((error: unknown) => {
      if (isNotFound(error)) return [];
      throw error;
    });
    for (const name of names) if (name.startsWith(begin)) await rm(join(folder, name), { force: true });
  }

  /** Begins a blob that is written piece by piece. Nothing of it is there before `commit`. */
  staging(bases: readonly Recipe[] = []): BlobStaging {
    return new BlobStaging({ folder: this.folder, freshName: () => this.#ids.next(), bases });
  }

  /** Of a blob that lies in chunks; undefined for all others. */
  async recipe(id: BlobId): Promise<Recipe | undefined> {
    if (!(await this.has(id))) return undefined;
    const form = await this.#form(id);
    return form.kind === "chunked" ? form.recipe : undefined;
  }

  /** Makes staged bytes a blob; returns once it survives a power cut. @returns whether it is new */
  commit(staged: StagedBlob): Promise<boolean> {
    return this.#alone(() => this.#commit(staged));
  }

  async #commit(staged: StagedBlob): Promise<boolean> {
    if (await this.has(staged.id)) {
      await this.discard(staged);
      return false;
    }
    for (const { name, temporary } of staged.packs) await this.#moveIn(temporary, this.#packPath(name));
    await this.#moveIn(staged.temporary, staged.isChunked ? this.#recipePath(staged.id) : this.path(staged.id));
    if (staged.isChunked) await this.#requirePacks(staged.id);
    return true;
  }

  /** Notes that these blobs are about to be committed; `end` once what refers to them is stored. Those that are there already aren't noted. */
  async beginning(ids: readonly BlobId[]): Promise<{ end(): Promise<void> }> {
    const fresh: BlobId[] = [];
    for (const id of ids) if (!(await this.has(id))) fresh.push(id);
    return noteUnfinished(join(this.folder, "unfinished"), this.#ids.next(), fresh);
  }

  /** What a process that ended meanwhile had begun. */
  unfinished(): Promise<readonly UnfinishedBlobs[]> {
    return unfinishedIn(join(this.folder, "unfinished"), parseBlobId);
  }

  /** Writes a blob's chunks anew, into packs that hold no other's, and keeps its id. One that lies whole stays where it is. */
  async repack(id: BlobId): Promise<void> {
    const recipe = await this.recipe(id);
    if (!recipe) return;
    const staging = this.staging();
    try {
      for await (const piece of this.#chunks(id, recipe, { from: 0, to: recipe.bytes })) staging.write(piece);
    } catch (error) {
      staging.abandon();
      throw error;
    }
    const staged = staging.finish();
    await this.#alone(async () => {
      for (const { name, temporary } of staged.packs) await this.#moveIn(temporary, this.#packPath(name));
      await this.#moveIn(staged.temporary, this.#recipePath(id));
    });
  }

  async discard(staged: StagedBlob): Promise<void> {
    for (const path of [staged.temporary, ...staged.packs.map(({ temporary }) => temporary)]) await rm(path, { force: true });
  }

  /** Takes a blob away; its chunks stay until `sweep`. The caller knows that nothing refers to it. */
  async remove(id: BlobId): Promise<void> {
    this.#sound.delete(id);
    await rm(this.#recipePath(id), { force: true });
    await rm(this.path(id), { force: true });
  }

  /** One after the other: a sweep must not see packs whose recipe is about to come. Other processes' packs are kept safe by their age. */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#turn;
    let end = () => undefined as void;
    this.#turn = new Promise((resolve) => (end = () => resolve()));
    await before;
    try {
      return await work();
    } finally {
      end();
    }
  }

  /**
   * Removes packs of which no recipe needs a chunk any more. Young ones stay: their recipe may be about to come.
   * @returns how many bytes that made free, or would make
   */
  sweep(asked: { readonly olderThanMs: number; readonly nowMs: number; readonly isTrial?: boolean }): Promise<number> {
    return this.#alone(() => this.#sweep(asked));
  }

  async #sweep({
    olderThanMs,
    nowMs,
    isTrial = false,
  }: {
    readonly olderThanMs: number;
    readonly nowMs: number;
    readonly isTrial?: boolean;
  }): Promise<number> {
    const needed = new Set<string>();
    for await (const path of filesWithin(join(this.folder, "chunked"))) {
      const recipe = parseRecipe(await readFile(path));
      // A recipe that can't be read names packs that nobody knows: none may go before it is restored or removed.
      if (!recipe) return 0;
      for (const pack of recipe.packs) needed.add(pack);
    }
    let bytes = 0;
    for await (const path of filesWithin(join(this.folder, "packs"))) {
      const { size, mtimeMs } = await stat(path);
      const isYoung = olderThanMs > 0 && mtimeMs > nowMs - olderThanMs;
      if (needed.has(path.slice(path.lastIndexOf("/") + 1)) || isYoung) continue;
      bytes += size;
      if (!isTrial) await rm(path, { force: true });
    }
    return bytes;
  }

  /**
   * Writes packs anew of which less than half is needed: see `compaction.ts`. The old ones are what a `sweep` removes an hour later.
   * @returns how many bytes are free then, or would be
   */
  compact(asked: { readonly olderThanMs: number; readonly nowMs: number; readonly isTrial: boolean }): Promise<number> {
    const store: PackStore = {
      packs: () => filesWithin(join(this.folder, "packs")),
      recipes: () => filesWithin(join(this.folder, "chunked")),
      newPack: async () => ({ name: this.#ids.next(), temporary: await this.#temporary() }),
      keep: ({ name, temporary }) => this.#moveIn(temporary, this.#packPath(name)),
      replace: async (path, recipe) => {
        const temporary = await this.#temporary();
        await writeFile(temporary, recipeBytes(recipe), { mode: 0o600, flush: true });
        await this.#moveIn(temporary, path);
      },
      alone: (work) => this.#alone(work),
    };
    return compact(store, asked);
  }

  async #putWhole(pieces: AsyncIterable<Uint8Array>): Promise<{ readonly id: BlobId; readonly bytes: number }> {
    const temporary = await this.#temporary();
    const file = await open(temporary, "wx");
    const hash = createHash("sha256");
    let bytes = 0;
    try {
      for await (const piece of pieces) {
        hash.update(piece);
        bytes += piece.length;
        await file.write(piece);
      }
      await file.sync();
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    } finally {
      await file.close();
    }
    const id = `sha256:${hash.digest("hex")}` as BlobId;
    if (await exists(this.path(id))) await rm(temporary, { force: true });
    else await this.#moveIn(temporary, this.path(id));
    return { id, bytes };
  }

  async #form(id: BlobId): Promise<Form> {
    try {
      return { kind: "whole", bytes: (await stat(this.path(id))).size };
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    try {
      const recipe = parseRecipe(await readFile(this.#recipePath(id)));
      if (!recipe) throw new BlobError("corrupt", id);
      return { kind: "chunked", recipe };
    } catch (error) {
      if (isNotFound(error)) throw new BlobError("missing", id);
      throw error;
    }
  }

  async *#chunks(id: BlobId, recipe: Recipe, { from, to }: { readonly from: number; readonly to: number }): AsyncGenerator<Buffer> {
    const reader = new PackReader(recipe, (pack) => this.#packPath(pack));
    let at = 0;
    try {
      for (const chunk of recipe.chunks) {
        const start = at;
        at += chunk.bytes;
        if (at <= from || start >= to) continue;
        const bytes = await reader.read(chunk);
        if (!bytes) throw new BlobError("corrupt", id);
        yield bytes.subarray(Math.max(0, from - start), Math.min(chunk.bytes, to - start));
      }
    } finally {
      await reader.close();
    }
  }

  /** A blob that this one shares chunks with may have been taken away, and its packs swept, before this one's recipe was there. */
  async #requirePacks(id: BlobId): Promise<void> {
    const form = await this.#form(id);
    if (form.kind === "whole") return;
    for (const pack of form.recipe.packs) {
      if (await exists(this.#packPath(pack))) continue;
      await rm(this.#recipePath(id), { force: true });
      throw new BlobError("missing", id);
    }
  }

  #recipePath(id: BlobId): string {
    return join(this.folder, "chunked", ...fanOut(id));
  }

  #packPath(name: string): string {
    assert(/^[\w-]{1,36}$/.test(name), "packs are named by ids");
    return join(this.folder, "packs", name.slice(-2), name);
  }

  async #temporary(): Promise<string> {
    const folder = join(this.folder, "tmp");
    await mkdir(folder, { recursive: true });
    return join(folder, this.#ids.next());
  }

  /** The rename is durable once the folders above are synced, down from the store's own. */
  async #moveIn(temporary: string, target: string): Promise<void> {
    const folder = join(target, "..");
    await mkdir(folder, { recursive: true });
    await rename(temporary, target);
    for (let each = folder; each.length >= this.folder.length; each = join(each, "..")) {
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

function fanOut(id: BlobId): readonly [string, string, string] {
  const hex = id.slice("sha256:".length);
  return [hex.slice(0, 2), hex.slice(2, 4), hex];
}

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

async function* filesWithin(folder: string): AsyncGenerator<string> {
  let entries;
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (isNotFound(error)) return;
    throw error;
  }
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesWithin(path);
    else yield path;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
