/** Has a table read by a thread of its own, a few at a time. */
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import type { Blobs } from "../store/index.ts";
import { err, type Issue, type Result } from "../std.ts";
import { Slots } from "../slots.ts";
import { apart, USUAL_LIMIT, type TimeLimit } from "./apart.ts";
import { listFolder } from "./folder-listing.ts";
import { scanSource, type Scan, type Scanned } from "./scan.ts";
import type { ScanOrder } from "./scan-thread.ts";
import { fileInStore, fileOnDisk } from "./table-file.ts";
import { formatOf } from "./table-rows.ts";

/** Below that a thread takes longer to start than to read. */
const APART_BYTES = 1024 * 1024;
const AT_ONCE = 2;
const WAITING_MAX = 16;

export class Scans {
  readonly #blobs: Blobs;
  readonly #limit: TimeLimit;
  readonly #slots = new Slots(AT_ONCE);

  constructor(blobs: Blobs, limit: TimeLimit = USUAL_LIMIT) {
    this.#blobs = blobs;
    this.#limit = limit;
  }

  /** @throws StorageError, BlobError */
  async scan(scan: Scan): Promise<Result<Scanned, readonly Issue[]>> {
    const bytes = await this.#bytesApart(scan);
    if (bytes === undefined) return scanSource(this.#blobs, scan);
    if (this.#slots.waiting >= WAITING_MAX) {
      return err([
        { path: "", expected: "fewer additions at once", got: `${AT_ONCE + WAITING_MAX} are read or wait`, hint: "try again in a while" },
      ]);
    }
    return this.#slots.within(() => this.#apart(scan, bytes));
  }

  async #apart(scan: Scan, bytes: number): Promise<Result<Scanned, readonly Issue[]>> {
    const name = basename(this.#blobs.temporaryPath()).replaceAll("-", "");
    const order: ScanOrder = { folder: this.#blobs.folder, name, scan };
    const hint = "of Parquet, write smaller row groups: row_group_size=100_000";
    const work = { module: "./scan-thread", name: "scan", order, bytes, of: "a table", hint, limit: this.#limit } as const;
    let isAnswered = false;
    try {
      const done = await apart<Result<Scanned, readonly Issue[]>>(work);
      isAnswered = done.ok;
      return done.ok ? done.value : done;
    } finally {
      if (!isAnswered) await this.#blobs.dropTemporaries(name);
    }
  }

  /** How much is to be read by a thread; undefined for what is quicker here. Parquet of any size goes to one, where its memory is limited. */
  async #bytesApart({ source, format }: Scan): Promise<number | undefined> {
    if ("bytes" in source) return undefined;
    if ("entries" in source) return sizes(source.entries.map(({ file }) => file));
    const isOnDisk = "path" in source;
    const found = isOnDisk ? await stat(source.path).catch(() => undefined) : undefined;
    if (isOnDisk && found?.isDirectory()) {
      const listed = await listFolder(source.path);
      return listed.ok ? sizes(listed.value.map(({ file }) => file)) : 0;
    }
    if (isOnDisk ? !found?.isFile() : !(await this.#blobs.has(source.blob))) return undefined;
    const file = await (isOnDisk ? fileOnDisk(source.path) : fileInStore(this.#blobs, source.blob));
    const isParquet = (format ?? (await formatOf(file).catch(() => undefined))) === "parquet";
    return isParquet || file.bytes > APART_BYTES ? file.bytes : undefined;
  }
}

async function sizes(files: readonly string[]): Promise<number> {
  let bytes = 0;
  for (const file of files) bytes += (await stat(file).catch(() => undefined))?.size ?? 0;
  return bytes;
}
