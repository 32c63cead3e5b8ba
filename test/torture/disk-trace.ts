/** What a victim did to the database's files, read from strace: the raw matter of every state that a crash can leave. */
import { readFileSync } from "node:fs";
import { basename } from "node:path";

export type DiskOperation =
  | { readonly kind: "write"; readonly file: string; readonly at: number; readonly bytes: Buffer }
  | { readonly kind: "truncate"; readonly file: string; readonly size: number }
  | { readonly kind: "unlink"; readonly file: string }
  /** Everything done to the file before is on disk once this has returned. */
  | { readonly kind: "sync"; readonly file: string }
  /** The victim told the world of its `index`th decision. */
  | { readonly kind: "ack"; readonly index: number };

export const TRACED = ["--seccomp-bpf", "-y", "-xx", "-s", "70000", "-e", "trace=pwrite64,fsync,fdatasync,ftruncate,unlink,rename,write"];

/** The shared memory is made anew after a crash, and the lock's file says nothing. */
const FILES = new Set(["evenkeel.db", "evenkeel.db-wal", "evenkeel.db-journal"]);

interface Call {
  readonly name: string;
  readonly args: string;
}

/** In the order in which the calls returned; what never returned, because the process was over, is left out. */
export function readTrace(path: string): readonly DiskOperation[] {
  const begun = new Map<string, string>();
  const operations: DiskOperation[] = [];
  let acks = 0;
  for (const line of readFileSync(path, "latin1").split("\n")) {
    const call = callOf(line, begun);
    if (!call) continue;
    // The victim writes each acknowledgement by itself.
    if (call.name === "write" && call.args.startsWith("1<") && call.args.includes(JSON_START))
      operations.push({ kind: "ack", index: acks++ });
    else {
      const operation = operationOf(call);
      if (operation) operations.push(operation);
    }
  }
  return operations;
}

/** `{"n"` as strace writes it with -xx. */
const JSON_START = [...Buffer.from('{"n"')].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");

function callOf(line: string, begun: Map<string, string>): Call | undefined {
  const whole = /^(\d+) +(\w+)\((.*)\) += \d/.exec(line);
  if (whole) return { name: whole[2] ?? "", args: whole[3] ?? "" };
  const unfinished = /^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$/.exec(line);
  if (unfinished) {
    begun.set(`${unfinished[1]} ${unfinished[2]}`, unfinished[3] ?? "");
    return undefined;
  }
  const resumed = /^(\d+) +<\.\.\. (\w+) resumed>(.*)\) += \d/.exec(line);
  if (!resumed) return undefined;
  const args = begun.get(`${resumed[1]} ${resumed[2]}`);
  return args === undefined ? undefined : { name: resumed[2] ?? "", args: args + (resumed[3] ?? "") };
}

function operationOf({ name, args }: Call): DiskOperation | undefined {
  if (name === "unlink") {
    const file = basename(textOf(args));
    return FILES.has(file) ? { kind: "unlink", file } : undefined;
  }
  // With -xx the path behind a descriptor is written in hex as well.
  const file = basename(bytesOf(/^\d+<([^>]*)>/.exec(args)?.[1] ?? "").toString());
  if (!FILES.has(file)) return undefined;
  switch (name) {
    case "pwrite64": {
      const found = /, "([^"]*)", \d+, (\d+)/.exec(args);
      if (!found) throw new Error(`strace wrote a pwrite64 that can't be read: ${args.slice(0, 200)}`);
      return { kind: "write", file, at: Number(found[2]), bytes: bytesOf(found[1] ?? "") };
    }
    case "ftruncate":
      return { kind: "truncate", file, size: Number(/, (\d+)/.exec(args)?.[1]) };
    case "fsync":
    case "fdatasync":
      return { kind: "sync", file };
    default:
      throw new Error(`nobody knows what ${name} does to ${file}`);
  }
}

const textOf = (args: string): string => bytesOf(/"([^"]*)"/.exec(args)?.[1] ?? "").toString();

/** `\x41\x42`, or plain text where strace wrote it so. */
function bytesOf(text: string): Buffer {
  if (!text.startsWith("\\x")) return Buffer.from(text, "latin1");
  return Buffer.from(text.replaceAll("\\x", ""), "hex");
}
