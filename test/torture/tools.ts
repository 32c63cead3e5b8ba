/** What this machine has of what the faults are made with. Nothing is installed: what is missing is told with the package that has it. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";

export type Tool =
  | "strace"
  | "attach"
  | "root"
  | "loop"
  | "python3"
  | "mkfs.ext4"
  | "libfaketime"
  | "libeatmydata"
  | "tmpfs"
  | "prlimit"
  | "two cores"
  | "memory cgroup";

/** Debian package of a tool, where one has it. */
const PACKAGES: Partial<Record<Tool, string>> = {
  strace: "strace",
  python3: "python3",
  prlimit: "util-linux",
  "mkfs.ext4": "e2fsprogs",
  libfaketime: "libfaketime",
  libeatmydata: "libeatmydata1",
};

const succeeds = (program: string, ...args: string[]) => spawnSync(program, args, { stdio: "ignore", timeout: 10_000 }).status === 0;
const known = new Map<Tool, boolean>();

function look(tool: Tool): boolean {
  switch (tool) {
    case "strace":
      // Present is not enough: some containers forbid ptrace.
      return succeeds("strace", "-f", "-e", "trace=fsync", "-o", "/dev/null", "true");
    case "attach": {
      const scope = "/proc/sys/kernel/yama/ptrace_scope";
      return has("strace") && (has("root") || !existsSync(scope) || readFileSync(scope, "utf8").trim() === "0");
    }
    case "root":
      return process.getuid?.() === 0;
    case "loop":
      return existsSync("/dev/loop-control") && succeeds("losetup", "-f");
    case "python3":
      return succeeds("python3", "-c", "import fcntl");
    case "mkfs.ext4":
      return succeeds("mkfs.ext4", "-V");
    case "two cores":
      return succeeds("taskset", "-c", "0", "true") && succeeds("taskset", "-c", "1", "true");
    case "tmpfs":
      return has("root") && succeeds("unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt");
    case "prlimit":
      return succeeds("prlimit", "--nofile=64", "true");
    case "memory cgroup":
      return madeAndRemoved(MEMORY_CGROUPS, "evenkeel-look");
    case "libfaketime":
      return libraryPath("faketime/libfaketimeMT.so.1") !== undefined;
    case "libeatmydata":
      return libraryPath("libeatmydata.so") !== undefined;
  }
}

export function has(tool: Tool): boolean {
  const before = known.get(tool);
  if (before !== undefined) return before;
  const found = look(tool);
  known.set(tool, found);
  return found;
}

/** Why a case that needs these can't run here; undefined when it can. */
export function missing(...tools: readonly Tool[]): string | undefined {
  const reasons = tools.filter((tool) => !has(tool)).map((tool) => reasonOf(tool));
  return reasons.length === 0 ? undefined : reasons.join(", ");
}

function reasonOf(tool: Tool): string {
  const name = PACKAGES[tool];
  if (tool === "root") return "not root";
  if (tool === "attach")
    return has("strace") ? "strace may not attach to running processes (kernel.yama.ptrace_scope)" : reasonOf("strace");
  if (tool === "loop") return "no loop devices";
  if (tool === "two cores") return "no two cores to be told apart by taskset (Debian package util-linux)";
  if (tool === "memory cgroup") return "no cgroup for memory can be made";
  if (tool === "tmpfs") return "tmpfs can't be mounted";
  return `no ${tool}${name ? ` (Debian package ${name})` : ""}`;
}

/** Where groups of processes with a limit of memory are made: cgroup v1, or v2 where there is no v1. */
export const MEMORY_CGROUPS = existsSync("/sys/fs/cgroup/memory") ? "/sys/fs/cgroup/memory" : "/sys/fs/cgroup";

function madeAndRemoved(folder: string, name: string): boolean {
  const path = join(folder, name);
  try {
    mkdirSync(path);
    const isOne = ["memory.max", "memory.limit_in_bytes"].some((file) => existsSync(join(path, file)));
    rmdirSync(path);
    return isOne;
  } catch {
    return false;
  }
}

/** Where a preloaded library is: Debian keeps it in a folder of the machine's architecture. */
export function libraryPath(name: string): string | undefined {
  const roots = existsSync("/usr/lib") ? readdirSync("/usr/lib").filter((entry) => entry.endsWith("-linux-gnu")) : [];
  return ["", ...roots].map((root) => join("/usr/lib", root, name)).find((path) => existsSync(path));
}
