/** Whether what an Open Inference server says of its model fits what it would be sent. Pure. */
import { Type, type Static } from "typebox";
import { checked } from "../checked.ts";
import type { Issue } from "../std.ts";
import { parsedJson } from "./answered-scores.ts";
import type { OipScorerSpec } from "./http-scorer-spec.ts";
import type { Column } from "./wire-forms.ts";

const Tensor = Type.Object({ name: Type.String(), shape: Type.Array(Type.Number()), datatype: Type.String() });
const Metadata = Type.Object({ inputs: Type.Array(Tensor), outputs: Type.Array(Tensor) });
const parse = checked(Metadata);

/** Undefined where it fits, or where the server says nothing that could be held against it. */
export function metadataTrouble(text: string, spec: Static<typeof OipScorerSpec>, columns: readonly Column[]): Issue | undefined {
  const json = parsedJson(text);
  const parsed = json.ok ? parse(json.value) : undefined;
  if (!parsed?.ok) return undefined;
  const { inputs, outputs } = parsed.value;
  if (spec.output !== undefined && outputs.length > 0 && !outputs.some(({ name }) => name === spec.output))
    return { path: "/output", expected: "an output of the model", got: `${spec.output}, which none of its ${outputs.length} is called` };
  if (inputs.length === 0) return undefined;
  if (spec.layout === "tensor") {
    const name = spec.input ?? "input-0";
    const input = inputs.find((each) => each.name === name);
    if (!input) return { path: "/input", expected: "an input of the model", got: `${name}, which none of its ${inputs.length} is called` };
    const width = input.shape.at(-1) ?? -1;
    return width > 0 && input.shape.length > 1 && width !== columns.length
      ? { path: "/layout", expected: `${width} features, which the model takes`, got: `${columns.length}` }
      : undefined;
  }
  const sent = new Set(columns.map(({ name }) => name));
  const missing = inputs.filter(({ name }) => !sent.has(name)).length;
  if (missing === 0) return undefined;
  return {
    path: "/layout",
    expected: `a column for each of the ${inputs.length} inputs of the model`,
    got: `none for ${missing} of them`,
    hint: "features are sent by their names; a model with one input for all takes layout: tensor",
  };
}
