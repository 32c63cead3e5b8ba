/** `evenkeel run` as a person has it: a process of its own against a server, killed, stopped, and asked again. */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import type { RunComparisonView, RunDetailView, RunPageView } from "../src/api/index.ts";
import { freshServer, type FreshServer } from "./server.ts";

let server: FreshServer;
/** The project, and a folder outside of it for what the steps of these tests write and wait for. */
let folder: string;
let aside: string;
const started: ChildProcess[] = [];
beforeAll(async () => {
  server = await freshServer();
});
afterAll(() => server.drop());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "evenkeel-run-"));
  aside = mkdtempSync(join(tmpdir(), "evenkeel-aside-"));
});
afterEach(() => {
  for (const child of started.splice(0)) child.kill("SIGKILL");
  for (const each of [folder, aside]) rmSync(each, { recursive: true, force: true });
});

const MAIN = fileURLToPath(new URL("../src/cli/main.ts", import.meta.url));
interface Said {
  readonly code: number | null;
  readonly out: string;
  readonly note: string;
}
function start(...argv: string[]): { readonly child: ChildProcess; readonly said: Promise<Said> } {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", MAIN, ...argv], {
    cwd: folder,
    env: { ...process.env, EVENKEEL_DATA: server.folder },
  });
  started.push(child);
  let [out, note] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (note += chunk.toString()));
  return { child, said: new Promise((resolve) => child.on("close", (code) => resolve({ code, out, note }))) };
}
const evenkeel = (...argv: string[]) => start(...argv).said;
/** Waits where it is told to until a file is there. */
const declare = (name: string) => {
  writeFileSync(join(folder, "params.yaml"), "train: { depth: 3, lr: 0.1 }\n");
  writeFileSync(
    join(folder, "work.sh"),
    `echo "$1 begins"; echo "$1" >> "${aside}/ran"
if test "$1" = train; then echo $$ > "${aside}/pid"; while ! test -e "${aside}/go"; do sleep 0.1; done; fi
if test -e "${aside}/fail"; then echo "no convergence" >&2; exit 9; fi
echo "$1" > out.txt; echo '{ "auc": 0.7 }' > metrics.json`,
  );
  writeFileSync(
    join(folder, "evenkeel.yaml"),
    `version: 1
pipeline: ${name}
steps:
  extract:
    role: data
    cmd: sh {code}/work.sh extract
    code: [work.sh]
    outs: { rows: { path: out.txt, kind: table } }
  train:
    role: algorithm
    cmd: sh {code}/work.sh train {deps.rows} {params}
    code: [work.sh]
    params: [train]
    deps: { rows: extract.rows }
    outs: { model: { path: out.txt, kind: file } }
    metrics: metrics.json
`,
  );
};
const ran = () => readFileSync(join(aside, "ran"), "utf8").trim().split("\n");
const runsOf = async (experiment: string) => (await server.admin.get<RunPageView>("/v1/runs", { experiment })).runs;
const appeared = (file: string) => vi.waitFor(() => expect(existsSync(join(aside, file))).toBe(true), { timeout: 20_000 });

test("a run whose runner was killed goes on where it was: the same run, and only what had not finished", { timeout: 60_000 }, async () => {
  declare("killed");
  const { child, said } = start("run");
  await appeared("pid");
  child.kill("SIGKILL");
  await said;
  const orphan = Number(readFileSync(join(aside, "pid"), "utf8"));
  const [before] = await runsOf("killed");
  expect(before).toMatchObject({ status: "running" });
  writeFileSync(join(aside, "go"), "");
  rmSync(join(aside, "pid"));
  const again = await evenkeel("run", "--json");
  expect(again).toMatchObject({ code: 0, note: "" });
  expect(JSON.parse(again.out)).toMatchObject({ run: before?.id, isResumed: true, steps: [{ isCached: true }, { isCached: false }] });
  expect(ran()).toEqual(["extract", "train", "train"]);
  expect(await runsOf("killed")).toMatchObject([{ id: before?.id, status: "finished", metrics: { auc: 0.7 } }]);
  expect(() => process.kill(orphan, 0) && readFileSync(`/proc/${orphan}/cmdline`, "utf8").includes("work.sh train")).not.toBe(true);
  for (const left of ["work", "runs", "logs"]) expect(readdirSync(join(folder, ".scratch", left))).toEqual([]);
});

