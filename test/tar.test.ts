/** Archives as people and attackers send them (T10, T11): files by number, names as keys, and nothing else of them anywhere. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { freshServer, problemOf, type FreshServer } from "./server.ts";
import { tarOf } from "../src/cli/tar-writer.ts";
import { listFolder } from "../src/registry/index.ts";
import { unpackTar } from "../src/api/tar.ts";

const BLOCK = 512;

interface Entry {
  readonly name: string;
  readonly type?: string;
  readonly bytes?: Buffer;
  /** As the header says it, whatever comes. */
  readonly size?: string | Buffer;
  readonly link?: string;
  readonly mode?: string;
}

function entry({
  name,
  type = "0",
  bytes = Buffer.alloc(0),
  size = bytes.length.toString(8).padStart(11, "0"),
  link = "",
  mode = "0000644",
}: Entry): Buffer {
  const head = Buffer.alloc(BLOCK);
  head.write(name, 0, 100, "utf8");
  head.write(mode, 100, "latin1");
  if (typeof size === "string") head.write(size, 124, "latin1");
  else size.copy(head, 124);
  head.write(" ".repeat(8), 148, "latin1");
  head.write(type, 156, "latin1");
  head.write(link, 157, 100, "utf8");
  head.write("ustar\0" + "00", 257, "latin1");
  const sum = head.reduce((all, byte) => all + byte, 0);
  head.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return Buffer.concat([head, bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK)]);
}
const END = Buffer.alloc(2 * BLOCK);
const tar = (...entries: readonly Entry[]) => Buffer.concat([...entries.map(entry), END]);
const pax = (records: string) => ({ name: "pax", type: "x", bytes: Buffer.from(records) });
/** Its length counts its own digits. */
function paxRecord(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + 1;
  while (String(length).length + rest !== length) length++;
  return `${length} ${key}=${value}\n`;
}

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "evenkeel-tar-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const inPieces = async function* (bytes: Buffer, length = 700) {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
};
const unpacked = async (bytes: Buffer) => {
  const into = mkdtempSync(join(folder, "into-"));
  const entries = await unpackTar(inPieces(bytes), into);
  // Whatever an archive says, its files are numbers in the folder that was given.
  expect(readdirSync(into).every((name) => /^\d+$/.test(name))).toBe(true);
  return entries.ok ? entries.value.map(({ path, file, mode }) => ({ path, mode, text: readFileSync(file, "utf8") })) : entries.error;
};

test("what is sent comes back: sizes around a block, names of any length and script, programs", async () => {
  const source = join(folder, "source");
  const files: readonly (readonly [string, string])[] = [
    ["empty", ""],
    ["511", "x".repeat(511)],
    ["512", "x".repeat(512)],
    ["513", "x".repeat(513)],
    [`${"deep/".repeat(40)}file`, "deep"],
    ["Müller/名前.csv", "a,b\n"],
    ["p", "#!/bin/sh\n"],
  ];
  for (const [path, text] of files) {
    mkdirSync(join(source, path, ".."), { recursive: true });
    writeFileSync(join(source, path), text, { mode: path === "p" ? 0o755 : 0o644 });
  }
  const listed = await listFolder(source);
  if (!listed.ok) throw new Error("no list");
  const pieces: Buffer[] = [];
  for await (const piece of tarOf(listed.value)) pieces.push(piece);
  const expected = files.map(([path, text]) => ({ path, mode: path === "p" ? "executable" : "file", text }));
  const byPath = (a: { readonly path: string }, b: { readonly path: string }) => (a.path < b.path ? -1 : 1);
  expect((await unpacked(Buffer.concat(pieces))).map((one) => ({ ...one, path: one.path })).toSorted(byPath)).toEqual(
    expected.toSorted(byPath),
  );
  // And as the system's own program writes it.
  for (const format of ["gnu", "pax"]) {
    const archive = join(folder, `${format}.tar`);
    try {
      execFileSync("tar", ["c", `--format=${format}`, "-f", archive, "-C", source, "."]);
    } catch {
      continue; // there is none, or one that can't
    }
    expect((await unpacked(readFileSync(archive))).toSorted(byPath)).toEqual(expected.toSorted(byPath));
  }
});

test.each([
  ["a symbolic link", { name: "a", type: "2", link: "/etc/passwd" }, "a link"],
  ["a hard link", { name: "a", type: "1", link: "b" }, "a link"],
  ["a character device", { name: "a", type: "3" }, "no file"],
  ["a block device", { name: "a", type: "4" }, "no file"],
  ["a pipe", { name: "a", type: "6" }, "no file"],
  ["a sparse file", { name: "a", type: "S" }, "no file"],
])("%s is refused by name", async (_what, bad, got) => {
  expect(await unpacked(tar({ name: "ok", bytes: Buffer.from("1") }, bad))).toEqual([{ path: "a", expected: "files and folders", got }]);
});

