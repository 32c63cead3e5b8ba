/** Runs programs to their end, and finds the Nodes that scripts try the product with. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Folder of the repository. */
export const ROOT = fileURLToPath(new URL("..", import.meta.url));

export interface Ended {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

export interface RunSettings {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 600_000;

export function run(program: string, args: readonly string[], { cwd = ROOT, env, timeoutMs = TIMEOUT_MS }: RunSettings = {}): Ended {
  const ended = spawnSync(program, args, {
    cwd,
    env: env ? { ...process.env, ...env } : process.env,
    encoding: "utf8",
    timeout: timeoutMs,
    maxBuffer: 64 * 1024 * 1024,
  });
  const trouble = ended.error ? `${ended.error.message}\n` : "";
  return { exitCode: ended.status ?? 1, out: ended.stdout ?? "", err: `${trouble}${ended.stderr ?? ""}` };
}

/** @throws Error with what the program said, when it fails */
export function mustRun(program: string, args: readonly string[], settings: RunSettings = {}): string {
  const { exitCode, out, err } = run(program, args, settings);
  if (exitCode !== 0) throw new Error(`${program} ${args.join(" ")} ended with exit code ${exitCode}:\n${out}${err}`.trim());
  return out;
}

/** Where a Node of this major version is: our own, or the one in npm's package `node`, fetched when it is not in npm's cache. */
export function nodeOfMajor(major: number, settings: { readonly offline?: boolean } = {}): string | undefined {
  if (Number(process.versions.node.split(".")[0]) === major) return process.execPath;
  const offline = settings.offline ? ["--offline"] : ["--prefer-offline"];
  const found = run("npm", ["exec", "--yes", ...offline, "--package", `node@${major}`, "--", "node", "-p", "process.execPath"], {
    cwd: "/",
    timeoutMs: 120_000,
  });
  const path = found.out.trim().split("\n").at(-1);
  return found.exitCode === 0 && path ? path : undefined;
}
