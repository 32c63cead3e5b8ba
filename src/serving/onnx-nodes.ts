/** The operators of a model's graph with their attributes and constants, for reading what a model computes. */
import { MalformedProtobuf, fieldsOf, textOf, type Field } from "./protobuf.ts";

/** Values of one attribute; those that it doesn't have are empty. */
export interface NodeAttribute {
  readonly floats: readonly number[];
  readonly ints: readonly number[];
  readonly texts: readonly string[];
  /** It holds what isn't read here: a tensor or a graph. */
  readonly isOther: boolean;
}

/** One operator of the graph. */
export interface GraphNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, NodeAttribute>;
}

/** A constant of the graph: floats only. */
export interface GraphConstant {
  readonly dims: readonly number[];
  readonly values: Float64Array;
}

export interface GraphNodes {
  readonly inputs: readonly string[];
  /** The node that makes each value. */
  readonly nodeOf: ReadonlyMap<string, GraphNode>;
  readonly constants: ReadonlyMap<string, GraphConstant>;
}

/** Reads the main graph. @throws MalformedProtobuf when the bytes are not a model */
export function graphNodes(model: Uint8Array): GraphNodes {
  const inputs: string[] = [];
  const nodeOf = new Map<string, GraphNode>();
  const constants = new Map<string, GraphConstant>();
  for (const part of fieldsOf(model)) {
    if (part.number !== 7 || part.wire !== 2) continue;
    for (const field of fieldsOf(part.bytes)) {
      if (field.wire !== 2) continue;
      if (field.number === 1) {
        const node = readNode(field.bytes);
        for (const output of node.outputs) nodeOf.set(output, node);
      } else if (field.number === 5) readConstant(field.bytes, constants);
      else if (field.number === 11) inputs.push(nameIn(field.bytes));
    }
  }
  return { inputs: inputs.filter((name) => !constants.has(name)), nodeOf, constants };
}

function nameIn(valueInfo: Uint8Array): string {
  for (const field of fieldsOf(valueInfo)) if (field.number === 1 && field.wire === 2) return textOf(field);
  return "";
}

function readNode(bytes: Uint8Array): GraphNode {
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes = new Map<string, NodeAttribute>();
  let op = "";
  for (const field of fieldsOf(bytes)) {
    if (field.wire !== 2) continue;
    if (field.number === 1) inputs.push(textOf(field));
    else if (field.number === 2) outputs.push(textOf(field));
    else if (field.number === 4) op = textOf(field);
    else if (field.number === 5) readAttribute(field.bytes, attributes);
  }
  return { op, inputs, outputs, attributes };
}

function readAttribute(bytes: Uint8Array, into: Map<string, NodeAttribute>): void {
  const floats: number[] = [];
  const ints: number[] = [];
  const texts: string[] = [];
  let name = "";
  let isOther = false;
  for (const field of fieldsOf(bytes)) {
    switch (field.number) {
      case 1:
        name = textOf(field);
        break;
      case 2:
      case 7:
        pushFloats(field, floats);
        break;
      case 3:
      case 8:
        pushInts(field, ints);
        break;
      case 4:
      case 9:
        texts.push(textOf(field));
        break;
      case 5:
      case 6:
      case 10:
      case 11:
      case 22:
      case 23:
        isOther = true;
    }
  }
  into.set(name, { floats, ints, texts, isOther });
}

/** Lists come one by one or packed, as the writer liked. */
function pushFloats({ bytes }: Field, into: number[]): void {
  const view = viewOf(bytes, 4);
  for (let at = 0; at < bytes.length; at += 4) into.push(view.getFloat32(at, true));
}

function pushInts({ wire, value, bytes }: Field, into: number[]): void {
  if (wire === 0) return void into.push(value);
  let at = 0;
  while (at < bytes.length) {
    let packed = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined || shift >= 70) throw new MalformedProtobuf("a list of numbers breaks off");
      packed += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    into.push(packed);
  }
}

const FLOAT = 1;
const DOUBLE = 11;

function readConstant(bytes: Uint8Array, into: Map<string, GraphConstant>): void {
  const dims: number[] = [];
  const floats: number[] = [];
  let name = "";
  let type = 0;
  let raw: Uint8Array | null = null;
  for (const field of fieldsOf(bytes)) {
    if (field.number === 1) pushInts(field, dims);
    else if (field.number === 2) type = field.value;
    else if (field.number === 4) pushFloats(field, floats);
    else if (field.number === 8) name = textOf(field);
    else if (field.number === 9) raw = field.bytes;
    else if (field.number === 10) {
      const view = viewOf(field.bytes, 8);
      for (let at = 0; at < field.bytes.length; at += 8) floats.push(view.getFloat64(at, true));
    }
  }
  const values = raw && (type === FLOAT || type === DOUBLE) ? rawValues(raw, type) : Float64Array.from(floats);
  // The name is taken in any case: what has a constant behind it is no input.
  into.set(name, { dims, values });
}

function rawValues(raw: Uint8Array, type: number): Float64Array {
  const size = type === FLOAT ? 4 : 8;
  const view = viewOf(raw, size);
  return Float64Array.from({ length: raw.length / size }, (_, i) =>
    type === FLOAT ? view.getFloat32(i * 4, true) : view.getFloat64(i * 8, true),
  );
}

function viewOf(bytes: Uint8Array, size: number): DataView {
  if (bytes.length % size !== 0) throw new MalformedProtobuf("a list of numbers breaks off");
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** A text among the attributes of a node. */
export const textIn = (node: GraphNode, name: string, otherwise: string): string => node.attributes.get(name)?.texts[0] ?? otherwise;
/** A number among them. */
export const numberOf = ({ attributes }: GraphNode, name: string, otherwise: number): number =>
  attributes.get(name)?.floats[0] ?? attributes.get(name)?.ints[0] ?? otherwise;
