/** Python packages for suites that drive other projects' software: an environment for each requirements file, found again by later runs. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { err, ok, type Result } from "../src/std.ts";

export interface EnvironmentOrder {
  /** A pip requirements file; another content is another environment. */
  readonly requirements: string;
  /** Where environments are kept. */
  readonly root: string;
  readonly name: string;
  readonly installWithinMs: number;
  /** Called before the packages are fetched. */
  readonly onInstall?: () => void;
}

/** The environment's folder of programs, or why it can't be had: no Python, no package index, packages that don't fit it. */
export function pythonEnvironment({
  requirements,
  root,
  name,
  installWithinMs,
  onInstall,
}: EnvironmentOrder): Result<{ readonly bin: string }, string> {
  const digest = createHash("sha256").update(readFileSync(requirements)).digest("hex").slice(0, 12);
  const folder = join(root, `${name}-${digest}`);
  const bin = join(folder, "bin");
  if (existsSync(join(folder, "complete"))) return ok({ bin });
  const python = ["python3.13", "python3.12", "python3.11", "python3"].find(
    (program) => spawnSync(program, ["-c", "import sys, venv; sys.exit(sys.version_info < (3, 11))"]).status === 0,
  );
  if (python === undefined) return err("there is no Python 3.11 or newer with venv here");
  mkdirSync(root, { recursive: true });
  rmSync(folder, { recursive: true, force: true });
  onInstall?.();
  const made = spawnSync(python, ["-m", "venv", folder], { encoding: "utf8", timeout: 120_000 });
  if (made.status !== 0) return err(`no virtual environment can be made: ${lastLine(made.stderr)}`);
  const options = ["--quiet", "--disable-pip-version-check", "-r", requirements];
  const installed = spawnSync(join(bin, "python"), ["-m", "pip", "install", ...options], { encoding: "utf8", timeout: installWithinMs });
  if (installed.status !== 0) {
    rmSync(folder, { recursive: true, force: true });
    return err(`the packages can't be installed: ${lastLine(installed.stderr)}`);
  }
  writeFileSync(join(folder, "complete"), "");
  return ok({ bin });
}

const lastLine = (text: string | null) => text?.trim().split("\n").at(-1) || "no answer";
