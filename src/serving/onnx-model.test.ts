import onnxProto from "onnx-proto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeModel, forestModel, logisticModel } from "../../test/fixtures/onnx-models.ts";
import { scoreCall } from "./onnx-call.ts";
import { inspectModel, type OnnxModel } from "./onnx-model.ts";

const { DataLocation, DataType } = onnxProto.onnx.TensorProto;

const inspected = (bytes: Uint8Array): OnnxModel => {
  const model = inspectModel(bytes);
  if (!model.ok) throw new Error(JSON.stringify(model.error));
  return model.value;
};
const refusal = (bytes: Uint8Array) => {
  const model = inspectModel(bytes);
  return model.ok ? undefined : model.error[0];
};

test("the signature is what the file says, weights that are listed as inputs left out", () => {
  expect(inspected(forestModel({ width: 4, trees: 2, depth: 2, seed: 1 }))).toEqual({
    inputs: [{ name: "x", type: "float32", shape: ["N", 4] }],
    outputs: [
      { name: "label", type: "int64", shape: ["N"], classes: null, tensor: null },
      { name: "probabilities", type: "float32", shape: ["N", 2], classes: ["0", "1"], tensor: null },
    ],
    producer: "evenkeel-test",
    opsets: { "ai.onnx": 15, "ai.onnx.ml": 3 },
    nodes: 1,
    dataFiles: [],
  });
  const listed = logisticModel([1, 2], 0, ({ graph }) => graph?.input?.push({ name: "w", type: { tensorType: { elemType: 1 } } }));
  expect(inspected(listed).inputs.map(({ name }) => name)).toEqual(["x"]);
});

describe("what must never reach the runtime is refused, with what it is", () => {
  test.each([
    ["nothing", Buffer.alloc(0), "an empty file"],
    ["a pickle", Buffer.from("\x80\x04\x95\x10", "latin1"), "a Python pickle"],
    ["a zip archive", Buffer.from("PK\x03\x04data.pkl"), "a zip archive"],
    ["HDF5", Buffer.from("\x89HDF\r\n\x1a\n", "latin1"), "an HDF5 file"],
    ["joblib", Buffer.from("x\x9c", "latin1"), "joblib"],
    ["PMML", Buffer.from('<?xml version="1.0"?><PMML/>'), "PMML"],
    ["JSON", Buffer.from('{"learner": {}}'), "a JSON file"],
    ["text", Buffer.from("hello, I am a model"), "bytes that are not ONNX"],
    ["an empty message", Buffer.from(onnxProto.onnx.ModelProto.encode({ irVersion: 8 }).finish()), "a file without a graph"],
  ])("%s", (_what, bytes, got) => expect(refusal(bytes)?.got).toContain(got));

  test("weights outside of the file, wherever they hide", () => {
    const elsewhere = {
      name: "w",
      dims: [1],
      dataType: DataType.FLOAT,
      dataLocation: DataLocation.EXTERNAL,
      externalData: [{ key: "location", value: "/etc/passwd" }],
    };
    const subgraph = {
      name: "then",
      output: [{ name: "o" }],
      node: [{ opType: "Constant", output: ["o"], attribute: [{ name: "value", t: elsewhere }] }],
    };
    for (const hide of [
      (graph: onnxProto.onnx.IGraphProto) => graph.initializer?.push(elsewhere),
      (graph: onnxProto.onnx.IGraphProto) => graph.initializer?.push({ ...elsewhere, dataLocation: DataLocation.DEFAULT }),
      (graph: onnxProto.onnx.IGraphProto) =>
        graph.node?.push({ opType: "Constant", output: ["c"], attribute: [{ name: "value", t: elsewhere }] }),
      (graph: onnxProto.onnx.IGraphProto) =>
        graph.node?.push({ opType: "If", input: ["x"], attribute: [{ name: "then_branch", g: subgraph }] }),
      (graph: onnxProto.onnx.IGraphProto) => void (graph.sparseInitializer = [{ values: elsewhere, dims: [1] }]),
    ])
      expect(refusal(logisticModel([1], 0, ({ graph }) => graph && hide(graph)))?.got).toContain("other files");
  });
  test("graphs nested without end", () => {
    let graph: onnxProto.onnx.IGraphProto = { name: "innermost", node: [{ opType: "Identity" }] };
    for (let depth = 0; depth < 60; depth++)
      graph = { name: "g", node: [{ opType: "If", attribute: [{ name: "then_branch", g: graph }] }] };
    expect(refusal(encodeModel({ node: graph.node ?? [], input: [], output: [] }))?.got).toContain("nested deeper");
  });
  test("any bytes at all: an answer, never an exception", () => {
    const good = logisticModel([1, 2, 3]);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(good.length - 1), fc.nat(255), (bytes, at, byte) => {
        const flipped = Buffer.from(good);
        flipped[at] = byte;
        for (const each of [bytes, flipped, good.subarray(0, at)]) expect(inspectModel(each)).toHaveProperty("ok");
      }),
      { numRuns: 2000 },
    );
  });
});

