/** From what each column of a model's rows moved to the report that is stored and told. Pure. */
import type { RecordedDecision } from "../decisions/index.ts";
import { toldFeatures, type Inputs, type LoadedRelease, type RowValue, type ScorerRows, type ToldFeature } from "../serving/index.ts";
import { principalReasons, towardsAction, type Moved } from "./principal-reasons.ts";
import type { Reference } from "./reason-reference.ts";
import type { ReasonsReport } from "./reasons-report.ts";

/** What the explained columns moved, by whichever method. */
export interface Found {
  readonly method: ReasonsReport["method"];
  readonly scale: ReasonsReport["scale"];
  readonly contributions: Float64Array;
  readonly standardErrors: Float64Array | null;
  readonly from: number;
  readonly to: number;
  readonly people: number;
}

/** A rule says itself why it gave its score. */
export function byRules({ id, action, favourable, score, reasons }: RecordedDecision): ReasonsReport {
  const told = reasons.map((text) => ({ code: null, text, features: [], contribution: null, share: null, standardError: null }));
  const nothing = { reference: null, from: null, to: null, withheld: null, others: null };
  return { decision: id, action, favourable, score, method: "rules", scale: "score", reasons: told, ...nothing };
}

export function composed(
  decision: RecordedDecision,
  release: LoadedRelease,
  rows: ScorerRows,
  reference: Reference,
  { method, scale, contributions, standardErrors, from, to, people }: Found,
): ReasonsReport {
  const told = columnsOf(release, rows);
  const moved = told.map((feature, i): Moved => ({
    feature,
    contribution: contributions[i] ?? Number.NaN,
    standardError: standardErrors?.[i] ?? 0,
  }));
  const { action, favourable, score } = decision;
  const isFavourable = (name: string) => release.endpoint.actions[name]?.favourable ?? false;
  const towards = towardsAction(
    release.bundle.policy,
    { score: score ?? Number.NaN, isFavourable: favourable, difference: to - from },
    isFavourable,
  );
  const { reasons, withheld, others } = principalReasons(moved, { towards, isFavourable: favourable });
  return {
    decision: decision.id,
    action,
    favourable,
    score,
    method,
    scale,
    reference: {
      id: reference.id,
      source: reference.source,
      people,
      meanScore: reference.scores.reduce((sum, each) => sum + each, 0) / reference.scores.length,
    },
    from,
    to,
    reasons: reasons.map((reason) => ({ ...reason, features: [...reason.features] })),
    withheld: withheld && { ...withheld, attributes: [...withheld.attributes], features: [...withheld.features] },
    others,
  };
}

/** What is told of each column of the scorer's rows. An input that is sent as it came is told as the feature that passes it through. */
function columnsOf({ bundle, endpoint }: LoadedRelease, { columns }: ScorerRows): readonly ToldFeature[] {
  const { features } = bundle.features;
  if (columns.kind === "features") return toldOf(bundle.features, endpoint);
  const passed = columns.names.map((name) => features.find((feature) => "from" in feature && feature.from === name));
  return toldOf({ name: bundle.features.name, features: columns.names.map((name, i) => ({ ...passed[i], name, from: name })) }, endpoint);
}

/** Loading the release has checked its features. */
function toldOf(set: LoadedRelease["bundle"]["features"], endpoint: LoadedRelease["endpoint"]): readonly ToldFeature[] {
  const told = toldFeatures(set, endpoint);
  if (!told.ok) throw new Error(`features of a loaded release: ${JSON.stringify(told.error)}`);
  return told.value;
}

/** Inputs that features of reasons pass through. What is computed of several has no value of its own that the person gave. */
export function valuesIn(
  features: LoadedRelease["bundle"]["features"]["features"],
  inputs: Inputs,
  named: ReadonlySet<string>,
): Readonly<Record<string, RowValue>> {
  const values: Record<string, RowValue> = {};
  for (const name of named) {
    const feature = features.find((each) => each.name === name);
    if (!feature || "from" in feature) values[name] = inputs[feature && "from" in feature ? feature.from : name] ?? null;
  }
  return values;
}
