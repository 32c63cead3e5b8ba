/** Which files a step's command opens: by hooks in Python and Node, and by `strace` where there is one. */
import { spawn } from "node:child_process";
import { createReadStream } from "node:fs";
import { access, constants, mkdir, writeFile } from "node:fs/promises";
import { basename, delimiter, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { NODE_HOOK, PYTHON_HOOK, READS_VARIABLE } from "./watch-hooks.ts";

export interface FileAccess {
  /** Absolute. */
  readonly path: string;
  readonly isWrite: boolean;
}
export interface Observation {
  /** Who looked: `python`, `node`, `strace`. Nobody saw anything where it is empty. */
  readonly by: readonly string[];
  /** Each once. */
  readonly accesses: readonly FileAccess[];
}

/** Under way while the command runs. */
export interface Watch {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Once all that the command started has ended. */
  finish(): Promise<Observation>;
}

/** A traced program can't become another user, which starting a container without a daemon needs. */
const NOT_TRACED = new Set([
  "docker",
  "podman",
  "buildah",
  "nerdctl",
  "singularity",
  "apptainer",
  "bwrap",
  "sudo",
  "su",
  "doas",
  "unshare",
]);
/** `-DD`: our child is the command itself, with its own exit status and group, and the tracer ends by itself after the last of them. */
const STRACE = ["-f", "--seccomp-bpf", "-DD", "-y", "-qq", "-e", "signal=none"];
const CALLS = "trace=open,openat,openat2,creat,execve,execveat,rename,renameat,renameat2";
const PROBE_TIMEOUT_MS = 5000;

/** @param folder - the command's own for what is told; nothing else is in it */
export async function watched(folder: string, argv: readonly string[], cwd: string): Promise<Watch> {
  const [reads, trace, hooks] = [join(folder, "reads"), join(folder, "trace"), join(folder, "hooks")];
  await mkdir(hooks, { recursive: true });
  await writeFile(join(hooks, "sitecustomize.py"), PYTHON_HOOK);
  await writeFile(join(hooks, "watch.cjs"), NODE_HOOK);
  const [program = ""] = argv;
  // One that can't be started fails by itself, with its own error.
  const isTraced = !NOT_TRACED.has(basename(program)) && (await canTrace()) && (await canStart(program, cwd));
  return {
    argv: isTraced ? ["strace", ...STRACE, "-e", CALLS, "-o", trace, "--", ...argv] : argv,
    env: {
      [READS_VARIABLE]: reads,
      PYTHONPATH: hooks,
      NODE_OPTIONS: `--require ${JSON.stringify(join(hooks, "watch.cjs"))}`,
    },
    finish: async () => {
      const told = await toldBy(reads);
      if (!isTraced) return told;
      const found = new Map(told.accesses.map((one) => [keyOf(one), one]));
      const lines = new TraceLines(cwd);
      for await (const line of linesOf(trace)) for (const one of lines.add(line)) if (found.size < ACCESSES_MAX) found.set(keyOf(one), one);
      return { by: [...told.by, "strace"], accesses: [...found.values()] };
    },
  };
}

const ACCESSES_MAX = 200_000;
const keyOf = ({ path, isWrite }: FileAccess) => `${isWrite ? "W" : "R"}${path}`;

async function canTrace(): Promise<boolean> {
  const code = await new Promise<number | null>((done) => {
    const probe = spawn("strace", [...STRACE, "-e", CALLS, "-o", "/dev/null", "--", "true"], {
      stdio: "ignore",
      timeout: PROBE_TIMEOUT_MS,
    });
    probe.on("error", () => done(null)).on("close", done);
  });
  return code === 0;
}

async function canStart(program: string, cwd: string): Promise<boolean> {
  const places = program.includes("/")
    ? [resolve(cwd, program)]
    : (process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, program));
  for (const place of places) {
    try {
      await access(place, constants.X_OK);
      return true;
    } catch {
      // In the next folder, perhaps.
    }
  }
  return false;
}

