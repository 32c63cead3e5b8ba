/** Which bytes go into a step. Pure. */
import { assert } from "../std.ts";
import type { Recipe, RecipeStep } from "./recipe.ts";
import type { StepInput, StepOutcome } from "./step-outcome.ts";

/** @param done - outcomes of steps, as far as there are any; what isn't there is waited for */
export function inputsKnown(
  step: RecipeStep,
  recipe: Recipe,
  done: ReadonlyMap<string, StepOutcome>,
): { readonly inputs: Readonly<Record<string, StepInput>>; readonly waitsFor: readonly string[] } {
  const inputs: Record<string, StepInput> = {};
  const waitsFor: string[] = [];
  for (const [dep, from] of Object.entries(step.deps)) {
    if (from.kind === "step") {
      const blob = done.get(from.step)?.outs[from.out];
      if (blob) inputs[dep] = { ...from, blob };
      else if (!waitsFor.includes(from.step)) waitsFor.push(from.step);
    } else if (from.kind === "dataset") {
      const dataset = recipe.datasets[from.reference];
      assert(dataset, `${recipe.pipeline} has its dataset ${from.reference}`);
      inputs[dep] = { ...from, ...dataset };
    } else {
      const blob = recipe.files?.[from.path];
      assert(blob, `${recipe.pipeline} has its file ${from.path}`);
      inputs[dep] = { ...from, blob };
    }
  }
  return { inputs, waitsFor };
}
