/** Runs a recipe: what isn't cached, in the order of what needs what, independent steps side by side. */
import { assert, err, ok, type BlobId, type Result } from "../std.ts";
import type { Out } from "./declaration.ts";
import { stepKey, type Recipe, type RecipeStep, type StepKey, type StepInput } from "./recipe.ts";
import { KnownTables } from "./known-tables.ts";
import { inputsByRows, inputsKnown } from "./step-inputs.ts";
import type { Slots } from "../slots.ts";
import type { StepFailure, StepOutcome } from "./step-outcome.ts";
import { runStep, type StepSurroundings, type StepWork } from "./step-work.ts";

export interface RunOptions extends StepSurroundings {
  /** Commands side by side, over all recipes that are cooked with these. */
  readonly slots: Slots;
  readonly onProgress?: (event: StepProgress) => void;
}
export interface StepProgress {
  readonly step: string;
  readonly state: "cached" | "running" | "done" | "failed";
}

export interface Cooked {
  readonly recipe: Recipe;
  /** In the order of the steps. */
  readonly outcomes: readonly StepOutcome[];
  /** Steps that didn't have to run. */
  readonly cached: ReadonlySet<string>;
}
/** What is left of a recipe of which a step failed. */
export interface Spoiled {
  readonly recipe: Recipe;
  /** Those that ran when the first failed, too, where they failed as well. */
  readonly failures: readonly [StepFailure, ...StepFailure[]];
  /** Finished and kept: they needn't run again. */
  readonly kept: readonly StepOutcome[];
  readonly cached: ReadonlySet<string>;
  readonly notRun: readonly string[];
}

/** The bytes of the last output of a kind; undefined when no step gives one out. */
export function outOfKind({ recipe, outcomes }: Cooked, kind: Out["kind"]): BlobId | undefined {
  const found = recipe.steps.flatMap(({ name, outs }) =>
    Object.entries(outs).flatMap(([out, spec]) => (spec.kind === kind ? [outcomes.find(({ step }) => step === name)?.outs[out]] : [])),
  );
  return found.at(-1);
}

/** Steps that run at this moment, so that recipes cooked side by side run a shared step once. */
export type UnderWay = Map<StepKey, { readonly outcome: Promise<StepEnd>; readonly isWanted: (() => boolean)[] }>;
/** Undefined: nobody wanted it any more when its turn came. */
type StepEnd = Result<{ readonly outcome: StepOutcome; readonly isCached: boolean }, StepFailure> | undefined;

/**
 * Runs a recipe. Once a step has failed nothing new starts; what runs already is waited for, and kept when it ends well.
 * @throws Error when the server is lost; what had finished before is kept
 */
export async function cook(recipe: Recipe, options: RunOptions, underWay: UnderWay = new Map()): Promise<Result<Cooked, Spoiled>> {
  const ends = new Map<string, Promise<StepOutcome | undefined>>();
  const failures: StepFailure[] = [];
  const cached = new Set<string>();
  const tables = new KnownTables(options.scratch);
  let isBroken = false;
  const isGoingOn = () => failures.length === 0 && !isBroken && !(options.signal?.aborted ?? false);
  const one = async (step: RecipeStep): Promise<StepOutcome | undefined> => {
    const found = await inputsOf(step, recipe, ends);
    if (!found || !isGoingOn()) return undefined;
    const inputs = await inputsByRows(step, found, { recipe, store: options.store, tables });
    const key = stepKey(step, inputs, { seed: recipe.seed, environment: options.environment });
    const end = await shared({ recipe, step, inputs, key }, options, { underWay, isWanted: isGoingOn });
    if (!end) return undefined;
    if (!end.ok) {
      failures.push(end.error);
      return undefined;
    }
    if (end.value.isCached) cached.add(step.name);
    // Another step, of another pipeline even, may have been the same thing under another name.
    return { ...end.value.outcome, pipeline: recipe.pipeline, step: step.name };
  };
  for (const step of recipe.steps)
    ends.set(
      step.name,
      one(step).catch((error: unknown) => {
        isBroken = true;
        throw error;
      }),
    );
  const settled = await Promise.allSettled(ends.values());
  for (const end of settled) if (end.status === "rejected") throw end.reason;
  const outcomes = settled.flatMap((end) => (end.status === "fulfilled" && end.value ? [end.value] : []));
  const notRun = recipe.steps.map(({ name }) => name).filter((name) => !outcomes.some(({ step }) => step === name));
  if (notRun.length === 0) return ok({ recipe, outcomes, cached });
  const [first, ...others] = failures;
  if (!first) throw new StoppedError();
  const failed = new Set(failures.map(({ step }) => step));
  return err({ recipe, failures: [first, ...others], kept: outcomes, cached, notRun: notRun.filter((name) => !failed.has(name)) });
}

