/** Which steps of a pipeline are up to date, and why the others aren't. Runs no step. */
import { changesSince, type StepChange } from "./changes.ts";
import { stepKey, type Recipe, type StepKey } from "./recipe.ts";
import type { TableIds } from "./known-tables.ts";
import { inputsByRows, inputsKnown, type TableStore } from "./step-inputs.ts";
import type { StepFacts, StepOutcome } from "./step-outcome.ts";

export interface StepStatus {
  readonly step: string;
  readonly state:
    /** Its outcome is there. */
    | { readonly kind: "up-to-date"; readonly outcome: StepOutcome }
    /** What it is made of has changed since it ran last; no changes where that isn't recorded. */
    | { readonly kind: "changed"; readonly changes: readonly StepChange[] }
    | { readonly kind: "never-ran" }
    /** Steps that must run first; it may turn out to be up to date when they give what they gave. */
    | { readonly kind: "waits"; readonly for: readonly string[]; readonly changes: readonly StepChange[] };
}

export interface StatusSources {
  readonly outcome: (key: StepKey) => Promise<StepOutcome | undefined>;
  /** What the newest outcome of a step was made of; `null` when that isn't recorded, undefined when it never ran. */
  readonly newest: (step: string) => Promise<StepFacts | null | undefined>;
  readonly store: TableStore;
  readonly tables: TableIds;
}

export async function statusOf(recipe: Recipe, { outcome, newest, store, tables }: StatusSources): Promise<readonly StepStatus[]> {
  const found = new Map<string, StepOutcome>();
  const status: StepStatus[] = [];
  const environment = recipe.environment ?? "";
  for (const step of recipe.steps) {
    const { inputs: there, waitsFor } = inputsKnown(step, recipe, found);
    const inputs = await inputsByRows(step, there, { recipe, store, tables });
    const now = { step, inputs, seed: recipe.seed, environment };
    const known = waitsFor.length > 0 ? undefined : await outcome(stepKey(step, inputs, { seed: recipe.seed, environment }));
    if (known) {
      found.set(step.name, known);
      status.push({ step: step.name, state: { kind: "up-to-date", outcome: known } });
      continue;
    }
    const before = await newest(step.name);
    const changes = before ? changesSince(before, now) : [];
    if (waitsFor.length > 0) status.push({ step: step.name, state: { kind: "waits", for: waitsFor, changes } });
    else status.push({ step: step.name, state: before === undefined ? { kind: "never-ran" } : { kind: "changed", changes } });
  }
  return status;
}