describe("a model that doesn't fit its feature set or gives no score", () => {
  const issue = (bytes: Uint8Array, width: number, wanted = {}) => {
    const call = scoreCall(inspected(bytes), { width }, wanted);
    return call.ok ? call.value : call.error[0];
  };
  test("another number of features", () => {
    expect(issue(logisticModel([1, 2, 3]), 4)).toMatchObject({
      expected: "a model for the 4 features of the feature set",
      got: "x takes 3",
    });
  });
  test("scores are taken from the floating-point output, of two columns the last", () => {
    expect(issue(forestModel({ width: 3, trees: 1, depth: 1, seed: 1 }), 3)).toEqual({
      feeds: [{ input: "x", type: "float32", from: 0, width: 3, isFlat: false }],
      output: "probabilities",
      fetch: "probabilities",
      column: null,
      columns: 2,
    });
  });
  test("an output that isn't there, with the name that was meant", () => {
    expect(issue(logisticModel([1]), 1, { output: "scores" })).toMatchObject({ path: "/output", hint: "did you mean score?" });
    expect(issue(forestModel({ width: 1, trees: 1, depth: 1, seed: 1 }), 1, { output: "label" })).toMatchObject({
      path: "/output",
      got: expect.stringContaining("int64"),
    });
  });
  test("several classes without a word which of them is meant", () => {
    const three = logisticModel([1], 0, ({ graph }) => {
      const shape = graph?.output?.[0]?.type?.tensorType?.shape;
      if (shape) shape.dim = [{ dimParam: "N" }, { dimValue: 3 }];
    });
    expect(issue(three, 1)).toMatchObject({ path: "/column" });
    expect(issue(three, 1, { column: 3 })).toMatchObject({ expected: "a column from 0 to 2" });
    expect(issue(three, 1, { column: 2 })).toMatchObject({ column: 2 });
  });
  test("a fixed number of people, two inputs without names, numbers that nothing makes", () => {
    const fixed = logisticModel([1], 0, ({ graph }) => {
      const shape = graph?.input?.[0]?.type?.tensorType?.shape;
      if (shape) shape.dim = [{ dimValue: 1 }, { dimValue: 1 }];
    });
    expect(issue(fixed, 1)).toMatchObject({ hint: "export it with a dynamic first dimension" });
    const two = logisticModel([1], 0, ({ graph }) => graph?.input?.push({ name: "y", type: { tensorType: { elemType: 1 } } }));
    expect(issue(two, 1)).toMatchObject({ got: "no names for x, y" });
    const halves = logisticModel([1], 0, ({ graph }) => {
      const type = graph?.input?.[0]?.type?.tensorType;
      if (type) type.elemType = DataType.FLOAT16;
    });
    expect(issue(halves, 1)).toMatchObject({ got: "x of type float16" });
  });
});
