/** Prometheus' own checker, for tests of what is written for it. */
import { execFile, spawnSync } from "node:child_process";
import { promisify } from "node:util";

const isThere = spawnSync("promtool", ["--version"]).status === 0;
if (!isThere) process.stderr.write("tests with promtool don't run: it isn't installed (Debian: apt-get install prometheus)\n");

export const hasPromtool = isThere;

/** What it says. @throws Error with what it finds fault with */
export async function promtool(args: readonly string[], input = ""): Promise<string> {
  const running = promisify(execFile)("promtool", [...args], { timeout: 60_000 });
  running.child.stdin?.end(input);
  const { stdout, stderr } = await running;
  return stdout + stderr;
}
