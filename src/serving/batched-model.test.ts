import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import {
  failingModel,
  forestModel,
  hangingModel,
  logisticModel,
  nanModel,
  randomModel,
  slowModel,
} from "../../test/fixtures/onnx-models.ts";
import { systemRuntime } from "../store/index.ts";
import { BatchedModel, type BatchedModelOptions } from "./batched-model.ts";
import { openInlineModel } from "./inline-model.ts";
import { probeModel } from "./probe.ts";
import { ScorerError } from "./scorer.ts";

let folder = "";
const path = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "evenkeel-models-"));
  await writeFile(path("logistic"), logisticModel([1, -2, 0.5], 0.25));
  await writeFile(path("forest"), forestModel({ width: 3, trees: 20, depth: 4, seed: 7 }));
  await writeFile(path("nan"), nanModel(3, 5));
  await writeFile(path("hanging"), hangingModel(3, 5));
  await writeFile(path("slow"), slowModel(3, 20_000));
  await writeFile(path("failing"), failingModel(3));
  await writeFile(path("random"), randomModel(1));
  await writeFile(path("garbage"), Buffer.concat([logisticModel([1, 2, 3]).subarray(0, 120), Buffer.alloc(200, 0xff)]));
});
afterAll(() => rm(folder, { recursive: true }));

const opened: BatchedModel[] = [];
afterEach(async () => {
  for (const model of opened.splice(0)) await model.close();
});
async function open(name: string, options: Partial<BatchedModelOptions> = {}): Promise<BatchedModel> {
  const { clock } = systemRuntime();
  const model = await BatchedModel.open({
    files: { model: { path: path(name) } },
    form: { width: 3 },
    threads: 1,
    startTimeoutMs: 20_000,
    clock,
    ...options,
  });
  if (!model.ok) throw new Error(JSON.stringify(model.error));
  opened.push(model.value);
  return model.value;
}

const sigmoid = (row: readonly number[]) => 1 / (1 + Math.exp(-((row[0] ?? 0) - 2 * (row[1] ?? 0) + 0.5 * (row[2] ?? 0) + 0.25)));
const trouble = (answer: Promise<unknown>) =>
  answer.then(String, (error: unknown) => (error instanceof ScorerError ? error.trouble : String(error)));

test("200 rows asked at once are scored in few batches, each with its own answer", async () => {
  const model = await open("logistic");
  const rows = Array.from({ length: 200 }, (_, i) => [i / 100, (i % 7) / 3, -i / 50]);
  const scores = await Promise.all(rows.map((row) => model.run(Float32Array.from(row), 10_000)));
  for (const [i, row] of rows.entries()) expect(scores[i]?.[0]).toBeCloseTo(sigmoid(row), 5);
  expect(model.batches).toBeLessThanOrEqual(3);
});

test("calls with several rows share batches with single ones, and numbers are the same in this process", async () => {
  const model = await open("forest");
  const inline = await openInlineModel({ files: { model: { path: path("forest") } }, form: { width: 3 } });
  if (!inline.ok) throw new Error("refused");
  const many = Float32Array.from({ length: 300 }, (_, i) => (i % 17) / 17);
  const [all, one, more] = await Promise.all([
    model.run(many, 10_000),
    model.run(many.slice(3, 6), 10_000),
    model.run(many.slice(6, 12), 10_000),
  ]);
  expect(all).toEqual(await inline.value.run(many, 0));
  expect([...one, ...more]).toEqual(Array.from(all.slice(1, 4)));
  await inline.value.close();
});

test("a person whose inputs the model fails on costs nobody else in the batch the answer", async () => {
  const model = await open("failing");
  const answers = Array.from({ length: 60 }, (_, i) => trouble(model.run(Float32Array.of(i % 20 === 7 ? 9 : i % 2, 0, 0), 5000)));
  for (const [i, answer] of (await Promise.all(answers)).entries()) expect(answer).toBe(i % 20 === 7 ? "failed" : i % 2 ? "0.5" : "0");
  expect(model.batches).toBeLessThanOrEqual(70);
  expect(model.replacements).toBe(0);
});

