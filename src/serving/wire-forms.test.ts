import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checked } from "../checked.ts";
import type { Answered } from "./answered-scores.ts";
import { HttpScorerSpec } from "./http-scorer-spec.ts";
import { wireFormOf, type Cell, type Column } from "./wire-forms.ts";

const parse = checked(HttpScorerSpec);
const number = (name: string): Column => ({ name, type: "number", isOptional: true });
const two = [number("income"), number("debt")];
const rows: readonly (readonly Cell[])[] = [
  [52_000, 0.31],
  [18_000, null],
];
function formOf(spec: Readonly<Record<string, unknown>>, columns: readonly Column[] = two) {
  const parsed = parse({ kind: "http", url: "http://m:8080/", ...spec });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
  return wireFormOf(parsed.value, columns);
}
const sent = (spec: Readonly<Record<string, unknown>>, columns?: readonly Column[], what = rows): unknown =>
  JSON.parse(formOf(spec, columns).encode(what));
const read = (spec: Readonly<Record<string, unknown>>, answer: unknown, count = 2, contentType = "application/json") =>
  formOf(spec).decode(typeof answer === "string" ? answer : JSON.stringify(answer), contentType, count);
const scores = (...values: number[]): Answered => ({ kind: "scores", scores: Float64Array.from(values) });

describe("what is sent is what the protocol's servers take", () => {
  test("Open Inference Protocol, a column an input", () => {
    const columns: Column[] = [
      number("income"),
      { name: "education", type: "string", isOptional: false },
      { name: "owner", type: "boolean", isOptional: false },
    ];
    const spec = { protocol: "oip", model: "credit rf", version: "3", content_type: "pd", output: "predict_proba" };
    expect(formOf(spec).url).toBe("http://m:8080/v2/models/credit%20rf/versions/3/infer");
    expect(formOf(spec).ready).toEqual(["http://m:8080/v2/health/ready", "http://m:8080/v2/models/credit%20rf/versions/3/ready"]);
    const people = [
      [52_000, "high school", true],
      [null, "university", false],
    ];
    expect(sent(spec, columns, people)).toEqual({
      parameters: { content_type: "pd" },
      inputs: [
        { name: "income", shape: [2], datatype: "FP64", data: [52_000, null] },
        { name: "education", shape: [2], datatype: "BYTES", parameters: { content_type: "str" }, data: ["high school", "university"] },
        { name: "owner", shape: [2], datatype: "BOOL", data: [true, false] },
      ],
      outputs: [{ name: "predict_proba" }],
    });
  });
  test("Open Inference Protocol, one tensor (vector T3)", () => {
    const spec = { protocol: "oip", model: "m", layout: "tensor", datatype: "FP64" };
    const people = [
      [52_000, 0.31],
      [18_000, 0.62],
    ];
    expect(sent(spec, two, people)).toEqual({
      inputs: [{ name: "input-0", shape: [2, 2], datatype: "FP64", data: [52_000, 0.31, 18_000, 0.62] }],
    });
  });
  test.each([
    ["split", { dataframe_split: { columns: ["income", "debt"], data: rows } }],
    ["lists", { instances: rows }],
    ["columns", { inputs: { income: [52_000, 18_000], debt: [0.31, null] } }],
    [
      "objects",
      {
        dataframe_records: [
          { income: 52_000, debt: 0.31 },
          { income: 18_000, debt: null },
        ],
      },
    ],
  ])("MLflow, %s (vectors M1 to M4)", (layout, body) => {
    expect(formOf({ protocol: "mlflow", layout }).url).toBe("http://m:8080/invocations");
    expect(sent({ protocol: "mlflow", layout })).toEqual(body);
  });
  test("KServe v1", () => {
    expect(formOf({ protocol: "kserve_v1", model: "credit" }).url).toBe("http://m:8080/v1/models/credit:predict");
    expect(sent({ protocol: "kserve_v1", model: "credit" })).toEqual({ instances: rows });
  });
  test("SageMaker: CSV without a header line, quoted where it must be", () => {
    const columns: Column[] = [number("income"), { name: "job", type: "string", isOptional: false }];
    const form = formOf({ protocol: "sagemaker" }, columns);
    expect(form.contentType).toBe("text/csv");
    expect(
      form.encode([
        [1.5, 'a "b", c'],
        [null, "d"],
      ]),
    ).toBe('1.5,"a ""b"", c"\n,d');
    expect(sent({ protocol: "sagemaker", layout: "lists" })).toEqual({ instances: rows });
  });
  test("a template keeps what it has and puts the rows where it says", () => {
    const body = { model: "x", input: { more: [1] } };
    expect(sent({ protocol: "template", body, rows: "/input/rows", layout: "lists", scores: "/s" })).toEqual({
      model: "x",
      input: { more: [1], rows },
    });
    expect(sent({ protocol: "template", rows: "", layout: "columns", scores: "" })).toEqual({
      income: [52_000, 18_000],
      debt: [0.31, null],
    });
    const single = formOf({ protocol: "template", rows: "/input", layout: "object", scores: "/output" });
    expect(single.maxRows).toBe(1);
    expect(JSON.parse(single.encode(rows.slice(0, 1)))).toEqual({ input: { income: 52_000, debt: 0.31 } });
    expect(formOf({ url: "http://m/a/b", protocol: "template", rows: "", scores: "", ready: "/health" }).ready).toEqual([
      "http://m/health",
    ]);
  });
  test("names that objects answer to by themselves are fields like any other", () => {
    const odd = sent({ protocol: "template", rows: "/__proto__", layout: "objects", scores: "" }, [number("constructor")], [[1]]);
    expect(JSON.stringify(odd)).toBe('{"__proto__":[{"constructor":1}]}');
  });
});