test("a run that was interrupted and is not wanted any more ends as failed, and says why", { timeout: 60_000 }, async () => {
  declare("unwanted");
  const { child, said } = start("run");
  await appeared("pid");
  child.kill("SIGKILL");
  await said;
  writeFileSync(join(aside, "go"), "");
  expect(await evenkeel("run", "--set", "train.depth=5")).toMatchObject({ code: 0 });
  const runs = await runsOf("unwanted");
  expect(runs.map(({ status, tags }) => [status, tags["interrupted"] ?? null])).toEqual([
    ["finished", null],
    ["failed", "its runner ended before it did"],
  ]);
});

test("Ctrl-C ends what runs with all that it started, and tells what was kept", { timeout: 60_000 }, async () => {
  declare("stopped");
  const { child, said } = start("run");
  await appeared("pid");
  child.kill("SIGINT");
  const { code, note } = await said;
  expect(code).toBe(1);
  expect(note).toContain("step train was stopped; the end of its log:\n  train begins\nkept, and not run again: extract\nrecorded as run ");
  expect(await runsOf("stopped")).toMatchObject([{ status: "failed" }]);
});

test(
  "a step that fails: the step, its exit status, the last lines of its log, what was kept, and where the whole log is",
  { timeout: 60_000 },
  async () => {
    declare("failing");
    writeFileSync(join(aside, "go"), "");
    expect((await evenkeel("run", "extract")).code).toBe(0);
    writeFileSync(join(aside, "fail"), "");
    const { code, out, note } = await evenkeel("run");
    const [failed] = await runsOf("failing");
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(note).toBe(
      `step train ended with exit status 9; the end of its log:\n  train begins\n  no convergence\nkept, and not run again: extract\nrecorded as run ${failed?.id}, failed; whole logs: evenkeel pipeline log train --run ${failed?.id}\n`,
    );
    expect(await evenkeel("pipeline", "log", "train")).toMatchObject({ code: 0, out: "train begins\nno convergence\n" });
    const { artifacts } = await server.admin.get<RunDetailView>(`/v1/runs/${failed?.id}`);
    expect(artifacts.map(({ path }) => path)).toEqual([
      "extract/out.txt",
      "logs/extract.log",
      "logs/train.log",
      "recipe.json",
      "steps.json",
    ]);
  },
);

test(
  "a sweep is a run for every combination; what they share runs once, and one that fails doesn't end the others",
  { timeout: 60_000 },
  async () => {
    declare("swept");
    writeFileSync(join(aside, "go"), "");
    const { code, out } = await evenkeel("run", "--set", "train.depth=4,8", "--set", "train.lr=0.1,0.2", "--json");
    expect(code).toBe(0);
    const { runs } = asRuns(JSON.parse(out));
    expect(runs.map(({ set }) => set)).toEqual([
      { "train.depth": 4, "train.lr": 0.1 },
      { "train.depth": 4, "train.lr": 0.2 },
      { "train.depth": 8, "train.lr": 0.1 },
      { "train.depth": 8, "train.lr": 0.2 },
    ]);
    expect(ran().filter((step) => step === "extract")).toHaveLength(1);
    const compared = await server.admin.get<RunComparisonView>("/v1/run-comparison", { runs: runs.map(({ run }) => run).join(",") });
    expect(compared.runs[1]).toMatchObject({
      name: "evenkeel+train.depth=4+train.lr=0.2",
      tags: { pipeline: "swept", sweep: "train.depth=4,8 train.lr=0.1,0.2" },
    });
    expect(compared.params.find(({ key }) => key === "train.depth")).toMatchObject({ values: [4, 4, 8, 8], differs: true });
    const table = await evenkeel("run", "--set", "train.depth=4,8");
    expect(table.out).toMatch(/^run +train\.depth +auc +model\n[0-9a-f-]{36} +4 +0\.7 *\n[0-9a-f-]{36} +8 +0\.7 *\n$/);
  },
);
test("the status says which steps are up to date, and of the others what changed and what they wait for", { timeout: 60_000 }, async () => {
  declare("looked");
  writeFileSync(join(aside, "go"), "");
  const states = async (...argv: string[]) => {
    const { code, out } = await evenkeel("pipeline", "status", ...argv);
    return {
      code,
      lines: out
        .trimEnd()
        .split("\n")
        .slice(1)
        .map((line) => line.trimEnd().replaceAll(/ {2,}/g, " | ")),
    };
  };
  expect(await states()).toEqual({ code: 3, lines: ["extract | must run | it never ran", "train | waits | for extract"] });
  expect((await evenkeel("run")).code).toBe(0);
  expect(await states()).toEqual({ code: 0, lines: ["extract | up to date", "train | up to date"] });
  expect(await states("--set", "train.depth=5")).toEqual({
    code: 3,
    lines: ["extract | up to date", "train | must run | train.depth 3 → 5"],
  });
  writeFileSync(join(folder, "work.sh"), `${readFileSync(join(folder, "work.sh"), "utf8")}\n# a comment\n`);
  expect(await states("--seed", "2")).toEqual({
    code: 3,
    lines: ["extract | must run | code work.sh changed; seed 1 → 2", "train | waits | for extract; code work.sh changed; seed 1 → 2"],
  });
});

