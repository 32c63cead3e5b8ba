/**
 * What a model computes, where its file says so: a weighted sum, or a sum over trees. Only what is understood whole is read; all else is
 * undefined, and is explained by asking the model. Whoever uses it compares its scores with the model's own: a file that was
 * misunderstood then shows. Pure.
 */
import { linkOf, stagesBefore, type ColumnStage, type Link } from "./column-stages.ts";
import { graphNodes, numberOf, textIn, type GraphConstant, type GraphNode, type GraphNodes } from "./onnx-nodes.ts";
import { treeModel, type TreeModel } from "./tree-structure.ts";

/** `base + Σ weights · x`. */
export interface LinearModel {
  readonly kind: "linear";
  readonly stages: readonly ColumnStage[];
  readonly link: Link;
  readonly base: number;
  readonly weights: Float64Array;
}

export type ModelStructure = LinearModel | TreeModel;

/** What is meant by "the score": an output of the graph, and its column as `ScoreCall` says. */
export interface WantedScore {
  readonly output: string;
  /** Null: the last of at most two. */
  readonly column: number | null;
}

/**
 * @param width - columns of a row
 * @throws MalformedProtobuf when the bytes are not a model
 */
export function modelStructure(model: Uint8Array, width: number, { output, column }: WantedScore): ModelStructure | undefined {
  const graph = graphNodes(model);
  if (graph.inputs.length !== 1) return undefined;
  const node = made(graph, output);
  switch (node?.op) {
    case "TreeEnsembleClassifier":
    case "TreeEnsembleRegressor":
      return treeModel(graph, node, width, column);
    case "LinearClassifier":
      return linearClassifier(graph, node, width, column);
    case "LinearRegressor":
      return linearRegressor(graph, node, width);
    case "Sigmoid": {
      const sum = weightedSum(graph, node.inputs[0], width);
      return sum?.outputs === 1 && (column ?? 0) === 0 ? { ...sum.of(0), link: "logit" } : undefined;
    }
    case "Softmax": {
      const sum = weightedSum(graph, node.inputs[0], width);
      if (sum?.outputs !== 2) return undefined;
      // Of two columns softmax is the logistic function of the difference.
      const [mine, other] = column === 0 ? [sum.of(0), sum.of(1)] : [sum.of(1), sum.of(0)];
      return { ...mine, link: "logit", base: mine.base - other.base, weights: mine.weights.map((w, i) => w - (other.weights[i] ?? 0)) };
    }
    default: {
      const sum = weightedSum(graph, output, width);
      return sum?.outputs === 1 && (column ?? 0) === 0 ? { ...sum.of(0), link: "identity" } : undefined;
    }
  }
}

/** Operators that pass values through; a normaliser of two probabilities too. */
const PASSING = new Set(["Identity", "Cast", "Normalizer", "Reshape"]);

/** The node that makes a value, behind those that only pass it on. */
function made({ nodeOf }: GraphNodes, name: string | undefined): GraphNode | undefined {
  let node = nodeOf.get(name ?? "");
  for (let hops = 0; node && PASSING.has(node.op) && hops < 10; hops++) node = nodeOf.get(node.inputs[0] ?? "");
  return node;
}

type Sum = {
  readonly outputs: number;
  of(output: number): Omit<LinearModel, "link">;
};

