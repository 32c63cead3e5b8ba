import { appendFileSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { outcomeDocument, type OutcomeDocument } from "./document.ts";
import { NdjsonTarget } from "./ndjson-target.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "evenkeel-ndjson-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const NOON = Date.UTC(2026, 10, 30, 12);
const document = (seq: number, recordedAtMs = NOON): OutcomeDocument =>
  outcomeDocument({
    seq,
    decision: "d",
    endpoint: "loans",
    value: "repaid",
    good: true,
    isCorrection: false,
    atMs: NOON,
    recordedAtMs,
    source: "crm",
  });
const documents = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => document(from + i));
const target = (max_bytes?: number) => new NdjsonTarget(folder, { kind: "ndjson", ...(max_bytes === undefined ? {} : { max_bytes }) });
const deliver = (to: NdjsonTarget, all: readonly OutcomeDocument[], mark: string | null) =>
  to.deliver({ stream: "outcome", after: (all[0]?.seq ?? 1) - 1, upTo: all.at(-1)?.seq ?? 0, documents: all, mark });
const files = () => readdirSync(folder).toSorted();
const seqs = () =>
  files().flatMap((file) =>
    readFileSync(join(folder, file), "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line): number => (JSON.parse(line) as { seq: number }).seq),
  );

test("a file a day, and another one when it is full", async () => {
  await deliver(target(600), [document(1), document(2), document(3), document(4, NOON + 86_400_000)], null);
  expect(files()).toEqual([
    "outcomes-2026-11-30-000000000001.ndjson",
    "outcomes-2026-11-30-000000000003.ndjson",
    "outcomes-2026-12-01-000000000004.ndjson",
  ]);
  expect(seqs()).toEqual([1, 2, 3, 4]);
});

test("wherever a crash stops a delivery, the same batch again leaves each line once", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 1024, max: 1600 }),
      fc.nat(4000),
      async (first, second, max, cut) => {
        for (const file of files()) rmSync(join(folder, file));
        const mark = await deliver(target(max), documents(1, first), null);
        const before = new Map(files().map((file) => [file, readFileSync(join(folder, file)).length]));
        const batch = documents(first + 1, first + second);
        await deliver(target(max), batch, mark);
        // As after the crash: of what the delivery wrote, in its order, only so many bytes are there.
        let left = cut;
        for (const file of files()) {
          const [size, kept] = [readFileSync(join(folder, file)).length, before.get(file) ?? 0];
          const stays = Math.min(size - kept, left);
          left -= stays;
          if (kept + stays === 0) rmSync(join(folder, file));
          else truncateSync(join(folder, file), kept + stays);
        }
        // Another size of files since: the leftovers aren't where the batch would put them.
        await deliver(target(max + 300), batch, mark);
        expect(seqs()).toEqual(Array.from({ length: first + second }, (_, i) => i + 1));
      },
    ),
    { numRuns: 60 },
  );
});

test("files that know more than the log are left alone, loudly: the database was put back", async () => {
  const mark = await deliver(target(), documents(1, 3), null);
  await deliver(target(), documents(4, 6), mark);
  const other = documents(4, 5).map((one) => ({ ...one, id: `another-${one.seq}` }));
  await expect(deliver(target(), other, mark)).rejects.toThrow(/holds entries that this log doesn't know of.*Move the files out/);
  expect(seqs()).toEqual([1, 2, 3, 4, 5, 6]);
});

test("a file that somebody else wrote to is left alone, loudly; moved away, the sink goes on in a new one", async () => {
  const to = target();
  const mark = await deliver(to, documents(1, 3), null);
  const [file = ""] = files();
  appendFileSync(join(folder, file), "hello\n");
  await expect(deliver(to, documents(4, 6), mark)).rejects.toThrow("somebody else has written to it");
  await expect(deliver(to, documents(4, 6), mark)).rejects.toThrow("doesn't know of");
  truncateSync(join(folder, file), 10);
  await expect(deliver(target(), documents(4, 6), mark)).rejects.toThrow("somebody else");
  renameSync(join(folder, file), join(folder, "elsewhere"));
  await deliver(target(), documents(4, 6), mark);
  expect(files()).toContain("outcomes-2026-11-30-000000000004.ndjson");
});

test("a folder that can't be written to is said, and nothing is lost", async () => {
  writeFileSync(join(folder, "file"), "");
  const blocked = new NdjsonTarget(join(folder, "file"), { kind: "ndjson" });
  await expect(blocked.probe()).rejects.toThrow("the files can't be written");
  await expect(deliver(blocked, documents(1, 1), null)).rejects.toThrow("the files can't be written");
});
