/** Releases, transitions and route tables as a reader may see them. */
import { mayDo, type Principal } from "../access/index.ts";
import {
  placesOf,
  standbyOf,
  subjectOf,
  type AbTest,
  type Change,
  type EndpointRoom,
  type ReleaseInfo,
  type Switched,
  type Transition,
} from "../releases/index.ts";
import type { ReleaseId } from "../std.ts";
import type { ReleaseView, RouteTableView, SwitchView, TransitionRecordView } from "./endpoint-view.ts";
import { GroupNames } from "./group-names.ts";
import { iso } from "./iso.ts";
import { reasonFor } from "./shown-reason.ts";

export const namesIn = (room: EndpointRoom, principal: Principal) =>
  new GroupNames(room.definition.spec.groups ?? {}, mayDo(principal, "protected:read"));

export function routeView(room: EndpointRoom, names: GroupNames): RouteTableView {
  const { table } = room;
  const standby = standbyOf(table);
  return {
    endpoint: room.name,
    generation: table.generation,
    live: room.nameOf(table.live),
    liveSince: iso(room.liveSinceMs),
    canary: table.canary && { ...table.canary, release: room.nameOf(table.canary.release) },
    ab: table.ab && abSummary(room, table.ab),
    shadows: table.shadows.map(({ release, share }) => ({ release: room.nameOf(release), share })),
    standby: standby && room.nameOf(standby),
    fallback: room.nameOf(table.fallback),
    condemned: [...table.condemned.keys()].map((id) => room.nameOf(id)),
    held: table.hold && { by: table.hold.actor.name, reason: reasonFor(table.hold, names) },
  };
}

export function abSummary(room: EndpointRoom, { arms, sinceMs, answers, untilMs }: AbTest): NonNullable<RouteTableView["ab"]> {
  const total = arms.reduce((sum, { weight }) => sum + weight, 0);
  return {
    arms: arms.map(({ release, weight }) => ({ release: room.nameOf(release), weight, share: weight / total })),
    since: iso(sinceMs),
    answers,
    until: untilMs === null ? null : iso(untilMs),
  };
}

/** Of the people, where a change gives a release only some. */
export const shareIn = (change: Change): number | null => ("share" in change ? (change.share ?? null) : null);

export function transitionView(room: EndpointRoom, transition: Transition, names: GroupNames): TransitionRecordView {
  const { generation, change, actor, atMs } = transition;
  const subject = subjectOf(change);
  const from = change.kind === "promoted" || change.kind === "rolled-back" ? change.from : null;
  return {
    generation,
    kind: change.kind,
    release: subject && room.nameOf(subject),
    from: from && room.nameOf(from),
    share: shareIn(change),
    when: ("when" in change ? change.when : undefined) ?? null,
    automatic: "automatic" in change ? change.automatic : actor.kind === "system",
    actor: actor.name,
    reason: reasonFor(transition, names),
    at: iso(atMs),
  };
}

export function releaseView(room: EndpointRoom, info: ReleaseInfo): ReleaseView {
  const { id, bundle, name, origin, createdAtMs, createdBy } = info;
  return {
    release: `r${info.number}`,
    id,
    endpoint: room.name,
    name,
    scorer: bundle.scorer.kind,
    origin,
    features: bundle.features.features.map((feature) => feature.name),
    policy: bundle.policy,
    groupThresholds: bundle.policy.by ? (room.definition.spec.allow_group_thresholds ?? null) : null,
    places: [...placesOf(room.table, id)],
    isCondemned: room.table.condemned.has(id),
    createdAt: iso(createdAtMs),
    createdBy,
  };
}

export function switchView(
  room: EndpointRoom,
  names: GroupNames,
  { transition, switchedUs, drainedUs }: Switched,
  before: ReleaseId,
): SwitchView {
  return {
    route: routeView(room, names),
    switchedMs: switchedUs / 1000,
    drainedMs: drainedUs / 1000,
    undo: undoOf(room, transition, before),
  };
}

/** The command that takes a transition back. */
function undoOf(room: EndpointRoom, { change }: Transition, before: ReleaseId): string {
  const text = '--reason "…"';
  switch (change.kind) {
    case "promoted":
      return `evenkeel rollback ${room.name} --keep ${text}`;
    case "rolled-back": {
      const reinstate = change.condemned ? `evenkeel release reinstate ${room.name} ${room.nameOf(before)} ${text} && ` : "";
      return `${reinstate}evenkeel promote ${room.name} ${room.nameOf(before)} ${text}`;
    }
    case "rollout-started":
    case "rollout-advanced":
    case "rollout-approved":
    case "rollout-continued":
      return `evenkeel rollout abort ${room.name} ${text}`;
    case "rollout-paused":
      return `evenkeel rollout continue ${room.name} ${text}`;
    case "shadow-started":
    case "shadow-changed":
    case "canary-started":
    case "canary-changed":
      return `evenkeel release stop ${room.name} ${room.nameOf(change.release)} ${text}`;
    case "shadow-stopped":
      return `evenkeel deploy ${room.name} --release ${room.nameOf(change.release)} --as shadow ${text}`;
    case "canary-stopped":
      return `evenkeel deploy ${room.name} --release ${room.nameOf(change.release)} --as canary:<percent> ${text}`;
    case "ab-started":
      return `evenkeel ab end ${room.name} ${text}`;
    case "reinstated":
      return `evenkeel rollback ${room.name} ${text} (once it serves)`;
    default:
      return "nothing to take back";
  }
}