test.each<readonly [string, Buffer, string]>([
  ["that ends within a file", tar({ name: "a", bytes: Buffer.from("abc") }).subarray(0, BLOCK + 2), "one that ends too early"],
  ["that ends between two files", entry({ name: "a", bytes: Buffer.from("abc") }), "one that ends too early"],
  ["that says a file is larger than it is", tar({ name: "a", bytes: Buffer.from("abc"), size: "77777777777" }), "one that ends too early"],
  ["with a size beyond all numbers", tar({ name: "a", size: Buffer.from("ffffffffffffffffffffffff", "hex") }), "one that ends too early"],
  ["with a pax size that nobody has", tar(pax(paxRecord("size", "99999999999999")), { name: "a" }), "one that ends too early"],
  ["with a pax size that is none", tar(pax(paxRecord("size", "1e3")), { name: "a" }), "a broken pax header after 0 files"],
  ["with pax records that lie about their length", tar(pax("99 path=a\n"), { name: "a" }), "a broken pax header after 0 files"],
  ["with a name of a megabyte", tar(pax(paxRecord("path", "x".repeat(1 << 20))), { name: "a" }), `${(1 << 20) + 14} bytes`],
  ["that is compressed", gzipSync(tar({ name: "a" })), "something else"],
  ["that is text", Buffer.from("id,name\n".repeat(200)), "something else"],
  ["with a header that is broken", Buffer.concat([entry({ name: "a" }), Buffer.alloc(BLOCK, 7)]), "a broken header after 1 files"],
])("an archive %s is refused", async (_what, bytes, got) => {
  expect(await unpacked(bytes)).toEqual([expect.objectContaining({ got })]);
});

test("a name that holds a line feed is that name, not the part before it", async () => {
  expect(await unpacked(tar(pax(paxRecord("path", "a\n9 size=1")), { name: "b", bytes: Buffer.from("xyz") }))).toEqual([
    { path: "a\n9 size=1", mode: "file", text: "xyz" },
  ]);
});

test("an archive of more files than a folder may have is refused as soon as it is", async () => {
  const one = entry({ name: "a" });
  let sent = 0;
  const endless = async function* () {
    for (;;) {
      sent++;
      yield one;
    }
  };
  const into = join(folder, "many");
  mkdirSync(into);
  expect(await unpackTar(endless(), into, 1000)).toMatchObject({ ok: false, error: [{ expected: "at most 1,000 files" }] });
  expect(sent).toBe(1001);
});

test("no bytes make it fail, or write anything but numbers into its folder", async () => {
  const sound = tar(
    pax(paxRecord("path", "ä")),
    { name: "a", bytes: Buffer.from("abc") },
    { name: "b/", type: "5" },
    { name: "b/c", bytes: Buffer.alloc(600) },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(sound.length - 1), fc.nat(255)), { maxLength: 6 }),
      fc.nat(sound.length),
      async (changes, length) => {
        const bytes = Buffer.from(sound.subarray(0, length));
        for (const [at, byte] of changes) if (at < length) bytes[at] = byte;
        expect(Array.isArray(await unpacked(bytes))).toBe(true);
      },
    ),
    { numRuns: 200 },
  );
});

describe("a folder that is sent to the server", () => {
  let server: FreshServer;
  beforeAll(async () => void (server = await freshServer()));
  afterAll(() => server.drop());
  const add = (bytes: Buffer) =>
    server.admin.put("/v1/datasets/images/versions", bytes, { headers: { "content-type": "application/x-tar" } });

  test.each([
    "../up",
    "a/../../up",
    "/etc/cron.d/x",
    "..",
    "a//b",
    "a/./b",
    "a\\..\\b",
    "c:evil",
    "a\u202eb",
    "a\nb",
    "a/",
    `${"x".repeat(300)}`,
    `${"deep/".repeat(300)}x`,
    "CON/../x",
  ])("with the name %j is refused with that name, and nothing of it is kept anywhere", async (name) => {
    const problem = await problemOf(add(tar(pax(paxRecord("path", name)), { name: "x", bytes: Buffer.from("1") })));
    expect(problem).toMatchObject({ status: 400, errors: [expect.objectContaining({ expected: expect.any(String) })] });
    expect(readdirSync(join(server.folder, "uploads"))).toEqual([]);
    expect(blobsIn(server.folder)).toEqual([]);
    expect((await server.admin.get<{ readonly datasets: readonly unknown[] }>("/v1/datasets")).datasets).toEqual([]);
  });

  test("with one name twice, or two that are one on other systems, is refused", async () => {
    for (const [a, b] of [
      ["x", "x"],
      ["Readme", "README"],
      ["\u00e9", "e\u0301"],
      ["a", "a/b"],
    ]) {
      const problem = await problemOf(
        add(tar(pax(paxRecord("path", a ?? "")), { name: "x" }, pax(paxRecord("path", b ?? "")), { name: "x" })),
      );
      expect(problem).toMatchObject({ status: 400 });
    }
    expect(blobsIn(server.folder)).toEqual([]);
  });

  test("with a link in it is refused, as the command line refuses one", async () => {
    expect(await problemOf(add(tar({ name: "a", type: "2", link: "../../evenkeel.db" })))).toMatchObject({
      status: 400,
      errors: [{ path: "a", got: "a link" }],
    });
    symlinkSync("/etc/passwd", join(folder, "link"));
    expect(await listFolder(folder)).toMatchObject({ ok: false, error: [{ path: "link", got: "a link" }] });
  });
});

const blobsIn = (folder: string) =>
  existsSync(join(folder, "blobs"))
    ? readdirSync(join(folder, "blobs"), { recursive: true, withFileTypes: true }).flatMap((one) => (one.isFile() ? [one.name] : []))
    : [];
