/** Large blobs in chunks: the same bytes come back, little changes where little changed, and no broken byte is ever given. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Blobs } from "./blobs.ts";
import { CHUNK_MAX, CHUNK_MIN, Chunker } from "./chunker.ts";
import { parseRecipe, recipeBytes, type Recipe } from "./recipe.ts";
import { simulatedRuntime } from "./runtime.ts";
import type { BlobId } from "../std.ts";

let folder: string;
let blobs: Blobs;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "evenkeel-chunks-"));
  blobs = new Blobs(folder, simulatedRuntime(1, 1_750_000_000_000).ids);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A table of its own for each seed. */
function rows(count: number, seed = 1): Buffer {
  const lines: string[] = [];
  for (let i = 0, state = seed; i < count; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    lines.push(`${i},${state},${state % 97},${(state >>> 7) % 3 ? "graduate school" : "university"}`);
  }
  return Buffer.from(lines.join("\n"));
}

async function store(bytes: Buffer, bases: readonly Recipe[] = [], pieceBytes = 1_000_003): Promise<BlobId> {
  const staging = blobs.staging(bases);
  for (let at = 0; at < bytes.length; at += pieceBytes) staging.write(bytes.subarray(at, at + pieceBytes));
  const staged = staging.finish();
  await blobs.commit(staged);
  return staged.id;
}

