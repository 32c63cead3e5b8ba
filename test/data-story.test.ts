/** The data verbs as people use them, from the first version of a table to somebody's erasure, against a running server. */
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { AddedDatasetVersionView, DatasetVersionView } from "../src/api/index.ts";
import { KnownFiles, fileState } from "../src/registry/index.ts";
import { said, type Said } from "./said.ts";
import { freshServer, type FreshServer } from "./server.ts";

const folder = mkdtempSync(join(tmpdir(), "evenkeel-data-story-"));
let server: FreshServer;
const tokens = new Map<string, string>();
beforeAll(async () => {
  server = await freshServer();
  for (const role of ["trainer", "viewer", "operator", "admin"] as const) tokens.set(role, await server.token(role));
  tokens.set("seer", await server.token("analyst", { grants: ["protected:read"] }));
});
afterAll(async () => {
  await server.drop();
  rmSync(folder, { recursive: true, force: true });
});

const cache = join(folder, "cache");
const as = (role: string, ...words: readonly string[]): Promise<Said> =>
  said(["data", ...words], { EVENKEEL_URL: server.url, EVENKEEL_TOKEN: tokens.get(role) ?? role, XDG_CACHE_HOME: cache }, folder);
/** What must work, and what it said. */
async function done(role: string, ...words: readonly string[]): Promise<string> {
  const { code, out, err } = await as(role, ...words);
  expect(code, `data ${words.join(" ")}\n${out}${err}`).toBe(0);
  return out;
}
async function refused(role: string, ...words: readonly string[]): Promise<string> {
  const { code, out, err } = await as(role, ...words);
  expect(code, `data ${words.join(" ")}\n${out}${err}`).toBe(1);
  return err;
}
const people = (skip: (i: number) => boolean = () => false) =>
  `id,sex,good,income\n${Array.from({ length: 600 }, (_, i) => (skip(i) ? [] : [`p${i},${i % 2 ? "f" : "m"},${i % 3 ? 1 : 0},${1000 + i}`]))
    .flat()
    .join("\n")}\n`;
const clients = { v1: people(), v2: people((i) => i % 2 === 1 && i % 3 > 0 && i % 4 === 1) };

test("add, ls, show: a file becomes a version once, with its key, label, groups and tag", async () => {
  writeFileSync(join(folder, "v1.csv"), clients.v1);
  writeFileSync(join(folder, "v2.csv"), clients.v2);
  const declared = ["--dataset", "clients", "--key", "id", "--label", "good", "--protected", "sex"];
  expect(await done("trainer", "add", "v1.csv", ...declared, "--tag", "clean", "--reason", "checked")).toMatch(
    /^clients\/1 {2}600 rows {2}@clean\ntbl:[0-9a-f]{64}\n$/,
  );
  expect(await done("trainer", "add", "v1.csv", "--dataset", "clients")).toContain("these bytes were there already");
  expect(await done("trainer", "add", "v2.csv", "--dataset", "clients")).toMatch(/^clients\/2 {2}\d+ rows\n/);
  expect(await done("viewer", "ls")).toMatch(/clients .*2 .*clean → 1/);
  expect(await done("viewer", "show", "clients")).toContain("checked");
  expect(await done("viewer", "show", "clients@clean")).not.toMatch(/\bsex=?m\b/);
  expect(await done("seer", "show", "clients@clean")).toMatch(/sex/);
  const shown: unknown = JSON.parse(await done("viewer", "show", "clients/2", "--json"));
  expect(shown).toMatchObject({ dataset: "clients", number: 2, format: "csv" });
});

test("show --by: how each column is spread in each group, to those who may know, and not of an attribute that nobody declared", async () => {
  const shown = await done("seer", "show", "clients/1", "--by", "sex,age");
  expect(shown).toMatch(/income +all +600 +0 % +600 +1059 +1299 +1539 /);
  expect(shown).toMatch(/sex f +300 +0 % +300 /);
  expect(shown).toContain('no attribute "age" is declared; there are sex');
  const hidden = await done("viewer", "show", "clients/1", "--by", "sex");
  expect(hidden).toMatch(/income +all +600 /);
  expect(hidden).not.toMatch(/sex f/);
});

