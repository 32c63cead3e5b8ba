import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PURPOSES, columnsModel, externalModel, labelModel, zipMapModel } from "../../test/fixtures/onnx-forms.ts";
import { hangingModel, logisticModel, randomModel } from "../../test/fixtures/onnx-models.ts";
import { freshServer, problemOf, type FreshServer } from "../../test/server.ts";
import type { BlobView } from "./blob-routes.ts";
import type { DecisionReplyView } from "./decision-routes.ts";
import type { ReleaseView } from "./endpoint-view.ts";
import type { ModelVersionView } from "./model-routes.ts";

const ENDPOINT = `kind: endpoint
name: loans
inputs:
  age: { type: integer, min: 18, max: 100 }
  income: { type: number, max: 5 }
  savings: { type: number, max: 5 }
  months: { type: integer, min: 0, max: 24 }
  owner: { type: boolean }
  purpose: { type: string }
actions: { approve: { favourable: true }, deny: { favourable: false } }
fallback:
  scorer: { kind: rules, rules: [], otherwise: { score: 0.3 } }
  policy: { bands: [{ action: deny, from: 0 }, { action: approve, from: 0.5 }] }
---
kind: endpoint
name: loops
inputs: { x: { type: number } }
actions: { approve: { favourable: true }, deny: { favourable: false } }
fallback:
  scorer: { kind: rules, rules: [], otherwise: { score: 0.1 } }
  policy: { bands: [{ action: deny, from: 0 }, { action: approve, from: 0.4 }] }
`;
const policy = {
  bands: [
    { action: "deny", from: 0 },
    { action: "approve", from: 0.4 },
  ],
};
const MLMODEL = `flavors:
  onnx: { data: net.onnx, onnx_version: 1.23.2 }
saved_input_example_info: { artifact_path: input_example.json, type: dataframe, pandas_orient: split }
signature:
  inputs: '[{"type": "double", "name": "income"}, {"type": "double", "name": "savings"}]'
`;

let server: FreshServer;
beforeAll(async () => {
  server = await freshServer();
  await server.admin.post("/v1/apply", { yaml: ENDPOINT });
});
afterAll(() => server.drop());

const blobOf = async (bytes: Uint8Array | string) => (await server.admin.put<BlobView>("/v1/blobs", Buffer.from(bytes))).id;
const named = async (files: Readonly<Record<string, Uint8Array | string>>) =>
  Promise.all(Object.entries(files).map(async ([name, bytes]) => ({ name, blob: await blobOf(bytes) })));
const register = async (model: string, body: object) => server.admin.post<ModelVersionView>(`/v1/models/${model}/versions`, body);
const release = (endpoint: string, body: object) =>
  server.admin.post<ReleaseView>(`/v1/endpoints/${endpoint}/releases`, { policy, ...body });
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const person = { age: 32, income: -0.5, savings: 0.25, months: 4, owner: true, purpose: "car" };

