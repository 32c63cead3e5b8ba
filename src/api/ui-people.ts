/** The people that an incident touched, as its page shows them. */
import type { Principal } from "../access/index.ts";
import type { AffectedPerson } from "../redress/index.ts";
import { breachIn, type Incident } from "../releases/index.ts";
import { namesFor } from "./incident-routes.ts";
import type { UiParts } from "./ui-parts.ts";
import type { AffectedPersonView, WhoView } from "./ui-view.ts";

export async function whoView(parts: UiParts, incident: Incident, principal: Principal): Promise<WhoView | null> {
  const cases = await parts.redress.cases(incident.n);
  if (cases.length === 0) return null;
  const names = namesFor(parts.releases, incident.endpoint, principal);
  const breach = breachIn(incident);
  const isBetter = (one: (typeof cases)[number]) => one.class === "harmed" || one.class === "worse_terms";
  const counts = (some: typeof cases) => {
    const isHidden = !names.areVisible && some.length < 10;
    return {
      people: isHidden ? null : some.length,
      better: isHidden ? null : some.filter(isBetter).length,
      worse: isHidden ? null : some.filter((one) => one.class === "benefited").length,
    };
  };
  const room = parts.releases.room(incident.endpoint);
  const declared = room.ok ? (room.value.definition.spec.groups ?? {}) : {};
  const groups = Object.entries(declared).flatMap(([attribute, values]) =>
    values.map((value) => ({
      attribute,
      group: names.word(attribute, value),
      ...counts(cases.filter((one) => one.groups[attribute] === value)),
      isHarmed: breach?.group[attribute] === value,
    })),
  );
  const policy = room.ok
    ? room.value
        .info(incident.release)
        .bundle.policy.bands.toSorted((a, b) => b.from - a.from)
        .map(({ action }) => action)
    : [];
  const actions = [...new Set([...policy, ...cases.flatMap(({ before, after }) => (after === null ? [before] : [before, after]))])];
  const flips = actions.map((before) => actions.map((after) => cases.filter((one) => one.before === before && one.after === after).length));
  return {
    ...counts(cases),
    reasonChanged: cases.filter((one) => one.class === "reason_changed").length,
    notReplayable: cases.filter((one) => one.class === "not_replayable").length,
    groups,
    actions,
    flips,
  };
}

export function personView(
  { decision, decidedAtMs, class: found, groups, before, after, reason }: AffectedPerson,
  seesGroups: boolean,
): AffectedPersonView | undefined {
  if (found === "unchanged") return undefined;
  return {
    decision,
    decidedMs: decidedAtMs,
    class: found,
    groups: seesGroups ? Object.values(groups).map((value) => value.replaceAll("_", " ")) : [],
    before: { ...before },
    after: after && { ...after },
    note: reason,
  };
}