/** Gemm, or MatMul with or without an Add. */
function weightedSum(graph: GraphNodes, name: string | undefined, width: number): Sum | undefined {
  const node = made(graph, name);
  if (node?.op === "Gemm") {
    if (numberOf(node, "transA", 0) !== 0) return undefined;
    const bias = node.inputs[2] === undefined ? undefined : graph.constants.get(node.inputs[2]);
    if (node.inputs[2] !== undefined && !bias) return undefined;
    return sumOf(graph, width, {
      from: node.inputs[0],
      weights: graph.constants.get(node.inputs[1] ?? ""),
      isTransposed: numberOf(node, "transB", 0) === 1,
      bias,
      alpha: numberOf(node, "alpha", 1),
      beta: numberOf(node, "beta", 1),
    });
  }
  if (node?.op === "Add") {
    const [left, right] = node.inputs;
    const bias = graph.constants.get(right ?? "") ?? graph.constants.get(left ?? "");
    const product = made(graph, graph.constants.has(right ?? "") ? left : right);
    if (!bias || product?.op !== "MatMul") return undefined;
    return sumOf(graph, width, { from: product.inputs[0], weights: graph.constants.get(product.inputs[1] ?? ""), bias });
  }
  if (node?.op === "MatMul") return sumOf(graph, width, { from: node.inputs[0], weights: graph.constants.get(node.inputs[1] ?? "") });
  return undefined;
}

interface SumParts {
  readonly from: string | undefined;
  readonly weights: GraphConstant | undefined;
  readonly isTransposed?: boolean;
  readonly bias?: GraphConstant | undefined;
  readonly alpha?: number;
  readonly beta?: number;
}

function sumOf(
  graph: GraphNodes,
  width: number,
  { from, weights, isTransposed = false, bias, alpha = 1, beta = 1 }: SumParts,
): Sum | undefined {
  const stages = stagesBefore(graph, from, width);
  if (!stages || !weights || weights.values.length % width !== 0) return undefined;
  const outputs = weights.values.length / width;
  const [rows, columns] = weights.dims;
  if (isTransposed ? columns !== width : rows !== width) return undefined;
  if (bias && bias.values.length !== outputs && bias.values.length !== 1) return undefined;
  return {
    outputs,
    of: (output) => ({
      kind: "linear",
      stages,
      base: beta * (bias?.values[bias.values.length === 1 ? 0 : output] ?? 0),
      weights: Float64Array.from(
        { length: width },
        (_, i) => alpha * (weights.values[isTransposed ? output * width + i : i * outputs + output] ?? 0),
      ),
    }),
  };
}

function linearClassifier(graph: GraphNodes, node: GraphNode, width: number, column: number | null): LinearModel | undefined {
  const stages = stagesBefore(graph, node.inputs[0], width);
  const coefficients = node.attributes.get("coefficients")?.floats ?? [];
  const intercepts = node.attributes.get("intercepts")?.floats ?? [];
  const classes = coefficients.length / width;
  const transform = textIn(node, "post_transform", "NONE");
  if (!stages || (classes !== 1 && classes !== 2) || (transform !== "LOGISTIC" && !(transform === "SOFTMAX" && classes === 2)))
    return undefined;
  const weightsOf = (at: number) => Float64Array.from(coefficients.slice(at * width, (at + 1) * width));
  const wanted = column ?? 1;
  if (wanted > 1) return undefined;
  // One row of weights is about the second class.
  if (classes === 1) {
    const sign = wanted === 1 ? 1 : -1;
    return { kind: "linear", stages, link: "logit", base: sign * (intercepts[0] ?? 0), weights: weightsOf(0).map((w) => sign * w) };
  }
  const other = weightsOf(1 - wanted);
  const isSoft = transform === "SOFTMAX";
  return {
    kind: "linear",
    stages,
    link: "logit",
    base: (intercepts[wanted] ?? 0) - (isSoft ? (intercepts[1 - wanted] ?? 0) : 0),
    weights: weightsOf(wanted).map((w, i) => w - (isSoft ? (other[i] ?? 0) : 0)),
  };
}

function linearRegressor(graph: GraphNodes, node: GraphNode, width: number): LinearModel | undefined {
  const stages = stagesBefore(graph, node.inputs[0], width);
  const coefficients = node.attributes.get("coefficients")?.floats ?? [];
  const link = linkOf(node);
  if (!stages || !link || coefficients.length !== width) return undefined;
  const base = node.attributes.get("intercepts")?.floats[0] ?? 0;
  return { kind: "linear", stages, link, base, weights: Float64Array.from(coefficients) };
}
