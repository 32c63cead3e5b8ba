/** What MLflow says of a model that it has saved: which file it is, what its features are called, an example of its input. Pure. */
import { Type } from "typebox";
import { checked } from "../checked.ts";
import type { ModelExamples } from "./model-folder.ts";
import { parseYaml } from "../yaml.ts";

/** The file of a saved model's folder that tells of the others. */
export const MLMODEL = "MLmodel";

export interface MlflowModel {
  /** Name of the ONNX file; undefined for a model of another kind. */
  readonly model: string | undefined;
  /** Of models with named columns, in their order. */
  readonly features: readonly string[] | undefined;
  /** Name of the file with an example of the input. */
  readonly example: string | undefined;
  /** Kinds of model that are in the folder. */
  readonly flavors: readonly string[];
}

const parseSaved = checked(
  Type.Object({
    flavors: Type.Record(Type.String(), Type.Unknown()),
    signature: Type.Optional(Type.Unknown()),
    saved_input_example_info: Type.Optional(Type.Unknown()),
  }),
);
const parseOnnx = checked(Type.Object({ data: Type.String() }));
const parseSignature = checked(Type.Object({ inputs: Type.String() }));
const parseColumns = checked(Type.Array(Type.Object({ name: Type.String({ minLength: 1, maxLength: 250 }) }), { minItems: 1 }));
const parseExampleInfo = checked(Type.Object({ artifact_path: Type.String() }));

/** Undefined for what is no file of MLflow's. */
export function readMlmodel(text: string): MlflowModel | undefined {
  const documents = parseYaml(text);
  const saved = documents.ok ? parseSaved(documents.value[0]?.value) : undefined;
  if (!saved?.ok) return undefined;
  const onnx = parseOnnx(saved.value.flavors["onnx"]);
  const signature = parseSignature(saved.value.signature);
  const columns = signature.ok ? parseColumns(jsonOf(signature.value.inputs)) : undefined;
  const example = parseExampleInfo(saved.value.saved_input_example_info);
  return {
    model: onnx.ok ? onnx.value.data : undefined,
    features: columns?.ok ? columns.value.map(({ name }) => name) : undefined,
    example: example.ok ? example.value.artifact_path : undefined,
    flavors: Object.keys(saved.value.flavors),
  };
}

const Value = Type.Union([Type.Number(), Type.String(), Type.Boolean(), Type.Null()]);
const Rows = Type.Array(Type.Union([Type.Array(Value), Type.Record(Type.String(), Value)]), { minItems: 1 });
const parseRows = checked(Rows);
const parseSplit = checked(
  Type.Object({
    columns: Type.Array(Type.String()),
    data: Type.Array(Type.Array(Value), { minItems: 1 }),
    index: Type.Optional(Type.Unknown()),
  }),
);
const MOST_EXAMPLES = 100;

/** The rows of an input example: a table, a list of rows, or a list of objects. Undefined for other forms, which hold no rows. */
export function exampleRowsIn(text: string): ModelExamples["rows"] | undefined {
  const value = jsonOf(text);
  const split = parseSplit(value);
  if (split.ok) {
    const { columns, data } = split.value;
    return data.slice(0, MOST_EXAMPLES).map((row) => Object.fromEntries(columns.map((name, i) => [name, row[i] ?? null])));
  }
  const rows = parseRows(value);
  return rows.ok ? rows.value.slice(0, MOST_EXAMPLES) : undefined;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