test("verifying runs a step again, and the status says what was seen", { timeout: 60_000 }, async () => {
  declare("verified");
  writeFileSync(join(aside, "go"), "");
  const same = await evenkeel("pipeline", "verify", "train");
  expect(same.out).toBe("train is deterministic as far as 1 repetition can tell: the same bytes each time\n");
  expect(ran()).toEqual(["extract", "train", "train"]);
  expect((await evenkeel("pipeline", "status")).out).toContain("the same again, 1 time");
  writeFileSync(join(folder, "work.sh"), "date +%N > out.txt; echo '{}' > metrics.json");
  const other = await evenkeel("pipeline", "verify", "extract");
  expect(other).toMatchObject({ code: 3, out: "extract is not deterministic: rows differed; other bytes came out this time\n" });
  expect((await evenkeel("pipeline", "status")).out).toContain("not deterministic: rows differed");
  rmSync(join(aside, "go"));
});

interface SweepRuns {
  readonly runs: readonly { readonly run: string; readonly set: Readonly<Record<string, unknown>> }[];
}
/** What `--json` gives for several runs. */
const asRuns = (value: unknown): SweepRuns => value as SweepRuns;

test.each([
  [["run", "trains"], 2, 'there is no step "trains"; did you mean "train"?'],
  [["run", "--set", "train.dept=1"], 2, "did you mean train.depth?"],
  [["run", "--set", "train.depth"], 2, "such as train.depth=4,8,12"],
  [["run", "--seed", "x"], 2, "--seed takes a whole number"],
  [["run", "-f", "nothing.yaml"], 1, "nothing.yaml can't be read: there is no such file"],
  [["run", "--parallel", "0"], 2, "--parallel takes a whole number from 1 to 64"],
  [["pipeline", "log", "none"], 1, "no run of the pipeline odd"],
  [["pipeline"], 2, "pipeline can status, verify, log or diff"],
  [["pipeline", "status", "--set", "train.depth=1,2"], 2, "this looks at a single run"],
  [["pipeline", "diff", "loans", "r1"], 2, "an endpoint and two releases are needed"],
])("%j is refused in a sentence", { timeout: 30_000 }, async (argv, code, says) => {
  declare("odd");
  const said = await evenkeel(...argv);
  expect(said.code).toBe(code);
  expect(said.note).toContain(says);
  expect(await runsOf("odd")).toEqual([]);
});

test("code that isn't there is told with its place, and nothing is recorded", { timeout: 30_000 }, async () => {
  declare("gone");
  rmSync(join(folder, "work.sh"));
  const { code, note } = await evenkeel("run");
  expect(code).toBe(1);
  expect(note).toContain("/steps/extract/code/0: expected a file or folder in the pipeline's folder, got work.sh: there is none");
  expect(await runsOf("gone")).toEqual([]);
});
