/** What goes into a step. */
import { assert, type BlobId } from "../std.ts";
import type { TableIds } from "./known-tables.ts";
import type { Recipe, RecipeStep, StepInput } from "./recipe.ts";
import type { StepOutcome } from "./step-outcome.ts";

/** Pure. @param done - outcomes of steps, as far as there are any; what isn't there is waited for */
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
    } else if (from.kind === "external") {
      inputs[dep] = from;
    } else {
      const blob = recipe.files?.[from.path];
      assert(blob, `${recipe.pipeline} has its file ${from.path}`);
      inputs[dep] = { ...from, blob };
    }
  }
  return { inputs, waitsFor };
}

/** Where tables are fetched from that nobody has read yet. */
export interface TableStore {
  getFile(id: BlobId, path: string): Promise<void>;
}

/** Where the order of rows doesn't matter to the step, inputs that are tables with the id of their rows; all others as they are. */
export async function inputsByRows(
  step: RecipeStep,
  inputs: Readonly<Record<string, StepInput>>,
  { recipe, store, tables }: { readonly recipe: Recipe; readonly store: TableStore; readonly tables: TableIds },
): Promise<Readonly<Record<string, StepInput>>> {
  if (step.order === undefined) return inputs;
  const known: Record<string, StepInput> = {};
  for (const [dep, input] of Object.entries(inputs)) {
    known[dep] = input;
    if (input.kind === "external" || !mayBeTable(input, recipe)) continue;
    const table = await tables.idOf(input.blob, (path) => store.getFile(input.blob, path));
    if (table !== null) known[dep] = { ...input, table };
  }
  return known;
}

/** Whether some step is to be told by their rows what this output is. */
export const isReadByRows = (recipe: Recipe, step: string, out: string): boolean =>
  recipe.steps.some(
    ({ order, deps }) =>
      order !== undefined && Object.values(deps).some((from) => from.kind === "step" && from.step === step && from.out === out),
  ) && isTable(recipe.steps.find(({ name }) => name === step)?.outs[out]?.kind);

const isTable = (kind: string | undefined) => kind === "table" || kind === "matrix";
/** Of a file in the pipeline's folder. */
export const isTableFile = (path: string): boolean => TABLE_FILE.test(path);
const TABLE_FILE = /[.](csv|ndjson|jsonl|parquet)$/i;

function mayBeTable(input: Exclude<StepInput, { readonly kind: "external" }>, recipe: Recipe): boolean {
  if (input.kind === "step") return isTable(recipe.steps.find(({ name }) => name === input.step)?.outs[input.out]?.kind);
  return input.kind === "dataset" ? input.layout === undefined : isTableFile(input.path);
}
