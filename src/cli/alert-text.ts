/** Alerts, silences, channels and notices on a terminal. */
import type { AlertDeclarationsView, AlertDetailView, AlertView, NoticeView, SilenceView, TestedView } from "../api/index.ts";
import { milliseconds, moment, plural } from "./format.ts";
import { styled, table, type Io } from "./io.ts";

const severityText = (io: Io, { severity, state }: AlertView): string =>
  state === "resolved" ? severity : styled(io, severity === "warning" ? "yellow" : "red", severity);
const stateText = (io: Io, state: AlertView["state"]): string => (state === "open" ? styled(io, "red", state) : state);

export const alertList = (io: Io, all: readonly AlertView[]): string =>
  table(
    io,
    ["about", "severity", "state", "endpoint", "since", "told", "what"],
    all.map((one) => [
      one.about,
      severityText(io, one),
      stateText(io, one.state),
      one.endpoint,
      moment(one.openedAt),
      one.channels.join(", ") || "nobody",
      one.title,
    ]),
    "no alert is open",
  );

export function alertDetail(io: Io, one: AlertDetailView): string {
  const { acknowledged } = one;
  const facts = [
    ["endpoint", one.endpoint],
    ["release", one.release],
    ["guardrail", one.guardrail],
    ["group", one.group],
  ].flatMap(([word, value]) => (value ? [`${word} ${value}`] : []));
  const lines = [
    `${styled(io, "bold", one.title)}  ${stateText(io, one.state)}`,
    `${one.about}, ${severityText(io, one)}, since ${moment(one.openedAt)}${one.resolvedAt === null ? "" : ` until ${moment(one.resolvedAt)}`}`,
    ...(facts.length > 0 ? [facts.join(", ")] : []),
    ...(one.done === null ? [] : [one.done]),
    ...(acknowledged ? [`acknowledged by ${acknowledged.by} at ${moment(acknowledged.at)}: ${acknowledged.reason}`] : []),
    `id ${one.id}`,
    "",
    table(
      io,
      ["time", "channel", "news", "state", "attempts", "last error"],
      one.tellings.map(({ at, deliveredAt, channel, news, state, attempts, lastError }) => [
        moment(deliveredAt ?? at),
        channel,
        news,
        state === "dead" ? styled(io, "red", state) : state,
        attempts,
        lastError,
      ]),
      "nobody was told",
    ),
  ];
  return lines.join("\n");
}

const matcherText = ({ matcher: { alert, endpoint, kind, guardrail } }: SilenceView): string =>
  [
    ["alert", alert],
    ["endpoint", endpoint],
    ["kind", kind],
    ["guardrail", guardrail],
  ]
    .flatMap(([word, value]) => (value === undefined ? [] : [`${word} ${value}`]))
    .join(", ");

export const silenceLine = (silence: SilenceView): string =>
  `nobody is told of ${matcherText(silence)} until ${moment(silence.until)}; undo: evenkeel alerts unsilence ${silence.id} --reason …`;

export const silenceList = (io: Io, all: readonly SilenceView[]): string =>
  table(
    io,
    ["silence", "of", "until", "state", "by", "why"],
    all.map((one) => [
      one.id,
      matcherText(one),
      moment(one.until),
      one.isOver ? "over" : styled(io, "yellow", "holds"),
      one.by,
      one.reason,
    ]),
    "no silence",
  );

export const testedList = (io: Io, tested: readonly TestedView[]): string =>
  table(
    io,
    ["channel", "kind", "told", "took", "why"],
    tested.map(({ channel, kind, isTold, ms, why, note }) => [
      channel,
      kind,
      isTold ? styled(io, "green", "yes") : styled(io, "red", "no"),
      milliseconds(ms),
      why ?? note,
    ]),
    "no channel yet: evenkeel apply -f <file>",
  );

export const noticeList = (io: Io, all: readonly NoticeView[]): string =>
  table(
    io,
    ["notice", "channel", "since", "attempts", "about", "last error"],
    all.map(({ id, channel, at, attempts, alerts, lastError }) => [
      id,
      channel,
      moment(at),
      attempts,
      alerts.map(({ about, news }) => `${about} ${news}`).join(", "),
      lastError,
    ]),
    "nothing was given up",
  );

export function channelList(io: Io, { channels, alerts }: AlertDeclarationsView): string {
  const who = alerts.map(({ name, endpoints, kinds, severity, tell, escalate = [] }) => [
    name,
    endpoints?.join(", ") ?? "all",
    kinds?.join(", ") ?? "all",
    severity ?? "warning",
    tell.join(", "),
    escalate.map((step) => `after ${step.after} ${step.tell.join(", ")}`).join("; ") || "nobody",
  ]);
  return [
    table(
      io,
      ["channel", "kind", "groups", "pending", "given up", "last error"],
      channels.map(({ name, kind, spec, pending, dead, lastError }) => [
        name,
        kind,
        spec.groups === true ? "named" : "hidden",
        pending,
        dead,
        lastError,
      ]),
      "no channel yet: evenkeel apply -f <file>",
    ),
    "",
    table(io, ["alerts", "endpoints", "kinds", "at least", "told", "then"], who, "nobody is told of anything yet"),
    ...(channels.length > 0 && alerts.length === 0 ? [`${plural(channels.length, "channel")}, and nothing says who is told of what`] : []),
  ].join("\n");
}
