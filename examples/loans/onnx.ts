/** Trained models as ONNX: input `features` [N, F], output `score` [N, 1], the chance that the loan is repaid. Same model, same bytes. */
import onnxProto, { type onnx } from "onnx-proto";
import type { LogisticModel } from "./logistic-regression.ts";
import type { Tree } from "./random-forest.ts";

const { AttributeProto, ModelProto, TensorProto } = onnxProto.onnx;
const { DataType } = TensorProto;
const { AttributeType } = AttributeProto;

const INPUT = "features";
const OUTPUT = "score";

export function logisticToOnnx({ means, scales, weights, bias }: LogisticModel): Buffer {
  const width = weights.length;
  return encode(width, {
    initializer: [
      floats("means", [width], means),
      floats("scales", [width], scales),
      floats("weights", [width, 1], weights),
      floats("bias", [1], [bias]),
    ],
    node: [
      { opType: "Sub", input: [INPUT, "means"], output: ["centred"] },
      { opType: "Mul", input: ["centred", "scales"], output: ["standardised"] },
      { opType: "MatMul", input: ["standardised", "weights"], output: ["weighed"] },
      { opType: "Add", input: ["weighed", "bias"], output: ["logit"] },
      { opType: "Sigmoid", input: ["logit"], output: [OUTPUT] },
    ],
  });
}

export function forestToOnnx(trees: readonly Tree[], width: number): Buffer {
  const nodes = {
    treeIds: [] as number[],
    nodeIds: [] as number[],
    features: [] as number[],
    values: [] as number[],
    modes: [] as string[],
    yes: [] as number[],
    no: [] as number[],
  };
  const leaves = { treeIds: [] as number[], nodeIds: [] as number[], weights: [] as number[] };
  for (const [t, tree] of trees.entries()) {
    for (let node = 0; node < tree.feature.length; node++) {
      const feature = tree.feature[node] ?? -1;
      const isLeaf = feature < 0;
      nodes.treeIds.push(t);
      nodes.nodeIds.push(node);
      nodes.features.push(isLeaf ? 0 : feature);
      nodes.values.push(isLeaf ? 0 : (tree.threshold[node] ?? 0));
      nodes.modes.push(isLeaf ? "LEAF" : "BRANCH_LEQ");
      nodes.yes.push(isLeaf ? 0 : (tree.left[node] ?? 0));
      nodes.no.push(isLeaf ? 0 : (tree.right[node] ?? 0));
      if (!isLeaf) continue;
      leaves.treeIds.push(t);
      leaves.nodeIds.push(node);
      leaves.weights.push(tree.value[node] ?? 0);
    }
  }
  return encode(width, {
    initializer: [],
    node: [
      {
        opType: "TreeEnsembleRegressor",
        domain: "ai.onnx.ml",
        input: [INPUT],
        output: [OUTPUT],
        attribute: [
          { name: "n_targets", type: AttributeType.INT, i: 1 },
          { name: "aggregate_function", type: AttributeType.STRING, s: Buffer.from("AVERAGE") },
          { name: "post_transform", type: AttributeType.STRING, s: Buffer.from("NONE") },
          ints("nodes_treeids", nodes.treeIds),
          ints("nodes_nodeids", nodes.nodeIds),
          ints("nodes_featureids", nodes.features),
          { name: "nodes_values", type: AttributeType.FLOATS, floats: nodes.values },
          { name: "nodes_modes", type: AttributeType.STRINGS, strings: nodes.modes.map((mode) => Buffer.from(mode)) },
          ints("nodes_truenodeids", nodes.yes),
          ints("nodes_falsenodeids", nodes.no),
          ints("target_treeids", leaves.treeIds),
          ints("target_nodeids", leaves.nodeIds),
          ints(
            "target_ids",
            leaves.treeIds.map(() => 0),
          ),
          { name: "target_weights", type: AttributeType.FLOATS, floats: leaves.weights },
        ],
      },
    ],
  });
}

const floats = (name: string, dims: number[], data: ArrayLike<number>): onnx.ITensorProto => ({
  name,
  dims,
  dataType: DataType.FLOAT,
  floatData: Array.from(data),
});
const ints = (name: string, values: number[]): onnx.IAttributeProto => ({ name, type: AttributeType.INTS, ints: values });
const tensor = (name: string, columns: number): onnx.IValueInfoProto => ({
  name,
  type: { tensorType: { elemType: DataType.FLOAT, shape: { dim: [{ dimParam: "N" }, { dimValue: columns }] } } },
});

function encode(width: number, graph: Pick<onnx.IGraphProto, "initializer" | "node">): Buffer {
  const model: onnx.IModelProto = {
    irVersion: 8,
    producerName: "evenkeel-loans",
    opsetImport: [
      { domain: "", version: 15 },
      { domain: "ai.onnx.ml", version: 3 },
    ],
    graph: { name: "loans", input: [tensor(INPUT, width)], output: [tensor(OUTPUT, 1)], ...graph },
  };
  return Buffer.from(ModelProto.encode(ModelProto.fromObject(model)).finish());
}
