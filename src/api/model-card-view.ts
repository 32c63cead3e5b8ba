/** A model card as a reader may see it: groups by their names only for those who may see them. */
import { Type, type Static } from "typebox";
import { orNull } from "../checked.ts";
import type { CardUse, ModelCard } from "../releases/index.ts";
import { SMALL_CELL, type GroupNames } from "./group-names.ts";
import { iso } from "./iso.ts";
import { partsFields, partsView } from "./made-of-view.ts";

const Rate = orNull(Type.Number({ description: "null: nothing is known" }));
const Served = {
  counted: orNull(Type.Integer({ description: "People; null where they are too few to be shown to this reader" })),
  favourableRate: Rate,
  outcomes: orNull(Type.Integer()),
  goodRate: Rate,
};
const DataView = Type.Object({
  version: Type.String(),
  rows: Type.Integer(),
  columns: Type.Array(Type.Object({ name: Type.String(), type: Type.String(), empty: Type.Integer() })),
  groups: orNull(
    Type.Array(
      Type.Object({
        group: Type.String(),
        rows: Type.Integer(),
        rates: Type.Record(Type.String(), Type.Number(), { description: "Share of each label" }),
      }),
      { description: "By protected attribute; null without protected:read" },
    ),
  ),
});
const UseView = Type.Object({
  endpoint: Type.String(),
  release: Type.String(),
  name: Type.String(),
  places: Type.Array(Type.String()),
  isCondemned: Type.Boolean(),
  served: Type.Object(Served),
  groups: Type.Array(Type.Object({ group: Type.String(), ...Served })),
  limits: Type.Object({
    description: orNull(Type.String()),
    guardrails: Type.Array(
      Type.Object({ name: Type.String(), metric: Type.String(), limit: Type.Number(), action: Type.String(), groups: Type.String() }),
    ),
    inputs: Type.Array(Type.Object({ name: Type.String(), takes: Type.String() })),
    actions: Type.Array(Type.String()),
  }),
});

const { models: _models, ...parts } = partsFields;
export const ModelCardView = Type.Object(
  {
    model: Type.String(),
    version: Type.Integer(),
    id: Type.String(),
    blob: Type.String(),
    aliases: Type.Array(Type.String()),
    registeredAt: Type.String(),
    registeredBy: Type.String(),
    features: orNull(Type.Array(Type.String(), { description: "In its order; null where it doesn't say" })),
    ...parts,
    data: Type.Array(DataView),
    uses: Type.Array(UseView),
    unknown: Type.Array(Type.String(), { description: "What nobody knows, one sentence each" }),
  },
  { title: "ModelCard" },
);
export type ModelCardView = Static<typeof ModelCardView>;

/** @param namesOf - how groups of an endpoint are called for this reader */
export function modelCardView(
  card: ModelCard,
  { seesGroups, namesOf }: { readonly seesGroups: boolean; readonly namesOf: (use: CardUse) => GroupNames },
): ModelCardView {
  const { version } = card;
  const { models: _none, ...shown } = partsView({ ...card, models: [] });
  return {
    model: version.model,
    version: version.number,
    id: version.id,
    blob: version.blob,
    aliases: [...version.aliases],
    registeredAt: iso(version.createdAtMs),
    registeredBy: version.createdBy,
    features: version.signature ? [...version.signature.features] : null,
    ...shown,
    data: card.datasets.map(({ version: { dataset, number, rows, profile, groups } }) => ({
      version: `${dataset}/${number}`,
      rows,
      columns: profile.columns.map(({ name, type, empty }) => ({ name, type, empty })),
      groups: seesGroups
        ? groups
            .filter(({ group }) => Object.keys(group).length === 1)
            .map(({ group, rows: count, rates }) => ({ group: labelOf(group), rows: count, rates: { ...rates } }))
        : null,
    })),
    uses: card.uses.map((use) => useView(use, namesOf(use))),
    unknown: [...card.unknown],
  };
}

function useView(use: CardUse, names: GroupNames): ModelCardView["uses"][number] {
  const { room, release, places, isCondemned, served, groups } = use;
  const { spec } = room.definition;
  return {
    endpoint: room.name,
    release: `r${release.number}`,
    name: release.name,
    places: [...places],
    isCondemned,
    served: servedView(served, true),
    groups: groups.map(({ attribute, value, ...sums }) => ({
      group: names.label({ [attribute]: value }),
      ...servedView(sums, names.areVisible || sums.counted >= SMALL_CELL),
    })),
    limits: {
      description: spec.description ?? null,
      guardrails: (spec.guardrails ?? []).map(({ name, metric, limit, action, groups: watched }) => ({
        name,
        metric,
        limit,
        action,
        groups: watched === undefined ? "all" : typeof watched === "string" ? watched : watched.join(", "),
      })),
      inputs: Object.entries(spec.inputs).map(([name, input]) => ({ name, takes: takesText(input, names.areVisible) })),
      actions: Object.keys(spec.actions),
    },
  };
}

type Sums = Pick<CardUse["served"], "counted" | "favourable" | "outcomes" | "good">;
function servedView({ counted, favourable, outcomes, good }: Sums, isShown: boolean) {
  if (!isShown) return { counted: null, favourableRate: null, outcomes: null, goodRate: null };
  return { counted, favourableRate: counted > 0 ? favourable / counted : null, outcomes, goodRate: outcomes > 0 ? good / outcomes : null };
}

const labelOf = (group: Readonly<Record<string, string>>): string =>
  Object.entries(group)
    .map(([attribute, value]) => `${attribute}=${value}`)
    .join(", ");

/** Values of texts may be those of groups. */
function takesText(input: object, seesGroups: boolean): string {
  const type = "type" in input ? String(input.type) : "a value";
  const between = "min" in input && "max" in input ? `, ${String(input.min)} to ${String(input.max)}` : "";
  const values = seesGroups && "values" in input && Array.isArray(input.values) ? `: ${input.values.join(", ")}` : "";
  return `${type}${between}${values}`;
}
