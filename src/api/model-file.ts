/** From the bytes of a model to its signature; what can't be served is refused here, before anything loads it. */
import type { ModelSignature } from "../registry/index.ts";
import { inspectModel, scoreCall, type OnnxModel, type OnnxTensor } from "../serving/index.ts";
import { canonicalJson } from "../store/index.ts";
import { ProblemError } from "./problem.ts";

/**
 * @param asked.features - names in the model's order, where they are known
 * @param asked.given - what the caller says the signature is: must be what the file says
 */
export function signatureOf(
  bytes: Uint8Array,
  asked: { readonly features: readonly string[] | undefined; readonly given: ModelSignature | undefined },
): ModelSignature {
  const inspected = inspectModel(bytes);
  if (!inspected.ok) throw new ProblemError("unprocessable", "This is no model that Evenkeel can serve.", inspected.error);
  const model = inspected.value;
  const { given, features = [] } = asked;
  const wanted = given ? { output: given.scoreOutput } : {};
  const call = scoreCall(model, features.length > 0 ? features.length : widthOf(model), wanted);
  if (!call.ok) throw new ProblemError("unprocessable", "The model can't be asked for scores as it is.", call.error);
  const signature = {
    inputs: model.inputs.map(tensorOf),
    outputs: model.outputs.map(tensorOf),
    features: [...features],
    scoreOutput: call.value.output,
  };
  for (const side of ["inputs", "outputs"] as const) {
    if (given && canonicalJson(given[side]) !== canonicalJson(signature[side]))
      throw new ProblemError("unprocessable", "The signature is not the file's.", [
        { path: `/signature/${side}`, expected: canonicalJson(signature[side]), got: canonicalJson(given[side]) },
      ]);
  }
  return signature;
}

/** What the model itself says it takes; any where it takes any. */
const widthOf = ({ inputs }: OnnxModel): number => {
  const columns = inputs[0]?.shape?.[1];
  return typeof columns === "number" ? columns : 1;
};

/** A tensor whose shape the file leaves open has none here. */
const tensorOf = ({ name, type, shape }: OnnxTensor) => ({ name, type, shape: [...(shape ?? [])] });
