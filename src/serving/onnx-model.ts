/** What an ONNX file is, read without running anything of it. Refuses what must never reach the runtime. */
import { nearest } from "../nearest.ts";
import { err, ok, type Issue, type Result } from "../std.ts";
import { MalformedProtobuf, fieldsOf, textOf } from "./protobuf.ts";

/** One input or output. A dimension of any length is null, or its name where it has one; `shape` is null where the file doesn't say. */
export interface OnnxTensor {
  readonly name: string;
  /** `float32`, `int64`, …; `sequence`, `map` or `other` for what is no tensor. */
  readonly type: string;
  readonly shape: readonly (number | string | null)[] | null;
}

/** The signature of a model, and what else its file tells without being run. */
export interface OnnxModel {
  readonly inputs: readonly OnnxTensor[];
  readonly outputs: readonly OnnxTensor[];
  readonly producer: string;
  /** Versions of operator sets by domain; the default domain is `ai.onnx`. */
  readonly opsets: Readonly<Record<string, number>>;
  readonly nodes: number;
}

const MAX_DEPTH = 32;
const MAX_TENSORS = 1000;

/** Reads the header of a model. Every issue says what the file is and what to do instead. */
export function inspectModel(bytes: Uint8Array): Result<OnnxModel, readonly Issue[]> {
  const refuse = (got: string, hint?: string) => err([{ path: "", expected: "a model in ONNX format", got, ...(hint ? { hint } : {}) }]);
  if (bytes.length === 0) return refuse("an empty file");
  const other = otherFormat(bytes);
  if (other) return refuse(other, CONVERT);
  try {
    const model = readModel(bytes);
    if (model.graph === undefined || model.opsets.size === 0) return refuse("a file without a graph and an operator set");
    const { graph } = model;
    if (graph.external)
      return refuse(
        "a model whose weights are in other files",
        "save it as one file: onnx.save_model(model, path, save_as_external_data=False)",
      );
    const initialized = new Set(graph.initializers);
    const inputs = graph.inputs.filter(({ name }) => !initialized.has(name));
    if (graph.nodes === 0) return refuse("a graph without operators");
    if (inputs.length === 0) return refuse("a graph without inputs");
    if (graph.outputs.length === 0) return refuse("a graph without outputs");
    return ok({ inputs, outputs: graph.outputs, producer: model.producer, opsets: Object.fromEntries(model.opsets), nodes: graph.nodes });
  } catch (error) {
    if (error instanceof MalformedProtobuf) return refuse(`bytes that are not ONNX: ${error.message}`);
    throw error;
  }
}

const CONVERT =
  "convert it to ONNX where it was trained, for example with skl2onnx, onnxmltools or torch.onnx.export; pickles are never loaded";

