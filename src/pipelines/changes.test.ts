import { expect, test } from "vitest";
import { parseBlobId } from "../store/index.ts";
import type { BlobId } from "../std.ts";
import { changeText, changesSince, type StepNow } from "./changes.ts";
import { stepKey } from "./recipe.ts";
import type { StepFacts } from "./step-outcome.ts";

const blob = (digit: string): BlobId => {
  const id = parseBlobId(`sha256:${digit.repeat(64)}`);
  if (!id) throw new Error("no blob id");
  return id;
};
const step: StepNow["step"] = {
  name: "train",
  role: "algorithm",
  cmd: "python {code}/a.py",
  capsule: { "a.py": blob("1"), "b.py": blob("2") },
  params: { train: { depth: 3, layers: [1, 2] } },
  deps: { rows: { kind: "dataset", reference: "loans@v1" }, old: { kind: "step", step: "x", out: "y" } },
  outs: { model: { path: "m.onnx", kind: "model" } },
  metrics: null,
  timeoutMs: 1000,
};
const now: StepNow = {
  step,
  inputs: {
    rows: { kind: "dataset", reference: "loans@v1", version: "tbl:1", blob: blob("3") },
    old: { kind: "step", step: "x", out: "y", blob: blob("4") },
  },
  seed: 1,
  environment: "linux",
};
const facts: StepFacts = {
  pipeline: "p",
  step: "train",
  role: "algorithm",
  key: stepKey(step, {}, { seed: 1, environment: "linux" }),
  cmd: step.cmd,
  code: step.capsule,
  executable: [],
  params: step.params,
  inputs: now.inputs,
  outs: { model: { path: "m.onnx", kind: "model", blob: blob("5") } },
  metrics: {},
  metricsPath: null,
  seed: 1,
  environment: "linux",
  lineage: { state: "complete", by: ["strace"], undeclaredReads: [] },
  startedAtMs: 0,
  endedAtMs: 1,
  log: null,
  failure: null,
};
const texts = (change: Partial<StepNow>, before: Partial<StepFacts> = {}) =>
  changesSince({ ...facts, ...before }, { ...now, ...change }).map(changeText);

test("what is the same as before has no changes", () => {
  expect(texts({})).toEqual([]);
});

test("every change that gives a step another key is told", () => {
  expect(texts({ step: { ...step, cmd: "x" } })).toEqual(["the command changed"]);
  expect(texts({ step: { ...step, capsule: { "a.py": blob("9"), "c.py": blob("2") } } })).toEqual([
    "code a.py changed",
    "code b.py removed",
    "code c.py added",
  ]);
  expect(texts({ step: { ...step, executable: ["a.py"] } })).toEqual(["code a.py made a program"]);
  expect(texts({ step: { ...step, params: { train: { depth: 4, layers: [1, 2] }, more: true } } })).toEqual([
    "train.depth 3 → 4",
    "more nothing → true",
  ]);
  const long = (last: number) => ({ list: [...Array.from({ length: 40 }, (_, i) => i), last] });
  expect(texts({ step: { ...step, params: long(1) } }, { params: long(2) })).toEqual(["list changed (a list of 41)"]);
  expect(texts({ inputs: { ...now.inputs, rows: { kind: "dataset", reference: "loans@v2", blob: blob("6") } } })).toEqual([
    "input rows loans@v1 (333333333333) → loans@v2 (666666666666)",
  ]);
  expect(texts({ step: { ...step, outs: { model: { path: "other.onnx", kind: "model" } } } })).toEqual(["its outputs changed"]);
  expect(texts({ step: { ...step, metrics: "m.json" } })).toEqual(["its outputs changed"]);
  expect(texts({ seed: 2, environment: "mac" })).toEqual(["seed 1 → 2", "environment linux → mac"]);
});

test("an input that must be made first is no change yet", () => {
  const { old: _old, ...inputs } = now.inputs;
  expect(texts({ inputs })).toEqual([]);
});
