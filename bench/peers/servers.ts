/** Starting a server of whatever kind, knowing when it answers rightly, and ending it with everything it has started. */
import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { createServer, type AddressInfo, type Server } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { isRunning, processTree } from "../process-tree.ts";
import { scoreAt, type Command } from "./peers.ts";

/** What a request is and what must come back; the same for every server but in its form. */
export interface Dialogue {
  readonly path: string;
  readonly token: string;
  /** Bodies of the first rows, and the scores they must get. */
  readonly checks: readonly { readonly body: string; readonly score: number }[];
  readonly score: readonly (string | number)[];
}

export interface Serving {
  readonly pid: number;
  readonly port: number;
  /** From the start of the process to its first right answer. */
  readonly startUpMs: number;
  /** Of the checked rows, to what scikit-learn gives. */
  readonly largestDifference: number;
}

/** The answer may differ by what 32-bit numbers round. */
export const TOLERANCE = 1e-5;
const START_WITHIN_MS = 120_000;
const ANSWER_WITHIN_MS = 10_000;
const STOP_WITHIN_MS = 10_000;
const ASK_EVERY_MS = 20;

/** `taskset` in front of a program, where it should have one core only. */
export const pinned = (core: number | null, program: string, args: readonly string[]): readonly [string, ...string[]] =>
  core === null ? [program, ...args] : ["taskset", "-c", String(core), program, ...args];

/** Every server that a run has started. */
export class Servers {
  readonly #running = new Set<ChildProcess>();

  /** @throws Error when it isn't there in time, or answers otherwise than scikit-learn */
  async start(command: Command, dialogue: Dialogue, at: { readonly port: number; readonly core: number | null; readonly log: string }) {
    const [program, ...args] = pinned(at.core, command.program, command.args);
    const log = openSync(at.log, "w");
    const startedMs = performance.now();
    // A session of its own: whatever it starts can be found and ended with it.
    const child = spawn(program, args, { detached: true, stdio: ["ignore", log, log], env: { ...process.env, ...command.env } });
    closeSync(log);
    this.#running.add(child);
    const over: { why: string | null } = { why: null };
    child.once("error", ({ message }) => (over.why = message));
    child.once("exit", (code, by) => (over.why = `ended with ${by ?? `exit code ${code}`}`));
    const url = `http://127.0.0.1:${at.port}${dialogue.path}`;
    for (let why = "no answer"; ; await sleep(ASK_EVERY_MS)) {
      if (over.why !== null) throw new Error(`${over.why}: ${troubleIn(readFileSync(at.log, "utf8"))}`);
      if (performance.now() - startedMs > START_WITHIN_MS)
        throw new Error(`not ready within ${START_WITHIN_MS / 1000} s (${why}): ${troubleIn(readFileSync(at.log, "utf8"))}`);
      const answer = await ask(url, dialogue, dialogue.checks[0]?.body ?? "").catch((error: unknown) => String(error));
      if (typeof answer === "number") break;
      why = answer;
    }
    const startUpMs = performance.now() - startedMs;
    const largestDifference = await differenceOf(url, dialogue);
    if (!(largestDifference <= TOLERANCE)) throw new Error(`its scores differ from scikit-learn's by ${largestDifference}`);
    return { pid: child.pid ?? 0, port: at.port, startUpMs, largestDifference } satisfies Serving;
  }

  /** Asks every running server to stop, and ends what is left of them. */
  async end(): Promise<void> {
    for (const child of this.#running) {
      const asked = familyOf(child);
      signal(asked, "SIGTERM");
      const untilMs = performance.now() + STOP_WITHIN_MS;
      while (performance.now() < untilMs && asked.some(isRunning)) await sleep(50);
      // Also those that came while it was stopping: a supervisor may have replaced a worker.
      signal([...asked.filter(isRunning), ...familyOf(child)], "SIGKILL");
      this.#running.delete(child);
    }
  }

  /** At once, for a run that is broken off. */
  kill(): void {
    for (const child of this.#running) signal(familyOf(child), "SIGKILL");
  }
}

/** Every process of a server, each once; its process group where the system lists none. */
function familyOf({ pid }: ChildProcess): readonly number[] {
  if (pid === undefined) return [];
  const tree = processTree(pid).map((stat) => stat.pid);
  return tree.length > 0 || process.platform === "linux" ? tree : [-pid];
}

/** The score, or what came instead. @throws where nothing came */
async function ask(url: string, { token, score }: Dialogue, body: string): Promise<number | string> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...(token ? { authorization: `Bearer ${token}` } : {}) },
    body,
    signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
  });
  const text = await response.text();
  if (response.status !== 200) return `status ${response.status}: ${text.slice(0, 200)}`;
  // The load's client reads replies by their length.
  if (response.headers.get("content-length") === null) throw new Error("its answers say no length");
  return scoreAt(JSON.parse(text), score) ?? `no score in ${text.slice(0, 200)}`;
}

async function differenceOf(url: string, dialogue: Dialogue): Promise<number> {
  let largest = 0;
  for (const { body, score } of dialogue.checks) {
    const got = await ask(url, dialogue, body);
    if (typeof got !== "number") throw new Error(got);
    largest = Math.max(largest, Math.abs(got - score));
  }
  return largest;
}

function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids)
    try {
      process.kill(pid, name);
    } catch {
      // It has ended in the meantime.
    }
}

/** What a log says of the trouble: its last error, or its last line. */
export function troubleIn(log: string): string {
  const lines = log.trim().split("\n");
  return (lines.findLast((line) => /^[\w.]*(Error|Exception)\b/.test(line)) ?? lines.at(-1) ?? "").slice(0, 300);
}

/** Different ports that are free now. */
export async function freePorts(): Promise<readonly [number, number, number]> {
  const servers = [createServer(), createServer(), createServer()] as const;
  const [first, second, third] = servers;
  const portOf = async (server: Server) => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return asAddress(server.address()).port;
  };
  const ports = [await portOf(first), await portOf(second), await portOf(third)] as const;
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
/** Of a server that listens on TCP. */
const asAddress = (address: unknown): AddressInfo => address as AddressInfo;