test("what can't be a version is refused with file, line and what was expected, and nothing is kept", async () => {
  writeFileSync(join(folder, "ragged.csv"), "id,sex\n1,f\n2\n");
  writeFileSync(join(folder, "twice.csv"), "id,sex,good,income\np1,f,1,2\np1,m,1,3\n");
  mkdirSync(join(folder, "empty"));
  writeFileSync(
    join(folder, "late.csv"),
    `id,income\n${Array.from({ length: 60_000 }, (_, i) => `${i},${i < 59_998 ? i : "n/a"}`).join("\n")}\n`,
  );
  writeFileSync(join(folder, "late.yaml"), "key: [id]\ntypes: { id: integer, income: number }\n");
  const before = readdirSync(join(server.folder, "blobs"), { recursive: true }).length;
  expect(await refused("trainer", "add", "ragged.csv", "--dataset", "bad")).toMatch(/line 3/);
  expect(await refused("trainer", "add", "twice.csv", "--dataset", "clients")).toMatch(/lines 2 and 3 have the same/);
  // A type that changes far down: told with its line where it was declared.
  expect(await refused("trainer", "add", "late.csv", "--dataset", "bad", "--spec", "late.yaml")).toMatch(
    /line 60000.*a number in income, as is declared.*n\/a/s,
  );
  expect(await refused("trainer", "add", "empty", "--dataset", "bad")).not.toBe("");
  expect(await refused("trainer", "add", "nowhere.csv", "--dataset", "bad")).toContain("there is no such file");
  expect(await refused("viewer", "add", "v1.csv", "--dataset", "bad")).toContain("registry:write");
  expect(readdirSync(join(server.folder, "blobs"), { recursive: true })).toHaveLength(before);
  expect(await done("viewer", "ls")).not.toContain("bad");
});

test("get gives the very bytes back, of a file and of a folder", async () => {
  await done("trainer", "get", "clients@clean", "--out", "back.csv");
  expect(readFileSync(join(folder, "back.csv"), "utf8")).toBe(clients.v1);
  mkdirSync(join(folder, "images/a"), { recursive: true });
  writeFileSync(join(folder, "images/a/1.bin"), Buffer.from([0, 1, 2, 255]));
  writeFileSync(join(folder, "images/run.sh"), "#!/bin/sh\n", { mode: 0o755 });
  await done("trainer", "add", "images", "--dataset", "images");
  await done("trainer", "get", "images/1", "--out", "images-back");
  expect(readFileSync(join(folder, "images-back/a/1.bin"))).toEqual(Buffer.from([0, 1, 2, 255]));
  expect(statSync(join(folder, "images-back/run.sh")).mode & 0o111).not.toBe(0);
  expect(await refused("viewer", "get", "clients@clean", "--out", "stolen.csv")).not.toBe("");
  expect(readdirSync(folder)).not.toContain("stolen.csv");
});

test("tag: of two who move one at once one wins, and the other is told who; a protected one isn't everybody's", async () => {
  const moves = await Promise.all(
    ["1", "2"].map((number) => as("trainer", "tag", "clients", "live", number, "--reason", `to ${number}`, "--expect", "none")),
  );
  expect(new Set(moves.map(({ code }) => code))).toEqual(new Set([0, 1]));
  expect(moves.find(({ code }) => code === 1)?.err).toMatch(/trainer/);
  await done("admin", "tag", "clients", "live", "protected", "--reason", "in use");
  expect(await refused("trainer", "tag", "clients", "live", "none", "--reason", "mine")).toMatch(/protected/);
  expect(await done("viewer", "show", "clients")).toMatch(/live/);
});

test("diff names who is missing, to those who may know, and writes the rows", async () => {
  const diff = await done("seer", "diff", "clients/1", "clients/2", "--by", "sex", "--rows", "rows.csv");
  expect(diff).toMatch(/sex f|f\b.*missing/s);
  expect(await done("viewer", "diff", "clients/1", "clients/2")).not.toMatch(/sex f/);
  const rows = readFileSync(join(folder, "rows.csv"), "utf8").trim().split("\n");
  expect(rows).toHaveLength(1 + 600 - (clients.v2.trim().split("\n").length - 1));
  expect(rows[1]).toMatch(/^missing,p\d+,f,1,/);
});

