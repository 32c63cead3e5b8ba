/**
 * Packs of which little is needed any more, since versions that shared them are gone: what is needed moves into new packs, and recipes say
 * where it is now. A recipe is replaced as a whole, so whoever reads a blob meanwhile finds either place. The old packs stay an hour.
 */
import { hash } from "node:crypto";
import { open, readFile, stat, utimes } from "node:fs/promises";
import { basename } from "node:path";
import { zstdDecompressSync } from "node:zlib";
import type { StagedPack } from "./packs.ts";
import { parseRecipe, type ChunkPlace, type Recipe } from "./recipe.ts";

/** What compaction needs of the store that it tidies. */
export interface PackStore {
  packs(): AsyncIterable<string>;
  recipes(): AsyncIterable<string>;
  newPack(): Promise<StagedPack>;
  /** Makes a written pack one of the store's; returns once it survives a power cut. */
  keep(pack: StagedPack): Promise<void>;
  /** The same for a recipe in the place of the one at `path`. */
  replace(path: string, recipe: Recipe): Promise<void>;
  /** Nothing is committed meanwhile. */
  alone<T>(work: () => Promise<T>): Promise<T>;
}

interface Moved {
  readonly pack: string;
  readonly at: number;
}
/** New places, by old pack and old place. */
type Moves = Map<string, Map<number, Moved>>;
type Needed = Map<string, Map<number, ChunkPlace>>;

/** With less than half of it needed, a pack is worth writing anew. */
const WORTH_KEEPING = 0.5;
/** Whose chunks are in memory at once: 1,000 packs are some 64 GB, and a few million chunks. */
const PACKS_AT_ONCE = 1000;
const NEW_PACK_BYTES = 64 * 1024 * 1024;

/** @returns how many bytes are free once the old packs are gone */
export async function compact(
  store: PackStore,
  { olderThanMs, nowMs, isTrial }: { readonly olderThanMs: number; readonly nowMs: number; readonly isTrial: boolean },
): Promise<number> {
  const settled: { readonly path: string; readonly name: string; readonly bytes: number }[] = [];
  for await (const path of store.packs()) {
    const { size, mtimeMs } = await stat(path);
    if (mtimeMs <= nowMs - olderThanMs) settled.push({ path, name: basename(path), bytes: size });
  }
  let freed = 0;
  for (let from = 0; from < settled.length; from += PACKS_AT_ONCE) {
    const some = settled.slice(from, from + PACKS_AT_ONCE);
    const needed = await neededOf(store, new Set(some.map(({ name }) => name)));
    const wasteful = some.flatMap(({ path, name, bytes }) => {
      const chunks = needed?.get(name);
      if (!chunks) return []; // none of it is needed: then it goes whole
      const live = [...chunks.values()].reduce((sum, { storedBytes }) => sum + storedBytes, 0);
      return live < bytes * WORTH_KEEPING ? [{ path, name, chunks, waste: bytes - live }] : [];
    });
    if (isTrial) freed += wasteful.reduce((sum, { waste }) => sum + waste, 0);
    else freed += await moved(store, wasteful, nowMs);
  }
  return freed;
}

/** What recipes need of some packs; undefined where a recipe can't be read, since nobody knows then what it needs. */
async function neededOf(store: PackStore, packs: ReadonlySet<string>): Promise<Needed | undefined> {
  const needed: Needed = new Map();
  for await (const path of store.recipes()) {
    const recipe = parseRecipe(await readFile(path));
    if (!recipe) return undefined;
    for (const chunk of recipe.chunks) {
      const name = recipe.packs[chunk.pack] ?? "";
      if (!packs.has(name)) continue;
      const chunks = needed.get(name) ?? new Map<number, ChunkPlace>();
      needed.set(name, chunks.set(chunk.at, chunk));
    }
  }
  return needed;
}

interface Wasteful {
  readonly path: string;
  readonly name: string;
  readonly chunks: ReadonlyMap<number, ChunkPlace>;
  readonly waste: number;
}

