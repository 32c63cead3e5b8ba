/** What differs in the making of two releases, player by player, with what differs in their data told in words. */
import { Type, type Static } from "typebox";
import type { DatasetDiffView, DatasetVersionView, FeatureSetView, ReleaseView } from "./api/index.ts";
import { checked, orNull } from "./checked.ts";
import { EvenkeelProblem, type EvenkeelClient } from "./client.ts";
import { changeText, codeDifferences, paramChanges, variableChanges, type Recipe, type RecipeStep } from "./pipelines/index.ts";
import { featureChangeText, featureSetChanges } from "./registry/index.ts";
import { makingOf } from "./retraining.ts";
import { canonicalJson, type Json } from "./store/index.ts";

/** One part of the making that differs. */
export interface PlayerDifference {
  /** `data`, `features`, `algorithm`, `hyperparameters`, `threshold`, `environment`, `seed`; `feature set`, `policy` and `model` as they serve. */
  readonly player: string;
  /** A step, a dataset, or nothing more than the player. */
  readonly of: string | null;
  /** Each in one line. */
  readonly changes: readonly string[];
}

export interface ReleaseDiff {
  readonly endpoint: string;
  readonly before: string;
  readonly after: string;
  readonly differences: readonly PlayerDifference[];
  /** What was compared and is the same. */
  readonly same: readonly string[];
  /** What can't be said, and why. */
  readonly unknown: readonly string[];
}

/** @param client - may read releases, runs, and the bytes of the registry */
export async function releaseDiff(
  client: EvenkeelClient,
  { endpoint, before, after }: { readonly endpoint: string; readonly before: string; readonly after: string },
): Promise<ReleaseDiff> {
  const [a, b] = [await releaseOf(client, endpoint, before), await releaseOf(client, endpoint, after)];
  const [madeA, madeB] = [await makingOf(client, endpoint, before), await makingOf(client, endpoint, after)];
  const unknown = [madeA, madeB].flatMap((made) => (made.ok ? [] : [made.error]));
  const making = madeA.ok && madeB.ok ? await makingDifferences(client, madeA.value.recipe, madeB.value.recipe) : [];
  const differences = [...making, ...(await servedDifferences(client, a, b, unknown))].filter(({ changes }) => changes.length > 0);
  const compared = [
    ...(madeA.ok && madeB.ok ? ["data", "features", "algorithm", "hyperparameters", "threshold", "environment", "seed"] : []),
    "feature set",
    "model",
    "policy",
  ];
  const same = compared.filter((player) => !differences.some((one) => one.player === player));
  return { endpoint, before, after, differences, same, unknown };
}

const releaseOf = (client: EvenkeelClient, endpoint: string, release: string) =>
  client.get<ReleaseView>(`/v1/endpoints/${encodeURIComponent(endpoint)}/releases/${encodeURIComponent(release)}`);

async function makingDifferences(client: EvenkeelClient, a: Recipe, b: Recipe): Promise<PlayerDifference[]> {
  const names = [...new Set([...a.steps, ...b.steps].map(({ name }) => name))];
  const [envA, envB] = [a.environment ?? "not recorded", b.environment ?? "not recorded"];
  return [
    ...(await dataDifferences(client, a, b)),
    ...names.flatMap((name) => stepDifferences(name, stepOf(a, name), stepOf(b, name))),
    { player: "environment", of: null, changes: envA === envB ? [] : [`${envA} → ${envB}`] },
    { player: "seed", of: null, changes: a.seed === b.seed ? [] : [`${a.seed} → ${b.seed}`] },
  ];
}

const stepOf = (recipe: Recipe, name: string) => recipe.steps.find((step) => step.name === name);

function stepDifferences(name: string, a: RecipeStep | undefined, b: RecipeStep | undefined): PlayerDifference[] {
  const step = b ?? a;
  if (!step) return [];
  if (!a || !b) return [{ player: step.role, of: name, changes: [b ? "the step is new" : "the step is gone"] }];
  const side = ({ capsule: code, executable = [] }: RecipeStep) => ({ code, executable });
  const code = [
    ...codeDifferences(side(a), side(b)).map(changeText),
    ...(a.cmd === b.cmd ? [] : [`command ${a.cmd} → ${b.cmd}`]),
    ...variableChanges(a.env, b.env).map(changeText),
    ...(connections(a) === connections(b) ? [] : ["it is connected to other steps or data"]),
    ...(canonicalJson(a.outs) === canonicalJson(b.outs) ? [] : ["its outputs are others"]),
  ];
  // What a features step is told is mostly the feature set, which is compared as such.
  const params = paramChanges(a.params, b.params).filter(({ before, now }) => !Array.isArray(before) && !Array.isArray(now));
  return [
    { player: b.role, of: name, changes: code },
    { player: b.role === "algorithm" ? "hyperparameters" : b.role, of: name, changes: params.map(changeText) },
  ];
}

/** Which data it is given is another question. */
const connections = ({ deps }: RecipeStep) =>
  canonicalJson(Object.entries(deps).map(([dep, from]) => [dep, from.kind === "step" ? `${from.step}.${from.out}` : from.kind]));

