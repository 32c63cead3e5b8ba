/** The trees of a model, as its file has them. Pure. */
import { linkOf, stagesBefore, type ColumnStage, type Link } from "./column-stages.ts";
import { textIn, type GraphNode, type GraphNodes } from "./onnx-nodes.ts";

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

/** The value of a feature against the threshold; where it holds, the walk goes on at `yes`. */
const COMPARISONS = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"] as const;

/** The trees of a `TreeEnsembleClassifier` or `TreeEnsembleRegressor`, where all of it is understood. */
export function treeModel(graph: GraphNodes, node: GraphNode, width: number, column: number | null): TreeModel | undefined {
  const stages = stagesBefore(graph, node.inputs[0], width);
  const link = linkOf(node);
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
