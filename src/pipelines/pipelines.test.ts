import { mkdtempSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { MemoryPipelineStore } from "../../test/fixtures/memory-pipeline-store.ts";
import { systemRuntime } from "../store/index.ts";
import { capture } from "./capture.ts";
import { parsePipeline, type Pipeline } from "./declaration.ts";
import { spawnExecutor } from "./executor.ts";
import { trainHybrids } from "./hybrids.ts";
import { differingPlayers } from "./recipe.ts";
import { cook, type RunOptions } from "./run.ts";
import { Slots } from "../slots.ts";
import type { StepOutcome } from "./step-outcome.ts";
import type { PipelineStore } from "./step-work.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "evenkeel-pipeline-"));
  mkdirSync(join(folder, "steps"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const yaml = (tag: string, script: string) => `
version: 1
pipeline: sum
steps:
  train:
    role: algorithm
    cmd: node {code}/steps/${script} {deps.rows} {params} {outs.model}
    code: [steps/${script}]
    params: [train]
    deps: { rows: extract.rows }
    outs: { model: { path: model.txt, kind: model } }
  extract:
    role: data
    cmd: node {code}/steps/copy.cjs {deps.source} {outs.rows}
    code: [steps/copy.cjs]
    deps: { source: { dataset: "numbers@${tag}" } }
    outs: { rows: { path: rows.txt, kind: table } }
`;
const COPY = `require("node:fs").copyFileSync(process.argv[2], process.argv[3]);`;
const train = (known: string, factor: number) => `
const fs = require("node:fs");
const { train } = JSON.parse(fs.readFileSync(process.argv[3], "utf8"));
for (const key of Object.keys(train)) if (key !== "${known}") { console.error("unknown hyperparameter " + key); process.exit(2); }
fs.writeFileSync(process.argv[4], String(Number(fs.readFileSync(process.argv[2], "utf8")) * ${factor} + train["${known}"]));`;

const options = (store: PipelineStore): Omit<RunOptions, "onProgress"> => ({
  store,
  execute: spawnExecutor,
  scratch: join(folder, "scratch"),
  environment: "test",
  clock: systemRuntime().clock,
  slots: new Slots(2),
});

function parsed(text: string): Pipeline {
  const pipeline = parsePipeline(text);
  if (!pipeline.ok) throw new Error(JSON.stringify(pipeline.error));
  return pipeline.value;
}

async function captured(store: PipelineStore, pipeline: Pipeline, params = {}) {
  const blobOf = (path: string) => store.putFile(path);
  const dataset = (reference: string) => store.dataset(reference);
  const recipe = await capture(pipeline, { folder, params, seed: 1, environment: "test", blobOf, dataset });
  if (!recipe.ok) throw new Error(JSON.stringify(recipe.error));
  return recipe.value;
}

async function recipe(store: PipelineStore, { tag = "v1", script = "a.cjs", known = "a", factor = 10, value = 1 } = {}) {
  writeFileSync(join(folder, "steps/copy.cjs"), COPY);
  writeFileSync(join(folder, "steps", script), train(known, factor));
  return captured(store, parsed(yaml(tag, script)), { train: { [known]: value } });
}
const modelOf = async (store: MemoryPipelineStore, outcomes: readonly StepOutcome[]) => {
  const id = outcomes.at(-1)?.outs["model"];
  return id ? (await store.getBlob(id)).toString() : undefined;
};

test("steps run in the order of what they need, and a second run takes all from the cache", async () => {
  const store = new MemoryPipelineStore();
  const first = await cook(await recipe(store), options(store));
  expect(first.ok && (await modelOf(store, first.value.outcomes))).toBe("11");
  const second = await cook(await recipe(store), options(store));
  expect(second.ok && first.ok && second.value.outcomes).toEqual(first.ok && first.value.outcomes);
  expect(second.ok && [...second.value.cached]).toEqual(["extract", "train"]);
  expect(store.saved).toBe(2);
});

test("a changed parameter runs the steps that name it, and no others", async () => {
  const store = new MemoryPipelineStore();
  await cook(await recipe(store), options(store));
  const changed = await cook(await recipe(store, { value: 5 }), options(store));
  expect(changed.ok && (await modelOf(store, changed.value.outcomes))).toBe("15");
  expect(store.saved).toBe(3);
});

test("a recipe runs from what it captured, whatever became of the working tree since", async () => {
  const store = new MemoryPipelineStore();
  const before = await recipe(store);
  writeFileSync(join(folder, "steps/a.cjs"), "process.exit(1)");
  expect((await cook(before, options(store))).ok).toBe(true);
});

test("a step that fails says which, with its exit code and what it printed, and leaves nothing", async () => {
  const store = new MemoryPipelineStore();
  const cooked = await cook(await recipe(store, { known: "b", script: "b.cjs" }), options(store));
  expect(cooked.ok).toBe(true);
  const bad = await recipe(store, { script: "c.cjs" });
  writeFileSync(join(folder, "steps/c.cjs"), "");
  const failing = { ...bad, steps: bad.steps.map((step) => ({ ...step, params: { train: { z: 1 } } })) };
  const spoiled = await cook(failing, options(store));
  expect(spoiled).toMatchObject({
    ok: false,
    error: {
      failures: [{ step: "train", trouble: { kind: "exited", code: 2 }, log: "unknown hyperparameter z\n", facts: { outs: {} } }],
      kept: [{ step: "extract" }],
      notRun: [],
    },
  });
  expect(readdirSync(join(folder, "scratch/work"))).toEqual([]);
});

test("hybrids: every mixture of what differs, and players that don't go together become one, with the reason", async () => {
  const store = new MemoryPipelineStore();
  const good = await recipe(store, { tag: "v1", script: "a.cjs", known: "a", factor: 10, value: 1 });
  const bad = await recipe(store, { tag: "v2", script: "b.cjs", known: "b", factor: 100, value: 7 });
  expect(differingPlayers(good, bad)).toEqual(["data", "algorithm", "hyperparameters"]);
  const plan = await trainHybrids(good, bad, { ...options(store), seeds: [1, 2] });
  expect(plan.groups).toEqual([
    { members: ["data"], mergedBecause: null },
    { members: ["algorithm", "hyperparameters"], mergedBecause: "step train: unknown hyperparameter a" },
  ]);
  expect(plan.hybrids.map(({ mask, seed }) => [seed, mask])).toEqual([
    [1, 0],
    [1, 1],
    [1, 2],
    [1, 3],
    [2, 0],
    [2, 1],
    [2, 2],
    [2, 3],
  ]);
  expect(await Promise.all(plan.hybrids.slice(0, 4).map(({ cooked }) => modelOf(store, cooked.outcomes)))).toEqual([
    "11",
    "21",
    "107",
    "207",
  ]);
});

test.each([
  ["a circle", yaml("v1", "a.cjs").replace('{ source: { dataset: "numbers@v1" } }', "{ source: train.model }"), "circle"],
  ["an unknown step", yaml("v1", "a.cjs").replace("extract.rows", "extrac.rows"), 'did you mean "extract"?'],
  ["an unknown output", yaml("v1", "a.cjs").replace("extract.rows", "extract.row"), 'did you mean "rows"?'],
  ["an unknown placeholder", yaml("v1", "a.cjs").replace("{params}", "{parms}"), "{params}"],
  ["a path that leaves the folder", yaml("v1", "a.cjs").replace("[steps/a.cjs]", "[../a.cjs]"), "/steps/train/code/0"],
  ["a misspelt key", yaml("v1", "a.cjs").replace("role: data", "rol: data"), 'did you mean "role"?'],
])("%s in the declaration is refused with its place", (_name, text, why) => {
  const parsed = parsePipeline(text);
  expect(parsed.ok).toBe(false);
  if (parsed.ok) return;
  expect(JSON.stringify(parsed.error)).toContain(JSON.stringify(why).slice(1, -1));
  expect(parsed.error[0]?.line).toBeGreaterThan(1);
});

test("the state of what isn't kept here goes with the data, to whatever step it is given", async () => {
  const store = new MemoryPipelineStore();
  const text = (pin: string) => `
version: 1
pipeline: p
steps:
  train:
    role: algorithm
    cmd: sh -c 'printf "%s" "$1" > m.txt' - {deps.loans}
    deps: { loans: { external: "pg:loans", pin: "${pin}" } }
    outs: { model: { path: m.txt, kind: model } }
`;
  const [good, bad] = [await captured(store, parsed(text("april"))), await captured(store, parsed(text("may")))];
  expect(differingPlayers(good, bad)).toEqual(["data"]);
  const { hybrids } = await trainHybrids(good, bad, { ...options(store), seeds: [1] });
  const made = await Promise.all(hybrids.map(({ cooked }) => modelOf(store, cooked.outcomes)));
  expect(made).toEqual(["april", "may"]);
});
