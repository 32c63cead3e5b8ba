/** What is in files, known again without reading them while nothing about them has changed: the status of a folder with 50 GB takes no time. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { Type, type Static } from "typebox";
import { checked, object } from "../checked.ts";
import { parseBlobId } from "../store/index.ts";
import { assert, type BlobId } from "../std.ts";

const Entry = object({ mark: Type.String(), blob: Type.String() });
const check = checked(Type.Record(Type.String(), Entry));

/** A file that was written so shortly before it was read may be written again without its times showing it. */
const TOO_FRESH_MS = 2000;
const FILES_MAX = 100_000;

type Known = Map<string, Static<typeof Entry>>;

export class KnownFiles {
  readonly #file: string;
  readonly #nowMs: () => number;
  readonly #known: Known;
  #hasNews = false;
  /** How many were read since this was opened. */
  read = 0;

  private constructor(file: string, nowMs: () => number, known: Known) {
    this.#file = file;
    this.#nowMs = nowMs;
    this.#known = known;
  }

  /** @param file - where it is remembered; one that is broken or not there is an empty memory */
  static async open(file: string, nowMs: () => number): Promise<KnownFiles> {
    const text = await readFile(file, "utf8").catch(() => "{}");
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      value = {};
    }
    const known = check(value);
    return new KnownFiles(file, nowMs, new Map(Object.entries(known.ok ? known.value : {})));
  }

  /** The id of the bytes at an absolute path. */
  async blobOf(path: string): Promise<BlobId> {
    const mark = await markOf(path);
    const known = this.#known.get(path);
    const remembered = known?.mark === mark.text ? parseBlobId(known.blob) : undefined;
    if (remembered) return remembered;
    const hash = createHash("sha256");
    for await (const chunk of bytesOf(path)) hash.update(chunk);
    this.read++;
    const blob = parseBlobId(`sha256:${hash.digest("hex")}`);
    assert(blob, "a hash is a blob's id");
    const isStill = (await markOf(path)).text === mark.text;
    if (isStill && mark.changedMs < this.#nowMs() - TOO_FRESH_MS) {
      this.#known.delete(path);
      this.#known.set(path, { mark: mark.text, blob });
      this.#hasNews = true;
    }
    return blob;
  }

  /** Keeps what was learned, the newest first where there is too much of it. */
  async save(): Promise<void> {
    if (!this.#hasNews) return;
    const entries = [...this.#known].slice(-FILES_MAX);
    const temporary = `${this.#file}.${process.pid}`;
    await mkdir(dirname(this.#file), { recursive: true });
    await writeFile(temporary, JSON.stringify(Object.fromEntries(entries)));
    await rename(temporary, this.#file);
    this.#hasNews = false;
  }
}

const bytesOf = (path: string): AsyncIterable<Buffer> => createReadStream(path, { highWaterMark: 1 << 20 });

/** Size, both times and inode: whoever changes a file changes one of them, also with its old times put back. */
async function markOf(path: string): Promise<{ readonly text: string; readonly changedMs: number }> {
  const { size, mtimeNs, ctimeNs, ino, dev } = await stat(path, { bigint: true });
  return {
    text: [size, mtimeNs, ctimeNs, ino, dev].join(" "),
    changedMs: Number((mtimeNs > ctimeNs ? mtimeNs : ctimeNs) / 1_000_000n),
  };
}
