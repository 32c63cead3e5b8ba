/** What a step reads and writes without having declared it is found: by hooks in Python and Node, by strace in all else. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { MemoryPipelineStore } from "../../test/fixtures/memory-pipeline-store.ts";
import { systemRuntime } from "../store/index.ts";
import { capture } from "./capture.ts";
import { parsePipeline } from "./declaration.ts";
import { spawnExecutor } from "./executor.ts";
import { cook } from "./run.ts";
import { Slots } from "../slots.ts";
import { stepFactsOf } from "./step-facts.ts";
import { troubleText } from "./step-outcome.ts";
import { TraceLines } from "./watch.ts";

let folder: string;
let path: string | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "evenkeel-watch-"));
  path = process.env["PATH"];
  for (const [file, text] of Object.entries(FILES)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
});
afterEach(() => {
  process.env["PATH"] = path;
  rmSync(folder, { recursive: true, force: true });
});

const FILES = {
  "data/declared.csv": "1",
  "data/secret.csv": "2",
  "lib/captured.py": "x = 1",
  "lib/other.py": "y = 2",
  "lib/other.cjs": "module.exports = 2;",
  "node_modules/tool/index.js": "module.exports = 1;",
  ".venv/lib/site.py": "z = 3",
};

const has = (program: string) => {
  try {
    execFileSync(program, program === "strace" ? ["-f", "--seccomp-bpf", "-DD", "-qq", "-o", "/dev/null", "true"] : ["--version"], {
      stdio: "ignore",
    });
    return true;
  } catch {
    return false;
  }
};
/** A path on which only these programs are found. */
function only(...programs: string[]) {
  const bin = join(folder, ".bin");
  mkdirSync(bin, { recursive: true });
  for (const program of programs) {
    // A version manager's stand-in for Python needs more programs than there are then.
    const find = program === "python3" ? "python3 -c 'import sys; print(sys.executable)'" : `command -v ${program}`;
    const found = execFileSync("sh", ["-c", find], { encoding: "utf8" }).trim();
    writeFileSync(join(bin, program), `#!/bin/sh\nexec ${found} "$@"\n`, { mode: 0o755 });
  }
  process.env["PATH"] = bin;
}

async function facts(script: string, text: string, program: string) {
  writeFileSync(join(folder, script), text);
  const pipeline = parsePipeline(`version: 1
pipeline: p
steps:
  a:
    role: data
    cmd: ${program} {code}/${script} ${folder} {deps.in} {outs.o}
    code: [${script}, lib/captured.py]
    deps: { in: { file: data/declared.csv } }
    outs: { o: { path: o.txt, kind: file } }
`);
  if (!pipeline.ok) throw new Error(JSON.stringify(pipeline.error));
  const store = new MemoryPipelineStore();
  const recipe = await capture(pipeline.value, {
    folder,
    params: {},
    seed: 1,
    environment: "test",
    blobOf: (file) => store.putFile(file),
    dataset: (reference) => store.dataset(reference),
  });
  if (!recipe.ok) throw new Error(JSON.stringify(recipe.error));
  const { clock } = systemRuntime();
  const scratch = join(folder, ".scratch");
  const cooked = await cook(recipe.value, { store, execute: spawnExecutor, scratch, environment: "test", clock, slots: new Slots(1) });
  const [step] = await stepFactsOf(cooked, (blob) => store.getBlob(blob));
  const says = cooked.ok ? "" : cooked.error.failures.map((failure) => `${troubleText(failure)}\n${failure.log}`).join("\n");
  return { lineage: step?.lineage, says };
}

const PYTHON = `
import sys, os, subprocess
project, source, out = sys.argv[1:]
sys.path.insert(0, project + "/lib"); import other
open(project + "/data/secret.csv").read()
open(project + "/lib/captured.py").read()
open(project + "/.venv/lib/site.py").read()
open(project + "/data/nothing.csv") if os.path.exists(project + "/data/nothing.csv") else None
subprocess.run([sys.executable, "-c", "open('" + project + "/data/child.csv').read()"])
open(out, "w").write(open(source).read())
`;
const NODE = `
const fs = require("node:fs"), { execFileSync } = require("node:child_process");
const [project, source, out] = process.argv.slice(2);
require(project + "/lib/other.cjs"); require(project + "/node_modules/tool/index.js");
fs.readFileSync(project + "/data/secret.csv"); fs.readFileSync(project + "/lib/captured.py");
execFileSync(process.execPath, ["-e", "import('node:fs/promises').then((fs) => fs.readFile('" + project + "/data/child.csv'))"]);
fs.copyFileSync(source, out);
`;
const SH = `cat "$1/data/secret.csv" "$1/lib/captured.py" > /dev/null; (cd "$1/data" && cat child.csv > /dev/null); cp "$2" "$3"`;

