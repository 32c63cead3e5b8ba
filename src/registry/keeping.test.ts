/** What is pinned, tagged or served stays readable whatever is done; what is redacted is gone from every byte that is stored. */
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { zstdDecompressSync } from "node:zlib";
import fc from "fast-check";
import { parquetWriteBuffer } from "hyparquet-writer";
import { afterEach, beforeEach, expect, test } from "vitest";
import { freshSqliteStore, type FreshStore } from "../../test/sqlite.ts";
import { Audit } from "../access/index.ts";
import type { Result } from "../std.ts";
import { openRegistry, type Registry } from "./registry.ts";
import type { Refusal } from "./refusal.ts";

let fresh: FreshStore;
let registry: Registry;

beforeEach(async () => {
  fresh = await freshSqliteStore();
  registry = openRegistry(fresh.store, new Audit(fresh.store));
});
afterEach(() => fresh.drop());

function valueOf<T>(result: Result<T, Refusal>): T {
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value;
}
const spec = { key: ["id"], protected: [{ column: "sex" }] };
const people = (count: number, from = 0, tail = "") =>
  Buffer.from(
    `id,sex,name\n${Array.from({ length: count }, (_, i) => `p${from + i},${i % 2 ? "m" : "f"},"Person ${from + i}, the\nfirst"`).join("\n")}${tail}`,
  );
const add = async (bytes: Buffer, tag?: string) =>
  valueOf(await registry.datasets.add({ dataset: "credit", source: { bytes }, spec, ...(tag ? { tag, reason: "test" } : {}) }, "ana"))
    .version;