test("status knows a file of 50 GB without reading it", async () => {
  const path = join(folder, "large.csv");
  writeFileSync(path, "");
  truncateSync(path, 50 * 1024 ** 3);
  const state = await fileState(path);
  const { id, blob } = JSON.parse(await done("viewer", "show", "clients/1", "--json")) as DatasetVersionView;
  // As an addition of it would have noted, a while after it was written.
  const known = await KnownFiles.open(join(cache, "evenkeel/files.json"), () => Date.now() + 60_000);
  await known.note(path, { blob, state });
  await known.save();
  const began = performance.now();
  expect(await done("viewer", "status", "large.csv")).toBe(`large.csv is clients/1  ${id}\n`);
  expect(performance.now() - began).toBeLessThan(5000); // reading it takes a minute at the very least
  truncateSync(path, 50 * 1024 ** 3 + 1);
  expect((await as("viewer", "status", "large.csv")).out).toContain("isn't known: it has changed");
});

test("pin, gc: what is needed stays, with why; what isn't goes, and says so ever after", async () => {
  for (const more of ["a", "b"]) {
    writeFileSync(join(folder, "v.csv"), `${clients.v1}${more},f,1,1\n`);
    await done("trainer", "add", "v.csv", "--dataset", "clients");
  }
  await done("trainer", "pin", "clients/2", "--reason", "audit 7");
  const would = await done("operator", "gc", "--dry-run", "--older-than", "0");
  expect(would).toMatch(/would go[\s\S]*clients\/3/);
  expect(would).toMatch(/clients\/1 .*clean/);
  expect(would).toMatch(/clients\/2 .*audit 7/);
  expect(would).toMatch(/clients\/4 .*newest/);
  await done("trainer", "get", "clients/3", "--out", "three.csv");
  await done("operator", "gc", "--older-than", "0");
  expect(await refused("trainer", "get", "clients/3", "--out", "again.csv")).toContain("were taken away");
  expect(await refused("operator", "rm", "clients/2", "--reason", "tidy")).toContain("audit 7");
  await done("trainer", "get", "clients/2", "--out", "two.csv");
  expect(readFileSync(join(folder, "two.csv"), "utf8")).toBe(clients.v2);
});

test("redact takes a person out of every version, and says what each was and is", async () => {
  const text = await done("admin", "redact", "--subject", "p7", "--reason", "request 12", "--dataset", "clients", "--column", "id");
  expect(text).toMatch(/clients\/1/);
  for (const version of ["clients/1", "clients/4"]) {
    const out = `${version.replace("/", "-")}.csv`;
    await done("trainer", "get", version, "--out", out);
    const rows = readFileSync(join(folder, out), "utf8").split("\n");
    expect(rows.some((row) => row.startsWith("p7,"))).toBe(false);
    expect(rows).toContain("p8,m,1,1008");
  }
  expect(await done("viewer", "verify", "clients")).toMatch(/clients\/1 {2}every byte is what was added/);
});

test("verify finds a flipped bit, and no broken byte is given out", async () => {
  writeFileSync(join(folder, "solid.csv"), people().replaceAll("p", "q"));
  const { blob } = JSON.parse(await done("trainer", "add", "solid.csv", "--dataset", "solid", "--json")) as AddedDatasetVersionView;
  expect(await done("viewer", "verify", "solid")).toContain("every byte");
  const hex = blob.slice("sha256:".length);
  const stored = join(server.folder, "blobs", hex.slice(0, 2), hex.slice(2, 4), hex);
  const bytes = readFileSync(stored);
  bytes[4000] = (bytes[4000] ?? 0) ^ 4;
  writeFileSync(stored, bytes);
  const verified = await as("viewer", "verify", "solid");
  expect([verified.code, verified.out]).toEqual([1, expect.stringMatching(/solid\/1 {2}broken[\s\S]*no longer has the bytes/)]);
  expect(await refused("trainer", "get", "solid/1", "--out", "broken.csv")).not.toBe("");
  expect(readdirSync(folder)).not.toContain("broken.csv");
});
