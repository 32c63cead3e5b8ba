import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PURPOSES, columnsModel, externalModel, labelModel, zipMapModel } from "../../test/fixtures/onnx-forms.ts";
import { forestModel, logisticModel } from "../../test/fixtures/onnx-models.ts";
import { systemRuntime } from "../store/index.ts";
import { BatchedModel } from "./batched-model.ts";
import { compileFeatures } from "./features.ts";
import { openInlineModel } from "./inline-model.ts";
import { celVariables } from "./inputs.ts";
import type { ModelFiles } from "./model-files.ts";
import { rowCheck, scoreCall, type RowForm, type ScoreCall, type WantedOutput } from "./onnx-call.ts";
import { inspectModel } from "./onnx-model.ts";
import { OnnxScorer } from "./onnx-scorer.ts";

let folder = "";
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "evenkeel-forms-"))));
afterAll(() => rm(folder, { recursive: true }));

let written = 0;
const file = async (bytes: Uint8Array) => {
  const path = join(folder, `${written++}`);
  await writeFile(path, bytes);
  return { path };
};
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const called = (bytes: Uint8Array, form: RowForm, wanted: WantedOutput = {}) => {
  const model = inspectModel(bytes);
  return model.ok ? scoreCall(model.value, form, wanted) : model;
};
const issuesOf = (...args: Parameters<typeof called>) => {
  const call = called(...args);
  return call.ok ? [] : call.error;
};
const run = async (files: ModelFiles, rows: Float32Array, form: RowForm, wanted: WantedOutput = {}) => {
  const model = await openInlineModel({ files, form, wanted });
  if (!model.ok) throw new Error(JSON.stringify(model.error));
  const scores = await model.value.run(rows, 1000);
  await model.value.close();
  return [...scores];
};

const names = ["purpose", "income", "months", "owner", "savings", "age"];
const inputs = {
  age: { type: "integer", min: 18, max: 100 },
  income: { type: "number" },
  savings: { type: "number" },
  months: { type: "integer" },
  owner: { type: "boolean" },
  purpose: { type: "string" },
} as const;
const features = () => {
  const compiled = compileFeatures({ name: "f", features: names.map((name) => ({ name, from: name })) }, celVariables(inputs));
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.error));
  return compiled.value;
};

describe("one input a feature", () => {
  const person = { age: 32, income: -0.5, savings: 0.25, months: 4, owner: true, purpose: "car" };
  const wanted = (purpose: number) => sigmoid(32 / 64 - 0.5 + 0.25 + 4 / 8 + 0.25 + purpose);

  test("of every type, found by name whatever the order; texts beside numbers, in a process of its own", async () => {
    const compiled = features();
    const form = { width: names.length, names, texts: names.map((name) => name === "purpose") };
    const model = await BatchedModel.open({
      files: { model: await file(columnsModel()) },
      form,
      texts: compiled.texts,
      threads: 1,
      startTimeoutMs: 20_000,
      clock: systemRuntime().clock,
    });
    if (!model.ok) throw new Error(JSON.stringify(model.error));
    const scorer = new OnnxScorer(compiled, model.value);
    const purposes = ["car", "house", "boat", "", "an undeclared text with “quotes”\n"];
    const scored = await scorer.scoreMany(purposes.map((purpose) => ({ ...person, purpose })));
    expect(scored.map((each) => ("score" in each ? each.score : each))).toEqual(
      [PURPOSES.car, PURPOSES.house, 0.125, 0.125, 0.125].map((value) => expect.closeTo(wanted(value), 6)),
    );
    expect((await scorer.score(person, 5000)).score).toBeCloseTo(wanted(PURPOSES.car), 6);
    // Who has what no input can hold costs nobody else the answer.
    const mixed = await scorer.scoreMany([person, { ...person, months: null }, { ...person, age: 2 ** 24 }, person]);
    expect(mixed).toMatchObject([
      { score: expect.any(Number) },
      { trouble: "not-computable", message: "months takes whole numbers between -2^24 and 2^24, and got nothing" },
      { trouble: "not-computable", message: expect.stringContaining("age takes whole numbers") },
      { score: expect.any(Number) },
    ]);
    await scorer.close();
  });

  test("missing and further features are named, with what was meant", () => {
    const wrong = ["purposes", "income", "months", "owner", "savings", "age", "height"];
    expect(issuesOf(columnsModel(), { width: wrong.length, names: wrong })).toMatchObject([
      { path: "/inputs", expected: expect.stringContaining("a feature purpose"), hint: expect.stringContaining("purposes") },
      { path: "/inputs", expected: expect.stringContaining("an input purposes"), hint: "did you mean purpose?" },
      { path: "/inputs", expected: expect.stringContaining("an input height"), hint: expect.stringContaining("age") },
    ]);
  });

  test("a text for a number and a number for a text are refused", () => {
    const texts = names.map((name) => name === "income");
    expect(issuesOf(columnsModel(), { width: names.length, names, texts })).toMatchObject([
      { expected: "a number for income, of type float32", got: "income, a text" },
      { expected: "a text for purpose, of type string", got: "purpose, a number" },
    ]);
    expect(issuesOf(logisticModel([1]), { width: 1, names: ["purpose"], texts: [true] })).toMatchObject([
      { got: "purpose, a text", hint: expect.stringContaining("cel") },
    ]);
  });

  test("whole numbers are exact or refused", () => {
    const call = called(columnsModel(), { width: names.length, names });
    const check = call.ok ? rowCheck(call.value) : undefined;
    const row = (age: number, owner = 1) => check?.(Float32Array.of(0, 0, 0, owner, 0, age), 0);
    expect([row(2 ** 24 - 1), row(-(2 ** 24) + 1), row(0)]).toEqual([undefined, undefined, undefined]);
    for (const age of [2 ** 24, 2 ** 24 + 1, 0.5, Number.NaN, Number.POSITIVE_INFINITY])
      expect(row(age)).toContain("age takes whole numbers");
    expect(row(30, 2)).toContain("owner takes true or false");
    expect(row(30, 0)).toBeUndefined();
  });
});