describe("a scorer process that stops answering", () => {
  test("those who wait are refused in time, later ones at once, and it goes on when it wakes", async () => {
    const model = await open("logistic", { hangMs: 60_000 });
    const pid = model.pid ?? 0;
    process.kill(pid, "SIGSTOP");
    const started = performance.now();
    expect(await Promise.all([1, 2, 3].map(() => trouble(model.run(new Float32Array(3), 500))))).toEqual(["timeout", "timeout", "timeout"]);
    const elapsed = performance.now() - started;
    expect(elapsed).toBeGreaterThan(490);
    expect(elapsed).toBeLessThan(10_000);
    // The quickest of some: had each waited, none would take less than its 500 ms, however busy the machine.
    const laterMs: number[] = [];
    for (let i = 0; i < 5; i++) {
      const again = performance.now();
      expect(await trouble(model.run(new Float32Array(3), 500))).toBe("timeout");
      laterMs.push(performance.now() - again);
    }
    expect(Math.min(...laterMs)).toBeLessThan(300);
    process.kill(pid, "SIGCONT");
    await vi.waitFor(async () => expect(await trouble(model.run(new Float32Array(3), 1000))).toContain("0.56"), 5000);
    expect(model.pid).toBe(pid);
  });

  test("it is killed when it hangs, and replaced", async () => {
    const model = await open("hanging", { hangMs: 300 });
    const pid = model.pid;
    expect(await trouble(model.run(Float32Array.of(9, 0, 0), 100))).toBe("timeout");
    await vi.waitFor(() => expect(model.pid).not.toBe(pid), 5000);
    await vi.waitFor(async () => expect((await model.run(new Float32Array(3), 1000))[0]).toBe(0.5), 10_000);
    expect(model.replacements).toBeGreaterThanOrEqual(1);
  });

  test("a process that is slow because its batch is big isn't killed; one that hangs with a big batch is, and is replaced", async () => {
    const model = await open("slow", { hangMs: 100 });
    const { pid } = model;
    const rows = (count: number) => new Float32Array(count * 3);
    for (let i = 0; i < 3; i++) await model.run(rows(4), 30_000); // how fast it is
    const startedMs = performance.now();
    const count = 40;
    expect(await model.run(rows(count), 60_000)).toEqual(new Float64Array(count).fill(0.5));
    const tookMs = performance.now() - startedMs;
    expect(tookMs).toBeGreaterThan(200);
    expect(model.pid).toBe(pid);
    process.kill(pid ?? 0, "SIGSTOP");
    expect(await trouble(model.run(rows(count), 60_000))).toBe("crashed");
    expect(performance.now() - startedMs - tookMs).toBeLessThan(15_000);
    await vi.waitFor(async () => expect((await model.run(rows(1), 1000))[0]).toBe(0.5), 10_000);
    expect(model.pid).not.toBe(pid);
  });

  test("a killed process fails the rows it had at once, refuses while it is away, and comes back", async () => {
    const model = await open("logistic");
    const pid = model.pid ?? 0;
    process.kill(pid, "SIGSTOP"); // so that the rows are surely there when it dies
    const answers = [1, 2, 3].map(() => trouble(model.run(new Float32Array(3), 10_000)));
    await new Promise((resolve) => setTimeout(resolve, 20));
    process.kill(pid, "SIGKILL");
    expect(await Promise.all(answers)).toEqual(["crashed", "crashed", "crashed"]);
    expect(await trouble(model.run(new Float32Array(3), 10_000))).toBe("down");
    await vi.waitFor(async () => expect(await trouble(model.run(new Float32Array(3), 1000))).toContain("0.56"), 10_000);
    expect(model.pid).not.toBe(pid);
  });
});

