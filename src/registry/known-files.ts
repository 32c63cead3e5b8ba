/** What is in files, known again without reading them while nothing about them has changed: the status of a folder with 50 GB takes no time. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { Type, type Static } from "typebox";
import { checked, object } from "../checked.ts";
import { parseBlobId } from "../store/index.ts";
import { assert, type BlobId } from "../std.ts";

const Entry = object({ state: Type.String(), blob: Type.String() });
type Entry = Static<typeof Entry>;
const check = checked(Type.Record(Type.String(), Entry));

/** A file that was written so shortly before it was read may be written again without its times showing it. */
const TOO_FRESH_MS = 2000;

/**
 * What tells that a file is still the one that was looked at before: size, both times, inode and disk. Whoever changes a file changes one
 * of them, also with its old times put back; of a link it is that of the file it leads to, whose bytes are read.
 */
export async function fileState(path: string): Promise<string> {
  const { size, mtimeNs, ctimeNs, ino, dev } = await stat(path, { bigint: true });
  return [size, mtimeNs, ctimeNs, ino, dev].join(" ");
}

/** Kept in a file of its own; losing it costs a reading. Paths are absolute. */
export class KnownFiles {
  readonly #file: string;
  readonly #nowMs: () => number;
  readonly #most: number;
  readonly #known: Map<string, Entry>;
  readonly #news = new Map<string, Entry>();
  /** How many were read since this was opened. */
  read = 0;

  private constructor(file: string, known: Map<string, Entry>, { nowMs, most }: { readonly nowMs: () => number; readonly most: number }) {
    this.#file = file;
    this.#known = known;
    this.#nowMs = nowMs;
    this.#most = most;
  }

  /**
   * @param file - where it is remembered; one that is broken or not there is an empty memory
   * @param most - files that are remembered, the newest
   */
  static async open(file: string, nowMs: () => number, most = 100_000): Promise<KnownFiles> {
    return new KnownFiles(file, await entriesIn(file), { nowMs, most });
  }

  /** undefined for a file that isn't remembered, or has changed since. */
  async known(path: string): Promise<BlobId | undefined> {
    const entry = this.#news.get(path) ?? this.#known.get(path);
    return entry && entry.state === (await fileState(path)) ? parseBlobId(entry.blob) : undefined;
  }

  /** The id of the bytes at a path, read only where it must be. */
  async blobOf(path: string): Promise<BlobId> {
    const known = await this.known(path);
    if (known) return known;
    const state = await fileState(path);
    const hash = createHash("sha256");
    const bytes: AsyncIterable<Buffer> = createReadStream(path, { highWaterMark: 1 << 20 });
    for await (const chunk of bytes) hash.update(chunk);
    this.read++;
    const blob = parseBlobId(`sha256:${hash.digest("hex")}`);
    assert(blob, "a hash is a blob's id");
    await this.note(path, { blob, state });
    return blob;
  }

  /** Remembers what somebody has read. @param state - of before it was read */
  async note(path: string, { blob, state }: Entry): Promise<void> {
    const [, mtimeNs = "", ctimeNs = ""] = state.split(" ");
    const changedMs = Math.max(Number(mtimeNs), Number(ctimeNs)) / 1e6;
    if (changedMs > this.#nowMs() - TOO_FRESH_MS || (await fileState(path)) !== state) return;
    this.#news.set(path, { state, blob });
  }

  /** Keeps what was learned, beside what others have kept meanwhile. */
  async save(): Promise<void> {
    if (this.#news.size === 0) return;
    const others = [...(await entriesIn(this.#file))].filter(([path]) => !this.#news.has(path));
    const entries = [...others, ...this.#news].slice(-this.#most);
    const temporary = `${this.#file}.${process.pid}`;
    await mkdir(dirname(this.#file), { recursive: true });
    await writeFile(temporary, JSON.stringify(Object.fromEntries(entries)), { mode: 0o600 });
    await rename(temporary, this.#file);
  }
}

async function entriesIn(file: string): Promise<Map<string, Entry>> {
  try {
    const known = check(JSON.parse(await readFile(file, "utf8")));
    return new Map(Object.entries(known.ok ? known.value : {}));
  } catch {
    return new Map();
  }
}