describe("probabilities as maps", () => {
  const form = { width: 2 };
  const rows = Float32Array.of(1, 2, -3, 0.5);
  const scores = [sigmoid(1 * 0.5 + 2 * -1), sigmoid(-3 * 0.5 + 0.5 * -1)];
  const close = (values: readonly number[]) => values.map((value) => expect.closeTo(value, 6) as unknown);

  test("are given as a tensor, the last class by default", async () => {
    const files = { model: await file(zipMapModel([0.5, -1], [0, 1])) };
    expect(await run(files, rows, form)).toEqual(close(scores));
    expect(await run(files, rows, form, { column: 0 })).toEqual(close(scores.map((score) => 1 - score)));
    expect(await run(files, rows, form, { output: "output_probability", class: "1" })).toEqual(close(scores));
  });
  test("have columns named by their classes, negative numbers and texts alike", async () => {
    const texts = { model: await file(zipMapModel([0.5, -1], ["good", "bad"])) };
    expect(await run(texts, rows, form, { class: "good" })).toEqual(close(scores.map((score) => 1 - score)));
    const signed = { model: await file(zipMapModel([0.5, -1], [-1, 1])) };
    expect(await run(signed, rows, form, { class: "-1" })).toEqual(close(scores.map((score) => 1 - score)));
    expect(issuesOf(zipMapModel([1], ["good", "bad"]), { width: 1 }, { class: "goood" })).toMatchObject([
      { path: "/class", expected: "one of good, bad", hint: "did you mean good?" },
    ]);
    expect(issuesOf(logisticModel([1]), { width: 1 }, { class: "good" })).toMatchObject([
      { path: "/class", expected: expect.stringContaining("a column") },
    ]);
    expect(issuesOf(zipMapModel([1], ["a", "b"]), { width: 1 }, { class: "a", column: 0 })).toMatchObject([
      { path: "/class", got: "both" },
    ]);
  });
  test("of three classes need a word which is the score", async () => {
    const three = zipMapModel([0.5, -1], ["a", "b", "c"]);
    expect(issuesOf(three, form)).toMatchObject([{ path: "/column", hint: "say class: a, or b, or c" }]);
    expect(await run({ model: await file(three) }, rows, form, { class: "c" })).toEqual(close(scores.map((score) => score / 10)));
  });
  test("a tensor's columns are named by the classifier that made it", () => {
    const forest = called(forestModel({ width: 2, trees: 1, depth: 1, seed: 1 }), form, { class: "0" });
    expect(forest.ok && forest.value).toMatchObject({
      output: "probabilities",
      fetch: "probabilities",
      column: 0,
      columns: 2,
    } satisfies Partial<ScoreCall>);
  });
});

test("labels alone are refused, with what came and what to do", () => {
  expect(issuesOf(labelModel(1), { width: 1 })).toMatchObject([
    { path: "/output", got: "labels and no scores: label (int64)", hint: expect.stringContaining("probabilities") },
  ]);
  expect(issuesOf(zipMapModel([1], [0, 1]), { width: 1 }, { output: "output_label" })).toMatchObject([
    { path: "/output", got: "labels and no scores: output_label (int64)", hint: "scores are in output_probability" },
  ]);
});

describe("weights in another file", () => {
  test("are read from the file beside the model, at their place", async () => {
    const { model, data } = externalModel([0.5, -1]);
    const files = { model: await file(model), beside: [{ name: "model.onnx.data", ...(await file(data)) }] };
    expect(await run(files, Float32Array.of(1, 2), { width: 2 })).toEqual([expect.closeTo(sigmoid(-1.5), 6)]);
  });
  test("are refused without the file, beyond its end, and anywhere but beside the model", () => {
    const got = (location: string, beside: ReadonlyMap<string, number>) => {
      const model = inspectModel(externalModel([1, 2], location).model, beside);
      return model.ok ? undefined : model.error[0];
    };
    expect(got("w.data", new Map([["w.data", 16]]))).toBeUndefined();
    expect(got("w.data", new Map([["w.data", 15]]))).toMatchObject({ expected: "16 bytes in w.data", got: expect.stringContaining("15") });
    expect(got("w.data", new Map())).toMatchObject({ expected: "the file w.data beside the model" });
    for (const location of ["/etc/passwd", "../w.data", "a/w.data", "a\\w.data", ".", "..", "", ".hidden", "C:w", "w\0", "-w"]) {
      expect([location, got(location, new Map([[location, 100]]))?.got]).toEqual([location, expect.stringContaining("other files")]);
    }
  });
});