test.runIf(has("python3"))("Python's own hook finds files and modules, in child processes too", async () => {
  writeFileSync(join(folder, "data/child.csv"), "");
  only("python3");
  const { lineage, says } = await facts("a.py", PYTHON, "python3");
  expect(says).toBe("");
  expect(lineage).toEqual({ state: "incomplete", by: ["python"], undeclaredReads: ["data/child.csv", "data/secret.csv", "lib/other.py"] });
});

test("Node's hook finds files and modules, in child processes too", async () => {
  writeFileSync(join(folder, "data/child.csv"), "");
  only();
  const { lineage, says } = await facts("a.cjs", NODE, "node");
  expect(says).toBe("");
  expect(lineage).toEqual({ state: "incomplete", by: ["node"], undeclaredReads: ["data/child.csv", "data/secret.csv", "lib/other.cjs"] });
});

test.runIf(has("strace"))("strace finds the files of any program, whatever the folder it opened them from", async () => {
  writeFileSync(join(folder, "data/child.csv"), "");
  const { lineage, says } = await facts("a.sh", SH, "sh");
  expect(says).toBe("");
  expect(lineage).toEqual({ state: "incomplete", by: ["strace"], undeclaredReads: ["data/child.csv", "data/secret.csv"] });
});

test("without anybody to look, a step is neither complete nor incomplete", async () => {
  writeFileSync(join(folder, "data/child.csv"), "");
  only("sh", "cat", "cp");
  const { lineage, says } = await facts("a.sh", SH, "sh");
  expect(says).toBe("");
  expect(lineage).toEqual({ state: "unobserved", by: [], undeclaredReads: [] });
});

test("a step that reads only what it declares is complete", async () => {
  const { lineage, says } = await facts(
    "a.cjs",
    `const [, , , source, out] = process.argv; require("node:fs").copyFileSync(source, out);`,
    "node",
  );
  expect(says).toBe("");
  expect(lineage).toMatchObject({ state: "complete", undeclaredReads: [] });
});

const WRITING: readonly (readonly [string, string, string, string])[] = [
  ["a.cjs", `require("node:fs").writeFileSync(process.argv[2] + "/data/new.csv", "x");`, "node", "data/new.csv"],
  ["b.cjs", `require("node:fs").appendFileSync(__dirname + "/lib/captured.py", "x");`, "node", "{code}/lib/captured.py"],
  ...(has("python3")
    ? ([["a.py", `import sys; open(sys.argv[1] + "/data/secret.csv", "a").write("x")`, "python3", "data/secret.csv"]] as const)
    : []),
  ...(has("strace") ? ([["a.sh", `echo x > moved; mv moved "$1/data/moved.csv"`, "sh", "data/moved.csv"]] as const) : []),
];
test.each(WRITING)("%s that writes into the project is refused, and nothing of it is kept", async (script, text, program, where) => {
  const { lineage, says } = await facts(script, text, program);
  expect(says).toContain(`wrote where it may not: ${where}; what a step makes it leaves in its own folder`);
  expect(lineage?.state).toBe("incomplete");
  expect(existsSync(join(folder, ".scratch/watch")) && execFileSync("ls", [join(folder, ".scratch/watch")], { encoding: "utf8" })).toBe("");
});

test("a trace is read call by call: what failed is nothing, what was interrupted is put together, names come back as they were", () => {
  const lines = new TraceLines("/here");
  const read = (line: string) => lines.add(line).map((one) => `${one.isWrite ? "W" : "R"} ${one.path}`);
  expect(read(`12 openat(AT_FDCWD</here>, "a", O_RDONLY|O_CLOEXEC) = 3</here/a>`)).toEqual(["R /here/a"]);
  expect(read(`12 openat(AT_FDCWD</here>, "a", O_RDONLY) = -1 ENOENT (No such file or directory)`)).toEqual([]);
  expect(read(`12 openat(AT_FDCWD</here>, "d", O_RDONLY|O_DIRECTORY) = 3</here/d>`)).toEqual([]);
  expect(read(`12 openat(AT_FDCWD</here>, "w", O_WRONLY|O_CREAT, 0666 <unfinished ...>`)).toEqual([]);
  expect(read(`13 open("/b", O_RDONLY) = 4</b>`)).toEqual(["R /b"]);
  expect(read(`12 <... openat resumed>) = 5</here/w>`)).toEqual(["W /here/w"]);
  expect(read(`12 rename("x", "../y") = 0`)).toEqual(["R /here/x", "W /y"]);
  expect(read(`12 renameat2(AT_FDCWD</other>, "x", 3</there>, "y", 0) = 0`)).toEqual(["R /other/x", "W /there/y"]);
  expect(read(`12 execve("/bin/x", ["x", "/arg"], 0x7ff /* 3 vars */) = 0`)).toEqual(["R /bin/x"]);
  expect(read(String.raw`12 openat(AT_FDCWD</here>, "\303\244", O_RDONLY) = 3</here/\303\244 b>`)).toEqual(["R /here/ä b"]);
  expect(read("garbage")).toEqual([]);
});