async function moved(store: PackStore, wasteful: readonly Wasteful[], nowMs: number): Promise<number> {
  if (wasteful.length === 0) return 0;
  const moves: Moves = new Map();
  const writer = new NewPacks(store);
  const done: Wasteful[] = [];
  for (const pack of wasteful) {
    const places = await copied(pack, writer);
    if (!places) continue; // broken: `verify` tells of it, and nothing more of it is to be lost
    moves.set(pack.name, places);
    done.push(pack);
  }
  await writer.finish();
  for await (const path of store.recipes()) {
    await store.alone(async () => {
      const recipe = parseRecipe(await readFile(path).catch(() => Buffer.alloc(0))); // removed meanwhile, perhaps
      const next = recipe && withMoves(recipe, moves);
      if (next) await store.replace(path, next);
    });
  }
  // From now on they are young: whoever reads by an old recipe, or is about to commit one that shares them, has an hour.
  const now = new Date(nowMs);
  for (const { path } of done) await utimes(path, now, now);
  return done.reduce((sum, { waste }) => sum + waste, 0);
}

/** Every needed chunk of a pack, verified; undefined where one isn't what it was. */
async function copied({ path, chunks }: Wasteful, writer: NewPacks): Promise<Map<number, Moved> | undefined> {
  const places = new Map<number, Moved>();
  const file = await open(path, "r");
  try {
    for (const chunk of [...chunks.values()].toSorted((a, b) => a.at - b.at)) {
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(chunk.storedBytes), 0, chunk.storedBytes, chunk.at);
      if (bytesRead !== chunk.storedBytes || !isSound(buffer, chunk)) return undefined;
      places.set(chunk.at, await writer.add(buffer));
    }
    return places;
  } finally {
    await file.close();
  }
}

function isSound(stored: Buffer, chunk: ChunkPlace): boolean {
  try {
    const bytes = chunk.storedBytes < chunk.bytes ? zstdDecompressSync(stored, { maxOutputLength: chunk.bytes }) : stored;
    return hash("sha256", bytes, "binary") === chunk.hash;
  } catch {
    return false;
  }
}

/** The recipe with new places; undefined where it needs none, or one of which nobody knew when chunks were moved. */
export function withMoves(recipe: Recipe, moves: ReadonlyMap<string, ReadonlyMap<number, Moved>>): Recipe | undefined {
  if (!recipe.packs.some((name) => moves.has(name))) return undefined;
  const packs: string[] = [];
  const numbers = new Map<string, number>();
  const numberOf = (name: string) => {
    const known = numbers.get(name) ?? packs.push(name) - 1;
    numbers.set(name, known);
    return known;
  };
  const chunks: ChunkPlace[] = [];
  for (const chunk of recipe.chunks) {
    const name = recipe.packs[chunk.pack] ?? "";
    const places = moves.get(name);
    const place = places ? places.get(chunk.at) : { pack: name, at: chunk.at };
    if (!place) return undefined;
    chunks.push({ ...chunk, pack: numberOf(place.pack), at: place.at });
  }
  return { bytes: recipe.bytes, packs, chunks };
}

/** Packs one after the other, each kept once it is full. */
class NewPacks {
  readonly #store: PackStore;
  #open: { readonly pack: StagedPack; readonly file: Awaited<ReturnType<typeof open>> } | undefined;
  #at = 0;

  constructor(store: PackStore) {
    this.#store = store;
  }

  async add(bytes: Uint8Array): Promise<Moved> {
    if (this.#at + bytes.length > NEW_PACK_BYTES) await this.finish();
    if (!this.#open) {
      const pack = await this.#store.newPack();
      this.#open = { pack, file: await open(pack.temporary, "wx", 0o600) };
      this.#at = 0;
    }
    const at = this.#at;
    await this.#open.file.write(bytes);
    this.#at += bytes.length;
    return { pack: this.#open.pack.name, at };
  }

  async finish(): Promise<void> {
    const full = this.#open;
    if (!full) return;
    this.#open = undefined;
    await full.file.sync();
    await full.file.close();
    await this.#store.keep(full.pack);
  }
}
