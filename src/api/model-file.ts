/** From what a model's file says to its signature; what can't be asked for scores is refused here, before anything loads it. Pure. */
import type { ModelSignature } from "../registry/index.ts";
import { scoreCall, type OnnxModel, type OnnxTensor, type RowForm, type ScoreCall } from "../serving/index.ts";
import { canonicalJson } from "../store/index.ts";
import { ProblemError } from "./problem.ts";

export interface ReadModel {
  readonly signature: ModelSignature;
  readonly call: ScoreCall;
  readonly form: RowForm;
  /** Which of several columns is the score is for the release to say; `call` takes the first meanwhile. */
  readonly isOpen: boolean;
  /** Files beside it that hold its weights. */
  readonly dataFiles: readonly string[];
}

/**
 * @param asked.features - names in the model's order, where they are known
 * @param asked.output - which holds the score, where several could
 * @param asked.given - what the caller says the signature is: must be what the file says
 */
export function readModel(
  model: OnnxModel,
  asked: {
    readonly features: readonly string[] | undefined;
    readonly given: ModelSignature | undefined;
    readonly output: string | undefined;
  },
): ReadModel {
  const { given, output } = asked;
  const features = asked.features ?? namedInputs(model);
  const form = features.length > 0 ? { width: features.length, names: features } : { width: widthOf(model) };
  const wanted = { output: output ?? given?.scoreOutput };
  const first = scoreCall(model, form, wanted);
  const isOpen = !first.ok && first.error[0]?.path === "/column";
  const call = isOpen ? scoreCall(model, form, { ...wanted, column: 0 }) : first;
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
  return { signature, call: call.value, form, isOpen, dataFiles: model.dataFiles };
}

/** A model with one input for each feature names its features itself. */
const namedInputs = ({ inputs }: OnnxModel): readonly string[] => (inputs.length > 1 ? inputs.map(({ name }) => name) : []);

/** What the model itself says it takes; any where it takes any. */
const widthOf = ({ inputs }: OnnxModel): number => {
  const columns = inputs[0]?.shape?.[1];
  return typeof columns === "number" ? columns : 1;
};

/** A tensor whose shape the file leaves open has none here. */
const tensorOf = ({ name, type, shape }: OnnxTensor) => ({ name, type, shape: [...(shape ?? [])] });