/** Input by input; two versions of a table are compared by the server. */
async function dataDifferences(client: EvenkeelClient, a: Recipe, b: Recipe): Promise<PlayerDifference[]> {
  const found: PlayerDifference[] = [];
  const seen = new Set<string>();
  for (const step of b.steps) {
    for (const [dep, now] of Object.entries(step.deps)) {
      const was = stepOf(a, step.name)?.deps[dep];
      if (now.kind === "dataset" && was?.kind === "dataset") {
        const [from, to] = [a.datasets[was.reference]?.version, b.datasets[now.reference]?.version];
        if (from === undefined || to === undefined || from === to || seen.has(`${from} ${to}`)) continue;
        seen.add(`${from} ${to}`);
        found.push({ player: "data", of: dep, changes: await tableChanges(client, from, to) });
      }
      if (now.kind === "external" && was?.kind === "external" && now.pin !== was.pin)
        found.push({ player: "data", of: dep, changes: [`${now.external}: ${was.pin} → ${now.pin}`] });
      if (now.kind === "file" && was?.kind === "file" && a.files?.[was.path] !== b.files?.[now.path] && !seen.has(now.path)) {
        seen.add(now.path);
        found.push({ player: "data", of: dep, changes: [`file ${now.path} has other bytes`] });
      }
    }
  }
  return found;
}

async function tableChanges(client: EvenkeelClient, from: string, to: string): Promise<string[]> {
  try {
    const { dataset } = await client.get<DatasetVersionView>("/v1/dataset-version", { reference: from });
    const diff = await client.get<DatasetDiffView>(`/v1/datasets/${encodeURIComponent(dataset)}/diff`, { from, to });
    const { rows, identity, verdict } = diff;
    const name = ({ dataset: of, number }: typeof diff.from) => `${of}/${number}`;
    const counts = `${rows.missing} rows missing, ${rows.added} new, ${rows.changed} changed`;
    return [`${name(diff.from)} → ${name(diff.to)}: ${identity}; ${counts}`, ...(verdict === null ? [] : [verdict])];
  } catch (error) {
    if (!(error instanceof EvenkeelProblem)) throw error;
    return [`${from} → ${to}: ${error.message}`];
  }
}

async function servedDifferences(client: EvenkeelClient, a: ReleaseView, b: ReleaseView, unknown: string[]): Promise<PlayerDifference[]> {
  const sides = [a, b].map((release) => ({ release, origin: originOf(release) }));
  const [modelA, modelB] = sides.map(({ release, origin }) => `${release.scorer} ${nameOf(origin.model)}`);
  return [
    { player: "feature set", of: null, changes: await featureChanges(client, a, b, unknown) },
    { player: "model", of: null, changes: modelA === modelB ? [] : [`${modelA} → ${modelB}`] },
    { player: "policy", of: null, changes: policyChanges(a.policy, b.policy) },
  ];
}

async function featureChanges(client: EvenkeelClient, a: ReleaseView, b: ReleaseView, unknown: string[]): Promise<string[]> {
  const [setA, setB] = [originOf(a).featureSet, originOf(b).featureSet];
  if (setA && setB) {
    if (setA.id === setB.id) return [];
    const named = ({ id: reference }: Named) => client.get<FeatureSetView>("/v1/feature-set", { reference });
    const [before, now] = [await named(setA), await named(setB)];
    return [`${nameOf(setA)} → ${nameOf(setB)}`, ...featureSetChanges(before.spec, now.spec).map(featureChangeText)];
  }
  if (canonicalJson(a.features) !== canonicalJson(b.features))
    return [`${a.features.join(", ") || "none"} → ${b.features.join(", ") || "none"}`];
  if (setA || setB) unknown.push("whether features of the same names are derived the same way: one of the releases names no feature set");
  return [];
}

const Named = Type.Object({ id: Type.String(), name: Type.String(), number: Type.Integer() });
type Named = Static<typeof Named>;
const checkOrigin = checked(Type.Object({ model: orNull(Named), featureSet: orNull(Named) }));

/** What a release says it was made from; nothing where it says it in another form. */
function originOf({ origin }: ReleaseView): { readonly model: Named | null; readonly featureSet: Named | null } {
  const known = checkOrigin(origin);
  return known.ok ? known.value : { model: null, featureSet: null };
}

const nameOf = (named: Named | null) => (named ? `${named.name}/${named.number}` : "of its own");

/** Bands by their action, so that a moved threshold is seen as one. */
function policyChanges(a: unknown, b: unknown): string[] {
  return paramChanges({ policy: byAction(a) }, { policy: byAction(b) }).map(changeText);
}

function byAction(policy: unknown): Json {
  if (typeof policy !== "object" || policy === null || !("bands" in policy) || !Array.isArray(policy.bands)) return asJson(policy);
  const bands: unknown[] = policy.bands;
  const entries = bands.map((band, i): [string, Json] => [actionOf(band) ?? String(i), asJson(band)]);
  const isUnique = new Set(entries.map(([action]) => action)).size === entries.length;
  return isUnique ? { ...asTree(policy), bands: Object.fromEntries(entries) } : asJson(policy);
}

const actionOf = (band: unknown): string | undefined =>
  typeof band === "object" && band !== null && "action" in band && typeof band.action === "string" ? band.action : undefined;
/** What an API answered is JSON. */
const asJson = (value: unknown): Json => value as Json;
const asTree = (value: object): Readonly<Record<string, Json>> => value as Readonly<Record<string, Json>>;
