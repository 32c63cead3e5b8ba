/** What a process takes of the machine's memory. */
import { readFileSync } from "node:fs";

export interface ProcessMemory {
  /** Its own: what its end would free. Without files, such as Node and ONNX Runtime, that all scorer processes share. */
  readonly ownBytes: number;
  /** All that is in memory for it, shared or not. */
  readonly residentBytes: number;
}

const NOTHING: ProcessMemory = { ownBytes: 0, residentBytes: 0 };

/** Nothing for no process, for one that has ended, and where the system has no `/proc`. */
export function memoryOf(pid: number | undefined): ProcessMemory {
  if (pid === undefined) return NOTHING;
  try {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    const bytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0) * 1024;
    return { ownBytes: bytes("RssAnon"), residentBytes: bytes("VmRSS") };
  } catch {
    return NOTHING;
  }
}