describe("scores are found where they are", () => {
  const oip = (output: unknown, spec = {}) => read({ protocol: "oip", model: "m", ...spec }, { outputs: [output] });
  test.each([
    ["[N]", { name: "o", datatype: "FP32", shape: [2], data: [0.1, 0.9] }, {}],
    ["[N,1]", { name: "o", datatype: "FP64", shape: [2, 1], data: [[0.1], [0.9]] }, {}],
    ["[N,2]: the last column", { name: "o", datatype: "FP64", shape: [2, 2], data: [0.9, 0.1, 0.1, 0.9] }, {}],
    [
      "[N,3]: the column that was said",
      {
        name: "o",
        datatype: "FP64",
        shape: [2, 3],
        data: [
          [0, 0.1, 0],
          [0, 0.9, 0],
        ],
      },
      { column: 1 },
    ],
  ])("Open Inference Protocol, %s", (_what, output, spec) => expect(oip(output, spec)).toEqual(scores(0.1, 0.9)));
  test("Open Inference Protocol: the output that was named, else the first of a floating-point type", () => {
    const outputs = [
      { name: "label", datatype: "INT64", shape: [2], data: [0, 1] },
      { name: "probabilities", datatype: "FP32", shape: [2], data: [0.1, 0.9] },
      { name: "more", datatype: "FP32", shape: [2], data: [0.3, 0.4] },
    ];
    expect(read({ protocol: "oip", model: "m" }, { outputs })).toEqual(scores(0.1, 0.9));
    expect(read({ protocol: "oip", model: "m", output: "more" }, { outputs })).toEqual(scores(0.3, 0.4));
    expect(read({ protocol: "oip", model: "m", output: "predict_proba" }, { outputs })).toMatchObject({
      kind: "wrong",
      expected: "an output named predict_proba",
    });
  });
  test.each([
    ["[0.1, 0.9]", [0.1, 0.9], {}],
    [
      "lists",
      [
        [0.9, 0.1],
        [0.1, 0.9],
      ],
      {},
    ],
    [
      "lists, the column that was said",
      [
        [0.1, 0.9],
        [0.9, 0.1],
      ],
      { column: 0 },
    ],
    ["objects", [{ p: 0.1 }, { p: 0.9 }], { field: "p" }],
    ["an object of lists", { p: [0.1, 0.9], q: [1, 1] }, { field: "p" }],
  ])("MLflow, %s", (_what, predictions, spec) => expect(read({ protocol: "mlflow", ...spec }, { predictions })).toEqual(scores(0.1, 0.9)));
  test.each([["0.1\n0.9\n"], ["0.1,0.9"], ["0.9,0.1\r\n0.1,0.9"]])("SageMaker, CSV %j", (text) =>
    expect(read({ protocol: "sagemaker" }, text, 2, "text/csv; charset=utf-8")).toEqual(scores(0.1, 0.9)),
  );
  test("SageMaker, JSON of its own algorithms", () => {
    const answer = {
      predictions: [
        { score: 0.1, predicted_label: 0 },
        { score: 0.9, predicted_label: 1 },
      ],
    };
    expect(read({ protocol: "sagemaker", field: "score" }, answer)).toEqual(scores(0.1, 0.9));
  });
  test("a template's pointer; one person may be answered with a bare number", () => {
    expect(read({ protocol: "template", rows: "", scores: "/a~1b/0" }, { "a/b": [[0.1, 0.9]] })).toEqual(scores(0.1, 0.9));
    const single = { protocol: "template", rows: "", layout: "object", scores: "/output" };
    for (const output of [0.3, [0.3], [0.7, 0.3], [[0.7, 0.3]]]) expect(read(single, { output }, 1)).toEqual(scores(0.3));
    expect(read({ ...single, field: "p" }, { output: { p: 0.3 } }, 1)).toEqual(scores(0.3));
  });
  test("null is no score of that row, and costs the others nothing", () =>
    expect(read({ protocol: "mlflow" }, { predictions: [null, 0.9] })).toEqual(scores(Number.NaN, 0.9)));
});