/** Somebody stopped it before a step had begun. */
export class StoppedError extends Error {
  override readonly name = "StoppedError";
  constructor() {
    super("stopped before its next step began");
  }
}

/** What goes into a step, once it is there; undefined where it never will be. */
async function inputsOf(
  step: RecipeStep,
  recipe: Recipe,
  ends: ReadonlyMap<string, Promise<StepOutcome | undefined>>,
): Promise<Readonly<Record<string, StepInput>> | undefined> {
  const done = new Map<string, StepOutcome>();
  for (const from of Object.values(step.deps)) {
    if (from.kind !== "step") continue;
    const outcome = await ends.get(from.step);
    if (!outcome) return undefined;
    done.set(from.step, outcome);
  }
  return inputsKnown(step, recipe, done).inputs;
}

/** A step that ran twice with the very same things. */
export interface Repeated {
  readonly first: StepOutcome;
  readonly again: StepOutcome;
}

/** Runs a step once more although its outcome is known; what it needs comes from the cache, or is run. */
export async function repeat(recipe: Recipe, name: string, options: RunOptions): Promise<Result<Repeated, Spoiled>> {
  const cooked = await cook(recipe, options);
  if (!cooked.ok) return cooked;
  const { outcomes } = cooked.value;
  const [step, first] = [recipe.steps.find((one) => one.name === name), outcomes.find((one) => one.step === name)];
  assert(step && first, `the recipe has the step ${name}`);
  const { inputs: found } = inputsKnown(step, recipe, new Map(outcomes.map((outcome) => [outcome.step, outcome])));
  const inputs = await inputsByRows(step, found, { recipe, store: options.store, tables: new KnownTables(options.scratch) });
  options.onProgress?.({ step: name, state: "running" });
  const again = await runStep({ recipe, step, inputs, key: first.key }, options);
  if (again.ok) return ok({ first, again: again.value });
  return err({ recipe, failures: [again.error], kept: outcomes, cached: cooked.value.cached, notRun: [] });
}

/** Once, however many recipes ask for it. */
async function shared(
  work: StepWork,
  options: RunOptions,
  { underWay, isWanted }: { readonly underWay: UnderWay; readonly isWanted: () => boolean },
): Promise<StepEnd> {
  const running = underWay.get(work.key);
  if (running) {
    running.isWanted.push(isWanted);
    const end = await running.outcome;
    if (!end?.ok) return end;
    options.onProgress?.({ step: work.step.name, state: "cached" });
    return ok({ ...end.value, isCached: true });
  }
  const askers = [isWanted];
  const outcome = stepOnce(work, options, () => askers.some((asker) => asker())).finally(() => underWay.delete(work.key));
  underWay.set(work.key, { outcome, isWanted: askers });
  return outcome;
}

/** From the cache, else by running it. */
async function stepOnce(work: StepWork, options: RunOptions, isWanted: () => boolean): Promise<StepEnd> {
  const { name: step } = work.step;
  const { store, slots, onProgress } = options;
  const known = await store.outcome(work.key);
  if (known) {
    onProgress?.({ step, state: "cached" });
    return ok({ outcome: known, isCached: true });
  }
  return slots.within(async () => {
    if (!isWanted()) return undefined;
    onProgress?.({ step, state: "running" });
    const done = await runStep(work, options);
    if (done.ok) await store.saveOutcome(done.value);
    onProgress?.({ step, state: done.ok ? "done" : "failed" });
    return done.ok ? ok({ outcome: done.value, isCached: false }) : done;
  });
}
