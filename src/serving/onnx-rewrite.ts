/**
 * A model as ONNX Runtime gets it: in one piece, and with tensors for outputs. Weights in other files are put in, so that the runtime never
 * opens a file; nodes that make maps of probabilities (`ZipMap`) are left out, since maps can't be handed over.
 */
import { FIELD, FLOAT32, externalDataOf, zipMapOf, type ExternalData } from "./onnx-graph.ts";
import type { OnnxModel } from "./onnx-model.ts";
import { fieldsOf, lengthDelimited, rewritten, textOf, varintField } from "./protobuf.ts";

/** @param beside - the files that `inspectModel` was told of, by their names */
export function runnableModel(bytes: Uint8Array, model: OnnxModel, beside: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const whole = model.dataFiles.length === 0 ? bytes : inOnePiece(bytes, beside);
  return model.outputs.some(({ tensor }) => tensor !== null) ? withoutZipMaps(whole, model) : whole;
}

type Change = (message: Uint8Array) => Uint8Array;

/** Changes the messages in fields of these numbers, and leaves all others. */
function within(changes: Readonly<Record<number, Change>>): Change {
  return (message) =>
    rewritten(message, ({ number, wire, bytes }) => {
      const change = wire === 2 ? changes[number] : undefined;
      if (change === undefined) return undefined;
      const changed = change(bytes);
      return changed === bytes ? undefined : lengthDelimited(number, changed);
    });
}

function inOnePiece(bytes: Uint8Array, beside: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const { model, graph: ofGraph, node: ofNode, attribute: of } = FIELD;
  const tensor: Change = (message) => {
    const external = externalDataOf(message);
    return external ? tensorWith(message, dataOf(external, beside)) : message;
  };
  const sparse = within({ 1: tensor, 2: tensor });
  // Nothing here is deeper than `readModel` allows.
  const graph: Change = (message) => within({ [ofGraph.node]: node, [ofGraph.initializer]: tensor, [ofGraph.sparse]: sparse })(message);
  const node: Change = within({
    [ofNode.attribute]: within({
      [of.tensor]: tensor,
      [of.tensors]: tensor,
      [of.sparse]: sparse,
      [of.sparses]: sparse,
      [of.graph]: graph,
      [of.graphs]: graph,
    }),
  });
  return within({
    [model.graph]: graph,
    [model.training]: within({ 1: graph, 2: graph }),
    [model.functions]: within({ [FIELD.function.node]: node }),
  })(bytes);
}

/** `inspectModel` has found it to be within its file. */
function dataOf({ location, offset, length }: ExternalData, beside: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const file = beside.get(location) ?? new Uint8Array();
  return file.subarray(offset, length === null ? undefined : offset + length);
}

function tensorWith(message: Uint8Array, raw: Uint8Array): Uint8Array {
  const { tensor } = FIELD;
  const dropped = new Set<number>([tensor.external, tensor.location, tensor.raw]);
  const rest = rewritten(message, ({ number }) => (dropped.has(number) ? NOTHING : undefined));
  return Buffer.concat([rest, lengthDelimited(tensor.raw, raw)]);
}
const NOTHING = new Uint8Array();

function withoutZipMaps(bytes: Uint8Array, model: OnnxModel): Uint8Array {
  const outputs = new Map(model.outputs.map((output) => [output.name, output]));
  const given = new Set(model.outputs.filter(({ tensor }) => tensor === null).map(({ name }) => name));
  return within({
    [FIELD.model.graph]: (graph) =>
      rewritten(graph, ({ number, wire, bytes: field }) => {
        if (wire !== 2) return undefined;
        if (number === FIELD.graph.node) return zipMapOf(field, []) ? NOTHING : undefined;
        if (number !== FIELD.graph.output) return undefined;
        const output = outputs.get(nameOf(field));
        if (!output?.tensor) return undefined;
        if (given.has(output.tensor)) return NOTHING;
        given.add(output.tensor);
        return lengthDelimited(number, floatsNamed(output.tensor));
      }),
  })(bytes);
}

function nameOf(valueInfo: Uint8Array): string {
  for (const field of fieldsOf(valueInfo)) if (field.number === 1 && field.wire === 2) return textOf(field);
  return "";
}

/** A value of 32-bit floats of whatever shape. */
const floatsNamed = (name: string): Uint8Array =>
  Buffer.concat([lengthDelimited(1, Buffer.from(name)), lengthDelimited(2, lengthDelimited(1, varintField(1, FLOAT32)))]);