describe("what holds no score for every row is told apart, and named without repeating any of it", () => {
  const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
  test.each<[string, Readonly<Record<string, unknown>>, unknown]>([
    ["no JSON", { protocol: "mlflow" }, "<html>secret"],
    ["a bare NaN", { protocol: "mlflow" }, '{"predictions": [NaN, 0.1]}'],
    ["half of an answer", { protocol: "mlflow" }, '{"predictions": [0.1, '],
    ["nesting that would take long to walk", { protocol: "mlflow" }, deep],
    ["another field", { protocol: "mlflow" }, { secret: [0.1, 0.2] }],
    ["a row too few", { protocol: "mlflow" }, { predictions: [0.1] }],
    ["a row too many", { protocol: "kserve_v1", model: "m" }, { predictions: [0.1, 0.2, 0.3] }],
    [
      "three columns, none said",
      { protocol: "mlflow" },
      {
        predictions: [
          [1, 2, 3],
          [1, 2, 3],
        ],
      },
    ],
    [
      "a column that isn't there",
      { protocol: "mlflow", column: 2 },
      {
        predictions: [
          [1, 2],
          [1, 2],
        ],
      },
    ],
    ["rows of different width", { protocol: "mlflow", column: 1 }, { predictions: [[1, 2], [1]] }],
    ["objects, no field said", { protocol: "mlflow" }, { predictions: [{ secret: 1 }, { secret: 1 }] }],
    ["a field that every object answers to", { protocol: "mlflow", field: "constructor" }, { predictions: [{}, {}] }],
    [
      "a shape that the data doesn't have",
      { protocol: "oip", model: "m" },
      { outputs: [{ name: "o", datatype: "FP32", shape: [2, 2], data: [1, 2] }] },
    ],
    [
      "another number of rows",
      { protocol: "oip", model: "m" },
      { outputs: [{ name: "o", datatype: "FP32", shape: [3], data: [1, 2, 3] }] },
    ],
    [
      "no data",
      { protocol: "oip", model: "m" },
      { outputs: [{ name: "o", datatype: "FP32", shape: [2], parameters: { binary_data_size: 8 } }] },
    ],
    ["a shape of nonsense", { protocol: "oip", model: "m" }, { outputs: [{ name: "o", datatype: "FP32", shape: ["secret"], data: [1] }] }],
    ["no outputs", { protocol: "oip", model: "m" }, []],
    ["a template's place empty", { protocol: "template", rows: "", scores: "/output" }, { result: [1, 2] }],
  ])("%s", (_what, spec, answer) => {
    const answered = read(spec, answer);
    expect(answered.kind).toBe("wrong");
    expect(JSON.stringify(answered)).not.toContain("secret");
  });
  test.each<[string, Readonly<Record<string, unknown>>, unknown]>([
    ["texts", { protocol: "mlflow" }, { predictions: ["approve", "deny"] }],
    ["booleans", { protocol: "mlflow" }, { predictions: [true, false] }],
    [
      "whole numbers by their type",
      { protocol: "oip", model: "m" },
      { outputs: [{ name: "predict", datatype: "INT64", shape: [2], data: [0, 1] }] },
    ],
    [
      "BYTES",
      { protocol: "oip", model: "m", gives: "labels" },
      { outputs: [{ name: "o", datatype: "BYTES", shape: [2], data: ["a", "b"] }] },
    ],
  ])("labels: %s", (_what, spec, answer) => expect(read(spec, answer).kind).toBe("labels"));
  test("labels that were said to come are 0 and 1, and nothing between", () => {
    const spec = { protocol: "mlflow", gives: "labels" };
    expect(read(spec, { predictions: [true, false] })).toEqual(scores(1, 0));
    expect(read(spec, { predictions: [0, 0.5] }).kind).toBe("wrong");
  });
});

test("whatever a server answers, it is scores for exactly the rows asked, or a reason; never an error", () => {
  const specs = [
    { protocol: "oip", model: "m" },
    { protocol: "mlflow", field: "a" },
    { protocol: "kserve_v1", model: "m", column: 1 },
    { protocol: "sagemaker" },
    { protocol: "template", rows: "", scores: "/predictions" },
  ];
  const tensor = fc.record({
    name: fc.string(),
    datatype: fc.constantFrom("FP32", "INT8", "BYTES", 7),
    shape: fc.array(fc.integer({ min: -1, max: 3 })),
    data: fc.jsonValue(),
  });
  const answer = fc.oneof(
    fc.jsonValue().map((value) => JSON.stringify({ predictions: value })),
    fc.array(tensor, { maxLength: 2 }).map((outputs) => JSON.stringify({ outputs })),
    fc.json(),
    fc.string({ unit: "binary" }),
  );
  fc.assert(
    fc.property(answer, fc.integer({ min: 1, max: 3 }), fc.constantFrom("application/json", "text/csv", ""), (text, count, type) => {
      const answers = specs.map((spec) => formOf(spec).decode(text, type, count));
      expect(answers.filter((each) => each.kind === "scores" && each.scores.length !== count)).toEqual([]);
    }),
    { numRuns: 500 },
  );
});
