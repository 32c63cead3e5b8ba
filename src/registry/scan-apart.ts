/** Has a table read by a thread of its own, a few at a time. */
import { once } from "node:events";
import { stat } from "node:fs/promises";
import { Worker } from "node:worker_threads";
import { BlobError, StorageError, type Blobs } from "../store/index.ts";
import { asError, err, siblingModule, type Issue, type Result } from "../std.ts";
import { Slots } from "../slots.ts";
import { scanSource, type Scan, type Scanned } from "./scan.ts";
import { fileOnDisk } from "./table-file.ts";
import { formatOf } from "./table-rows.ts";
import type { ScanFailure, ScanOrder } from "./scan-thread.ts";

/** Below that a thread takes longer to start than to read. */
const APART_BYTES = 1024 * 1024;
const MEMORY_MB = 1024;
const AT_ONCE = 2;
const WAITING_MAX = 16;

export class Scans {
  readonly #blobs: Blobs;
  readonly #slots = new Slots(AT_ONCE);

  constructor(blobs: Blobs) {
    this.#blobs = blobs;
  }

  /** @throws StorageError, BlobError */
  async scan(scan: Scan): Promise<Result<Scanned, readonly Issue[]>> {
    if (!(await isLarge(scan))) return scanSource(this.#blobs, scan);
    if (this.#slots.waiting >= WAITING_MAX) {
      return err([
        { path: "", expected: "fewer additions at once", got: `${AT_ONCE + WAITING_MAX} are read or wait`, hint: "try again in a while" },
      ]);
    }
    return this.#slots.within(() => scanApart({ folder: this.#blobs.folder, scan }));
  }
}

/** Parquet of any size goes to a thread, whose memory is limited. */
async function isLarge({ source, format }: Scan): Promise<boolean> {
  if ("bytes" in source || "blob" in source) return false;
  if ("entries" in source || format === "parquet") return true;
  const found = await stat(source.path).catch(() => undefined);
  if (!found?.isFile()) return found?.isDirectory() ?? false;
  return found.size > APART_BYTES || (await formatOf(await fileOnDisk(source.path)).catch(() => undefined)) === "parquet";
}

async function scanApart(workerData: ScanOrder): Promise<Result<Scanned, readonly Issue[]>> {
  const worker = new Worker(siblingModule(import.meta.url, "./scan-thread"), {
    workerData,
    execArgv: [],
    name: "scan",
    resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB },
  });
  try {
    const ended = once(worker, "exit").then(() => {
      throw new Error("the thread that read a table ended without an answer");
    });
    const [message] = await Promise.race([once(worker, "message"), ended]);
    const answer = asAnswer(message);
    if ("done" in answer) return answer.done;
    const { failure } = answer;
    if (failure.kind === "blob") throw new BlobError(failure.trouble, failure.id);
    throw new StorageError("storage-full", `no room for the table: ${failure.message}`);
  } catch (caught) {
    const error = asError(caught);
    if (!("code" in error) || error.code !== "ERR_WORKER_OUT_OF_MEMORY") throw error;
    const hint = "of Parquet, write smaller row groups: row_group_size=100_000";
    return err([{ path: "", expected: `a table that can be read within ${MEMORY_MB} MB of memory`, got: "one that needs more", hint }]);
  } finally {
    await worker.terminate();
  }
}

/** The thread's messages have these forms. */
const asAnswer = (value: unknown) => value as { readonly done: Result<Scanned, readonly Issue[]> } | { readonly failure: ScanFailure };
