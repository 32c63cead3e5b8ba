/** What a server costs with all the processes it has started, as Linux tells in `/proc`. */
import { readFileSync, readdirSync } from "node:fs";

export interface ProcessStat {
  readonly pid: number;
  readonly parent: number;
  /** The process that leads its session: a server that was started detached leads one, and keeps children whose parent has gone. */
  readonly session: number;
  /** User and system time, its own and that of children it has waited for: nothing is lost when a worker ends. */
  readonly cpuSeconds: number;
  /** It has ended, and nobody has asked how. */
  readonly isZombie: boolean;
}

export interface Memory {
  /** Proportional: pages that several processes share are shared out among them, so that the sum counts each once. */
  readonly pssBytes: number;
  /** Resident: the sum counts shared pages once for every process. */
  readonly rssBytes: number;
}

export interface TreeMemory extends Memory {
  readonly processes: number;
}

const TICKS_PER_SECOND = 100;

/** Reads `/proc/<pid>/stat`. The second field is a name in parentheses that may hold spaces and parentheses itself. */
export function parseStat(text: string): ProcessStat {
  const named = text.lastIndexOf(")");
  const fields = text.slice(named + 2).split(" ");
  const field = (index: number) => Number(fields[index]);
  return {
    pid: Number.parseInt(text, 10),
    parent: field(1),
    session: field(3),
    cpuSeconds: (field(11) + field(12) + field(13) + field(14)) / TICKS_PER_SECOND,
    isZombie: fields[0] === "Z",
  };
}

/** Reads `/proc/<pid>/smaps_rollup`. */
export function parseRollup(text: string): Memory {
  const bytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0) * 1024;
  return { pssBytes: bytes("Pss"), rssBytes: bytes("Rss") };
}

/** The process itself, everything it has started, and everything in a session it leads. */
export function treeOf(all: readonly ProcessStat[], root: number): readonly ProcessStat[] {
  const found = new Map(all.filter(({ pid, session }) => pid === root || session === root).map((stat) => [stat.pid, stat]));
  for (let before = -1; before !== found.size;) {
    before = found.size;
    for (const stat of all) if (found.has(stat.parent)) found.set(stat.pid, stat);
  }
  return [...found.values()];
}

/** The tree of a running process; empty where there is no `/proc`. */
export function processTree(root: number): readonly ProcessStat[] {
  const pids = readable(() => readdirSync("/proc"), []).filter((name) => /^\d+$/.test(name));
  return treeOf(
    pids.flatMap((pid) => statOf(Number(pid)) ?? []),
    root,
  );
}

/** Whether the process still runs; never where there is no `/proc`. */
export function isRunning(pid: number): boolean {
  const stat = statOf(pid);
  return stat !== undefined && !stat.isZombie;
}

const statOf = (pid: number) => readable(() => parseStat(readFileSync(`/proc/${pid}/stat`, "utf8")), undefined);

/** Null where the system doesn't tell. */
export function cpuSecondsOf(root: number): number | null {
  const tree = processTree(root);
  return tree.length === 0 ? null : tree.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
}

/** Null where the system doesn't tell. */
export function memoryOf(root: number): TreeMemory | null {
  const all = processTree(root).flatMap(({ pid }) => readable(() => [parseRollup(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))], []));
  if (all.length === 0) return null;
  const sum = (pick: (memory: Memory) => number) => all.reduce((total, memory) => total + pick(memory), 0);
  return { processes: all.length, pssBytes: sum(({ pssBytes }) => pssBytes), rssBytes: sum(({ rssBytes }) => rssBytes) };
}

/** A process may end between being listed and being read. */
function readable<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