describe("a folder", () => {
  const { model, data } = externalModel([0.5, -1], "weights.data");
  const example = JSON.stringify({ columns: ["income", "savings"], data: [[1, 0.5]] });

  test("that MLflow saved is a version with its weights, its features' names and its example's score", async () => {
    const files = await named({ MLmodel: MLMODEL, "net.onnx": model, "weights.data": data, "input_example.json": example });
    const made = await register("saved", { files });
    expect(made).toMatchObject({ number: 1, signature: { features: ["income", "savings"], scoreOutput: "score" } });
    expect(await register("saved", { files })).toEqual(made);
    // The features are the endpoint's inputs, so nothing else has to be said.
    await release("loans", { model: "saved/1" });
    // The manifest stands for all of it.
    expect(await register("again", { blob: made.blob, features: ["income", "savings"] })).toMatchObject({ blob: made.blob });
  });

  test("answers as it would in one piece", async () => {
    const folder = await register("folder", {
      files: await named({ "net.onnx": model, "weights.data": data }),
      features: ["income", "savings"],
    });
    const whole = await register("whole", { blob: await blobOf(logisticModel([0.5, -1])), features: ["income", "savings"] });
    const application = await server.as("application");
    const answers: number[] = [];
    for (const { model: name, number } of [folder, whole]) {
      const { release: made } = await release("loans", { model: `${name}/${number}` });
      await server.admin.post("/v1/endpoints/loans/promote", { release: made, reason: "try" });
      const reply = await application.post<DecisionReplyView>("/v1/endpoints/loans/decisions", { inputs: person });
      expect(reply).toMatchObject({ route: "live", release: made });
      answers.push(reply.score ?? Number.NaN);
    }
    expect(answers[0]).toBe(answers[1]);
    expect(answers[0]).toBeCloseTo(sigmoid(-0.5), 6);
  });

  test.each([
    ["weights that aren't there", { "net.onnx": model }, /weights.data beside the model/],
    ["weights that are cut off", { "net.onnx": model, "weights.data": data.subarray(0, 12) }, /16 bytes in weights.data/],
    ["two models", { "a.onnx": model, "b.onnx": model }, /a.onnx, b.onnx/],
    ["no model", { "weights.data": data }, /ends in .onnx/],
    [
      "a model of another kind",
      { MLmodel: "flavors: { sklearn: { pickled_model: model.pkl } }", "model.pkl": "x" },
      /sklearn.*mlflow.onnx/,
    ],
    ["an MLmodel that is none", { MLmodel: "[1, 2]", "net.onnx": model }, /MLmodel as MLflow writes it/],
  ])("with %s is refused", async (_name, files: Record<string, Uint8Array | string>, expected) => {
    const problem = await problemOf(register("refused", { files: await named(files) }));
    expect(problem.status).toBe(422);
    expect(JSON.stringify(problem.errors)).toMatch(expected);
  });

  test.each(["../weights.data", "/etc/passwd", "a/b", ".", "..", ".env", "a\\b", ""])("with a file called %j is refused", async (name) => {
    const blob = await blobOf(data);
    const problem = await problemOf(register("refused", { files: [...(await named({ "net.onnx": model })), { name, blob }] }));
    expect(problem).toMatchObject({ status: 400, errors: [{ path: "/files/1/name" }] });
  });
});

test("one input a feature, texts among them, is found by name and needs no feature set", async () => {
  const made = await register("columns", {
    blob: await blobOf(columnsModel()),
    examples: { rows: [person, { ...person, purpose: "boat" }], scores: [sigmoid(1.5), sigmoid(1.125)] },
  });
  expect(made.signature?.features ?? []).toEqual(["age", "income", "savings", "months", "owner", "purpose"]);
  const { release: name } = await release("loans", { model: "columns/1", onnx: { threads: 2, batch: { max_rows: 16 } } });
  await server.admin.post("/v1/endpoints/loans/promote", { release: name, reason: "try" });
  const application = await server.as("application");
  for (const [purpose, worth] of [...Object.entries(PURPOSES), ["boat", 0.125]] as const) {
    const reply = await application.post<DecisionReplyView>("/v1/endpoints/loans/decisions", { inputs: { ...person, purpose } });
    expect(reply).toMatchObject({ route: "live", score: expect.closeTo(sigmoid(1 + worth), 6) });
  }
  const other = {
    name: "other",
    features: (made.signature?.features ?? []).map((each) => ({ name: each.replace("purpose", "purposes"), from: each })),
  };
  const problem = await problemOf(release("loans", { model: "columns/1", features: other }));
  expect(problem.status).toBe(422);
  expect(JSON.stringify(problem.errors)).toMatch(/did you mean purpose\?/);
});

