/** How a step's command runs: as a process of its own without a shell, or, in simulations, as a function in this one. */
import { spawn } from "node:child_process";
import { pathToFileURL } from "node:url";

export interface Execution {
  /** Program and arguments, placeholders replaced. */
  readonly argv: readonly string[];
  /** Working directory: outputs land here. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}
export interface ExecutionResult {
  readonly exitCode: number;
  /** Standard output and error, the last 64 KiB of it. */
  readonly log: string;
}
export type Executor = (execution: Execution) => Promise<ExecutionResult>;

const LOG_CHARACTERS = 65_536;

/** Environment that every step gets besides what its pipeline declares: enough to find programs, nothing secret. */
const INHERITED = ["PATH", "HOME", "LANG", "TMPDIR", "SystemRoot"];

/**
 * Runs a step as a process. `node` means the Node that runs us, with our own conditions, so that a step finds the same `evenkeel`
 * package. No shell: a parameter can't become a command.
 */
export const spawnExecutor: Executor = ({ argv, cwd, env, timeoutMs, signal }) =>
  new Promise((resolve, reject) => {
    const [program = "", ...args] = argv;
    const isNode = program === "node";
    const inherited = Object.fromEntries(INHERITED.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));
    const child = spawn(isNode ? process.execPath : program, isNode ? [...conditions(), ...args] : args, {
      cwd,
      env: { ...inherited, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: timeoutMs,
      killSignal: "SIGKILL",
      ...(signal ? { signal } : {}),
    });
    let log = "";
    const add = (chunk: Buffer) => {
      log = (log + chunk.toString("utf8")).slice(-LOG_CHARACTERS);
    };
    child.stdout.on("data", add);
    child.stderr.on("data", add);
    child.on("error", reject);
    child.on("close", (code, killedBy) =>
      resolve({ exitCode: code ?? 1, log: killedBy ? `${log}\nended by ${killedBy} (time limit ${timeoutMs} ms)` : log }),
    );
  });

const conditions = () =>
  process.execArgv.filter((argument, i, all) => /^(--conditions|-C)(=|$)/.test(argument) || /^(--conditions|-C)$/.test(all[i - 1] ?? ""));

/** Runs `node script …` by importing the script and calling the `main(argv, cwd)` that it exports. For one process on a clock of its own. */
export const inlineExecutor: Executor = async ({ argv, cwd }) => {
  const [program, script = "", ...args] = argv;
  if (program !== "node") return { exitCode: 127, log: `only node scripts can run in this process, not ${program ?? ""}` };
  const module: unknown = await import(pathToFileURL(script).href);
  const main = mainOf(module);
  if (!main) return { exitCode: 1, log: `${script} exports no main(argv, cwd)` };
  try {
    await main(args, cwd);
    return { exitCode: 0, log: "" };
  } catch (error) {
    return { exitCode: 2, log: error instanceof Error ? error.message : String(error) };
  }
};

type Main = (argv: readonly string[], cwd: string) => Promise<void> | void;

function mainOf(module: unknown): Main | undefined {
  if (typeof module !== "object" || module === null || !("main" in module) || typeof module.main !== "function") return undefined;
  return asMain(module.main);
}
/** The documented form of a step module. */
const asMain = (main: unknown): Main => main as Main;
