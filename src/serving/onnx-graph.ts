/** The parts of an ONNX file that say what the model takes, gives and needs; its weights are skipped. */
import { MalformedProtobuf, fieldsOf, int64sOf, textOf, type Field } from "./protobuf.ts";

/** One input or output. A dimension of any length is null, or its name where it has one; `shape` is null where the file doesn't say. */
export interface OnnxTensor {
  readonly name: string;
  /** `float32`, `int64`, …; `sequence`, `map` or `other` for what is no tensor. */
  readonly type: string;
  readonly shape: readonly (number | string | null)[] | null;
}

/** A tensor whose data lies in another file. */
export interface ExternalData {
  readonly location: string;
  readonly offset: number;
  /** null: to the end of the file. */
  readonly length: number | null;
}

/** A node that turns a tensor of probabilities into a sequence of maps, one a person, from a class to its probability. */
export interface ZipMap {
  /** Name of the graph's output. */
  readonly output: string;
  /** The tensor that goes in. */
  readonly tensor: string;
  readonly classes: readonly string[];
}

export interface Graph {
  readonly inputs: OnnxTensor[];
  readonly outputs: OnnxTensor[];
  readonly initializers: string[];
  readonly zipMaps: ZipMap[];
  /** What classifiers in it call their classes. */
  readonly classLists: (readonly string[])[];
  /** However deep it is hidden. */
  readonly external: ExternalData[];
  nodes: number;
}

/** Numbers of fields, by the messages of onnx.proto that they are in. */
export const FIELD = {
  model: { producer: 2, graph: 7, opset: 8, training: 20, functions: 25 },
  graph: { node: 1, initializer: 5, input: 11, output: 12, sparse: 15 },
  node: { input: 1, output: 2, op: 4, attribute: 5, domain: 7 },
  attribute: { name: 1, tensor: 5, graph: 6, ints: 8, strings: 9, tensors: 10, graphs: 11, sparse: 22, sparses: 23 },
  tensor: { name: 8, raw: 9, external: 13, location: 14 },
  function: { node: 7 },
} as const;

const MAX_DEPTH = 32;
const MAX_TENSORS = 1000;
const MAX_EXTERNAL = 100_000;

/** @throws MalformedProtobuf */
export function readModel(bytes: Uint8Array): { graph: Graph | undefined; producer: string; opsets: Map<string, number> } {
  const opsets = new Map<string, number>();
  let producer = "";
  let graph: Graph | undefined;
  const { model } = FIELD;
  for (const field of fieldsOf(bytes)) {
    if (field.wire !== 2) continue;
    if (field.number === model.producer) producer = textOf(field);
    // A field that comes twice is merged, says the wire format; so a second graph can't hide anything.
    if (field.number === model.graph) readGraph((graph ??= emptyGraph()), field.bytes, 0);
    if (field.number === model.opset) {
      const { domain, version } = readOpset(field.bytes);
      opsets.set(domain, version);
    }
  }
  // Training graphs and local functions hold nodes, and so tensors.
  const hidden = emptyGraph();
  for (const field of fieldsOf(bytes)) {
    if (field.wire !== 2 || (field.number !== model.training && field.number !== model.functions)) continue;
    for (const each of fieldsOf(field.bytes)) {
      if (each.wire !== 2) continue;
      if (field.number === model.functions && each.number === FIELD.function.node) readNode(each.bytes, hidden, 0);
      if (field.number === model.training && each.number <= 2) readGraph(hidden, each.bytes, 0);
    }
  }
  graph?.external.push(...hidden.external);
  return { graph, producer, opsets };
}

const emptyGraph = (): Graph => ({ inputs: [], outputs: [], initializers: [], zipMaps: [], classLists: [], external: [], nodes: 0 });

function readOpset(bytes: Uint8Array): { readonly domain: string; readonly version: number } {
  let [domain, version] = ["", 0];
  for (const each of fieldsOf(bytes)) {
    if (each.number === 1 && each.wire === 2) domain = textOf(each);
    if (each.number === 2) version = each.value;
  }
  return { domain: domain || "ai.onnx", version };
}

function readGraph(graph: Graph, bytes: Uint8Array, depth: number): void {
  if (depth > MAX_DEPTH) throw new MalformedProtobuf(`graphs are nested deeper than ${MAX_DEPTH}`);
  for (const field of fieldsOf(bytes)) {
    if (field.wire !== 2) continue;
    switch (field.number) {
      case FIELD.graph.node:
        graph.nodes++;
        readNode(field.bytes, graph, depth);
        break;
      case FIELD.graph.initializer:
        graph.initializers.push(readTensor(field.bytes, graph));
        break;
      case FIELD.graph.sparse:
        readSparse(field.bytes, graph);
        break;
      case FIELD.graph.input:
      case FIELD.graph.output: {
        const tensors = field.number === FIELD.graph.input ? graph.inputs : graph.outputs;
        tensors.push(readValueInfo(field.bytes));
        if (tensors.length > MAX_TENSORS) throw new MalformedProtobuf(`more than ${MAX_TENSORS} inputs or outputs`);
      }
    }
  }
}

