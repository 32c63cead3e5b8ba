/** What happens around a step: what it may be, how it can fail, and what is told and kept then. Real processes throughout. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { MemoryPipelineStore } from "../../test/fixtures/memory-pipeline-store.ts";
import type { Json } from "../store/index.ts";
import { systemRuntime } from "../store/index.ts";
import { capture } from "./capture.ts";
import { wordsOf } from "./command-words.ts";
import { parsePipeline, withUpstream, type Pipeline } from "./declaration.ts";
import { spawnExecutor } from "./executor.ts";
import { KnownFiles } from "../registry/index.ts";
import { cook, type RunOptions } from "./run.ts";
import { Slots } from "../slots.ts";
import { stepFactsOf } from "./step-facts.ts";
import { troubleText } from "./step-outcome.ts";
import { BytesRefused } from "./step-work.ts";
import { combinations, settingsOf } from "./sweep.ts";

let folder: string;
let store: MemoryPipelineStore;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "evenkeel-steps-"));
  store = new MemoryPipelineStore();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const write = (path: string, text: string) => {
  mkdirSync(join(folder, path, ".."), { recursive: true });
  writeFileSync(join(folder, path), text);
};
const pipelineOf = (steps: string): Pipeline => {
  const parsed = parsePipeline(`version: 1\npipeline: p\nsteps:\n${steps}`);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
  return parsed.value;
};
const captureIt = (pipeline: Pipeline, params: Record<string, Json> = {}) =>
  capture(pipeline, {
    folder,
    params,
    seed: 3,
    environment: "test",
    blobOf: (path) => store.putFile(path),
    dataset: (reference) => store.dataset(reference),
  });
const optionsWith = (more: Partial<RunOptions> = {}): RunOptions => ({
  store,
  execute: spawnExecutor,
  scratch: join(folder, ".scratch"),
  environment: "test",
  clock: systemRuntime().clock,
  slots: new Slots(4),
  ...more,
});
async function run(steps: string, more: Partial<RunOptions> = {}) {
  const recipe = await captureIt(pipelineOf(steps));
  if (!recipe.ok) throw new Error(JSON.stringify(recipe.error));
  return cook(recipe.value, optionsWith(more));
}
/** The one failure of a run, with what it says. */
async function failureOf(steps: string, more: Partial<RunOptions> = {}) {
  const cooked = await run(steps, more);
  if (cooked.ok) throw new Error("it ran");
  const [failure] = cooked.error.failures;
  expect(readdirSync(join(folder, ".scratch/work"))).toEqual([]);
  return { ...cooked.error, failure, says: troubleText(failure) };
}
const textOf = async (steps: string, more: Partial<RunOptions> = {}) => {
  const cooked = await run(steps, more);
  if (!cooked.ok) throw new Error(cooked.error.failures.map((failure) => `${troubleText(failure)}: ${failure.log}`).join("\n"));
  const blob = cooked.value.outcomes.at(-1)?.outs["o"];
  return blob ? (await store.getBlob(blob)).toString() : undefined;
};

/** Text in YAML, whatever is in it. */
const sh = (script: string, ...more: string[]) => JSON.stringify(`sh -c '${script}' - ${more.join(" ")}`);

test("a command is in any language, and quotes keep its words together", async () => {
  const cmd = sh(`printf "%s" "$1" > o.txt`, `"two words"`);
  expect(await textOf(`  a: { role: data, cmd: ${cmd}, outs: { o: { path: o.txt, kind: file } } }`)).toBe("two words");
  expect(wordsOf(`a "b c"'d e' f`)).toEqual({ ok: true, value: ["a", "b cd e", "f"] });
  expect(wordsOf(`a "b c`)).toEqual({ ok: false, error: `"b c` });
});

test("a folder declared as code is captured with all that is in it, programs as programs, and without what tools leave there", async () => {
  write("lib/deep/word.txt", "captured");
  write("lib/__pycache__/x.pyc", "no");
  write("tool.sh", '#!/bin/sh\ncat "$1/lib/deep/word.txt" > o.txt\n');
  chmodSync(join(folder, "tool.sh"), 0o755);
  symlinkSync("/etc", join(folder, "lib/out"));
  symlinkSync("..", join(folder, "lib/round"));
  const steps = `  a: { role: data, cmd: "{code}/tool.sh {code}", code: [tool.sh, lib/], outs: { o: { path: o.txt, kind: file } } }`;
  const recipe = await captureIt(pipelineOf(steps));
  expect(recipe.ok && Object.keys(recipe.value.steps[0]?.capsule ?? {})).toEqual(["tool.sh", "lib/deep/word.txt"]);
  expect(recipe.ok && recipe.value.steps[0]?.executable).toEqual(["tool.sh"]);
  expect(await textOf(steps)).toBe("captured");
  write("lib/deep/word.txt", "changed");
  expect(await textOf(steps)).toBe("changed");
});

