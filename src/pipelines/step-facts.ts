/** What is known of every step of a run: the list that a run keeps, and that lineage is told from. */
import { Type } from "typebox";
import { checked, orNull } from "../checked.ts";
import type { BlobId, Result } from "../std.ts";
import { Role } from "./declaration.ts";
import type { Cooked, Spoiled } from "./run.ts";
import type { StepFacts } from "./step-outcome.ts";

/** How a step came to be in a run. */
export interface StepOfRun extends StepFacts {
  /** Its outcome was there before: the times are those when it really ran. */
  readonly isCached: boolean;
}

/** The steps of a run in the order of the recipe, failed ones too; one recorded before there were facts is left out. */
export async function stepFactsOf(
  cooked: Result<Cooked, Spoiled>,
  getBlob: (blob: BlobId) => Promise<Buffer>,
): Promise<readonly StepOfRun[]> {
  const { recipe, cached } = cooked.ok ? cooked.value : cooked.error;
  const outcomes = cooked.ok ? cooked.value.outcomes : cooked.error.kept;
  const failures = cooked.ok ? [] : cooked.error.failures;
  const found: StepOfRun[] = [];
  for (const { name, role } of recipe.steps) {
    const own = { pipeline: recipe.pipeline, step: name, role };
    const outcome = outcomes.find(({ step }) => step === name);
    if (outcome?.facts)
      found.push({ ...parseStepFacts((await getBlob(outcome.facts)).toString("utf8")), ...own, isCached: cached.has(name) });
    const failure = failures.find(({ step }) => step === name);
    if (failure) found.push({ ...failure.facts, ...own, isCached: false });
  }
  return found;
}

/** A run's `steps.json`. @throws Error when somebody else has put something else there */
export function parseStepsOfRun(text: string): readonly StepOfRun[] {
  const value: unknown = JSON.parse(text);
  const steps = check(value);
  if (steps.ok) return asStepsOfRun(steps.value);
  const [first] = steps.error;
  throw new Error(`steps.json can't be read: ${first?.path ?? ""} should be ${first?.expected ?? "a list of steps"}`);
}

/** The facts of one step, as its outcome names them. @throws Error when somebody else has put something else there */
export function parseStepFacts(text: string): StepFacts {
  const facts = checkFacts(JSON.parse(text));
  if (facts.ok) return asFacts(facts.value);
  const [first] = facts.error;
  throw new Error(`the facts of a step can't be read: ${first?.path ?? ""} should be ${first?.expected ?? "there"}`);
}

const Blob = Type.String({ pattern: "^sha256:[0-9a-f]{64}$" });
const Facts = Type.Object({
  pipeline: Type.String(),
  step: Type.String(),
  role: Role,
  key: Type.String(),
  cmd: Type.String(),
  code: Type.Record(Type.String(), Blob),
  executable: Type.Array(Type.String()),
  params: Type.Record(Type.String(), Type.Unknown()),
  env: Type.Optional(Type.Record(Type.String(), orNull(Type.String()))),
  inputs: Type.Record(
    Type.String(),
    Type.Union([
      Type.Object({ kind: Type.Enum(["step", "dataset", "file"]), blob: Blob }),
      Type.Object({ kind: Type.Literal("external"), external: Type.String(), pin: Type.String() }),
    ]),
  ),
  outs: Type.Record(Type.String(), Type.Object({ path: Type.String(), kind: Type.String(), blob: Blob })),
  metrics: Type.Record(Type.String(), Type.Number()),
  metricsPath: orNull(Type.String()),
  seed: Type.Integer(),
  environment: Type.String(),
  lineage: Type.Object({
    state: Type.Enum(["complete", "incomplete", "unobserved"]),
    by: Type.Array(Type.String()),
    undeclaredReads: Type.Array(Type.String()),
  }),
  startedAtMs: Type.Number(),
  endedAtMs: Type.Number(),
  log: orNull(Blob),
  failure: orNull(Type.String()),
});
const checkFacts = checked(Facts);
const check = checked(Type.Array(Type.Object({ ...Facts.properties, isCached: Type.Boolean() })));

/** Checked above; what is `unknown` in it came from JSON. */
const asStepsOfRun = (value: readonly unknown[]): readonly StepOfRun[] => value as readonly StepOfRun[];
const asFacts = (value: unknown): StepFacts => value as StepFacts;
