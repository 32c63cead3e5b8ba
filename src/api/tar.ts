/**
 * Tar as `tar c FOLDER` writes it (POSIX ustar and pax, and GNU's long names), read as it comes: regular files only, each into a file named by
 * its number. No name in an archive becomes a path here.
 */
import { open } from "node:fs/promises";
import { join } from "node:path";
import { FOLDER_FILES_MAX, printable, type FolderEntry } from "../registry/index.ts";
import { err, ok, type Issue, type Result } from "../std.ts";

const BLOCK = 512;
const HEADER_MAX = 64 * 1024;

/**
 * @param folder - empty, and removed by the caller in either case
 * @param filesMax - more are refused as soon as they come
 */
export async function unpackTar(
  pieces: AsyncIterable<Buffer>,
  folder: string,
  filesMax = FOLDER_FILES_MAX,
): Promise<Result<readonly FolderEntry[], readonly Issue[]>> {
  const source = new ByteSource(pieces);
  const entries: FolderEntry[] = [];
  /** What a header before says of the next file. */
  let told: { readonly path?: string; readonly bytes?: number } = {};
  let isBegun = false;
  for (;;) {
    const head = await source.take(BLOCK);
    if (!head) return isBegun ? cut : refused("", "a tar archive", "something else");
    if (head.every((byte) => byte === 0)) break;
    if (!isHeader(head)) return refused("", "a tar archive", isBegun ? `a broken header after ${entries.length} files` : "something else");
    isBegun = true;
    const type = head.toString("latin1", 156, 157);
    const own = numberAt(head, 124, 12);
    if (type === "x" || type === "L") {
      if (own > HEADER_MAX) return refused("", "names of at most 64 KiB", `${own} bytes`);
      const text = await source.take(own);
      if (text === undefined || !(await source.skip(padding(own)))) return cut;
      const more = type === "L" ? { path: text.toString("utf8").replace(/\0+$/, "") } : paxOf(text);
      if (!more) return refused("", "a tar archive", `a broken pax header after ${entries.length} files`);
      told = { ...told, ...more };
      continue;
    }
    if (type === "g") {
      if (!(await source.skip(own + padding(own)))) return cut;
      continue;
    }
    const bytes = told.bytes ?? own;
    const path = (told.path ?? nameOf(head)).replace(/^(?:\.\/)+/, "");
    told = {};
    if (type === "5") {
      if (!(await source.skip(bytes + padding(bytes)))) return cut;
      continue;
    }
    if (type !== "0" && type !== "\0")
      return refused(printable(path), "files and folders", type === "1" || type === "2" ? "a link" : "no file");
    if (entries.length === filesMax) return refused("", `at most ${filesMax.toLocaleString("en")} files`, "more");
    const file = join(folder, String(entries.length));
    if (!(await source.copy(bytes, file)) || !(await source.skip(padding(bytes)))) return cut;
    entries.push({ path, file, mode: numberAt(head, 100, 8) & 0o111 ? "executable" : "file" });
  }
  // What comes after the end is only filling.
  while (await source.skip(BLOCK));
  return ok(entries);
}

const refused = (path: string, expected: string, got: string) => err([{ path, expected, got }]);
const cut = refused("", "a whole archive", "one that ends too early");
const padding = (bytes: number): number => (BLOCK - (bytes % BLOCK)) % BLOCK;

/** A header's sum is over its bytes, with spaces where the sum itself stands. */
function isHeader(head: Buffer): boolean {
  const stated = numberAt(head, 148, 8);
  const sum = head.reduce((all, byte, at) => all + (at >= 148 && at < 156 ? 32 : byte), 0);
  return stated === sum;
}

function nameOf(head: Buffer): string {
  const text = (from: number, length: number) => head.toString("utf8", from, from + length).split("\0")[0] ?? "";
  const prefix = head.toString("latin1", 257, 263) === "ustar\0" ? text(345, 155) : "";
  return prefix === "" ? text(0, 100) : `${prefix}/${text(0, 100)}`;
}

/** Octal digits; or, for what is larger than they can say, a set first bit and a number. */
function numberAt(head: Buffer, from: number, length: number): number {
  const first = head[from] ?? 0;
  if (first & 0x80) return Number(head.subarray(from + 1, from + length).reduce((value, byte) => value * 256n + BigInt(byte), 0n));
  const digits = head
    .toString("latin1", from, from + length)
    .replace(/[\0 ]+$/, "")
    .trim();
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : 0;
}

/** Records of `LENGTH KEY=VALUE`, ended by a line feed; a value may hold some, too. undefined where they aren't that. */
function paxOf(bytes: Buffer): { readonly path?: string; readonly bytes?: number } | undefined {
  let told: { readonly path?: string; readonly bytes?: number } = {};
  for (let at = 0; at < bytes.length;) {
    const length = Number(/^([1-9]\d{0,5}) /.exec(bytes.toString("latin1", at, at + 8))?.[1] ?? 0);
    const record = bytes.subarray(at, at + length);
    if (length === 0 || record.length < length || record.at(-1) !== 0x0a) return undefined;
    const [, key, value = ""] = /^\d+ ([^=]+)=(.*)\n$/s.exec(record.toString("utf8")) ?? [];
    if (key === undefined) return undefined;
    if (key === "path") told = { ...told, path: value };
    if (key === "size") {
      if (!/^\d{1,15}$/.test(value)) return undefined;
      told = { ...told, bytes: Number(value) };
    }
    at += length;
  }
  return told;
}

/** Bytes as they come, taken in the lengths that are asked for. */
class ByteSource {
  readonly #pieces: AsyncIterator<Buffer>;
  #left: Buffer = Buffer.alloc(0);

  constructor(pieces: AsyncIterable<Buffer>) {
    this.#pieces = pieces[Symbol.asyncIterator]();
  }

  /** undefined where fewer come. */
  async take(bytes: number): Promise<Buffer | undefined> {
    const parts: Buffer[] = [];
    let missing = bytes;
    while (missing > 0) {
      const part = await this.#some(missing);
      if (!part) return undefined;
      parts.push(part);
      missing -= part.length;
    }
    return Buffer.concat(parts);
  }

  async skip(bytes: number): Promise<boolean> {
    for (let missing = bytes; missing > 0;) {
      const part = await this.#some(missing);
      if (!part) return false;
      missing -= part.length;
    }
    return true;
  }

  async copy(bytes: number, path: string): Promise<boolean> {
    const file = await open(path, "wx", 0o600);
    try {
      for (let missing = bytes; missing > 0;) {
        const part = await this.#some(missing);
        if (!part) return false;
        await file.write(part);
        missing -= part.length;
      }
      return true;
    } finally {
      await file.close();
    }
  }

  async #some(most: number): Promise<Buffer | undefined> {
    while (this.#left.length === 0) {
      const next = await this.#pieces.next();
      if (next.done) return undefined;
      this.#left = next.value;
    }
    const part = this.#left.subarray(0, most);
    this.#left = this.#left.subarray(part.length);
    return part;
  }
}
