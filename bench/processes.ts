/** The processes of a benchmark: servers, the client that loads them, and what they cost the machine. */
import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { LoadOrder } from "./client.ts";
import type { ClosedLoopResult } from "./closed-loop.ts";

export interface Measured {
  readonly requests: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** User and system time of the server with its scorer processes, per decision; null where the system doesn't tell. */
  readonly cpuUs: number | null;
  /** Of the client that sent the load, per request: it shares the machine. */
  readonly clientCpuUs: number | null;
  readonly failed: number;
}

/** Every process that a run has started, to be ended with it. */
export class Processes {
  readonly #children: ChildProcess[] = [];
  /** What others start, to be ended too. */
  readonly others = new Set<ChildProcess>();

  start(file: string, ...args: readonly string[]): ChildProcess {
    const child = spawn(process.execPath, [fileURLToPath(new URL(file, import.meta.url)), ...args], { stdio: ["pipe", "pipe", "inherit"] });
    this.#children.push(child);
    return child;
  }
  /** A server, once it has said where it listens. */
  async server(file: string, ...args: readonly string[]): Promise<Started> {
    const child = this.start(file, ...args);
    const { url } = asUrl(JSON.parse(await lineOf(child)));
    return { url, port: Number(new URL(url).port), pid: child.pid ?? 0 };
  }
  end(): void {
    for (const child of [...this.#children, ...this.others]) child.kill("SIGKILL");
  }
}

export interface Started {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
}

/** What `bare.ts` and `server.ts` print first. */
const asUrl = (value: unknown): { readonly url: string } => value as { readonly url: string };

function lineOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`a process of the benchmark ended with exit code ${code ?? "none"}`)));
    if (child.stdout) createInterface({ input: child.stdout }).once("line", resolve);
  });
}

export class Load {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  constructor(child: ChildProcess) {
    this.#child = child;
    if (!child.stdout) throw new Error("the client has no output");
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }
  async run({ pid, ...order }: LoadOrder & { readonly pid: number; readonly url: string }): Promise<Measured> {
    this.#child.stdin?.write(`${JSON.stringify(order)}\n`);
    const [server, client] = [cpuSecondsOf(pid), cpuSecondsOf(this.#child.pid ?? 0)];
    const line = await this.#lines.next();
    if (line.done) throw new Error("the client has ended");
    const { requests, failed, perSecond, p50Ms, p99Ms } = asResult(JSON.parse(line.value));
    // The warm-up costs CPU as well: its requests are counted with those that were measured.
    const all = requests * (1 + order.warmUpMs / order.durationMs);
    const per = (before: number | null, now: number | null) => (before === null || now === null ? null : ((now - before) / all) * 1e6);
    return {
      requests,
      perSecond,
      p50Ms,
      p99Ms,
      failed,
      cpuUs: per(server, cpuSecondsOf(pid)),
      clientCpuUs: per(client, cpuSecondsOf(this.#child.pid ?? 0)),
    };
  }
}
/** What `client.ts` prints. */
const asResult = (value: unknown): ClosedLoopResult => value as ClosedLoopResult;

/** A process and all that it has started, however deep. @throws Error where there is no `/proc` */
function treeOf(pid: number): readonly number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" ").filter(Boolean).map(Number),
  );
  return [pid, ...children.flatMap(treeOf)];
}

/** User and system time so far of a process, its threads and its children, where there is a `/proc`. */
function cpuSecondsOf(pid: number): number | null {
  try {
    const ticks = (id: number) => {
      const fields = readFileSync(`/proc/${id}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
      return Number(fields[11]) + Number(fields[12]);
    };
    return treeOf(pid).reduce((sum, id) => sum + ticks(id), 0) / 100;
  } catch {
    return null;
  }
}

export interface Memory {
  /** What they really take: pages that several share are counted once. */
  readonly pssMb: number;
  readonly rssMb: number;
  readonly processes: number;
}

/** Of a process with its children, where there is a `/proc`. */
export function memoryOf(pid: number): Memory | null {
  try {
    const all = treeOf(pid);
    const of = (name: string) =>
      all.reduce((sum, id) => {
        const found = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/${id}/smaps_rollup`, "utf8"));
        return sum + Number(found?.[1] ?? Number.NaN) / 1024;
      }, 0);
    return { pssMb: of("Pss"), rssMb: of("Rss"), processes: all.length };
  } catch {
    return null;
  }
}
