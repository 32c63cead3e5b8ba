/** Whether the memory that this process and its scorers may have together is nearly used up. Only where the system sets a limit: a container, a unit. */
import { readFileSync } from "node:fs";
import { totalmem } from "node:os";
import { join } from "node:path";
import type { Clock } from "../store/index.ts";

/** What a group of processes takes of what it may. */
export interface GroupMemory {
  /** What only the end of a process gives back: no file's pages, which the kernel takes back by itself. */
  readonly usedBytes: number;
  readonly limitBytes: number;
}

/** Of the limit: from here on work that can wait has to, so that single decisions aren't ended with it. */
const HIGH = 0.85;
/** Reading it costs a tenth of a millisecond. */
const LOOK_EVERY_US = 100_000;

export class MemoryPressure {
  readonly #clock: Clock;
  readonly #read: () => GroupMemory | undefined;
  #isHigh = false;
  #lookedUs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, read: () => GroupMemory | undefined = groupMemory) {
    this.#clock = clock;
    this.#read = read;
  }

  /** As of the last tenth of a second. Never where there is no limit, or none can be read. */
  isHigh(): boolean {
    const nowUs = this.#clock.monotonicUs();
    if (nowUs - this.#lookedUs < LOOK_EVERY_US) return this.#isHigh;
    this.#lookedUs = nowUs;
    const memory = this.#read();
    this.#isHigh = memory !== undefined && memory.usedBytes > HIGH * memory.limitBytes;
    return this.#isHigh;
  }
}

/** Of this process's control group; undefined where nothing limits it. */
export function groupMemory(): GroupMemory | undefined {
  const limitBytes = process.constrainedMemory();
  if (!(limitBytes > 0 && limitBytes < totalmem())) return undefined;
  for (const [folder, field] of groupFolders()) {
    const used = new RegExp(`^${field} (\\d+)$`, "m").exec(textOf(join(folder, "memory.stat")))?.[1];
    if (used !== undefined) return { usedBytes: Number(used), limitBytes };
  }
  return undefined;
}

/** Where the kernel says it, and what it calls it there: version 1 and 2, the group by its path or, in a container, as the root of what is seen. */
function groupFolders(): readonly (readonly [folder: string, field: string])[] {
  const groups = textOf("/proc/self/cgroup");
  const one = /^\d+:memory:(.*)$/m.exec(groups)?.[1];
  const two = /^0::(.*)$/m.exec(groups)?.[1];
  const paths = (root: string, path: string | undefined) => (path === undefined ? [] : [join(root, path), root]);
  return [
    ...paths("/sys/fs/cgroup/memory", one).map((folder) => [folder, "total_rss"] as const),
    ...paths("/sys/fs/cgroup", two).map((folder) => [folder, "anon"] as const),
  ];
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
