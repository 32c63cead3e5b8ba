import { appendFileSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { systemRuntime } from "../store/index.ts";
import { KnownFiles } from "./known-files.ts";

const folder = mkdtempSync(join(tmpdir(), "evenkeel-known-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const later = () => systemRuntime().clock.nowMs() + 10_000;

test("a link is known by the file that it leads to, and no longer when that has changed", async () => {
  const [file, link, memory] = [join(folder, "t.csv"), join(folder, "link.csv"), join(folder, "known.json")];
  writeFileSync(file, "id\n1\n");
  symlinkSync(file, link);
  const known = await KnownFiles.open(memory, later);
  const blob = await known.blobOf(link);
  expect(await known.known(link)).toBe(blob);
  appendFileSync(file, "2\n");
  expect(await known.known(link)).toBeUndefined();
});

test("what two have learned at the same time is kept of both", async () => {
  const [memory, a, b] = [join(folder, "shared.json"), join(folder, "a"), join(folder, "b")];
  writeFileSync(a, "a");
  writeFileSync(b, "b");
  const [one, two] = [await KnownFiles.open(memory, later), await KnownFiles.open(memory, later)];
  const blobs = [await one.blobOf(a), await two.blobOf(b)];
  await one.save();
  await two.save();
  const next = await KnownFiles.open(memory, later);
  expect([await next.known(a), await next.known(b)]).toEqual(blobs);
});
