/** A model card: all that is known of one model version, its data, its groups, where it serves and within which limits; gaps are said. */
import { groupsOf, readOutcomeTotals, readTotals } from "../decisions/index.ts";
import type { ModelVersion } from "../registry/index.ts";
import type { Store } from "../store/index.ts";
import type { EndpointRoom } from "./endpoint-room.ts";
import { partsIn, unknownOfModels, type MadeOf, type MadeOfParts } from "./made-of.ts";
import type { ReleaseInfo } from "./release-rows.ts";
import { placesOf } from "./route-table.ts";
import type { Place } from "./transition.ts";

/** How a release answered the people of one group, told singly by attribute. */
export interface ServedGroup {
  readonly attribute: string;
  readonly value: string;
  /** People whose answer is evidence: each once in 24 hours. */
  readonly counted: number;
  readonly favourable: number;
  /** Outcomes that became known, and how many of them are good. */
  readonly outcomes: number;
  readonly good: number;
}

export interface CardUse {
  readonly room: EndpointRoom;
  readonly release: ReleaseInfo;
  readonly places: readonly Place[];
  readonly isCondemned: boolean;
  /** Everybody together. */
  readonly served: Omit<ServedGroup, "attribute" | "value">;
  /** By attribute and value; only those whom the release has answered. */
  readonly groups: readonly ServedGroup[];
}

export interface ModelCard extends Pick<MadeOf, "featureSets" | "runs" | "datasets" | "unknown"> {
  readonly version: ModelVersion;
  readonly uses: readonly CardUse[];
}

export interface CardParts extends MadeOfParts {
  readonly db: Store["db"];
  /** The endpoints that the reader may know of. */
  readonly rooms: readonly EndpointRoom[];
}

/** Of one version, as it stands now. */
export async function modelCard(parts: CardParts, version: ModelVersion): Promise<ModelCard> {
  const root = { kind: "model_version", id: version.id } as const;
  const graph = await parts.registry.lineage.upstream(root);
  const { featureSets, runs, datasets } = await partsIn(parts, graph);
  const ids = new Set(await parts.registry.lineage.reached(root, "release"));
  const uses: CardUse[] = [];
  for (const room of parts.rooms)
    for (const release of room.releases.values()) if (ids.has(release.id)) uses.push(await useOf(parts.db, room, release));
  const known = { models: [version], runs, datasets, graph };
  return { version, featureSets, runs, datasets, uses, unknown: [...unknownOfModels(known), ...gapsIn(version, { datasets, uses })] };
}

async function useOf(db: Store["db"], room: EndpointRoom, release: ReleaseInfo): Promise<CardUse> {
  const filter = { endpoint: room.name, release: release.id };
  const { actions } = room.definition.spec;
  const groups = new Map<string, Sums>();
  const all = nothing();
  const add = (cell: string, change: (sums: Sums) => void) => {
    change(all);
    for (const [attribute, value] of Object.entries(groupsOf(cell))) {
      const key = JSON.stringify([attribute, value]);
      const sums = groups.get(key) ?? { ...nothing(), attribute, value };
      change(sums);
      groups.set(key, sums);
    }
  };
  for (const { arm, cell, action, counted } of await readTotals(db, filter)) {
    if (arm === "shadow" || arm === "pinned") continue;
    add(cell, (sums) => {
      sums.counted += counted;
      if (actions[action]?.favourable) sums.favourable += counted;
    });
  }
  for (const { arm, cell, good, count, corrections } of await readOutcomeTotals(db, filter)) {
    if (arm === "shadow" || arm === "pinned") continue;
    add(cell, (sums) => {
      sums.outcomes += count + corrections;
      if (good) sums.good += count + corrections;
    });
  }
  const served = [...groups.values()].flatMap(({ attribute = "", value = "", ...sums }) => [{ attribute, value, ...sums }]);
  return {
    room,
    release,
    places: placesOf(room.table, release.id),
    isCondemned: room.table.condemned.has(release.id),
    served: all,
    groups: served.toSorted((a, b) => (a.attribute === b.attribute ? compare(a.value, b.value) : compare(a.attribute, b.attribute))),
  };
}

interface Sums {
  attribute?: string;
  value?: string;
  counted: number;
  favourable: number;
  outcomes: number;
  good: number;
}
const nothing = (): Sums => ({ counted: 0, favourable: 0, outcomes: 0, good: 0 });
const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** What a reader of a card looks for and doesn't find here. Pure. */
function gapsIn(version: ModelVersion, { datasets, uses }: Pick<ModelCard, "datasets" | "uses">): string[] {
  const said: string[] = [];
  if (version.unservable !== null) said.push(`It can't be served here: ${version.unservable}`);
  if (version.featureSet === null) said.push("It was registered without a feature set: how its inputs are derived is not known.");
  if (datasets.length > 0 && datasets.every(({ version: { groups } }) => groups.length === 0))
    said.push("No protected attribute is declared in its training data: how groups are represented there is not known.");
  if (uses.length === 0) said.push("No release is made of it: it has answered nobody, so nothing is known of how it treats groups.");
  for (const { room, release, served } of uses) {
    if (served.counted === 0) said.push(`${room.name}/r${release.number} has answered nobody yet.`);
    else if (served.outcomes === 0)
      said.push(`No outcome of a decision by ${room.name}/r${release.number} is known yet: whether it errs more for some is not known.`);
    if ((room.definition.spec.guardrails ?? []).length === 0)
      said.push(`${room.name} has no guardrail: nothing limits how differently it may treat groups.`);
  }
  return said;
}