describe("examples", () => {
  const rows = [
    [0, 0],
    [1, 2],
  ];
  test("are kept with the scores of their registration, and a release that says otherwise is refused", async () => {
    const blob = await blobOf(zipMapModel([0.5, -1], ["bad", "good"]));
    const plain = await register("examples", { blob, features: ["income", "savings"] });
    const made = await register("examples", { blob, features: ["income", "savings"], examples: { rows } });
    expect(made.blob).not.toBe(plain.blob);
    await release("loans", { model: "examples/2" });
    // Of another class there are other scores.
    await release("loans", { model: "examples/2", onnx: { class: "bad" } });
    const examples = { rows: rows.map(([income, savings]) => ({ income, savings })), scores: [0.5, 0.9] };
    expect(await problemOf(release("loans", { model: "examples/2", onnx: { examples } }))).toMatchObject({
      status: 422,
      errors: [
        {
          path: expect.stringContaining("/examples/rows/1"),
          expected: expect.stringContaining("0.9"),
          got: expect.stringContaining("0.18"),
        },
      ],
    });
    await release("loans", { model: "examples/2", onnx: { examples: { ...examples, tolerance: 0.8 } } });
  });
  test("that the model contradicts, or that aren't rows of its features, register nothing", async () => {
    const blob = await blobOf(logisticModel([0.5, -1]));
    const wrong = await problemOf(register("wrong", { blob, examples: { rows, scores: [0.5, 0.5] } }));
    expect(wrong).toMatchObject({
      status: 422,
      errors: [{ path: "/examples/rows/1", expected: expect.stringContaining("0.5 for example 2") }],
    });
    const misfits = await problemOf(register("wrong", { blob, examples: { rows: [[1], ["a", 2]], scores: [0.5] } }));
    expect(misfits.errors?.map(({ path }) => path)).toEqual(["/examples/scores", "/examples/rows/0", "/examples/rows/1/0"]);
    expect((await problemOf(server.admin.get("/v1/models/wrong"))).status).toBe(404);
  });
});

test("labels, and a model that says something else each time, are refused where they are registered", async () => {
  const labels = await problemOf(register("refused", { blob: await blobOf(labelModel(2)) }));
  expect(labels).toMatchObject({ status: 422, errors: [{ path: "/output", got: "labels and no scores: label (int64)" }] });
  const random = await problemOf(register("refused", { blob: await blobOf(randomModel(1)) }));
  expect(JSON.stringify(random.errors)).toContain("the same score for the same person");
});

test("a model that loops for one value is killed and replaced; whoever was in its batch is answered by the fallback in time", async () => {
  const blob = await blobOf(hangingModel(1, 1000));
  const { release: name } = await release("loops", {
    scorer: { kind: "onnx", model: blob },
    features: { name: "x", features: [{ name: "x", from: "x" }] },
  });
  await server.admin.post("/v1/endpoints/loops/promote", { release: name, reason: "try" });
  const application = await server.as("application");
  const ask = async (x: number) => {
    const startedMs = performance.now();
    const reply = await application.post<DecisionReplyView>("/v1/endpoints/loops/decisions", { inputs: { x } });
    return { route: reply.route, action: reply.action, tookMs: performance.now() - startedMs };
  };
  expect(await ask(1)).toMatchObject({ route: "live", action: "approve" });
  const answers = await Promise.all([ask(5000), ...Array.from({ length: 8 }, (_, i) => ask(i))]);
  expect(answers[0]).toMatchObject({ route: "fallback", action: "deny" });
  // The deadline is 200 ms; the rest is for a machine that does other things as well.
  expect(Math.max(...answers.map(({ tookMs }) => tookMs))).toBeLessThan(2000);
  const others = await Promise.all(Array.from({ length: 20 }, (_, i) => ask(i)));
  expect(others.every(({ route }) => route === "fallback" || route === "live")).toBe(true);
  await expect.poll(async () => (await ask(1)).route, { timeout: 15_000, interval: 200 }).toBe("live");
}, 60_000);
