/**
 * What a model computes, where its file says so: a weighted sum, or a sum over trees. Only what is understood whole is read; all else is
 * undefined, and is explained by asking the model. Whoever uses it compares its scores with the model's own: a file that was
 * misunderstood then shows. Pure.
 */
import { graphNodes, type GraphConstant, type GraphNode, type GraphNodes, type NodeAttribute } from "./onnx-nodes.ts";

/** How the score comes from the sum: as it is, or by the logistic function. */
export type Link = "identity" | "logit";

/** What happens to each column alone before the sum. */
export type ColumnStage =
  | { readonly kind: "affine"; readonly times: Float64Array; readonly plus: Float64Array }
  /** `replaced` (NaN: what is missing) becomes `by`. */
  | { readonly kind: "impute"; readonly replaced: number; readonly by: Float64Array };

/** `base + Σ weights · x`. */
export interface LinearModel {
  readonly kind: "linear";
  readonly stages: readonly ColumnStage[];
  readonly link: Link;
  readonly base: number;
  readonly weights: Float64Array;
}

/** `base + Σ` of the value of the leaf that each tree leads to. Nodes of all trees stand in one array. */
export interface TreeModel {
  readonly kind: "trees";
  readonly stages: readonly ColumnStage[];
  readonly link: Link;
  readonly base: number;
  readonly roots: Int32Array;
  /** −1 for a leaf; else ≤, <, ≥, >, =, ≠ of the threshold by 0 to 5. */
  readonly comparison: Int8Array;
  readonly feature: Int32Array;
  readonly threshold: Float64Array;
  /** Where a missing value (NaN) goes on. */
  readonly missingYes: Uint8Array;
  readonly yes: Int32Array;
  readonly no: Int32Array;
  /** Of leaves. */
  readonly value: Float64Array;
}

export type ModelStructure = LinearModel | TreeModel;

/** The value of a feature against the threshold; where it holds, the walk goes on at `yes`. */
const COMPARISONS = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"] as const;

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

/** What is done to the columns between the graph's input and `name`; undefined where that isn't done to each column alone. */
function stagesBefore(graph: GraphNodes, name: string | undefined, width: number): readonly ColumnStage[] | undefined {
  const stages: ColumnStage[] = [];
  let at = name;
  for (let hops = 0; hops < 20; hops++) {
    if (at === graph.inputs[0]) return stages.toReversed();
    const node = graph.nodeOf.get(at ?? "");
    if (!node) return undefined;
    if (node.op === "Identity" || node.op === "Cast") at = node.inputs[0];
    else {
      const stage = stageOf(graph, node, width);
      if (!stage) return undefined;
      stages.push(stage);
      at = graph.constants.has(node.inputs[0] ?? "") ? node.inputs[1] : node.inputs[0];
    }
  }
  return undefined;
}

function stageOf({ constants }: GraphNodes, node: GraphNode, width: number): ColumnStage | undefined {
  const spread = (values: ArrayLike<number> | undefined, otherwise: number): Float64Array | undefined => {
    const given = values && values.length > 0 ? values : [otherwise];
    if (given.length !== 1 && given.length !== width) return undefined;
    return Float64Array.from({ length: width }, (_, i) => given[given.length === 1 ? 0 : i] ?? 0);
  };
  if (node.op === "Scaler") {
    const offset = spread(node.attributes.get("offset")?.floats, 0);
    const times = spread(node.attributes.get("scale")?.floats, 1);
    return offset && times && { kind: "affine", times, plus: times.map((scale, i) => -scale * (offset[i] ?? 0)) };
  }
  if (node.op === "Imputer") {
    const by = spread(node.attributes.get("imputed_value_floats")?.floats, Number.NaN);
    return by && { kind: "impute", by, replaced: node.attributes.get("replaced_value_float")?.floats[0] ?? Number.NaN };
  }
  const [left, right] = node.inputs;
  const isLeft = constants.has(left ?? "");
  const constant = constants.get((isLeft ? left : right) ?? "");
  const values = constant && spread(constant.values, Number.NaN);
  if (!values) return undefined;
  const zeros = new Float64Array(width);
  const ones = new Float64Array(width).fill(1);
  if (node.op === "Add") return { kind: "affine", times: ones, plus: values };
  if (node.op === "Mul") return { kind: "affine", times: values, plus: zeros };
  if (node.op === "Sub")
    return isLeft
      ? { kind: "affine", times: ones.map(() => -1), plus: values }
      : { kind: "affine", times: ones, plus: values.map((value) => -value) };
  if (node.op === "Div" && !isLeft) return { kind: "affine", times: values.map((value) => 1 / value), plus: zeros };
  return undefined;
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
  const link = linkOf(textIn(node, "post_transform", "NONE"));
  if (!stages || !link || coefficients.length !== width) return undefined;
  const base = node.attributes.get("intercepts")?.floats[0] ?? 0;
  return { kind: "linear", stages, link, base, weights: Float64Array.from(coefficients) };
}

const linkOf = (transform: string): Link | undefined =>
  transform === "NONE" ? "identity" : transform === "LOGISTIC" ? "logit" : undefined;