test("a file of the project is an input by its content", async () => {
  write("data/in.txt", "one");
  const steps = `  a: { role: data, cmd: "cp {deps.in} {outs.o}", deps: { in: { file: data/in.txt } }, outs: { o: { path: o.txt, kind: file } } }`;
  expect(await textOf(steps)).toBe("one");
  write("data/in.txt", "two");
  expect(await textOf(steps)).toBe("two");
  write("data/in.txt", "one");
  const again = await run(steps);
  expect(again.ok && [...again.value.cached]).toEqual(["a"]);
});

test("a dataset that is a folder is laid out as one", async () => {
  write("a", "first");
  write("b", "second");
  const [a, b] = [await store.putFile(join(folder, "a")), await store.putFile(join(folder, "b"))];
  const files = [
    { path: "deep/a.txt", blob: a, bytes: 5, mode: "file" as const },
    { path: "b.txt", blob: b, bytes: 6, mode: "file" as const },
  ];
  const manifest = await store.putBlob(Buffer.from(JSON.stringify({ files, version: 1 })));
  store.dataset = async () => ({ version: "tbl:1", blob: manifest, layout: "folder" });
  const cmd = sh(`cat "$1/deep/a.txt" "$1/b.txt" > o.txt`, "{deps.d}");
  const steps = `  a: { role: data, cmd: ${cmd}, deps: { d: { dataset: "images@v1" } }, outs: { o: { path: o.txt, kind: file } } }`;
  expect(await textOf(steps)).toBe("firstsecond");
});

test("what is declared and isn't there is told with its place and what was meant", async () => {
  write("data/train.csv", "1");
  const pipeline = pipelineOf(`  a:
    role: data
    cmd: "true"
    code: [stepz]
    params: [train.dept]
    deps: { in: { file: data/trian.csv }, out: { file: data } }
    outs: {}`);
  mkdirSync(join(folder, "steps"));
  expect(await captureIt(pipeline, { train: { depth: 3 } })).toEqual({
    ok: false,
    error: [
      {
        path: "/steps/a/code/0",
        expected: "a file or folder in the pipeline's folder",
        got: "stepz: there is none",
        hint: 'did you mean "steps"?',
      },
      {
        path: "/steps/a/params/0",
        expected: "a part of the parameters: train, train.depth",
        got: "train.dept",
        hint: 'did you mean "train.depth"?',
      },
      {
        path: "/steps/a/deps/in/file",
        expected: "a file in the pipeline's folder",
        got: "data/trian.csv: there is none",
        hint: 'did you mean "data/train.csv"?',
      },
      { path: "/steps/a/deps/out/file", expected: "a file in the pipeline's folder", got: "data, which is a folder" },
    ],
  });
});

/** Ends well once the other one runs as well. */
const meet = (mine: string, other: string) =>
  sh(`touch ${folder}-${mine}; for i in 1 2 3 4 5 6 7 8 9 10; do test -e ${folder}-${other} && exit 0; sleep 0.5; done; exit 1`);
test("steps that don't need each other run side by side", async () => {
  const steps = `  a: { role: data, cmd: ${meet("a", "b")}, outs: {} }\n  b: { role: data, cmd: ${meet("b", "a")}, outs: {} }`;
  expect((await run(steps)).ok).toBe(true);
  for (const met of ["a", "b"]) rmSync(`${folder}-${met}`);
});

test("no more commands run at once than there are slots", async () => {
  const steps = Array.from({ length: 6 }, (_, i) => `  s${i}: { role: data, cmd: "sleep 0.1${i}", outs: {} }`).join("\n");
  let [running, most] = [0, 0];
  const onProgress: RunOptions["onProgress"] = ({ state }) => {
    running += state === "running" ? 1 : -1;
    most = Math.max(most, running);
  };
  expect((await run(steps, { slots: new Slots(2), onProgress })).ok).toBe(true);
  expect(most).toBe(2);
});

