/** Faults in system calls, made with strace: over a process from its start, or on a running thread for as long as wanted. */
import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Breakage } from "./victim-world.ts";

const VICTIM = fileURLToPath(new URL("./victim.ts", import.meta.url));

export interface VictimOptions {
  readonly folder: string;
  readonly run: string;
  readonly count: number;
  /** File for its acknowledgements: a pipe could be full just when it matters. */
  readonly output: string;
  readonly concurrency?: number;
  readonly breakage?: Breakage;
  /** strace's own arguments; without them the victim runs by itself. */
  readonly strace?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Its world is taken from under it: then it may end in whatever way it likes. */
  readonly mayBreak?: boolean;
}
export interface VictimEnd {
  readonly output: string;
  /** Signal or exit code. */
  readonly how: string | number;
}

export function startVictim(options: VictimOptions): { readonly child: ChildProcess; readonly ended: Promise<VictimEnd> } {
  const { folder, run, count, concurrency = 1, breakage = "sound", strace, env = {} } = options;
  const command = [process.execPath, VICTIM, folder, run, String(count), String(concurrency), breakage];
  const [program = "", ...args] = strace ? ["strace", "-f", ...strace, ...command] : command;
  const file = openSync(options.output, "w");
  const child = spawn(program, args, { stdio: ["ignore", file, "pipe"], env: { ...process.env, ...env } });
  closeSync(file);
  let errors = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (errors += text));
  const ended = new Promise<VictimEnd>((resolve, reject) => {
    child.on("close", (code, signal) => {
      // strace ends as its victim did: killed by the same signal.
      if (options.mayBreak !== true && signal === null && code !== 0 && code !== 137)
        reject(new Error(`the victim ended with ${code}: ${errors.slice(-2000)}`));
      else resolve({ output: readFileSync(options.output, "utf8"), how: signal ?? code ?? -1 });
    });
  });
  ended.catch(() => undefined); // told to whoever waits for it
  return { child, ended };
}

/** Lets a fault happen to every system call of one running thread from now on. @returns how to end it */
export async function inject(thread: number, args: readonly string[]): Promise<() => Promise<void>> {
  const tracer = spawn("strace", [...args, "-o", "/dev/null", "-p", String(thread)], { stdio: ["ignore", "ignore", "pipe"] });
  const ended = new Promise<void>((resolve) => tracer.on("exit", () => resolve()));
  await new Promise<void>((resolve, reject) => {
    let said = "";
    tracer.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      if (/attached/.test(said)) resolve();
    });
    void ended.then(() => reject(new Error(`strace ended: ${said}`)));
  });
  return async () => {
    tracer.kill("SIGINT");
    await ended;
  };
}
