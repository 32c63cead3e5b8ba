/** What a model does to each column of its rows alone before it adds anything up, and to the sum afterwards. Pure. */
import { textIn, type GraphNode, type GraphNodes } from "./onnx-nodes.ts";

/** How the score comes from the sum: as it is, or by the logistic function. */
export type Link = "identity" | "logit";

/** What happens to each column alone before the sum. */
export type ColumnStage =
  | { readonly kind: "affine"; readonly times: Float64Array; readonly plus: Float64Array }
  /** `replaced` (NaN: what is missing) becomes `by`. */
  | { readonly kind: "impute"; readonly replaced: number; readonly by: Float64Array };

/** What is done to the columns between the graph's input and `name`; undefined where that isn't done to each column alone. */
export function stagesBefore(graph: GraphNodes, name: string | undefined, width: number): readonly ColumnStage[] | undefined {
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

/** What a sum goes through before it is a score; undefined for what isn't understood. */
export function linkOf(node: GraphNode): Link | undefined {
  const transform = textIn(node, "post_transform", "NONE");
  return transform === "NONE" ? "identity" : transform === "LOGISTIC" ? "logit" : undefined;
}