test("once a step has failed nothing new starts, what runs is waited for and kept, and it is all told", async () => {
  const steps = `  bad: { role: data, cmd: 'sh -c "echo why it failed >&2; exit 7"', outs: {} }
  slow: { role: data, cmd: 'sh -c "sleep 0.5; echo kept > o.txt"', outs: { o: { path: o.txt, kind: file } } }
  after: { role: data, cmd: "cp {deps.in} o.txt", deps: { in: slow.o }, outs: { o: { path: o.txt, kind: file } } }`;
  const { failure, says, kept, notRun } = await failureOf(steps);
  expect([failure.step, says, failure.log]).toEqual(["bad", "ended with exit status 7", "why it failed\n"]);
  expect(kept.map(({ step }) => step)).toEqual(["slow"]);
  expect(notRun).toEqual(["after"]);
  const again = await failureOf(steps);
  expect([...again.cached]).toEqual(["slow"]);
});

/** A process that has ended and that nobody has asked about yet still has its number. */
const isRunning = (pid: number) => /^[^Z]/.test(execFileSync("sh", ["-c", `ps -o stat= -p ${pid} || true`], { encoding: "utf8" }).trim());

test("a command that hangs is ended at its time limit with all that it started, also what ignores being asked", async () => {
  const cmd = sh(`trap : TERM; (trap : TERM; sleep 60; sleep 60) & echo $! > "$1"; sleep 60; sleep 60`, `${folder}/child`);
  const steps = `  a: { role: data, timeoutMs: 300, cmd: ${cmd}, outs: {} }`;
  const startedMs = performance.now();
  const { says } = await failureOf(steps);
  expect(performance.now() - startedMs).toBeLessThan(15_000);
  expect(says).toBe("took longer than its time limit (300 ms) and was ended with all that it had started");
  const child = Number(readFileSync(join(folder, "child"), "utf8"));
  await vi.waitFor(() => expect(isRunning(child)).toBe(false));
});

test("what a command left in the background ends with it", async () => {
  const steps = `  a: { role: data, cmd: ${sh("sleep 60 & echo $! > o.txt")}, outs: { o: { path: o.txt, kind: file } } }`;
  const startedMs = performance.now();
  const child = Number(await textOf(steps));
  expect(performance.now() - startedMs).toBeLessThan(15_000);
  await vi.waitFor(() => expect(isRunning(child)).toBe(false));
});

test("a missing output is named, with what is there instead", async () => {
  const steps = `  a: { role: data, cmd: 'sh -c "echo > modle.onnx"', outs: { m: { path: model.onnx, kind: model } }, metrics: m.json }`;
  const { says } = await failureOf(steps);
  expect(says).toBe("ended well but left no model.onnx and no m.json; it left modle.onnx, which it doesn't declare");
});

test.each([
  ["a program that isn't there", `cmd: nosuchprogram`, "could not start: there is no program nosuchprogram on the path"],
  ["a file that is no program", `cmd: "{code}/x.sh", code: [x.sh]`, "x.sh may not be run: is it marked as a program (chmod +x)?"],
  ["metrics that are no JSON", `cmd: 'sh -c "echo nan > m.json"', metrics: m.json`, "left a m.json that can't be used: it is no JSON"],
  ["an output that is a folder", `cmd: 'mkdir -p m.json', metrics: m.json`, "m.json that can't be used: it is a folder"],
  ["a command that was killed", `cmd: ${sh("kill -9 $$")}`, "was ended by SIGKILL: the machine may have run out of memory"],
])("%s is told in words", async (_name, step, says) => {
  write("x.sh", "#!/bin/sh\n");
  expect((await failureOf(`  a: { role: data, ${step}, outs: {} }`)).says).toContain(says);
});

test("an output that the server doesn't take is named, with why", async () => {
  store.putFile = async (path) => {
    if (path.endsWith("big.bin")) throw new BytesRefused("the server doesn't take as much (Send at most 3 bytes.)");
    return MemoryPipelineStore.prototype.putFile.call(store, path);
  };
  const { says } = await failureOf(`  a: { role: data, cmd: ${sh("echo 1234 > big.bin")}, outs: { o: { path: big.bin, kind: file } } }`);
  expect(says).toBe("left a big.bin that can't be used: the server doesn't take as much (Send at most 3 bytes.)");
});

