/** Every state of the files that a crash can leave: what was synced is there, of the rest any part may be, and the last write may be torn. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { DiskOperation } from "./disk-trace.ts";

type Change = Extract<DiskOperation, { kind: "write" | "truncate" | "unlink" }>;
/** Contents by file name; a file that isn't there is left out. */
export type Files = ReadonlyMap<string, Buffer>;

export interface CrashState {
  /** For people: where in the trace, and what of it is there. */
  readonly name: string;
  readonly files: () => Files;
  /** Acknowledgements that were out by then. */
  readonly acks: number;
}

const SECTOR = 512;

/**
 * @param prepared - the folder as it was before the first operation, all of it on disk
 * @yields states in the order of the trace; each combination of contents and acknowledgements once
 */
export function* crashStates(prepared: string, operations: readonly DiskOperation[]): Generator<CrashState> {
  let durable: Files = new Map([["evenkeel.db", readFileSync(join(prepared, "evenkeel.db"))]]);
  let pending: readonly Change[] = [];
  let acks = 0;
  for (const [at, operation] of operations.entries()) {
    const base = durable;
    const state = (what: string, changes: readonly Change[]): CrashState => ({
      name: `operation ${at} (${operation.kind}), ${what}`,
      files: () => applied(base, changes),
      acks,
    });
    switch (operation.kind) {
      case "ack":
        acks = operation.index + 1;
        yield state("only what was synced", []);
        if (pending.length > 0) yield state("all of it", pending);
        break;
      case "sync": {
        // Now most is pending: any one write may be missing, and files reach the disk apart from each other.
        const named = pending.map(({ file }) => file);
        for (const file of new Set(named))
          if (named.some((other) => other !== file))
            yield state(
              `only ${file}`,
              pending.filter((change) => change.file === file),
            );
        for (const left of pending)
          yield state(
            `all but operation ${pending.indexOf(left)}`,
            pending.filter((change) => change !== left),
          );
        durable = applied(
          durable,
          pending.filter(({ file }) => file === operation.file),
        );
        pending = pending.filter(({ file }) => file !== operation.file);
        break;
      }
      default:
        if (operation.kind === "write" && operation.bytes.length > SECTOR)
          for (const kept of [SECTOR, operation.bytes.length - SECTOR])
            yield state(`torn after ${kept} bytes`, [...pending, torn(operation, kept)]);
        pending = [...pending, operation];
        yield state("all of it", pending);
    }
  }
}

const torn = (write: Extract<Change, { kind: "write" }>, kept: number): Change => ({ ...write, bytes: write.bytes.subarray(0, kept) });

/** The files after `changes`, in their order. */
function applied(files: Files, changes: readonly Change[]): Files {
  const after = new Map(files);
  for (const change of changes) {
    const before = after.get(change.file) ?? Buffer.alloc(0);
    if (change.kind === "unlink") after.delete(change.file);
    else if (change.kind === "truncate") after.set(change.file, resized(before, change.size));
    else {
      const grown = resized(before, Math.max(before.length, change.at + change.bytes.length));
      change.bytes.copy(grown, change.at);
      after.set(change.file, grown);
    }
  }
  return after;
}

/** A copy: the contents of a state belong to it alone. */
function resized(bytes: Buffer, size: number): Buffer {
  const copy = Buffer.alloc(size);
  bytes.copy(copy);
  return copy;
}
