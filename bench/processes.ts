/** The processes of a benchmark: servers, the client that loads them, and what they cost the machine. */
import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { LoadOrder, LoadResult } from "./client.ts";
import { cpuSecondsOf } from "./process-tree.ts";

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
    const { requests, warmUpRequests, failed, perSecond, p50Ms, p99Ms } = asResult(JSON.parse(line.value));
    // The warm-up costs CPU as well: its requests are counted with those that were measured.
    const all = requests + warmUpRequests;
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
const asResult = (value: unknown): LoadResult => value as LoadResult;