test("being stopped ends what runs, keeps what finished, and starts nothing", async () => {
  const stop = new AbortController();
  const steps = `  a: { role: data, cmd: "true", outs: {} }
  b: { role: data, cmd: "sleep 60", outs: {} }`;
  const onProgress: RunOptions["onProgress"] = ({ step, state }) => void (step === "a" && state === "done" && stop.abort());
  const { says, kept } = await failureOf(steps, { signal: stop.signal, onProgress });
  expect(says).toBe("was stopped");
  expect(kept.map(({ step }) => step)).toEqual(["a"]);
});

test("the facts of every step say when it ran, with which code, inputs and parameters, what it gave and what it printed", async () => {
  write("in.txt", "x");
  write("lib/a.sh", "echo said; cp $1 $2; exit $3");
  const steps = (code: number) => `  a:
    role: data
    cmd: sh {code}/lib/a.sh {deps.in} {outs.o} ${code}
    code: [lib]
    deps: { in: { file: in.txt }, d: { dataset: "rows@v1" } }
    outs: { o: { path: o.txt, kind: table } }`;
  const beforeMs = systemRuntime().clock.nowMs();
  const cooked = await run(steps(0));
  const [facts] = await stepFactsOf(cooked, (blob) => store.getBlob(blob));
  const [code, input] = [await store.putFile(join(folder, "lib/a.sh")), await store.putFile(join(folder, "in.txt"))];
  expect(facts).toMatchObject({
    pipeline: "p",
    step: "a",
    role: "data",
    code: { "lib/a.sh": code },
    inputs: { in: { kind: "file", path: "in.txt", blob: input }, d: { kind: "dataset", reference: "rows@v1", version: "rows@v1" } },
    outs: { o: { path: "o.txt", kind: "table", blob: input } },
    seed: 3,
    failure: null,
    isCached: false,
  });
  expect(facts?.startedAtMs).toBeGreaterThanOrEqual(beforeMs);
  expect(facts?.endedAtMs).toBeGreaterThanOrEqual(facts?.startedAtMs ?? Infinity);
  expect(facts?.log && (await store.getBlob(facts.log)).toString()).toBe("said\n");
  expect(await stepFactsOf(await run(steps(0)), (blob) => store.getBlob(blob))).toEqual([{ ...facts, isCached: true }]);
  const [failed] = await stepFactsOf(await run(steps(4)), (blob) => store.getBlob(blob));
  expect(failed).toMatchObject({ outs: {}, failure: "ended with exit status 4", log: facts?.log });
});

test("two steps that do the very same run once, and each has its outcome", async () => {
  const steps = ["a", "b"].map(
    (name) => `  ${name}: { role: data, cmd: ${sh("echo x > o.txt")}, outs: { o: { path: o.txt, kind: file } } }`,
  );
  const cooked = await run(steps.join("\n"));
  expect(cooked.ok && cooked.value.outcomes.map(({ step }) => step)).toEqual(["a", "b"]);
  expect(store.saved).toBe(1);
  expect((await stepFactsOf(cooked, (blob) => store.getBlob(blob))).map(({ step }) => step)).toEqual(["a", "b"]);
});

test("only some steps run with what they need", () => {
  const pipeline = pipelineOf(`  a: { role: data, cmd: x, outs: { o: { path: o, kind: file } } }
  b: { role: data, cmd: x, deps: { i: a.o }, outs: { o: { path: o, kind: file } } }
  c: { role: data, cmd: x, deps: { i: b.o }, outs: {} }
  d: { role: data, cmd: x, outs: {} }`);
  expect(withUpstream(pipeline, new Set(["b"])).steps.map(({ name }) => name)).toEqual(["a", "b"]);
});

