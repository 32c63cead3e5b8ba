/** What a release is made of, as far as the registry knows it, and in words what nobody knows. */
import { parseRecipe, type StepRole } from "../pipelines/index.ts";
import type { DatasetVersion, FeatureSetVersion, LineageGraph, ModelVersion, Registry, RunDetail } from "../registry/index.ts";
import type { Blobs } from "../store/index.ts";
import { unreachable, type BlobId, type FeatureSetId } from "../std.ts";
import type { ReleaseInfo } from "./release-rows.ts";

/** The code of a run: as the run's pipeline captured it, or as its client said where it is. */
export interface RunCode {
  readonly commit: string | null;
  /** The file that ran, in the client's words. */
  readonly source: string | null;
  /** The recipe that makes the run again, with every file of its steps by content; null where no pipeline of ours ran. */
  readonly recipe: BlobId | null;
  readonly steps: readonly CodeStep[];
}
export interface CodeStep {
  readonly pipeline: string;
  readonly name: string;
  readonly role: StepRole;
  /** Of the project, by their paths: its code, and what it reads beside its inputs. */
  readonly files: Readonly<Record<string, BlobId>>;
  readonly deps: readonly (
    | { readonly kind: "dataset"; readonly version: string }
    | { readonly kind: "step"; readonly step: string; readonly out: string }
    | { readonly kind: "external"; readonly external: string; readonly pin: string }
  )[];
  readonly outs: readonly string[];
}

export interface UsedRun {
  readonly run: RunDetail;
  readonly code: RunCode;
}

export interface UsedDataset {
  readonly version: DatasetVersion;
  /** The very bytes that were read: versions with the same rows in another order have one id and several blobs. */
  readonly blob: BlobId;
}

export interface MadeOf {
  readonly release: ReleaseInfo;
  readonly models: readonly ModelVersion[];
  readonly featureSets: readonly FeatureSetVersion[];
  readonly runs: readonly UsedRun[];
  readonly datasets: readonly UsedDataset[];
  readonly graph: LineageGraph;
  /** One sentence each; empty where everything is known. */
  readonly unknown: readonly string[];
}

export interface MadeOfParts {
  readonly registry: Registry;
  readonly blobs: Pick<Blobs, "get" | "has" | "size">;
}

/** Of one release, with all that lies upstream. */
export async function madeOf({ registry, blobs }: MadeOfParts, release: ReleaseInfo): Promise<MadeOf> {
  const graph = await registry.lineage.upstream({ kind: "release", id: release.id });
  const parts = await partsIn({ registry, blobs }, graph);
  return { release, graph, ...parts, unknown: unknownOf({ release, graph, ...parts }) };
}

/** What the nodes of a graph stand for, each kind in the order of the graph. */
export async function partsIn(
  { registry, blobs }: MadeOfParts,
  { nodes }: LineageGraph,
): Promise<Pick<MadeOf, "models" | "featureSets" | "runs" | "datasets">> {
  const models: ModelVersion[] = [];
  const featureSets: FeatureSetVersion[] = [];
  const runs: (UsedRun & CodeFound)[] = [];
  const versions: DatasetVersion[] = [];
  for (const { kind, id } of nodes) {
    if (kind === "model_version") keep(models, await registry.models.resolve(id));
    if (kind === "dataset_version") keep(versions, await registry.datasets.get(id));
    if (kind === "feature_set") {
      const set = await registry.featureSets.get(asFeatureSetId(id));
      if (set) featureSets.push(set);
    }
    if (kind === "run") {
      const run = await registry.runs.get(id);
      if (run.ok) runs.push(await usedRun(blobs, run.value));
    }
  }
  const read = new Map(runs.flatMap((run) => [...run.read]));
  return {
    models,
    featureSets,
    runs: runs.map(({ run, code }) => ({ run, code })),
    datasets: versions.map((version) => ({ version, blob: read.get(version.id) ?? version.blob })),
  };
}

function keep<T>(list: T[], found: { readonly ok: true; readonly value: T } | { readonly ok: false }): void {
  if (found.ok) list.push(found.value);
}

/** The artifact under which a run of a pipeline keeps its recipe. */
const RECIPE = "recipe.json";
/** Anybody may log a file of any size under that name. */
const RECIPE_BYTES_MAX = 64 * 1024 * 1024;

