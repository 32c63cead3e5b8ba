import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sha256Hex } from "../store/index.ts";
import { parseBlobId } from "../store/index.ts";
import type { BlobId } from "../std.ts";
import { parsePipeline } from "./declaration.ts";
import { spawnExecutor } from "./executor.ts";
import { trainHybrids } from "./hybrids.ts";
import { differingPlayers, type StepKey } from "./recipe.ts";
import { capture, cook, type PipelineStore, type RunOptions, type StepOutcome } from "./run.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "evenkeel-pipeline-"));
  mkdirSync(join(folder, "steps"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What a server keeps, in memory. */
class MemoryStore implements PipelineStore {
  readonly blobs = new Map<BlobId, Buffer>();
  readonly outcomes = new Map<StepKey, StepOutcome>();
  saved = 0;
  async putBlob(bytes: Uint8Array): Promise<BlobId> {
    const id = parseBlobId(`sha256:${sha256Hex(bytes)}`);
    if (!id) throw new Error("no id");
    this.blobs.set(id, Buffer.from(bytes));
    return id;
  }
  async getBlob(id: BlobId): Promise<Buffer> {
    const bytes = this.blobs.get(id);
    if (!bytes) throw new Error(`no blob ${id}`);
    return bytes;
  }
  async dataset(reference: string) {
    return { version: reference, blob: await this.putBlob(Buffer.from(reference.endsWith("v1") ? "1" : "2")) };
  }
  async outcome(key: StepKey) {
    return this.outcomes.get(key);
  }
  async saveOutcome(outcome: StepOutcome) {
    this.saved++;
    this.outcomes.set(outcome.key, outcome);
  }
}

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

const options = (store: PipelineStore): Pick<RunOptions, "store" | "execute" | "scratch" | "environment" | "now"> => ({
  store,
  execute: spawnExecutor,
  scratch: join(folder, "scratch"),
  environment: "test",
  now: () => 0,
});

async function recipe(store: PipelineStore, { tag = "v1", script = "a.cjs", known = "a", factor = 10, value = 1 } = {}) {
  writeFileSync(join(folder, "steps/copy.cjs"), COPY);
  writeFileSync(join(folder, "steps", script), train(known, factor));
  const parsed = parsePipeline(yaml(tag, script));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
  return capture(parsed.value, { folder, params: { train: { [known]: value } }, seed: 1, store });
}
const modelOf = async (store: MemoryStore, outcomes: readonly StepOutcome[]) => {
  const id = outcomes.at(-1)?.outs["model"];
  return id ? (await store.getBlob(id)).toString() : undefined;
};

test("steps run in the order of what they need, and a second run takes all from the cache", async () => {
  const store = new MemoryStore();
  const first = await cook(await recipe(store), options(store));
  expect(first.ok && (await modelOf(store, first.value.outcomes))).toBe("11");
  const second = await cook(await recipe(store), options(store));
  expect(second).toEqual(first);
  expect(store.saved).toBe(2);
});

test("a changed parameter runs the steps that name it, and no others", async () => {
  const store = new MemoryStore();
  await cook(await recipe(store), options(store));
  const changed = await cook(await recipe(store, { value: 5 }), options(store));
  expect(changed.ok && (await modelOf(store, changed.value.outcomes))).toBe("15");
  expect(store.saved).toBe(3);
});

test("a recipe runs from what it captured, whatever became of the working tree since", async () => {
  const store = new MemoryStore();
  const captured = await recipe(store);
  writeFileSync(join(folder, "steps/a.cjs"), "process.exit(1)");
  expect((await cook(captured, options(store))).ok).toBe(true);
});

test("a step that fails says which, with its exit code and what it printed, and leaves nothing", async () => {
  const store = new MemoryStore();
  const cooked = await cook(await recipe(store, { known: "b", script: "b.cjs" }), options(store));
  expect(cooked.ok).toBe(true);
  const bad = await recipe(store, { script: "c.cjs" });
  writeFileSync(join(folder, "steps/c.cjs"), "");
  const failing = { ...bad, steps: bad.steps.map((step) => ({ ...step, params: { train: { z: 1 } } })) };
  expect(await cook(failing, options(store))).toMatchObject({
    ok: false,
    error: { step: "train", exitCode: 2, log: "unknown hyperparameter z\n" },
  });
});

test("hybrids: every mixture of what differs, and players that don't go together become one, with the reason", async () => {
  const store = new MemoryStore();
  const good = await recipe(store, { tag: "v1", script: "a.cjs", known: "a", factor: 10, value: 1 });
  const bad = await recipe(store, { tag: "v2", script: "b.cjs", known: "b", factor: 100, value: 7 });
  expect(differingPlayers(good, bad)).toEqual(["data", "algorithm", "hyperparameters"]);
  const plan = await trainHybrids(good, bad, { ...options(store), seeds: [1, 2], parallel: 2 });
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
