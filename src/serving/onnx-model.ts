/** What an ONNX file is, read without running anything of it. Refuses what must never reach the runtime. */
import { err, ok, type Issue, type Result } from "../std.ts";
import { readModel, type ExternalData, type Graph, type OnnxTensor } from "./onnx-graph.ts";
import { MalformedProtobuf } from "./protobuf.ts";

/** An output, and what is known of its columns. */
export interface OnnxOutput extends OnnxTensor {
  /** Names of the classes, one a column; null where the file doesn't tell. */
  readonly classes: readonly string[] | null;
  /** The tensor to ask the runtime for in its place: an output of maps (`ZipMap`) can't be handed over. */
  readonly tensor: string | null;
}

/** The signature of a model, and what else its file tells without being run. */
export interface OnnxModel {
  readonly inputs: readonly OnnxTensor[];
  readonly outputs: readonly OnnxOutput[];
  readonly producer: string;
  /** Versions of operator sets by domain; the default domain is `ai.onnx`. */
  readonly opsets: Readonly<Record<string, number>>;
  readonly nodes: number;
  /** Names of the files beside it that hold weights. */
  readonly dataFiles: readonly string[];
}

/**
 * Reads the header of a model. Every issue says what the file is and what to do instead.
 * @param beside - sizes of the files that came with it, by their names: weights may be in these and nowhere else
 */
export function inspectModel(bytes: Uint8Array, beside: ReadonlyMap<string, number> = new Map()): Result<OnnxModel, readonly Issue[]> {
  const refuse = (got: string, hint?: string) => err([{ path: "", expected: "a model in ONNX format", got, ...(hint ? { hint } : {}) }]);
  if (bytes.length === 0) return refuse("an empty file");
  const other = otherFormat(bytes);
  if (other) return refuse(other, CONVERT);
  try {
    const model = readModel(bytes);
    if (model.graph === undefined || model.opsets.size === 0) return refuse("a file without a graph and an operator set");
    const { graph } = model;
    const outside = outsideOf(graph.external, beside);
    if (outside) return err([outside]);
    const initialized = new Set(graph.initializers);
    const inputs = graph.inputs.filter(({ name }) => !initialized.has(name));
    if (graph.nodes === 0) return refuse("a graph without operators");
    if (inputs.length === 0) return refuse("a graph without inputs");
    if (graph.outputs.length === 0) return refuse("a graph without outputs");
    return ok({
      inputs,
      outputs: graph.outputs.map((output) => outputOf(output, graph)),
      producer: model.producer,
      opsets: Object.fromEntries(model.opsets),
      nodes: graph.nodes,
      dataFiles: [...new Set(graph.external.map(({ location }) => location))],
    });
  } catch (error) {
    if (error instanceof MalformedProtobuf) return refuse(`bytes that are not ONNX: ${error.message}`);
    throw error;
  }
}

/** Names that are nothing but names: no folder, no way up, nothing that a shell or another system reads as more. */
const PLAIN_NAME = /^[\p{L}\p{N}_][\p{L}\p{N}._@+=, -]{0,254}$/u;
export const isPlainName = (name: string): boolean => PLAIN_NAME.test(name) && name === name.normalize("NFC");

/** Weights that lie anywhere but within the files beside the model. */
function outsideOf(external: readonly ExternalData[], beside: ReadonlyMap<string, number>): Issue | undefined {
  for (const { location, offset, length } of external) {
    if (!isPlainName(location))
      return {
        path: "",
        expected: "weights in the file itself, or in files beside it",
        got: `a model whose weights are in other files: ${JSON.stringify(location.slice(0, 100))}`,
        hint: "save it again with plain file names: onnx.save_model(model, path, save_as_external_data=True, location='model.onnx.data')",
      };
    const size = beside.get(location);
    if (size === undefined)
      return {
        path: "",
        expected: `the file ${location} beside the model`,
        got: "a model whose weights are in other files, without them",
        hint: "give the folder instead of the file, or save it as one file: onnx.save_model(model, path, save_as_external_data=False)",
      };
    if (offset + (length ?? 0) > size)
      return { path: "", expected: `${offset + (length ?? 0)} bytes in ${location}`, got: `${size}: the file is cut off, or another one` };
  }
  return undefined;
}

/** An output as it can be asked for. */
function outputOf(output: OnnxTensor, { zipMaps, classLists }: Graph): OnnxOutput {
  const zipMap = zipMaps.find((each) => each.output === output.name);
  if (zipMap)
    return { name: output.name, type: "float32", shape: [null, zipMap.classes.length], classes: zipMap.classes, tensor: zipMap.tensor };
  const [first, ...others] = classLists;
  const isTold = first !== undefined && others.every((each) => each.join("\0") === first.join("\0"));
  const columns = output.shape?.length === 2 ? output.shape[1] : undefined;
  const isOfClasses = isTold && isFloat(output) && columns !== undefined && (typeof columns !== "number" || columns === first.length);
  return { ...output, classes: isOfClasses ? first : null, tensor: null };
}

export const isFloat = ({ type }: OnnxTensor) => type === "float32" || type === "float64";

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
