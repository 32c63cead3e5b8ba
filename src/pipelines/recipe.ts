/**
 * A recipe is one run of a pipeline with everything by content: code, parameters, inputs. It can be cooked again on any machine, and two
 * recipes can be mixed player by player: that is how blame builds its hybrids. Pure.
 */
import { contentId, type Json } from "../store/index.ts";
import { assert, type BlobId, type Brand } from "../std.ts";
import type { DepSource, Out, StepRole } from "./declaration.ts";

/** `step:` and a hash over all that a step's outcome may depend on. */
export type StepKey = Brand<string, "StepKey">;

/** The parts of the making that can be to blame. A step's code and its parameters are different ones. */
export const makingPlayers = ["data", "features", "algorithm", "hyperparameters", "threshold"] as const;
export type MakingPlayer = (typeof makingPlayers)[number];

export interface RecipeStep {
  readonly name: string;
  readonly role: StepRole;
  readonly cmd: string;
  /** The declared code, captured: path in the pipeline's folder → bytes. */
  readonly capsule: Readonly<Record<string, BlobId>>;
  /** Those of the captured files that are programs; left out when none is. */
  readonly executable?: readonly string[];
  /** The named subtrees of the parameters. */
  readonly params: Readonly<Record<string, Json>>;
  readonly deps: Readonly<Record<string, DepSource>>;
  readonly outs: Readonly<Record<string, Out>>;
  readonly metrics: string | null;
  readonly timeoutMs: number;
  /** Left out where the bytes of its inputs count. */
  readonly order?: "insensitive";
  /** Variables of the environment as they were, null for one that wasn't set; left out when it names none. */
  readonly env?: Readonly<Record<string, string | null>>;
}

/** What goes into a step. */
export type StepInput =
  | (Exclude<DepSource, { readonly kind: "external" }> & {
      readonly blob: BlobId;
      /** Of a dataset: the version's id. */
      readonly version?: string;
      /** Of a dataset that is a folder. */
      readonly layout?: "folder";
      /** Where the order of rows doesn't matter to the step: the logical id of the table. */
      readonly table?: string;
    })
  | Extract<DepSource, { readonly kind: "external" }>;

/** A version of a dataset. */
export interface KnownDataset {
  readonly version: string;
  /** The file; of a folder, the list of its files. */
  readonly blob: BlobId;
  /** Left out for a file. */
  readonly layout?: "folder";
}

export interface Recipe {
  readonly pipeline: string;
  readonly steps: readonly RecipeStep[];
  /** Dataset references (`name@tag`) as they were when the recipe was written: version and bytes. */
  readonly datasets: Readonly<Record<string, KnownDataset>>;
  /** Files of the pipeline's folder that are inputs, by path; left out when there are none. */
  readonly files?: Readonly<Record<string, BlobId>>;
  /** What it ran in when it was recorded. Where it is cooked again, that machine's own counts. */
  readonly environment?: string;
  /** The files that say so, where the declaration names any. */
  readonly locks?: readonly string[];
  readonly seed: number;
}

/** The key of a step whose inputs are `inputs`: the same key, the same outcome, as far as the step is deterministic. */
export function stepKey(
  step: RecipeStep,
  inputs: Readonly<Record<string, StepInput>>,
  { seed, environment }: { readonly seed: number; readonly environment: string },
): StepKey {
  const { cmd, capsule, executable, params, outs, metrics, env } = step;
  const ids = Object.fromEntries(Object.entries(inputs).map(([dep, input]) => [dep, identityOf(input)]));
  return contentId<"StepKey">("step", { cmd, capsule, executable, params, inputs: ids, outs, metrics, seed, environment, env });
}

/** What stands for an input in the key: its bytes; the rows of a table where their order doesn't matter; of what isn't kept here, its pin. */
export function identityOf(input: StepInput): string {
  if (input.kind === "external") return contentId("ext", { external: input.external, pin: input.pin });
  return input.table ?? input.blob;
}

/** Which player a step's code, and which its parameters, belong to. */
function playersOf(role: StepRole): { readonly code: MakingPlayer; readonly params: MakingPlayer } {
  return role === "algorithm" ? { code: "algorithm", params: "hyperparameters" } : { code: role, params: role };
}

/** What one player contributes to a recipe, as a value that can be compared. */
function shareOf(recipe: Recipe, player: MakingPlayer): Json {
  const steps = recipe.steps.flatMap((step): Json[] => {
    const owner = playersOf(step.role);
    const code = owner.code === player ? { cmd: step.cmd, capsule: step.capsule, executable: step.executable, env: step.env } : null;
    const params = owner.params === player ? { params: step.params } : null;
    return code || params ? [{ step: step.name, ...code, ...params }] : [];
  });
  if (player !== "data") return { steps };
  const externals = recipe.steps.flatMap(({ deps }) =>
    Object.values(deps).flatMap((from) => (from.kind === "external" ? [{ ...from }] : [])),
  );
  return { steps, datasets: Object.values(recipe.datasets).map(({ blob }) => blob), files: recipe.files, externals };
}

/** The players in which two recipes differ; one that is equal by content can't be to blame. */
export function differingPlayers(good: Recipe, bad: Recipe): readonly MakingPlayer[] {
  return makingPlayers.filter((player) => contentId("p", shareOf(good, player)) !== contentId("p", shareOf(bad, player)));
}

/** Why two recipes can't be mixed, in words, or undefined: hybrids need the same steps with the same connections. */
export function mixingTrouble(good: Recipe, bad: Recipe): string | undefined {
  const shape = ({ steps }: Recipe) =>
    steps.map(({ name, role, deps }) => ({
      name,
      role,
      deps: Object.entries(deps).map(([dep, from]) => [dep, from.kind === "step" ? `${from.step}.${from.out}` : from.kind]),
    }));
  return contentId("s", shape(good)) === contentId("s", shape(bad))
    ? undefined
    : "the two pipelines have different steps, or connect them differently";
}

/** The recipe with the bad one's part for every player in `fromBad`, and the good one's for all others. */
export function hybrid(good: Recipe, bad: Recipe, fromBad: ReadonlySet<MakingPlayer>, seed: number): Recipe {
  const pick = (player: MakingPlayer) => (fromBad.has(player) ? bad : good);
  const steps = good.steps.map((step): RecipeStep => {
    const owner = playersOf(step.role);
    const code = stepOf(pick(owner.code), step.name);
    const params = stepOf(pick(owner.params), step.name);
    return { ...code, params: params.params, deps: withData(code.deps, stepOf(pick("data"), step.name).deps) };
  });
  return {
    pipeline: good.pipeline,
    steps,
    datasets: { ...good.datasets, ...bad.datasets, ...pick("data").datasets },
    files: { ...good.files, ...bad.files, ...pick("data").files },
    seed,
  };
}

/** Which version of the data a step is given, and which state of what isn't kept here, goes with the data; all else with the step's code. */
const withData = (deps: RecipeStep["deps"], data: RecipeStep["deps"]): RecipeStep["deps"] =>
  Object.fromEntries(
    Object.entries(deps).map(([dep, from]) => [dep, from.kind === "dataset" || from.kind === "external" ? (data[dep] ?? from) : from]),
  );

function stepOf(recipe: Recipe, name: string): RecipeStep {
  const step = recipe.steps.find((one) => one.name === name);
  assert(step, `recipe ${recipe.pipeline} has the step ${name}: mixingTrouble was asked`);
  return step;
}