function treeModel(graph: GraphNodes, node: GraphNode, width: number, column: number | null): TreeModel | undefined {
  const stages = stagesBefore(graph, node.inputs[0], width);
  const link = linkOf(textIn(node, "post_transform", "NONE"));
  const isClassifier = node.op === "TreeEnsembleClassifier";
  // Thresholds in double precision are in tensors.
  if (!stages || !link || [...node.attributes.values()].some(({ isOther }) => isOther)) return undefined;
  const ints = (name: string) => node.attributes.get(name)?.ints ?? [];
  const floats = (name: string) => node.attributes.get(name)?.floats ?? [];
  const prefix = isClassifier ? "class" : "target";
  const targets = ints(`${prefix}_ids`);
  const wanted = wantedTarget(node, new Set(targets), column, isClassifier);
  if (wanted === undefined) return undefined;
  const nodes = nodesOf(node, width);
  if (!nodes) return undefined;
  const isMean = textIn(node, "aggregate_function", "SUM") === "AVERAGE";
  if (!isMean && textIn(node, "aggregate_function", "SUM") !== "SUM") return undefined;
  const part = isMean ? 1 / nodes.roots.length : 1;
  const value = new Float64Array(nodes.feature.length);
  const [treeIds, nodeIds, weights] = [ints(`${prefix}_treeids`), ints(`${prefix}_nodeids`), floats(`${prefix}_weights`)];
  for (const [i, target] of targets.entries()) {
    if (target !== wanted) continue;
    const at = nodes.placeOf(treeIds[i] ?? -1, nodeIds[i] ?? -1);
    if (at === undefined) return undefined;
    value[at] = (value[at] ?? 0) + part * (weights[i] ?? 0);
  }
  const bases = floats("base_values");
  const { placeOf: _placeOf, ...arrays } = nodes;
  return { kind: "trees", stages, link, base: bases[bases.length === 1 ? 0 : wanted] ?? 0, ...arrays, value };
}

/** Whose weights make the score. A binary classifier may have weights of one class only: then they are about the second. */
function wantedTarget(node: GraphNode, targets: ReadonlySet<number>, column: number | null, isClassifier: boolean): number | undefined {
  if (!isClassifier) return targets.size === 1 && (column ?? 0) === 0 ? [...targets][0] : undefined;
  const labels = node.attributes.get("classlabels_int64s")?.ints.length || node.attributes.get("classlabels_strings")?.texts.length || 0;
  if (labels !== 2) return undefined;
  const wanted = column ?? 1;
  if (targets.size === 1) return wanted === 1 ? [...targets][0] : undefined;
  return targets.has(wanted) ? wanted : undefined;
}

function nodesOf(node: GraphNode, width: number) {
  const ints = (name: string) => node.attributes.get(`nodes_${name}`)?.ints ?? [];
  const modes = node.attributes.get("nodes_modes")?.texts ?? [];
  const [treeIds, nodeIds, features, yes, no] = [
    ints("treeids"),
    ints("nodeids"),
    ints("featureids"),
    ints("truenodeids"),
    ints("falsenodeids"),
  ];
  const missing = ints("missing_value_tracks_true");
  const thresholds = node.attributes.get("nodes_values")?.floats ?? [];
  const count = modes.length;
  if ([treeIds, nodeIds, features, yes, no, thresholds].some(({ length }) => length !== count)) return undefined;
  const places = new Map<number, Map<number, number>>();
  for (let i = 0; i < count; i++) {
    const tree = places.get(treeIds[i] ?? 0) ?? new Map<number, number>();
    places.set(treeIds[i] ?? 0, tree);
    tree.set(nodeIds[i] ?? 0, i);
  }
  const placeOf = (tree: number, id: number): number | undefined => places.get(tree)?.get(id);
  const comparison = new Int8Array(count);
  const [yesAt, noAt] = [new Int32Array(count), new Int32Array(count)];
  const isChild = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const mode = modes[i] ?? "";
    comparison[i] = mode === "LEAF" ? -1 : COMPARISONS.findIndex((one) => one === mode);
    if (mode === "LEAF") continue;
    const [left, right] = [placeOf(treeIds[i] ?? 0, yes[i] ?? -1), placeOf(treeIds[i] ?? 0, no[i] ?? -1)];
    if ((comparison[i] ?? -1) < 0 || left === undefined || right === undefined || (features[i] ?? width) >= width) return undefined;
    // Every node hangs on one other at most, so that no walk goes in a circle.
    if (isChild[left] || isChild[right] || left === right) return undefined;
    isChild[left] = isChild[right] = 1;
    yesAt[i] = left;
    noAt[i] = right;
  }
  const roots = Int32Array.from([...places.values()].flatMap((tree) => [...tree.values()].filter((at) => !isChild[at])));
  if (roots.length !== places.size) return undefined;
  return {
    roots,
    comparison,
    feature: Int32Array.from(features),
    threshold: Float64Array.from(thresholds),
    missingYes: Uint8Array.from({ length: count }, (_, i) => missing[i] ?? 0),
    yes: yesAt,
    no: noAt,
    placeOf,
  };
}

const attribute = (node: GraphNode, name: string): NodeAttribute | undefined => node.attributes.get(name);
const textIn = (node: GraphNode, name: string, otherwise: string): string => attribute(node, name)?.texts[0] ?? otherwise;
const numberOf = (node: GraphNode, name: string, otherwise: number): number =>
  attribute(node, name)?.floats[0] ?? attribute(node, name)?.ints[0] ?? otherwise;