interface CodeFound {
  /** Dataset versions by id: the bytes that the run read. */
  readonly read: ReadonlyMap<string, BlobId>;
}

/** A run with the code that it kept, or that its client named. */
export async function usedRun(blobs: MadeOfParts["blobs"], run: RunDetail): Promise<UsedRun & CodeFound> {
  const { artifacts, tags } = run;
  const said = { commit: tags["mlflow.source.git.commit"] ?? tags["git.commit"] ?? null, source: tags["mlflow.source.name"] ?? null };
  const recipe = artifacts.find(({ path }) => path === RECIPE)?.blob;
  const isReadable = recipe !== undefined && (await blobs.has(recipe)) && (await blobs.size(recipe)) <= RECIPE_BYTES_MAX;
  const parsed = isReadable ? parseRecipe(jsonOf(await blobs.get(recipe))) : undefined;
  if (recipe === undefined || !parsed?.ok) return { run, code: { ...said, recipe: null, steps: [] }, read: new Map() };
  const { pipeline, steps, datasets, files = {} } = parsed.value;
  const stepsKept = steps.map(({ name, role, capsule, deps, outs }): CodeStep => {
    const known = Object.values(deps).flatMap((dep): CodeStep["deps"][number][] => {
      if (dep.kind === "step") return [{ kind: "step", step: dep.step, out: dep.out }];
      if (dep.kind === "file") return [];
      if (dep.kind === "external") return [{ ...dep }];
      const version = datasets[dep.reference]?.version;
      return version === undefined ? [] : [{ kind: "dataset", version }];
    });
    const inputs = Object.values(deps).flatMap((dep) => (dep.kind === "file" ? [dep.path] : []));
    const read = Object.entries(files).filter(([path]) => inputs.includes(path));
    return { pipeline, name, role, files: { ...capsule, ...Object.fromEntries(read) }, deps: known, outs: Object.keys(outs) };
  });
  return {
    run,
    code: { ...said, recipe, steps: stepsKept },
    read: new Map(Object.values(datasets).map(({ version, blob }) => [version, blob])),
  };
}

/** An artifact is whatever somebody logged: what isn't JSON is no recipe. */
function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    return undefined;
  }
}

/** Where the record has gaps: said, never filled. Pure. */
export function unknownOf({ release, models, runs, datasets, graph }: Omit<MadeOf, "unknown">): readonly string[] {
  const said: string[] = [];
  const { scorer } = release.bundle;
  switch (scorer.kind) {
    case "rules":
      break;
    case "onnx":
      if (models.length === 0)
        said.push(`The model file ${scorer.model} was never registered as a version: nothing is known of how it was made.`);
      break;
    case "http":
      said.push(`The model answers behind ${scorer.url}: which version of it answered, and what that was made of, is known there only.`);
      break;
    case "container":
      said.push(`The model is inside the image ${scorer.image}: what it was made of is not known here.`);
      break;
    default:
      unreachable(scorer);
  }
  said.push(...unknownOfModels({ models, runs, datasets, graph }));
  if (!graph.isComplete) said.push("There is more upstream than is shown: the search ended at its bound.");
  return said;
}

/** The same of models, without a release around them. */
export function unknownOfModels({ models, runs, datasets, graph }: Pick<MadeOf, "models" | "runs" | "datasets" | "graph">): string[] {
  const said: string[] = [];
  for (const { model, number, id } of models)
    if (!graph.edges.some(({ from, to }) => from.kind === "run" && to.id === id))
      said.push(`No run is known that made ${model}/${number}: its data, parameters and code are not known.`);
  for (const { run, code } of runs) {
    const name = `Run ${run.name} (${run.id})`;
    if (!run.inputs.some(({ kind }) => kind === "dataset_version")) said.push(`${name} names no dataset version that it was trained on.`);
    if (code.recipe === null && code.commit === null) said.push(`${name} kept neither its code nor a commit.`);
  }
  for (const { kind, id } of graph.nodes)
    if (kind === "dataset_version" && !datasets.some(({ version }) => version.id === id))
      said.push(`Dataset version ${id} was named as an input; the registry does not have it.`);
  return said;
}

/** Only looked up: a text that is no id is not found. */
const asFeatureSetId = (text: string): FeatureSetId => text as FeatureSetId;