/** Formats that people upload by mistake, by their first bytes. */
function otherFormat(bytes: Uint8Array): string | undefined {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 64)).toString("latin1");
  if (["\x80\x02", "\x80\x03", "\x80\x04", "\x80\x05"].includes(head.slice(0, 2))) return "a Python pickle";
  if (head.startsWith("PK\x03\x04")) return "a zip archive (PyTorch, Keras or MLflow files look so)";
  if (head.startsWith("\x89HDF\r\n\x1a\n")) return "an HDF5 file (older Keras models look so)";
  if (head.startsWith("\x1f\x8b")) return "a gzip archive";
  if (["x\x01", "x\x5e", "x\x9c", "x\xda"].includes(head.slice(0, 2))) return "a compressed joblib file";
  if (head.slice(4, 8) === "TFL3") return "a TensorFlow Lite model";
  if (/^\s*<(\?xml|PMML)/.test(head)) return "an XML file (PMML looks so)";
  if (/^\s*[{[]/.test(head)) return "a JSON file (XGBoost and LightGBM can write such)";
  if (/^tree\n|^binf/.test(head)) return "a LightGBM or XGBoost file";
  return undefined;
}

interface Graph {
  readonly inputs: OnnxTensor[];
  readonly outputs: OnnxTensor[];
  readonly initializers: string[];
  nodes: number;
  /** Whether any tensor, however deep, lies outside of the file. */
  external: boolean;
}

function readModel(bytes: Uint8Array): { graph: Graph | undefined; producer: string; opsets: Map<string, number> } {
  const opsets = new Map<string, number>();
  let producer = "";
  let graph: Graph | undefined;
  for (const field of fieldsOf(bytes)) {
    if (field.number === 2 && field.wire === 2) producer = textOf(field);
    if (field.number === 7 && field.wire === 2) graph = mergeGraph(graph, field.bytes, 0);
    if (field.number === 8 && field.wire === 2) {
      let domain = "";
      let version = 0;
      for (const each of fieldsOf(field.bytes)) {
        if (each.number === 1 && each.wire === 2) domain = textOf(each);
        if (each.number === 2) version = each.value;
      }
      opsets.set(domain || "ai.onnx", version);
    }
    // Training graphs and local functions hold nodes, and so tensors.
    if ((field.number === 20 || field.number === 25) && field.wire === 2 && graph) {
      for (const each of fieldsOf(field.bytes)) {
        if (each.wire !== 2) continue;
        if (field.number === 25 && each.number === 7) readNode(each.bytes, graph, 0);
        if (field.number === 20 && each.number <= 2) graph.external ||= mergeGraph(undefined, each.bytes, 0).external;
      }
    }
  }
  return { graph, producer, opsets };
}

/** A field that comes twice is merged, says the wire format; so a second graph can't hide anything. */
function mergeGraph(
  graph: Graph = { inputs: [], outputs: [], initializers: [], nodes: 0, external: false },
  bytes: Uint8Array,
  depth: number,
): Graph {
  if (depth > MAX_DEPTH) throw new MalformedProtobuf(`graphs are nested deeper than ${MAX_DEPTH}`);
  for (const field of fieldsOf(bytes)) {
    if (field.wire !== 2) continue;
    switch (field.number) {
      case 1:
        graph.nodes++;
        readNode(field.bytes, graph, depth);
        break;
      case 5:
        graph.initializers.push(readTensor(field.bytes, graph));
        break;
      case 15:
        readSparse(field.bytes, graph);
        break;
      case 11:
      case 12: {
        const tensors = field.number === 11 ? graph.inputs : graph.outputs;
        tensors.push(readValueInfo(field.bytes));
        if (tensors.length > MAX_TENSORS) throw new MalformedProtobuf(`more than ${MAX_TENSORS} inputs or outputs`);
      }
    }
  }
  return graph;
}

function readNode(bytes: Uint8Array, graph: Graph, depth: number): void {
  for (const attribute of fieldsOf(bytes)) {
    if (attribute.number !== 5 || attribute.wire !== 2) continue;
    for (const field of fieldsOf(attribute.bytes)) {
      if (field.wire !== 2) continue;
      if (field.number === 5 || field.number === 10) readTensor(field.bytes, graph);
      else if (field.number === 22 || field.number === 23) readSparse(field.bytes, graph);
      else if (field.number === 6 || field.number === 11) graph.external ||= mergeGraph(undefined, field.bytes, depth + 1).external;
    }
  }
}

/** Notes whether its data is elsewhere, and gives its name. */
function readTensor(bytes: Uint8Array, graph: Graph): string {
  let name = "";
  for (const field of fieldsOf(bytes)) {
    if (field.number === 8 && field.wire === 2) name = textOf(field);
    if (field.number === 13 || (field.number === 14 && field.value !== 0)) graph.external = true;
  }
  return name;
}

function readSparse(bytes: Uint8Array, graph: Graph): void {
  for (const field of fieldsOf(bytes)) if (field.wire === 2 && field.number <= 2) readTensor(field.bytes, graph);
}

const ELEMENTS = [
  "undefined", "float32", "uint8", "int8", "uint16", "int16", "int32", "int64", "string", "bool",
  "float16", "float64", "uint32", "uint64", "complex64", "complex128", "bfloat16",
]; // prettier-ignore

function readValueInfo(bytes: Uint8Array): OnnxTensor {
  let tensor: OnnxTensor = { name: "", type: "other", shape: null };
  for (const field of fieldsOf(bytes)) {
    if (field.wire !== 2) continue;
    if (field.number === 1) tensor = { ...tensor, name: textOf(field) };
    if (field.number === 2) {
      for (const kind of fieldsOf(field.bytes)) {
        if (kind.number === 1 && kind.wire === 2) tensor = { ...tensor, ...readTensorType(kind.bytes) };
        else if (kind.number === 4) tensor = { ...tensor, type: "sequence" };
        else if (kind.number === 5) tensor = { ...tensor, type: "map" };
      }
    }
  }
  return tensor;
}

function readTensorType(bytes: Uint8Array): Pick<OnnxTensor, "type" | "shape"> {
  let type = "other";
  let shape: (number | string | null)[] | null = null;
  for (const field of fieldsOf(bytes)) {
    if (field.number === 1) type = ELEMENTS[field.value] ?? "other";
    if (field.number === 2 && field.wire === 2) {
      shape = [];
      for (const dimension of fieldsOf(field.bytes)) {
        if (dimension.number !== 1 || dimension.wire !== 2) continue;
        let length: number | string | null = null;
        for (const each of fieldsOf(dimension.bytes)) {
          if (each.number === 1 && each.wire === 0) length = each.value;
          if (each.number === 2 && each.wire === 2) length = textOf(each) || null;
        }
        shape.push(length);
      }
    }
  }
  return { type, shape };
}

/** How a model is called for scores. */
export interface ScoreCall {
  readonly input: string;
  readonly inputType: "float32" | "float64";
  readonly output: string;
  /** Which column of the output is the score; null where there is one, or two of which the last is meant. */
  readonly column: number | null;
}

/**
 * How to ask a model for scores of rows of `width` features, or why it doesn't fit.
 * @param wanted - the output and its column where the release names them
 */
export function scoreCall(
  model: OnnxModel,
  width: number,
  wanted: { readonly output?: string; readonly column?: number },
): Result<ScoreCall, readonly Issue[]> {
  const refuse = (path: string, expected: string, got: string, hint?: string) => err([{ path, expected, got, ...(hint ? { hint } : {}) }]);
  const [input, ...others] = model.inputs;
  if (input === undefined || others.length > 0)
    return refuse(
      "/inputs",
      "a model with one input, a row of features for each person",
      `${model.inputs.map(({ name }) => name).join(", ")}`,
      "with skl2onnx give one FloatTensorType([None, features])",
    );
  if (input.type !== "float32" && input.type !== "float64")
    return refuse("/inputs", "an input of type float32 or float64", `${input.name} of type ${input.type}`);
  if (input.shape !== null) {
    const [rows, columns, ...more] = input.shape;
    if (rows === undefined || columns === undefined || more.length > 0)
      return refuse("/inputs", "an input of two dimensions, people by features", `${input.name} of ${input.shape.length}`);
    if (typeof rows === "number")
      return refuse("/inputs", "an input for any number of people", `exactly ${rows}`, "export it with a dynamic first dimension");
    if (typeof columns === "number" && columns !== width)
      return refuse("/inputs", `a model for the ${width} features of the feature set`, `${input.name} takes ${columns}`);
  }
  const names = model.outputs.map(({ name }) => name);
  const output = wanted.output === undefined ? model.outputs.find(isScore) : model.outputs.find(({ name }) => name === wanted.output);
  if (output === undefined && wanted.output !== undefined) {
    const near = nearest(wanted.output, names);
    return refuse("/output", `one of ${names.join(", ")}`, wanted.output, near ? `did you mean ${near}?` : undefined);
  }
  if (output === undefined || !isScore(output))
    return refuse(
      "/output",
      "an output with a score for each person, float32 or float64",
      listed(model.outputs),
      "with skl2onnx pass options={'zipmap': False}, so that probabilities are a tensor",
    );
  const columns = output.shape?.length === 2 && typeof output.shape[1] === "number" ? output.shape[1] : null;
  if (columns !== null && columns > 2 && wanted.column === undefined)
    return refuse("/column", `which of the ${columns} columns of ${output.name} is the score`, "nothing");
  if (columns !== null && wanted.column !== undefined && wanted.column >= columns)
    return refuse("/column", `a column from 0 to ${columns - 1}`, `${wanted.column}`);
  return ok({ input: input.name, inputType: input.type, output: output.name, column: wanted.column ?? null });
}

const isScore = ({ type, shape }: OnnxTensor) => (type === "float32" || type === "float64") && (shape === null || shape.length <= 2);
const listed = (tensors: readonly OnnxTensor[]) => tensors.map(({ name, type }) => `${name} (${type})`).join(", ");