const filesIn = (name: string): string[] =>
  readdirSync(join(folder, name), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
const storedBytes = () => filesIn("packs").reduce((sum, path) => sum + statSync(path).size, 0);

test("cuts depend on the bytes and not on how they come, and chunks have the sizes that were promised", () => {
  const bytes = rows(60_000);
  const cut = (pieceBytes: number) => {
    const sizes: number[] = [];
    const chunker = new Chunker((chunk) => void sizes.push(chunk.length));
    for (let at = 0; at < bytes.length; at += pieceBytes) chunker.push(bytes.subarray(at, at + pieceBytes));
    chunker.end();
    return sizes;
  };
  const sizes = cut(bytes.length);
  for (const pieceBytes of [1000, 65_536, 300_001]) expect(cut(pieceBytes)).toEqual(sizes);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(bytes.length);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(CHUNK_MAX);
  expect(Math.min(...sizes.slice(0, -1))).toBeGreaterThanOrEqual(CHUNK_MIN);
});

test("a large blob comes back byte for byte, whole and in slices, and shrinks", async () => {
  const bytes = rows(400_000);
  expect(bytes.length).toBeGreaterThan(8 << 20);
  const id = await store(bytes);
  expect((await blobs.get(id)).equals(bytes)).toBe(true);
  expect(await blobs.size(id)).toBe(bytes.length);
  for (const [from, to] of [
    [0, 10],
    [70_000, 400_000],
    [bytes.length - 5, bytes.length],
  ] as const) {
    expect((await blobs.slice(id, from, to)).equals(bytes.subarray(from, to))).toBe(true);
  }
  expect(storedBytes()).toBeLessThan(bytes.length / 1.5);
  expect(await store(bytes)).toBe(id);
  expect(filesIn("tmp")).toEqual([]);
  expect(readFileSync(await blobs.whole(id)).equals(bytes)).toBe(true);
});

test("a version with a few rows more takes little more room", async () => {
  const bytes = rows(400_000);
  const id = await store(bytes);
  const before = storedBytes();
  const recipe = await blobs.recipe(id);
  const next = Buffer.concat([bytes.subarray(0, 5_000_000), Buffer.from("a row more\n"), bytes.subarray(5_000_000)]);
  const other = await store(next, recipe ? [recipe] : []);
  expect(storedBytes() - before).toBeLessThan(before / 20);
  await blobs.remove(id);
  expect((await blobs.get(other)).equals(next)).toBe(true);
});

test("a flipped bit anywhere in what is stored is found, and never given", async () => {
  const bytes = rows(300_000);
  const id = await store(bytes);
  const paths = [...filesIn("packs"), ...filesIn("chunked")];
  await fc.assert(
    fc.asyncProperty(fc.nat(paths.length - 1), fc.double({ min: 0, max: 0.999999, noNaN: true }), fc.nat(7), async (which, share, bit) => {
      const path = paths[which] ?? "";
      const sound = readFileSync(path);
      const bent = Buffer.from(sound);
      const at = Math.floor(share * bent.length);
      bent[at] = (bent[at] ?? 0) ^ (1 << bit);
      writeFileSync(path, bent);
      await expect(blobs.verify(id)).rejects.toThrow("no longer has the bytes");
      let good = 0;
      const readAll = async () => {
        for await (const piece of (await blobs.read(id)).pieces) {
          expect(piece.equals(bytes.subarray(good, good + piece.length))).toBe(true);
          good += piece.length;
        }
      };
      await expect(readAll()).rejects.toThrow("no longer has the bytes");
      writeFileSync(path, sound);
    }),
    { numRuns: 25 },
  );
  await blobs.verify(id);
});

test("packs go when no recipe needs them, and only then", async () => {
  const [one, two] = [await store(rows(300_000, 1)), await store(rows(300_000, 2))];
  const sweep = () => blobs.sweep({ olderThanMs: 0, nowMs: Date.now() + 1000 });
  expect(await sweep()).toBe(0);
  await blobs.remove(one);
  expect(await blobs.has(one)).toBe(false);
  expect(await sweep()).toBeGreaterThan(1_000_000);
  await blobs.verify(two);
});

test("packs of which little is needed are written anew, whoever reads meanwhile reads on, and the old ones go later", async () => {
  const first = rows(400_000, 1);
  const one = await store(first);
  const recipe = await blobs.recipe(one);
  const bases = recipe ? [recipe] : [];
  // The same beginning, another end; a third that is like the second.
  const second = Buffer.concat([first.subarray(0, 2_000_000), rows(300_000, 2)]);
  const two = await store(second, bases);
  const three = await store(Buffer.concat([second, Buffer.from("one more\n")]), bases);
  const settled = { olderThanMs: 0, nowMs: Date.now() + 1000 };
  expect(await blobs.compact({ ...settled, isTrial: false })).toBe(0);
  await blobs.remove(one);
  const before = storedBytes();
  const waste = await blobs.compact({ ...settled, isTrial: true });
  expect(waste).toBeGreaterThan(1_000_000);
  expect(storedBytes()).toBe(before);
  const reading = (await blobs.read(two)).pieces[Symbol.asyncIterator]();
  await reading.next();
  expect(await blobs.compact({ ...settled, isTrial: false })).toBe(waste);
  // By the old recipe, from the old pack, which is young now.
  expect(await blobs.sweep({ olderThanMs: 3_600_000, nowMs: Date.now() })).toBe(0);
  for (let piece = await reading.next(); piece.done !== true; piece = await reading.next());
  expect(await blobs.sweep(settled)).toBeGreaterThan(waste);
  expect(storedBytes()).toBeLessThan(before - waste + 100_000);
  expect((await blobs.get(two)).equals(second)).toBe(true);
  await blobs.verify(three);
  expect(await blobs.compact({ ...settled, isTrial: false })).toBe(0);
  expect(filesIn("tmp")).toEqual([]);
});

test("a pack with a flipped bit isn't written anew: what is broken stays as it is, and is told", async () => {
  const first = rows(400_000, 1);
  const one = await store(first);
  const recipe = await blobs.recipe(one);
  const two = await store(Buffer.concat([first.subarray(0, 1_000_000), rows(300_000, 2)]), recipe ? [recipe] : []);
  const place = recipe?.chunks[0];
  const path = filesIn("packs").find((file) => file.endsWith(recipe?.packs[place?.pack ?? 0] ?? "?")) ?? "";
  const bytes = readFileSync(path);
  bytes[(place?.at ?? 0) + 20] = (bytes[(place?.at ?? 0) + 20] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  await blobs.remove(one);
  expect(await blobs.compact({ olderThanMs: 0, nowMs: Date.now() + 1000, isTrial: false })).toBe(0);
  await expect(blobs.verify(two)).rejects.toThrow("no longer has the bytes");
});

test("what was begun and abandoned leaves nothing", async () => {
  const staging = blobs.staging();
  staging.write(rows(400_000));
  staging.abandon();
  const done = blobs.staging();
  done.write(rows(300_000));
  await blobs.discard(done.finish());
  expect(filesIn("tmp")).toEqual([]);
  expect(readdirSync(folder)).toEqual(["tmp"]);
});

test("a recipe is what was written, or none", () => {
  const recipe: Recipe = {
    bytes: 5_000_000_000,
    packs: ["0190a5b0-0000-7000-8000-000000000000", "p2"],
    chunks: [{ hash: "x".repeat(32), bytes: 70_000, pack: 1, at: 2 ** 40, storedBytes: 69_000 }],
  };
  const bytes = recipeBytes(recipe);
  expect(parseRecipe(bytes)).toEqual(recipe);
  for (let at = 0; at < bytes.length; at++) {
    const bent = Buffer.from(bytes);
    bent[at] = (bent[at] ?? 0) ^ 1;
    expect(parseRecipe(bent)).toBeUndefined();
    expect(parseRecipe(bytes.subarray(0, at))).toBeUndefined();
  }
});
