/** Work that reads whole tables, on a thread of its own: its memory and its time are limited, and the server goes on answering meanwhile. */
import { once } from "node:events";
import { parentPort, Worker } from "node:worker_threads";
import { BlobError, StorageError } from "../store/index.ts";
import { asError, err, ok, siblingModule, type Issue, type Result } from "../std.ts";

export interface ApartWork {
  /** Beside this file, without its ending. It ends in `answer`. */
  readonly module: `./${string}`;
  readonly name: string;
  /** Plain data. */
  readonly order: unknown;
  /** Of all that is read. */
  readonly bytes: number;
  /** Begins the sentence that refuses what takes too much. */
  readonly of: string;
  /** What can be done about too much memory. */
  readonly hint?: string;
  readonly limit?: TimeLimit;
}

/** A tenth of what the slowest machine reads: whoever is slower has come upon something that never ends. */
export interface TimeLimit {
  readonly baseMs: number;
  readonly bytesPerMs: number;
}
export const USUAL_LIMIT: TimeLimit = { baseMs: 120_000, bytesPerMs: 1000 };

const MEMORY_MB = 1024;

type Answer = { readonly done: unknown } | { readonly failure: Failure };
/** Errors that mean something to the server; classes don't survive the way out of a thread. */
type Failure =
  | { readonly kind: "blob"; readonly trouble: BlobError["kind"]; readonly id: BlobError["id"] }
  | { readonly kind: "disk-full"; readonly message: string };

/**
 * @returns what the thread answered, in the type that its module gives; an issue where it took too long or too much memory
 * @throws StorageError, BlobError
 */
export async function apart<T>(work: ApartWork): Promise<Result<T, readonly Issue[]>> {
  const { module, name, order, bytes, of, hint, limit = USUAL_LIMIT } = work;
  const worker = new Worker(siblingModule(import.meta.url, module), {
    workerData: order,
    execArgv: [],
    name,
    resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB },
  });
  const limitMs = limit.baseMs + bytes / limit.bytesPerMs;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<"late">((resolve) => (timer = setTimeout(() => resolve("late"), limitMs)));
  try {
    const ended = once(worker, "exit").then(() => {
      throw new Error(`the thread ${name} ended without an answer`);
    });
    const first = await Promise.race([once(worker, "message"), ended, late]);
    if (first === "late") {
      const got = `one that hadn't come to its end after ${Math.ceil(limitMs / 1000).toLocaleString("en")} s`;
      return err([{ path: "", expected: `${of} that can be read in time`, got }]);
    }
    const answer = asAnswer(first[0]);
    if ("done" in answer) return ok(asDone<T>(answer.done));
    const { failure } = answer;
    if (failure.kind === "blob") throw new BlobError(failure.trouble, failure.id);
    throw new StorageError("storage-full", `no room for the table: ${failure.message}`);
  } catch (caught) {
    const error = asError(caught);
    if (!("code" in error) || error.code !== "ERR_WORKER_OUT_OF_MEMORY") throw error;
    const expected = `${of} that can be read within ${MEMORY_MB} MB of memory`;
    return err([{ path: "", expected, got: "one that needs more", ...(hint === undefined ? {} : { hint }) }]);
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}

/** Of the thread's module: does the work and sends what came of it. */
export async function answer(work: () => Promise<unknown>): Promise<void> {
  try {
    parentPort?.postMessage({ done: await work() } satisfies Answer);
  } catch (error) {
    const failure = failureOf(error);
    if (!failure) throw error;
    parentPort?.postMessage({ failure } satisfies Answer);
  }
}

function failureOf(error: unknown): Failure | undefined {
  if (error instanceof BlobError) return { kind: "blob", trouble: error.kind, id: error.id };
  if (error instanceof Error && "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT"))
    return { kind: "disk-full", message: error.message };
  return undefined;
}

/** Only `answer` sends messages. */
const asAnswer = (value: unknown): Answer => value as Answer;
/** What a module hands to `answer` has the type that its caller asks for: both are beside each other. */
const asDone = <T>(value: unknown): T => value as T;