test("more rows than can be answered are refused at once", async () => {
  const model = await open("logistic", { hangMs: 60_000 });
  process.kill(model.pid ?? 0, "SIGSTOP");
  const rows = new Float32Array(1024 * 3);
  const answers = [1, 2, 3, 4, 5, 6, 7].map(() => trouble(model.run(rows, 300)));
  expect(await Promise.all(answers)).toContain("overloaded");
  process.kill(model.pid ?? 0, "SIGCONT");
});

test("a batch has at most as many rows as the release says", async () => {
  const model = await open("logistic", { maxRows: 2 });
  const row = Float32Array.of(1, 2, 3);
  const scores = await Promise.all(Array.from({ length: 6 }, () => model.run(row, 10_000)));
  expect(new Set(scores.map(([score]) => score)).size).toBe(1);
  expect(model.batches).toBe(3);
  expect(() => model.run(new Float32Array(9), 10_000)).toThrow(RangeError);
  await model.close();
});

test("closing fails what is under way and ends the process", async () => {
  const model = await open("logistic");
  const pid = model.pid ?? 0;
  process.kill(pid, "SIGSTOP");
  const answer = trouble(model.run(new Float32Array(3), 10_000));
  await model.close();
  expect(await answer).toBe("closed");
  expect(await trouble(model.run(new Float32Array(3), 10_000))).toBe("closed");
  expect(() => process.kill(pid, 0)).toThrow("ESRCH");
});

describe("a probe in a process of its own", () => {
  const rows = Float32Array.from({ length: 30 }, (_, i) => i / 10);
  const probe = (name: string, options = {}) =>
    probeModel({ files: { model: { path: path(name) } }, form: { width: 3 }, rows, timeoutMs: 20_000, ...options });
  const got = async (...args: Parameters<typeof probe>) => {
    const result = await probe(...args);
    return result.ok ? [...result.value.scores] : result.error[0]?.got;
  };
  test("accepts a good model and says what it gave", async () => {
    const result = await probe("logistic");
    expect(result.ok && result.value.scores.length).toBe(10);
    expect(result.ok && result.value.model.inputs[0]?.shape).toEqual(["N", 3]);
  });
  test.each([
    ["garbage", {}, /not ONNX|longer than the file/],
    ["nan", { rows: Float32Array.of(9, 0, 0) }, /NaN for sample 1/],
    ["random", { form: { width: 1 } }, /, then /],
    ["hanging", { rows: Float32Array.of(9, 0, 0), timeoutMs: 3000 }, /takes longer/],
    ["logistic", { form: { width: 2 } }, /x takes 3/],
    ["forest", { limits: { dataBytes: 1e6, cpuSeconds: 1 } }, /ended its process/],
  ])("refuses: %s", async (name, options, expected) => {
    expect(await got(name, options)).toMatch(expected);
  });
});

// Without util-linux in the path, a thread does what the kernel does otherwise.
test.each([process.env["PATH"], "/nowhere"])(
  "a scorer process that hangs in native code doesn't outlive a server that was killed (%#)",
  async (PATH) => {
    const program = `
    import { BatchedModel } from ${JSON.stringify(new URL("./batched-model.ts", import.meta.url).href)};
    import { systemRuntime } from ${JSON.stringify(new URL("../store/index.ts", import.meta.url).href)};
    const { clock } = systemRuntime();
    const model = await BatchedModel.open({ files: { model: { path: ${JSON.stringify(path("hanging"))} } }, form: { width: 3 }, threads: 1, startTimeoutMs: 20000, clock, hangMs: 1e9 });
    if (!model.ok) throw new Error("refused");
    model.value.run(Float32Array.of(9, 0, 0), 1e9);
    setTimeout(() => console.log(model.value.pid), 300);`;
    const env = { ...process.env, PATH };
    const server = spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: ["ignore", "pipe", "inherit"], env });
    const pid = await new Promise<number>((resolve) => server.stdout.once("data", (text: Buffer) => resolve(Number(text.toString()))));
    expect(pid).toBeGreaterThan(0);
    expect(() => process.kill(pid, 0)).not.toThrow();
    server.kill("SIGKILL");
    await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow("ESRCH"), 5000);
  },
);