/** What the hooks wrote: `R` or `W` and a path, `H` and who they are. */
async function toldBy(file: string): Promise<Observation> {
  const by = new Set<string>();
  const accesses = new Map<string, FileAccess>();
  for await (const line of linesOf(file)) {
    const [kind = "", rest = ""] = line.split("\t", 2);
    if (kind === "H") by.add(rest);
    if (kind !== "R" && kind !== "W") continue;
    const path = pathIn(rest);
    if (path !== undefined && accesses.size < ACCESSES_MAX) accesses.set(`${kind}${path}`, { path, isWrite: kind === "W" });
  }
  return { by: [...by], accesses: [...accesses.values()] };
}

function pathIn(json: string): string | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === "string" ? value : undefined;
  } catch {
    return undefined; // cut short when its program was killed
  }
}

async function* linesOf(file: string): AsyncGenerator<string> {
  const stream = createReadStream(file);
  try {
    yield* createInterface({ input: stream, crlfDelay: Infinity });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  } finally {
    stream.destroy();
  }
}

/** Reads what `strace -f -y` writes: only calls that succeeded, with the whole path that the kernel knows the file by. */
export class TraceLines {
  readonly #cwd: string;
  /** Calls that others came in between of, by process. */
  readonly #open = new Map<string, string>();

  /** @param cwd - where the command was started: paths of renames are told as they were given */
  constructor(cwd: string) {
    this.#cwd = cwd;
  }

  add(line: string): readonly FileAccess[] {
    const [, pid = "", text = ""] = /^(?:(\d+) +)?(.*)$/.exec(line) ?? [];
    if (text.endsWith("<unfinished ...>")) {
      this.#open.set(pid, text.slice(0, -"<unfinished ...>".length));
      return [];
    }
    const [, rest] = /^<\.\.\. \w+ resumed>(.*)$/.exec(text) ?? [];
    if (rest === undefined) return this.#call(text);
    const whole = (this.#open.get(pid) ?? "") + rest;
    this.#open.delete(pid);
    return this.#call(whole);
  }

  #call(text: string): readonly FileAccess[] {
    const [, name = "", args = "", value = "", path] = /^(\w+)\((.*)\) += (-?\d+)(?:<(.*)>)?$/.exec(text) ?? [];
    if (name === "" || Number(value) < 0) return [];
    if (name.startsWith("exec"))
      return this.#named(args)
        .slice(0, 1)
        .map((program) => ({ path: program, isWrite: false }));
    if (name.startsWith("rename")) {
      const [from, to] = this.#named(args);
      return [...(from === undefined ? [] : [{ path: from, isWrite: false }]), ...(to === undefined ? [] : [{ path: to, isWrite: true }])];
    }
    if (path === undefined || !path.startsWith("/") || /\bO_(DIRECTORY|PATH)\b/.test(args)) return [];
    return [{ path: unescaped(path), isWrite: name === "creat" || /\bO_(WRONLY|RDWR|CREAT|TRUNC)\b/.test(args) }];
  }

  /** The paths among the arguments, each with the folder that it is relative to where the call says so. */
  #named(args: string): readonly string[] {
    return [...args.matchAll(/(?:AT_FDCWD<([^>]*)>, |\d+<([^>]*)>, )?"((?:[^"\\]|\\.)*)"/g)].map(([, here, folder, path = ""]) =>
      resolve(unescaped(here ?? folder ?? this.#cwd), unescaped(path)),
    );
  }
}

const ESCAPES: Readonly<Record<string, number>> = { n: 10, t: 9, r: 13, v: 11, f: 12 };

/** From the C notation: octal for what isn't printable ASCII, bytes of UTF-8 among it. */
function unescaped(text: string): string {
  if (!text.includes("\\")) return text;
  const bytes: Buffer[] = [];
  for (const [part, octal, hex, letter] of text.matchAll(/\\([0-7]{1,3})|\\x([0-9a-f]{2})|\\(.)|[^\\]+/g)) {
    if (octal !== undefined) bytes.push(Buffer.from([Number.parseInt(octal, 8) & 255]));
    else if (hex !== undefined) bytes.push(Buffer.from([Number.parseInt(hex, 16)]));
    else if (letter === undefined) bytes.push(Buffer.from(part));
    else bytes.push(letter in ESCAPES ? Buffer.from([ESCAPES[letter] ?? 0]) : Buffer.from(letter));
  }
  return Buffer.concat(bytes).toString("utf8");
}
