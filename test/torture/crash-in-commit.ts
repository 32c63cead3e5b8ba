/**
 * Loaded into every thread of a server before anything else (`--import`): ends the one that commits decisions, in the way and after as many
 * transactions as EVENKEEL_TORTURE_CRASH says (`exit:40`).
 */
import { isMainThread, workerData } from "node:worker_threads";
import Database from "better-sqlite3";

export const CRASH_VARIABLE = "EVENKEEL_TORTURE_CRASH";
/** In the middle of a transaction, but for `throw`: right after one, where nobody catches it. */
export const CRASHES = {
  throw: () => void setImmediate(() => raise("torture: the commit worker throws")),
  exit: () => process.exit(7),
  heap: () => {
    const kept: number[][] = [];
    for (;;) kept.push(Array.from({ length: 100_000 }, (_, i) => i + kept.length + 0.5));
  },
  segfault: () => process.kill(process.pid, "SIGSEGV"),
} as const satisfies Record<string, () => void>;

const [how, after] = (process.env[CRASH_VARIABLE] ?? "").split(":");
if (!isMainThread && isWriter(workerData)) {
  const crash = Object.entries(CRASHES).find(([name]) => name === how)?.[1];
  let left = Number(after);
  const prototype = asTransacting(Database.prototype);
  const { transaction } = prototype;
  prototype.transaction = function (work) {
    return transaction.call(this, (...given: unknown[]) => {
      const done = work(...given);
      if (--left === 0) crash?.();
      return done;
    });
  };
}

function raise(message: string): never {
  throw new Error(message);
}

/** What `sqlite-thread.ts` is started with. */
function isWriter(data: unknown): boolean {
  return typeof data === "object" && data !== null && "file" in data && "readonly" in data && data.readonly === false;
}

interface Transacting {
  transaction: (this: Transacting, work: (...given: unknown[]) => unknown) => unknown;
}
/** better-sqlite3's own class, whose method takes any function. */
function asTransacting(prototype: unknown): Transacting {
  return prototype as Transacting;
}
