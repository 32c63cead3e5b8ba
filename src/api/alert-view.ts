/** Alerts, what was told of them, silences and channels, as the API gives them. */
import { Type, type Static } from "typebox";
import { mayDo, type Principal } from "../access/index.ts";
import { orNull } from "../checked.ts";
import {
  AlertsSpec,
  ChannelSpec,
  Matcher,
  alertKinds,
  groupFor,
  newsWords,
  noticeStates,
  severities,
  titleFor,
  type Alert,
  type AlertStatus,
  type ChannelStatus,
  type Silence,
  type StoredNotice,
  type Telling,
} from "../monitoring/index.ts";
import { iso } from "./iso.ts";

export const AlertView = Type.Object(
  {
    id: Type.String(),
    about: Type.String({ description: "incident/7, sink/archive: the same for each time that it comes" }),
    kind: Type.Enum([...alertKinds]),
    severity: Type.Enum([...severities]),
    state: Type.Enum(["open", "silenced", "acknowledged", "resolved"]),
    title: Type.String(),
    endpoint: orNull(Type.String()),
    release: orNull(Type.String()),
    guardrail: orNull(Type.String()),
    group: orNull(Type.String({ description: "“one group” to whoever may not see groups" })),
    done: orNull(Type.String({ description: "What was done about it" })),
    channels: Type.Array(Type.String(), { description: "Told by now, or would be if it weren't silenced" }),
    openedAt: Type.String(),
    resolvedAt: orNull(Type.String()),
    acknowledged: orNull(Type.Object({ at: Type.String(), by: Type.String(), reason: Type.String() })),
  },
  { title: "Alert" },
);
export type AlertView = Static<typeof AlertView>;

export const TellingView = Type.Object(
  {
    notice: Type.String(),
    channel: Type.String(),
    news: Type.Enum([...newsWords]),
    state: Type.Enum([...noticeStates], { description: "dead: given up; dropped: its channel was removed" }),
    attempts: Type.Integer(),
    at: Type.String(),
    deliveredAt: orNull(Type.String()),
    lastError: orNull(Type.String()),
  },
  { title: "Telling" },
);
export type TellingView = Static<typeof TellingView>;
export const AlertDetailView = Type.Object(
  { ...AlertView.properties, tellings: Type.Array(TellingView, { description: "Oldest first" }) },
  { title: "AlertDetail" },
);
export type AlertDetailView = Static<typeof AlertDetailView>;

export const SilenceView = Type.Object(
  {
    id: Type.String(),
    matcher: Matcher,
    isOver: Type.Boolean(),
    from: Type.String(),
    until: Type.String(),
    by: Type.String(),
    reason: Type.String(),
    endedBy: orNull(Type.String()),
  },
  { title: "Silence" },
);
export type SilenceView = Static<typeof SilenceView>;

export const ChannelView = Type.Object(
  {
    name: Type.String(),
    kind: Type.Enum(["webhook", "slack", "email", "pagerduty", "alertmanager"]),
    pending: Type.Integer({ description: "Notices on their way" }),
    dead: Type.Integer({ description: "Notices that were given up" }),
    lastError: orNull(Type.String({ description: "Of what waits or was given up" })),
    spec: ChannelSpec,
  },
  { title: "Channel" },
);
export type ChannelView = Static<typeof ChannelView>;
export const AlertDeclarationsView = Type.Object(
  { channels: Type.Array(ChannelView), alerts: Type.Array(AlertsSpec) },
  { title: "AlertDeclarations" },
);
export type AlertDeclarationsView = Static<typeof AlertDeclarationsView>;

export const NoticeView = Type.Object(
  {
    id: Type.String(),
    channel: Type.String(),
    endpoint: orNull(Type.String()),
    state: Type.Enum([...noticeStates]),
    alerts: Type.Array(Type.Object({ id: Type.String(), about: Type.String(), news: Type.Enum([...newsWords]), title: Type.String() })),
    attempts: Type.Integer(),
    at: Type.String(),
    lastError: orNull(Type.String()),
  },
  { title: "Notice" },
);
export type NoticeView = Static<typeof NoticeView>;

export const TestedView = Type.Object(
  {
    channel: Type.String(),
    kind: Type.String(),
    isTold: Type.Boolean(),
    why: orNull(Type.String({ description: "Why it wasn't told" })),
    note: orNull(Type.String()),
    ms: Type.Number(),
  },
  { title: "TestedChannel" },
);
export type TestedView = Static<typeof TestedView>;

const readerOf = (principal: Principal) => ({ seesGroups: mayDo(principal, "protected:read") });

export function alertView({ alert, isSilenced, channels }: AlertStatus, principal: Principal): AlertView {
  const { id, key, kind, facts, openedAtMs, resolvedAtMs, acked } = alert;
  const reader = readerOf(principal);
  return {
    id,
    about: key,
    kind,
    severity: facts.severity,
    state: stateOf(alert, isSilenced),
    title: titleFor(facts, reader),
    endpoint: facts.endpoint,
    release: facts.release,
    guardrail: facts.guardrail,
    group: groupFor(facts, reader),
    done: facts.done?.text ?? null,
    channels: [...channels],
    openedAt: iso(openedAtMs),
    resolvedAt: resolvedAtMs === null ? null : iso(resolvedAtMs),
    acknowledged: acked && { at: iso(acked.atMs), by: acked.by, reason: acked.reason },
  };
}

function stateOf({ resolvedAtMs, acked }: Alert, isSilenced: boolean): AlertView["state"] {
  if (resolvedAtMs !== null) return "resolved";
  if (acked) return "acknowledged";
  return isSilenced ? "silenced" : "open";
}

export const tellingView = ({ createdAtMs, settledAtMs, state, ...telling }: Telling): TellingView => ({
  ...telling,
  state,
  at: iso(createdAtMs),
  deliveredAt: state === "delivered" && settledAtMs !== null ? iso(settledAtMs) : null,
});

export const silenceView = ({ id, matcher, fromMs, untilMs, by, reason, endedBy }: Silence, nowMs: number): SilenceView => ({
  id,
  matcher: { ...matcher },
  isOver: untilMs <= nowMs,
  from: iso(fromMs),
  until: iso(untilMs),
  by,
  reason,
  endedBy,
});

export const channelView = ({ spec, pending, dead, lastError }: ChannelStatus): ChannelView => ({
  name: spec.name,
  kind: spec.target.kind,
  pending,
  dead,
  lastError,
  spec,
});

export const noticeView = (notice: StoredNotice, principal: Principal): NoticeView => ({
  id: notice.id,
  channel: notice.channel,
  endpoint: notice.endpoint,
  state: notice.state,
  alerts: notice.entries.map(({ alert, key, news, facts }) => ({
    id: alert,
    about: key,
    news,
    title: titleFor(facts, readerOf(principal)),
  })),
  attempts: notice.attempts,
  at: iso(notice.createdAtMs),
  lastError: notice.lastError,
});
