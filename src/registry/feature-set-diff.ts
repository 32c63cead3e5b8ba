/** What differs between two feature sets, feature by feature. Pure. */
import { unreachable } from "../std.ts";
import type { FeatureSetSpec, FeatureSpec } from "./feature-set-spec.ts";

/** Positions count from 1, as people do. */
export type FeatureChange =
  | { readonly kind: "added"; readonly feature: string; readonly position: number; readonly now: string }
  | { readonly kind: "removed"; readonly feature: string; readonly position: number; readonly before: string }
  /** It comes from the inputs in another way: models see other numbers. */
  | { readonly kind: "derivation"; readonly feature: string; readonly before: string; readonly now: string }
  /** Only what people are told of it: models see the same. */
  | {
      readonly kind: "told";
      readonly feature: string;
      readonly field: "text" | "reason" | "code";
      readonly before: string | null;
      readonly now: string | null;
    }
  /** The features that are in both stand in another order: models would mistake them for each other. */
  | { readonly kind: "order"; readonly before: readonly string[]; readonly now: readonly string[] };

/** How a feature comes from the inputs: `from income`, or its expression. */
export const derivationOf = (feature: FeatureSpec): string => ("cel" in feature ? feature.cel : `from ${feature.from}`);

export function featureSetChanges(before: FeatureSetSpec, now: FeatureSetSpec): readonly FeatureChange[] {
  const [was, is] = [byName(before), byName(now)];
  const removed = before.features.flatMap((feature, i): FeatureChange[] =>
    is.has(feature.name) ? [] : [{ kind: "removed", feature: feature.name, position: i + 1, before: derivationOf(feature) }],
  );
  const others = now.features.flatMap((feature, i): FeatureChange[] => {
    const old = was.get(feature.name);
    return old ? changesOf(old, feature) : [{ kind: "added", feature: feature.name, position: i + 1, now: derivationOf(feature) }];
  });
  const orderBefore = before.features.map(({ name }) => name).filter((name) => is.has(name));
  const orderNow = now.features.map(({ name }) => name).filter((name) => was.has(name));
  const isReordered = orderBefore.some((name, i) => name !== orderNow[i]);
  return [...removed, ...others, ...(isReordered ? [{ kind: "order", before: orderBefore, now: orderNow } as const] : [])];
}

const byName = ({ features }: FeatureSetSpec) => new Map(features.map((feature) => [feature.name, feature]));

function changesOf(before: FeatureSpec, now: FeatureSpec): FeatureChange[] {
  const [was, is] = [derivationOf(before), derivationOf(now)];
  const told = (["text", "reason", "code"] as const).flatMap((field): FeatureChange[] => {
    const [old, current] = [before[field] ?? null, now[field] ?? null];
    return old === current ? [] : [{ kind: "told", feature: now.name, field, before: old, now: current }];
  });
  return was === is ? told : [{ kind: "derivation", feature: now.name, before: was, now: is }, ...told];
}

/** A change in one line. */
export function featureChangeText(change: FeatureChange): string {
  switch (change.kind) {
    case "added":
      return `+ ${change.feature} at ${change.position}: ${change.now}`;
    case "removed":
      return `- ${change.feature} at ${change.position}: ${change.before}`;
    case "derivation":
      return `~ ${change.feature}: ${change.before} → ${change.now}`;
    case "told":
      return `  ${change.feature}: its ${change.field} ${quoted(change.before)} → ${quoted(change.now)}; models see the same`;
    case "order":
      return `~ order: ${change.before.join(", ")} → ${change.now.join(", ")}`;
    default:
      return unreachable(change);
  }
}

const quoted = (text: string | null) => (text === null ? "nothing" : `"${text}"`);

/** One version of a feature set, as a history sees it. */
export interface VersionOfSet {
  readonly name: string;
  readonly number: number;
  readonly spec: FeatureSetSpec;
}

/** What happened to one feature in one version of a set. */
export interface FeatureEvent<V extends VersionOfSet> {
  readonly version: V;
  readonly change: Exclude<FeatureChange, { kind: "order" }> | { readonly kind: "moved"; readonly from: number; readonly to: number };
}

/** The life of a feature through the versions of every set that has or had it: sets by name, versions in their order. */
export function featureHistory<V extends VersionOfSet>(versions: readonly V[], feature: string): readonly FeatureEvent<V>[] {
  const sets = Map.groupBy(versions, ({ name }) => name);
  return [...sets.keys()].toSorted().flatMap((name) => {
    const inOrder = (sets.get(name) ?? []).toSorted((a, b) => a.number - b.number);
    return inOrder.flatMap((version, i) => eventsOf(inOrder[i - 1], version, feature));
  });
}

function eventsOf<V extends VersionOfSet>(before: V | undefined, version: V, feature: string): FeatureEvent<V>[] {
  const changes = featureSetChanges(before?.spec ?? { name: version.name, features: [] }, version.spec);
  const own = changes.flatMap((change) => (change.kind !== "order" && change.feature === feature ? [{ version, change }] : []));
  const places = [before, version].map((one) => one?.spec.features.findIndex(({ name }) => name === feature) ?? -1);
  const [from = -1, to = -1] = places;
  // It may stand elsewhere only because others came or went; a model is asked by place, so that is told too.
  return from >= 0 && to >= 0 && from !== to ? [...own, { version, change: { kind: "moved", from: from + 1, to: to + 1 } }] : own;
}
