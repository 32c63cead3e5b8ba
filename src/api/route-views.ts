/** Releases, transitions and route tables as a reader may see them. */
import { mayDo, type Principal } from "../access/index.ts";
import { placesOf, standbyOf, subjectOf, type EndpointRoom, type ReleaseInfo, type Switched, type Transition } from "../releases/index.ts";
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
    canary: table.canary && { release: room.nameOf(table.canary.release), share: table.canary.share },
    shadows: table.shadows.map((id) => room.nameOf(id)),
    standby: standby && room.nameOf(standby),
    fallback: room.nameOf(table.fallback),
    condemned: [...table.condemned.keys()].map((id) => room.nameOf(id)),
    held: table.hold && { by: table.hold.actor.name, reason: reasonFor(table.hold, names) },
  };
}

export function transitionView(room: EndpointRoom, transition: Transition, names: GroupNames): TransitionRecordView {
  const { generation, change, actor, atMs } = transition;
  const subject = subjectOf(change);
  const from = change.kind === "promoted" || change.kind === "rolled-back" ? change.from : null;
  return {
    generation,
    kind: change.kind,
    release: subject && room.nameOf(subject),
    from: from && room.nameOf(from),
    share: "share" in change ? change.share : null,
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
    case "canary-started":
    case "canary-changed":
      return `evenkeel release stop ${room.name} ${room.nameOf(change.release)} ${text}`;
    case "shadow-stopped":
      return `evenkeel deploy ${room.name} --release ${room.nameOf(change.release)} --as shadow ${text}`;
    case "canary-stopped":
      return `evenkeel deploy ${room.name} --release ${room.nameOf(change.release)} --as canary:<percent> ${text}`;
    case "reinstated":
      return `evenkeel rollback ${room.name} ${text} (once it serves)`;
    default:
      return "nothing to take back";
  }
}