/** Of a node's attributes only those that name classes, and whatever may hold tensors. */
function readNode(bytes: Uint8Array, graph: Graph, depth: number): void {
  let classes: readonly string[] = [];
  for (const attribute of fieldsOf(bytes)) {
    if (attribute.number !== FIELD.node.attribute || attribute.wire !== 2) continue;
    const named = readAttribute(attribute.bytes, graph, depth);
    if (named.length > 0) classes = named;
  }
  if (depth > 0) return;
  if (classes.length > 0) graph.classLists.push(classes);
  const zipMap = zipMapOf(bytes, classes);
  if (zipMap) graph.zipMaps.push(zipMap);
}

/** A node of this kind, whose maps the runtime can't hand over. */
export function zipMapOf(node: Uint8Array, classes: readonly string[]): ZipMap | undefined {
  let [op, domain, tensor, output] = ["", "", "", ""];
  for (const field of fieldsOf(node)) {
    if (field.wire !== 2) continue;
    if (field.number === FIELD.node.op) op = textOf(field);
    if (field.number === FIELD.node.domain) domain = textOf(field);
    if (field.number === FIELD.node.input) tensor = textOf(field);
    if (field.number === FIELD.node.output) output = textOf(field);
  }
  return op === "ZipMap" && domain === "ai.onnx.ml" ? { output, tensor, classes } : undefined;
}

const CLASS_NAMES = new Set(["classlabels_int64s", "classlabels_ints", "classlabels_strings"]);

/** @returns the names of classes, where the attribute has such */
function readAttribute(bytes: Uint8Array, graph: Graph, depth: number): readonly string[] {
  const { attribute: at } = FIELD;
  let name = "";
  for (const field of fieldsOf(bytes)) {
    if (field.wire !== 2) continue;
    if (field.number === at.name) name = textOf(field);
    else if (field.number === at.tensor || field.number === at.tensors) readTensor(field.bytes, graph);
    else if (field.number === at.sparse || field.number === at.sparses) readSparse(field.bytes, graph);
    else if (field.number === at.graph || field.number === at.graphs) readGraphWithin(graph, field.bytes, depth + 1);
  }
  return CLASS_NAMES.has(name) ? classesIn(bytes) : [];
}

function classesIn(attribute: Uint8Array): readonly string[] {
  const classes: string[] = [];
  for (const field of fieldsOf(attribute)) {
    if (field.number === FIELD.attribute.strings && field.wire === 2) classes.push(textOf(field));
    if (field.number === FIELD.attribute.ints) classes.push(...int64sOf(attribute, field).map(String));
  }
  return classes;
}

/** Branches and bodies of loops: nothing of theirs is the model's own but where their tensors lie. */
function readGraphWithin(graph: Graph, bytes: Uint8Array, depth: number): void {
  const inner = emptyGraph();
  readGraph(inner, bytes, depth);
  graph.external.push(...inner.external);
}

/** Notes where its data lies, if elsewhere, and gives its name. */
function readTensor(bytes: Uint8Array, graph: Graph): string {
  let name = "";
  for (const field of fieldsOf(bytes)) if (field.number === FIELD.tensor.name && field.wire === 2) name = textOf(field);
  const external = externalDataOf(bytes);
  if (external) graph.external.push(external);
  if (graph.external.length > MAX_EXTERNAL) throw new MalformedProtobuf(`more than ${MAX_EXTERNAL} tensors in other files`);
  return name;
}

/** Where a tensor's data lies if not in it; whatever speaks for another file counts. */
export function externalDataOf(tensor: Uint8Array): ExternalData | undefined {
  const said = new Map<string, string>();
  let isExternal = false;
  for (const field of fieldsOf(tensor)) {
    if (field.number === FIELD.tensor.location && field.value !== 0) isExternal = true;
    if (field.number !== FIELD.tensor.external) continue;
    isExternal = true;
    if (field.wire === 2) said.set(...entryOf(field));
  }
  if (!isExternal) return undefined;
  const length = said.get("length");
  return {
    location: said.get("location") ?? "",
    offset: wholeNumber(said.get("offset") ?? "0", "offset"),
    length: length === undefined ? null : wholeNumber(length, "length"),
  };
}

function entryOf({ bytes }: Field): [string, string] {
  let [key, value] = ["", ""];
  for (const field of fieldsOf(bytes)) {
    if (field.number === 1 && field.wire === 2) key = textOf(field);
    if (field.number === 2 && field.wire === 2) value = textOf(field);
  }
  return [key, value];
}

function wholeNumber(text: string, what: string): number {
  const number = Number(text);
  if (/^\d{1,16}$/.test(text) && Number.isSafeInteger(number)) return number;
  throw new MalformedProtobuf(`the ${what} of a tensor in another file is no number`);
}

function readSparse(bytes: Uint8Array, graph: Graph): void {
  for (const field of fieldsOf(bytes)) if (field.wire === 2 && field.number <= 2) readTensor(field.bytes, graph);
}

const ELEMENTS = [
  "undefined", "float32", "uint8", "int8", "uint16", "int16", "int32", "int64", "string", "bool",
  "float16", "float64", "uint32", "uint64", "complex64", "complex128", "bfloat16",
]; // prettier-ignore
/** What `readValueInfo` calls `float32`. */
export const FLOAT32 = ELEMENTS.indexOf("float32");

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
