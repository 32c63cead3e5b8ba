/** The real server as a process of its own, so that it can be killed, traced, or given another clock. */
import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { NewTokenView } from "../../src/api/index.ts";
import { EvenkeelClient } from "../../src/client.ts";
import { LOANS_YAML, RELEASES } from "./applications.ts";

export const BINARY = fileURLToPath(new URL("../../bin/evenkeel.cjs", import.meta.url));
const START_WITHIN_MS = 30_000;
/** Beside one that works, on a machine with other things to do. */
const TAKE_OVER_WITHIN_MS = 120_000;

/** Servers that run now: a case that breaks must not leave any behind. */
const running = new Set<ChildProcess>();
export function endLeftovers(): void {
  for (const child of running) child.kill("SIGKILL");
}

export interface ServerOptions {
  readonly folder: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What starts it, such as `prlimit --nofile=128`: it must become the server, not stay beside it. */
  readonly under?: readonly string[];
  /** Takes the place of the server that runs on the folder, at this port of its. */
  readonly takeOverAt?: number;
}

/** What a started server says of itself with `--json`. */
interface Announcement {
  readonly url: string;
}
const asAnnouncement = (line: string): Announcement => JSON.parse(line) as Announcement;

export class ServerProcess {
  readonly url: string;
  /** From spawn until it listened. */
  readonly startMs: number;
  /** Over the control socket: needs no token. */
  readonly control: EvenkeelClient;
  readonly ended: Promise<number | string>;
  readonly #child: ChildProcess;
  readonly #stderr: string[];

  private constructor(
    child: ChildProcess,
    stderr: string[],
    given: { announced: Announcement; startMs: number; folder: string; ended: Promise<number | string> },
  ) {
    this.#child = child;
    this.#stderr = stderr;
    this.url = given.announced.url;
    this.startMs = given.startMs;
    this.ended = given.ended;
    this.control = new EvenkeelClient({ socket: join(given.folder, "control.sock"), timeoutMs: 10_000 });
  }

  /** @throws Error with what it said, when it ends before it listens */
  static async start({ folder, env = {}, under = [], takeOverAt }: ServerOptions): Promise<ServerProcess> {
    const startedMs = performance.now();
    const [program, ...words] = [...under, process.execPath, BINARY, "up", "--data", folder, "--json", "--port", String(takeOverAt ?? 0)];
    if (takeOverAt !== undefined) words.push("--take-over");
    const child = spawn(program, words, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    running.add(child);
    child.once("exit", () => running.delete(child));
    const stderr: string[] = [];
    child.stderr.setEncoding("utf8").on("data", (text: string) => void stderr.push(text));
    const ended = new Promise<number | string>((resolve) => child.on("exit", (code, signal) => resolve(signal ?? code ?? -1)));
    const announced = await new Promise<Announcement>((resolve, reject) => {
      let text = "";
      const withinMs = takeOverAt === undefined ? START_WITHIN_MS : TAKE_OVER_WITHIN_MS;
      const deadline = setTimeout(() => {
        child.kill("SIGKILL");
        reject(new Error(`the server didn't listen within ${withinMs} ms: ${stderr.join("")}`));
      }, withinMs);
      child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
        if (!text.includes("\n")) return;
        clearTimeout(deadline);
        resolve(asAnnouncement(text));
      });
      void ended.then((how) => {
        clearTimeout(deadline);
        reject(new Error(`the server ended (${how}) before it listened: ${stderr.join("")}`));
      });
    });
    return new ServerProcess(child, stderr, { announced, startMs: performance.now() - startedMs, folder, ended });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }
  get port(): number {
    return Number(new URL(this.url).port);
  }
  /** What it said on standard error. */
  get said(): string {
    return this.#stderr.join("");
  }
  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The thread that writes the database: what happens to its system calls happens to nobody else's. */
  writerThread(): number {
    const tasks = `/proc/${this.pid}/task`;
    const found = readdirSync(tasks).find((task) => readFileSync(join(tasks, task, "comm"), "utf8").trim() === "sqlite-writer");
    if (found === undefined) throw new Error("the server has no thread called sqlite-writer");
    return Number(found);
  }

  /** Resident memory in MB. */
  rssMb(): number {
    const found = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.pid}/status`, "utf8"));
    return Number(found?.[1] ?? Number.NaN) / 1024;
  }

  /** Ends it at once, as a crash does. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended;
    await this.control.close();
  }

  /** Ends it as a supervisor does. @returns exit code, or the signal that ended it */
  async stop(): Promise<number | string> {
    await this.control.close();
    this.#child.kill("SIGTERM");
    return this.ended;
  }
}

/**
 * Makes the endpoint and its releases, the last one live.
 * @returns an application's token
 */
export async function defineLoans(server: ServerProcess): Promise<string> {
  await server.control.post("/v1/apply", { yaml: LOANS_YAML });
  for (const spec of RELEASES) await server.control.post("/v1/endpoints/loans/releases", spec);
  await server.control.post("/v1/endpoints/loans/promote", { release: "r2", reason: "torture" });
  await server.control.post("/v1/endpoints/loans/promote", { release: "r3", reason: "torture" });
  return (await server.control.post<NewTokenView>("/v1/tokens", { name: "applicants", role: "application" })).token;
}

/**
 * Makes a folder with the endpoint defined, its server stopped.
 * @returns an application's token
 */
export async function prepareFolder(folder: string): Promise<string> {
  const server = await ServerProcess.start({ folder });
  const token = await defineLoans(server);
  const code = await server.stop();
  if (code !== 0) throw new Error(`the server stopped with ${code}: ${server.said}`);
  return token;
}
