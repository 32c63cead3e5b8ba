/** How a step's command runs: as a process of its own without a shell, or, in simulations, as a function in this one. */
import { spawn, type ChildProcess } from "node:child_process";
import { createWriteStream } from "node:fs";
import { pathToFileURL } from "node:url";
import { watched, type Observation } from "./watch.ts";

export interface Execution {
  /** Program and arguments, placeholders replaced. */
  readonly argv: readonly string[];
  /** Working directory: outputs land here. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Where all that it prints is written, up to a bound. */
  readonly logFile: string;
  /** Where what looks at it writes which files it opens; made here, and left to the caller. */
  readonly watchFolder: string;
  readonly signal?: AbortSignal;
}
/** How a command ended. */
export type Ending =
  | { readonly kind: "exited"; readonly code: number }
  /** By somebody else: the system that was out of memory, for example. */
  | { readonly kind: "killed"; readonly signal: string }
  | { readonly kind: "timed-out" }
  /** We were told to stop. */
  | { readonly kind: "stopped" }
  | { readonly kind: "not-started"; readonly why: string };
export interface ExecutionResult {
  readonly ending: Ending;
  /** Standard output and error, the last 64 KiB of it. */
  readonly log: string;
  /** Which files it opened, as far as somebody saw it. */
  readonly observation: Observation;
}
export type Executor = (execution: Execution) => Promise<ExecutionResult>;

const LOG_CHARACTERS = 65_536;
const LOG_FILE_BYTES = 32 * 1024 * 1024;
/** Between asking a command to end and ending it. */
const GRACE_MS = 2000;

/** Environment that every step gets: enough to find programs, nothing secret. */
const INHERITED = ["PATH", "HOME", "LANG", "TMPDIR", "SystemRoot"];

/**
 * Runs a step as a process. `node` means the Node that runs us, with our own conditions, so that a step finds the same `evenkeel`
 * package. No shell: a parameter can't become a command. It is the head of a process group, which ends with it: whatever it started in
 * the background, and all of it when its time is over.
 */
export const spawnExecutor: Executor = async (execution) => {
  const [program = "", ...args] = execution.argv;
  const argv = program === "node" ? [process.execPath, ...conditions(), ...args] : execution.argv;
  const watch = await watched(execution.watchFolder, argv, execution.cwd);
  const ended = await spawned({ ...execution, argv: watch.argv, env: { ...execution.env, ...watch.env } }, argv[0] ?? "");
  return { ...ended, observation: await watch.finish() };
};

function spawned({ argv, cwd, env, timeoutMs, logFile, signal }: Execution, name: string): Promise<Omit<ExecutionResult, "observation">> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve({ ending: { kind: "stopped" }, log: "" });
    const [program = "", ...args] = argv;
    const inherited = Object.fromEntries(INHERITED.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));
    const child = spawn(program, args, {
      cwd,
      env: { ...inherited, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    const log = new StepLog(logFile);
    child.stdout.on("data", (chunk: Buffer) => log.add(chunk));
    child.stderr.on("data", (chunk: Buffer) => log.add(chunk));
    let cause: "timed-out" | "stopped" | undefined;
    let last: NodeJS.Timeout | undefined;
    const end = (why: "timed-out" | "stopped") => {
      cause ??= why;
      killGroup(child, "SIGTERM");
      last ??= setTimeout(() => killGroup(child, "SIGKILL"), GRACE_MS);
    };
    const limit = setTimeout(() => end("timed-out"), timeoutMs);
    const stop = () => end("stopped");
    signal?.addEventListener("abort", stop, { once: true });
    const settle = (ending: Ending) => {
      clearTimeout(limit);
      clearTimeout(last);
      signal?.removeEventListener("abort", stop);
      void log.close().then((text) => resolve({ ending, log: text }));
    };
    child.on("error", (error) => {
      if (child.pid === undefined) settle({ kind: "not-started", why: startTrouble(error, name) });
    });
    child.on("exit", () => {
      killGroup(child, "SIGKILL");
      // What has left the group may still hold the pipes open; the step is over all the same.
      last = setTimeout(() => (child.stdout.destroy(), child.stderr.destroy()), GRACE_MS);
    });
    child.on("close", (code, killedBy) => settle(cause ? { kind: cause } : endingOf(code, killedBy)));
  });
}

const endingOf = (code: number | null, signal: string | null): Ending =>
  signal === null ? { kind: "exited", code: code ?? 1 } : { kind: "killed", signal };

function startTrouble(error: Error, program: string): string {
  const code = "code" in error ? error.code : "";
  if (code === "ENOENT") return `there is no program ${program} on the path`;
  if (code === "EACCES") return `${program} may not be run: is it marked as a program (chmod +x)?`;
  return error.message;
}

function killGroup(child: ChildProcess, signal: "SIGTERM" | "SIGKILL"): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // Nobody is left in it.
  }
}

/** All of it in a file, up to a bound; the end in memory. */
class StepLog {
  readonly #file;
  #bytes = 0;
  #tail = "";
  readonly #decoder = new TextDecoder();

  constructor(path: string) {
    this.#file = createWriteStream(path);
    this.#file.on("error", () => undefined); // a full disk ends the step by its outputs, not by what it prints
  }

  add(chunk: Buffer): void {
    this.#tail = (this.#tail + this.#decoder.decode(chunk, { stream: true })).slice(-LOG_CHARACTERS);
    if (this.#bytes > LOG_FILE_BYTES) return;
    this.#bytes += chunk.length;
    this.#file.write(this.#bytes > LOG_FILE_BYTES ? `\n… the log is longer than ${LOG_FILE_BYTES / 1024 / 1024} MiB\n` : chunk);
  }

  close(): Promise<string> {
    return new Promise((resolve) => this.#file.end(() => resolve(this.#tail)).once("error", () => resolve(this.#tail)));
  }
}

const conditions = () =>
  process.execArgv.filter((argument, i, all) => /^(--conditions|-C)(=|$)/.test(argument) || /^(--conditions|-C)$/.test(all[i - 1] ?? ""));

const UNSEEN: Observation = { by: [], accesses: [] };

/** Runs `node script …` by importing the script and calling the `main(argv, cwd)` that it exports. For one process on a clock of its own. */
export const inlineExecutor: Executor = async ({ argv, cwd }) => {
  const [program, script = "", ...args] = argv;
  if (program !== "node")
    return {
      ending: { kind: "not-started", why: `only node scripts can run in this process, not ${program ?? ""}` },
      log: "",
      observation: UNSEEN,
    };
  const module: unknown = await import(pathToFileURL(script).href);
  const main = mainOf(module);
  if (!main) return { ending: { kind: "not-started", why: `${script} exports no main(argv, cwd)` }, log: "", observation: UNSEEN };
  try {
    await main(args, cwd);
    return { ending: { kind: "exited", code: 0 }, log: "", observation: UNSEEN };
  } catch (error) {
    return { ending: { kind: "exited", code: 2 }, log: error instanceof Error ? error.message : String(error), observation: UNSEEN };
  }
};

type Main = (argv: readonly string[], cwd: string) => Promise<void> | void;

function mainOf(module: unknown): Main | undefined {
  if (typeof module !== "object" || module === null || !("main" in module) || typeof module.main !== "function") return undefined;
  return asMain(module.main);
}
/** The documented form of a step module. */
const asMain = (main: unknown): Main => main as Main;