test("a sweep is every combination of its values, and what would do nothing is refused", () => {
  const pipeline = pipelineOf(`  a: { role: data, cmd: x, params: [train], outs: {} }`);
  const params = { train: { depth: 1, kind: { name: "a" } }, other: 1 };
  const settings = settingsOf(["train.depth=4,8", "train.kind.name=gini,[1, 2]"], { pipeline, params });
  if (!settings.ok) throw new Error(JSON.stringify(settings.error));
  const all = combinations(params, settings.value);
  expect(all.map(({ set }) => Object.values(set))).toEqual([
    [4, "gini"],
    [4, [1, 2]],
    [8, "gini"],
    [8, [1, 2]],
  ]);
  expect(all.map((one) => one.params)).toContainEqual({ train: { depth: 8, kind: { name: "gini" } }, other: 1 });
  const refused = (text: string) => JSON.stringify(settingsOf([text], { pipeline, params }));
  expect(refused("train.dept=1")).toContain("did you mean train.depth?");
  expect(refused("other=1")).toContain("which no step names");
  expect(refused("train.depth")).toContain("train.depth=4,8,12");
  expect(refused(`train.depth=${Array.from({ length: 1001 }, (_, i) => i).join(",")}`)).toContain("at most 1,000 combinations");
});

test.each([
  [
    "a circle, without who merely waits for it",
    `  x: { role: data, cmd: x, deps: { i: a.o }, outs: {} }\n  a: { role: data, cmd: x, deps: { i: b.o }, outs: { o: { path: o, kind: file } } }\n  b: { role: data, cmd: x, deps: { i: a.o }, outs: { o: { path: o, kind: file } } }`,
    "a, which needs b, which needs a",
  ],
  [
    "declared code that isn't run from its captured copy",
    `  a: { role: data, cmd: python steps/a.py, code: [steps], outs: {} }`,
    "write {code}/steps/a.py",
  ],
  [
    "two outputs in one place",
    `  a: { role: data, cmd: x, outs: { o: { path: o, kind: file }, p: { path: o, kind: file } } }`,
    "outs/o/path has it already",
  ],
  ["a quote that is never closed", `  a: { role: data, cmd: 'x "y', outs: {} }`, "every quote to be closed"],
])("%s is refused when the pipeline is read", (_name, steps, why) => {
  const parsed = parsePipeline(`version: 1\npipeline: p\nsteps:\n${steps}`);
  expect(parsed.ok ? "" : JSON.stringify(parsed.error)).toContain(why);
});

test("a file that hasn't changed isn't read again, and one that has is, whatever its time says", async () => {
  const memory = join(folder, "known.json");
  write("big.csv", "old bytes");
  const path = join(folder, "big.csv");
  const later = () => systemRuntime().clock.nowMs() + 10_000;
  const first = await KnownFiles.open(memory, later);
  const id = await first.blobOf(path);
  await first.save();
  const second = await KnownFiles.open(memory, later);
  expect([await second.blobOf(path), second.read]).toEqual([id, 0]);
  const times = new Date(0);
  writeFileSync(path, "new bytes");
  utimesSync(path, times, times);
  expect(await second.blobOf(path)).not.toBe(id);
  writeFileSync(memory, "{ broken");
  const third = await KnownFiles.open(memory, () => 0);
  await third.blobOf(path);
  await third.save();
  // Read at the very moment in which it was written: it may change again without a trace.
  expect((await KnownFiles.open(memory, later)).read).toBe(0);
  expect(existsSync(memory) && readFileSync(memory, "utf8")).toBe("{ broken");
});

test("what isn't kept here is named with its state: the command is told it, and another state is another step", async () => {
  const pipeline = (pin: string) =>
    `  a: { role: data, cmd: ${sh('printf "%s" "$1" > o.txt', "{deps.loans}")}, deps: { loans: { external: "pg:loans", pin: ${JSON.stringify(pin)} } }, outs: { o: { path: o.txt, kind: file } } }`;
  expect(await textOf(pipeline("as_of=2026-04-01; touch pwn"))).toBe("as_of=2026-04-01; touch pwn");
  expect(store.saved).toBe(1);
  expect(await textOf(pipeline("as_of=2026-04-01; touch pwn"))).toBe("as_of=2026-04-01; touch pwn");
  expect(store.saved).toBe(1);
  expect(await textOf(pipeline("as_of=2026-05-01"))).toBe("as_of=2026-05-01");
  expect(store.saved).toBe(2);
  for (const deps of [`{ external: "pg:loans" }`, `{ external: "pg:loans", pin: "--config=x" }`, `{ external: "pg:loans", pin: "" }`])
    expect(parsePipeline(`version: 1\npipeline: p\nsteps: { a: { role: data, cmd: x, deps: { d: ${deps} }, outs: {} } }`)).toMatchObject({
      ok: false,
    });
});