async function newest(dataset: string) {
  const [version] = await registry.datasets.versions(dataset);
  if (!version) throw new Error(`${dataset} has no version`);
  return version;
}
const blobFiles = () =>
  readdirSync(fresh.store.blobs.folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

test("a version that a tag, a pin or a release needs is not taken away, and the refusal says by what", async () => {
  const { number, id } = await add(people(3), "clean");
  await registry.keeping.pin({ dataset: "credit", number, isPinned: true, reason: "audit 7" }, "bo");
  await fresh.store.transaction((tx) =>
    registry.lineage.add(tx, [
      { from: { kind: "dataset_version", id }, to: { kind: "run", id: "r" }, relation: "used_by" },
      { from: { kind: "run", id: "r" }, to: { kind: "release", id: "rel:1" }, relation: "made" },
    ]),
  );
  const release = { id: "rel:1", endpoint: "loans", number: 12, name: "", bundle_json: "{}", origin_json: "{}", created_by: "ana" };
  await fresh.store.db
    .insertInto("release")
    .values({ ...release, created_at_ms: fresh.store.runtime.clock.nowMs() })
    .execute();
  const refused = await registry.keeping.remove("credit", number, "ana", "tidy");
  expect(refused).toMatchObject({ ok: false, error: { kind: "conflict" } });
  expect(JSON.stringify(refused)).toContain(
    "credit/1 is needed: tag @clean; pinned by bo: audit 7; release loans r12, which has answered nobody yet",
  );
  await fresh.store.blobs.verify((await newest("credit")).blob);
});

test("what is taken away keeps its number and profile, and comes back with its bytes", async () => {
  const { number, blob } = await add(people(3));
  await add(people(4));
  valueOf(await registry.keeping.remove("credit", number, "ana", "tidy"));
  expect(await fresh.store.blobs.has(blob)).toBe(false);
  const gone = valueOf(await registry.datasets.get("credit/1"));
  expect(gone).toMatchObject({ rows: 3, removal: { by: "ana", because: "tidy" } });
  expect(await registry.datasets.sketches(gone)).toMatchObject({ columns: [{ all: { rows: 3 } }, {}, {}] });
  expect(await registry.datasets.diff("credit/1", "credit/2")).toMatchObject({ error: { kind: "conflict" } });
  expect(await registry.datasets.setTag({ dataset: "credit", tag: "x", number, reason: "r", mayMoveProtected: true }, "ana")).toMatchObject(
    {
      error: { kind: "conflict" },
    },
  );
  expect(await add(people(3))).toMatchObject({ number, removal: null });
  expect((await fresh.store.blobs.get(blob)).equals(people(3))).toBe(true);
});

test("a sweep says what would go and why the rest stays, and a trial changes nothing", async () => {
  await add(people(3), "clean");
  const { blob } = await add(people(4));
  await add(people(5));
  const sweep = (isTrial: boolean, olderThanDays = 0) => registry.keeping.sweep({ isTrial, olderThanDays }, "ana");
  expect(await sweep(true, 30)).toMatchObject({ removed: [] });
  const trial = await sweep(true);
  expect(trial.removed).toMatchObject([{ number: 2 }]);
  expect(trial.kept).toMatchObject([
    { number: 1, because: ["tag @clean"] },
    { number: 3, because: ["the newest version"] },
  ]);
  expect(await fresh.store.blobs.has(blob)).toBe(true);
  expect(await sweep(false)).toEqual(trial);
  expect(await fresh.store.blobs.has(blob)).toBe(false);
  expect((await sweep(false)).removed).toEqual([]);
});

test("a protected tag is moved by those who may, and nothing is added for those who may not", async () => {
  await add(people(3), "live");
  valueOf(await registry.keeping.protectTag({ dataset: "credit", tag: "live", isProtected: true, reason: "serves" }, "bo"));
  const refused = await registry.datasets.add({ dataset: "credit", source: { bytes: people(4) }, tag: "live" }, "trainer");
  expect(refused).toMatchObject({ error: { kind: "conflict", message: expect.stringContaining("bo protected it: serves") } });
  expect(await registry.datasets.versions("credit")).toHaveLength(1);
  const two = await add(people(4));
  const move = { dataset: "credit", tag: "live", number: two.number, reason: "new" };
  expect(await registry.datasets.setTag({ ...move, mayMoveProtected: false }, "trainer")).toMatchObject({ ok: false });
  expect(valueOf(await registry.datasets.setTag({ ...move, mayMoveProtected: true }, "ana"))).toEqual({ live: 2 });
});

/** Everything that the blob folder holds, unpacked where it is packed: a pack of compressed chunks is one zstd stream. */
function storedText(): string {
  return blobFiles()
    .map((path) => readFileSync(path))
    .map((bytes) => (bytes.readUInt32BE(0) === 0x28b52ffd ? zstdDecompressSync(bytes) : bytes).toString("latin1"))
    .join("");
}

test(
  "redacted rows are gone from every version and from everything that is stored, and a tombstone says what was",
  { timeout: 120_000 },
  async () => {
    const large = people(240_000);
    expect(large.length).toBeGreaterThan(8 << 20);
    const one = await add(large);
    const two = await add(people(240_001, 0, "\nlast,f,end"));
    const three = await add(people(3, 7_000_000));
    expect(storedText()).toContain("Person 77, the");
    const done = valueOf(await registry.redaction.redact({ subject: "p77", reference: "R-1" }, "dpo"));
    expect(done).toMatchObject({
      notSearched: [],
      versions: [
        { number: 1, rows: 1, before: { id: one.id, blob: one.blob }, alsoIn: [] },
        { number: 2, rows: 1, before: { id: two.id, blob: two.blob }, alsoIn: [] },
      ],
    });
    expect(storedText()).not.toContain("Person 77, the");
    const [third, second, first] = await registry.datasets.versions("credit");
    expect([first?.rows, second?.rows, third?.id]).toEqual([one.rows - 1, two.rows - 1, three.id]);
    const sketches = first && (await registry.datasets.sketches(first));
    expect(sketches?.columns[0]?.all.rows).toBe(first?.rows);
    const text = (await fresh.store.blobs.get(first?.blob ?? one.blob)).toString();
    expect(text).toBe(large.toString().replace('p77,m,"Person 77, the\nfirst"\n', ""));
    expect(valueOf(await registry.datasets.get(one.id)).number).toBe(1);
    expect(await registry.datasets.add({ dataset: "credit", source: { bytes: large } }, "ana")).toMatchObject({
      error: { kind: "conflict", message: expect.stringContaining("redacted under R-1") },
    });
    expect(await registry.keeping.verify([1, 2, 3].map((number) => ({ dataset: "credit", number })))).toEqual(
      [1, 2, 3].map((number) => ({ dataset: "credit", number, problems: [] })),
    );
    expect(valueOf(await registry.redaction.redact({ subject: "p77", reference: "R-1" }, "dpo")).versions).toEqual([]);
  },
);

test("rows are redacted in folders, in NDJSON and in Parquet, and a version of nobody else's is gone", async () => {
  const folder = join(fresh.store.folder, "in");
  mkdirSync(folder);
  const parquet = parquetWriteBuffer({
    columnData: [
      { name: "id", data: [1, 2], type: "INT32" },
      { name: "name", data: ["Ana", 'B"o'], type: "STRING" },
    ],
  });
  writeFileSync(join(folder, "a.parquet"), new Uint8Array(parquet));
  writeFileSync(join(folder, "note.txt"), "n");
  const addAs = async (dataset: string, source: { path: string } | { bytes: Buffer }) =>
    valueOf(await registry.datasets.add({ dataset, source, spec: { key: ["id"] } }, "ana")).version;
  await addAs("folder", { path: folder });
  const lines = await addAs("lines", { bytes: Buffer.from('{"id":1,"name":"Ana"}\n{"id":2,"name":"Bo"}\n') });
  await addAs("alone", { bytes: Buffer.from("id,name\n01,Ana\n") });
  await addAs("single", { bytes: Buffer.from("id,name\n1,Ana\n") });
  const { versions } = valueOf(await registry.redaction.redact({ subject: "1", reference: "R" }, "dpo"));
  expect(versions.map(({ dataset, after }) => [dataset, after !== null])).toEqual([
    ["folder", true],
    ["lines", true],
    ["single", false],
  ]);
  const left = await newest("folder");
  expect(left).toMatchObject({ format: "csv", layout: "folder", rows: 1 });
  expect((await fresh.store.blobs.get(left.blob)).toString()).toContain('"path":"a.csv"');
  const after = await newest("lines");
  expect((await fresh.store.blobs.get(after.blob)).toString()).toBe('{"id":2,"name":"Bo"}\n');
  expect(await fresh.store.blobs.has(lines.blob)).toBe(false);
  expect((await newest("single")).removal?.because).toContain("all of its rows were redacted");
  expect((await newest("alone")).rows).toBe(1);
});

test("whatever is added, tagged, redacted and swept, what is pinned or tagged stays readable", { timeout: 120_000 }, async () => {
  const command = fc.oneof(
    fc.record({ kind: fc.constant("add" as const), count: fc.integer({ min: 1, max: 5 }), from: fc.integer({ min: 0, max: 4 }) }),
    fc.record({
      kind: fc.constant("tag" as const),
      tag: fc.constantFrom("a", "b"),
      number: fc.option(fc.integer({ min: 1, max: 5 }), { nil: null }),
    }),
    fc.record({ kind: fc.constant("pin" as const), number: fc.integer({ min: 1, max: 5 }), isPinned: fc.boolean() }),
    fc.record({ kind: fc.constant("redact" as const), person: fc.integer({ min: 0, max: 8 }) }),
    fc.record({ kind: fc.constant("remove" as const), number: fc.integer({ min: 1, max: 5 }) }),
    fc.constant({ kind: "sweep" as const }),
  );
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 3, maxLength: 14 }), async (commands) => {
      const dataset = `d${run++}`;
      for (const one of commands) {
        if (one.kind === "add") await registry.datasets.add({ dataset, source: { bytes: people(one.count, one.from) }, spec }, "ana");
        else if (one.kind === "tag")
          await registry.datasets.setTag({ dataset, tag: one.tag, number: one.number, reason: "r", mayMoveProtected: true }, "ana");
        else if (one.kind === "pin")
          await registry.keeping.pin({ dataset, number: one.number, isPinned: one.isPinned, reason: "r" }, "ana");
        else if (one.kind === "redact") await registry.redaction.redact({ dataset, subject: `p${one.person}`, reference: "R" }, "ana");
        else if (one.kind === "remove") await registry.keeping.remove(dataset, one.number, "ana", "r");
        else await registry.keeping.sweep({ isTrial: false, olderThanDays: 0 }, "ana");
      }
      const { pins } = await registry.keeping.held(dataset);
      const versions = await registry.datasets.versions(dataset);
      for (const version of versions) {
        const isHeld = version.tags.length > 0 || pins.some(({ number }) => number === version.number);
        // A redaction may leave nothing to hold: erasing a person is stronger than a pin.
        if (isHeld && version.removal) expect(version.removal.because).toContain("redacted");
        if (version.removal) continue;
        expect(await registry.keeping.verify([version])).toMatchObject([{ problems: [] }]);
        expect(valueOf(await registry.datasets.diff(`${dataset}/${version.number}`, `${dataset}/${version.number}`)).identity).toBe(
          "identical",
        );
      }
      const needed = new Set(versions.filter(({ removal }) => !removal).map(({ blob }) => blob));
      for (const { blob } of versions)
        if (!needed.has(blob)) expect((await registry.datasets.versions(dataset)).some((one) => one.blob === blob)).toBe(true);
    }),
    { numRuns: 25 },
  );
});
