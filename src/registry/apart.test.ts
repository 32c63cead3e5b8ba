/** Large tables are read by threads of their own: what never comes to its end is ended, and nothing of it is left. */
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { freshSqliteStore, type FreshStore } from "../../test/sqlite.ts";
import { Audit } from "../access/index.ts";
import type { Result } from "../std.ts";
import { openRegistry, type Registry } from "./registry.ts";
import { Scans } from "./scan-apart.ts";

let fresh: FreshStore;
let registry: Registry;
beforeEach(async () => {
  fresh = await freshSqliteStore();
  registry = openRegistry(fresh.store, new Audit(fresh.store));
});
afterEach(() => fresh.drop());

const filesIn = (folder: string) =>
  (existsSync(folder) ? readdirSync(folder, { recursive: true, withFileTypes: true }) : []).filter((entry) => entry.isFile());
const people = (count: number, nameOf: (i: number) => string) =>
  Buffer.from(
    `id,name\n${Array.from({ length: count }, (_, i) => `${i},${createHash("md5").update(nameOf(i)).digest("hex")}`).join("\n")}\n`,
  );
function valueOf<T>(result: Result<T, unknown>): T {
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value;
}

/** Threads begin late on a machine that does much else. */
const SLOW = { timeout: 180_000 };

test("a table that isn't read to its end in time is refused, and nothing of it is left", SLOW, async () => {
  const path = join(fresh.store.folder, "big.csv");
  writeFileSync(path, people(120_000, String));
  const order = { source: { path }, spec: {}, format: undefined, bases: [], known: [] };
  // Whether it has begun to write by then or not: none of its files stays.
  for (const baseMs of [1, 200, 400, 800]) {
    const done = await new Scans(fresh.store.blobs, { baseMs, bytesPerMs: 1e12 }).scan(order);
    if (done.ok && baseMs > 1) break; // on a fast machine
    expect(done).toMatchObject({ ok: false, error: [{ expected: "a table that can be read in time" }] });
    expect(filesIn(fresh.store.blobs.folder)).toEqual([]);
  }
  expect(valueOf(await new Scans(fresh.store.blobs).scan(order)).reading).toMatchObject({ facts: { rows: 120_000 } });
});

test("large versions are compared as small ones are, the rows that differ included, and nothing is left over", SLOW, async () => {
  const rows = 40_000;
  const [before, after] = [people(rows, String), people(rows, (i) => (i % 10_000 === 7 ? "other" : String(i)))];
  const add = async (bytes: Buffer) =>
    valueOf(await registry.datasets.add({ dataset: "people", source: { bytes }, spec: { key: ["id"] } }, "ana")).version;
  const [from, to] = [await add(before), await add(after)];
  expect(from.bytes).toBeGreaterThan(1024 * 1024);
  const diff = valueOf(await registry.datasets.diff(from.id, to.id));
  expect(diff).toMatchObject({ identity: "different", rows: { changed: 4, unchanged: rows - 4, missing: 0, added: 0 } });
  const { count, pieces } = valueOf(await registry.datasets.diffRows(from.id, to.id, { hidden: [] }));
  const text: string[] = [];
  for await (const piece of pieces) text.push(piece);
  const lines = text.join("").trim().split("\n");
  expect(count).toBe(8);
  expect(lines).toHaveLength(1 + count);
  expect(lines.filter((line) => line.startsWith("before,")).map((line) => line.split(",")[1])).toEqual(
    expect.arrayContaining(["7", "10007", "20007", "30007"]),
  );
  // Who asked may go away before having read a line.
  await valueOf(await registry.datasets.diffRows(from.id, to.id, { hidden: [] })).pieces.return?.();
  expect(filesIn(join(fresh.store.folder, "diffs"))).toEqual([]);
});

test("a flipped bit in a large version is told, not compared", SLOW, async () => {
  const add = async (bytes: Buffer) =>
    valueOf(await registry.datasets.add({ dataset: "people", source: { bytes }, spec: { key: ["id"] } }, "ana")).version;
  const [from, to] = [await add(people(40_000, String)), await add(people(40_001, String))];
  const path = fresh.store.blobs.path(to.blob);
  const [bytes] = [Buffer.from(await fresh.store.blobs.get(to.blob))];
  bytes[1_000_000] = (bytes[1_000_000] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  await expect(registry.datasets.diff(from.id, to.id)).rejects.toThrow("no longer has the bytes that were stored");
});

test.each(["a new file", "a file that is longer"])(
  "a folder that changes while it is read is refused with the file, and nothing is kept: %s",
  SLOW,
  async (how) => {
    const folder = join(fresh.store.folder, "changing");
    mkdirSync(folder);
    for (const name of ["a.csv", "b.csv"]) writeFileSync(join(folder, name), people(400_000, String));
    const adding = registry.datasets.add({ dataset: "people", source: { path: folder } }, "ana");
    const tmp = join(fresh.store.blobs.folder, "tmp");
    await vi.waitUntil(() => filesIn(tmp).length > 0, { timeout: 120_000, interval: 2 });
    if (how === "a new file") writeFileSync(join(folder, "c.csv"), "id,name\n1,x\n");
    else appendFileSync(join(folder, "b.csv"), "400001,x\n");
    const path = how === "a new file" ? "c.csv" : "b.csv";
    expect(await adding).toMatchObject({
      ok: false,
      error: { issues: [{ path: expect.stringContaining(path), expected: expect.stringMatching(/that stays as it is while it is read/) }] },
    });
    expect(filesIn(fresh.store.blobs.folder)).toEqual([]);
    expect(await registry.datasets.list()).toEqual([]);
  },
);