test("a variable that a step names is told it, and its value is part of the step; no other is told", async () => {
  const pipeline = `  a: { role: data, cmd: ${sh('echo "$MODE-$OTHER-$UNSET" > o.txt')}, env: [MODE, UNSET], outs: { o: { path: o.txt, kind: file } } }`;
  const made = async (variables: Record<string, string>) => {
    const recipe = await capture(pipelineOf(pipeline), {
      folder,
      params: {},
      seed: 1,
      environment: "test",
      variables,
      blobOf: (path) => store.putFile(path),
      dataset: (reference) => store.dataset(reference),
    });
    if (!recipe.ok) throw new Error(JSON.stringify(recipe.error));
    const cooked = await cook(recipe.value, optionsWith());
    if (!cooked.ok) throw new Error("it failed");
    const [outcome] = cooked.value.outcomes;
    const facts = await stepFactsOf(cooked, (blob) => store.getBlob(blob));
    return { text: outcome?.outs["o"] && (await store.getBlob(outcome.outs["o"])).toString(), env: facts[0]?.env };
  };
  expect(await made({ MODE: "fast", OTHER: "no" })).toEqual({ text: "fast--\n", env: { MODE: "fast", UNSET: null } });
  await made({ MODE: "fast", OTHER: "else" });
  expect(store.saved).toBe(1);
  expect((await made({ MODE: "slow" })).text).toBe("slow--\n");
  expect(store.saved).toBe(2);
});

test.each(["EVENKEEL_SEED", "NODE_OPTIONS", "DB_PASSWORD", "github_token", "2x"])("a step can't be told the variable %s", (name) => {
  const parsed = parsePipeline(`version: 1\npipeline: p\nsteps: { a: { role: data, cmd: x, env: ["${name}"], outs: {} } }`);
  expect(parsed).toMatchObject({ ok: false, error: [{ path: "/steps/a/env/0" }] });
});

test("where the order of rows doesn't matter, the same rows in another order or notation don't run a step again; other rows do", async () => {
  const pipeline = (order: string) => `
  rows: { role: data, cmd: "cp {deps.file} {outs.t}", deps: { file: { file: in.csv } }, outs: { t: { path: t.csv, kind: table } } }
  sum: { role: algorithm, cmd: ${sh("wc -l < $1 > o.txt", "{deps.t}")}, deps: { t: rows.t }, ${order} outs: { o: { path: o.txt, kind: file } } }
  straight: { role: algorithm, cmd: ${sh("wc -c < $1 > o.txt", "{deps.t}")}, deps: { t: { file: in.csv } }, ${order} outs: { o: { path: o.txt, kind: file } } }
`;
  const ran = async (csv: string, order: string) => {
    write("in.csv", csv);
    const before = store.saved;
    const cooked = await run(pipeline(order));
    if (!cooked.ok) throw new Error(cooked.error.failures.map(troubleText).join());
    return store.saved - before;
  };
  const insensitive = "order: insensitive,";
  expect(await ran("id,x\n1,a\n2,b\n", insensitive)).toBe(3);
  expect(await ran('id,x\n2,"b"\n1,a\n', insensitive)).toBe(1); // only the copy
  expect(await ran("id,x\n2,b\n1,c\n", insensitive)).toBe(3);
  expect(await ran("id,x\n1,c\n2,b\n", "")).toBe(3);
  // Read again only where nobody remembers what is in it.
  rmSync(join(folder, ".scratch"), { recursive: true });
  expect(await ran("id,x\n2,b\n1,a\n", insensitive)).toBe(1);
});

test("what is to be a table and can't be read as one counts by its bytes", async () => {
  const pipeline = `
  rows: { role: data, cmd: "cp {deps.file} {outs.t}", deps: { file: { file: in.csv } }, outs: { t: { path: t.csv, kind: table } } }
  sum: { role: algorithm, cmd: "cp {deps.t} {outs.o}", deps: { t: rows.t }, order: insensitive, outs: { o: { path: o.txt, kind: file } } }
`;
  write("in.csv", "a,b\n1,2,3\n");
  expect(await textOf(pipeline)).toBe("a,b\n1,2,3\n");
  write("in.csv", "a,b\n1,2,4\n");
  expect(await textOf(pipeline)).toBe("a,b\n1,2,4\n");
});
