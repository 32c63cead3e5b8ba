/** What alerts are made of. Pure: data as it is decided on and as it is stored. */
import { Type, type Static } from "typebox";
import { object, orNull } from "../../checked.ts";

/**
 * - `incident`: a release was found to harm or to fail, by a guardrail, by itself or by a person.
 * - `guardrail`: a proven breach that opens no incident: it warns, holds rollouts, or ends a shadow.
 * - `drill`: the last rehearsal of a rollback failed.
 * - `fallback`: an endpoint goes on being answered by its rule of last resort, and no incident says why.
 * - `expectation`: what comes in is proven not to be as the endpoint expects.
 * - `sink`: decisions are recorded here and don't arrive where they should.
 * - `channel`: alerts themselves don't arrive.
 */
export const alertKinds = ["incident", "guardrail", "drill", "fallback", "expectation", "sink", "channel"] as const;
export type AlertKind = (typeof alertKinds)[number];

/** From what can wait until morning to what can't wait. */
export const severities = ["warning", "error", "critical"] as const;
export type Severity = (typeof severities)[number];

/** What a guardrail had in hand. No counts: those of a small group would tell of single people. */
const Figures = object({
  metric: Type.String(),
  /** Null where a side is so small that it would tell of single people, or nothing can be computed. */
  estimate: orNull(Type.Number()),
  limit: Type.Number(),
  evidence: Type.Number(),
  needed: Type.Number(),
  decisions: Type.Number(),
});

/** What is told of an alert, by channels of every kind. Nothing about single people, nothing that a person typed. */
export const Facts = object({
  severity: Type.Enum([...severities]),
  /** What happened, a sentence without its full stop: `r3 turned down applicants with education high school`. */
  title: Type.String(),
  /** The same for whoever may not know which group: `r3 turned down applicants of one group`. */
  blindTitle: Type.String(),
  endpoint: orNull(Type.String()),
  release: orNull(Type.String()),
  guardrail: orNull(Type.String()),
  /** `education=high_school`; null where it is about everybody. */
  group: orNull(Type.String()),
  figures: orNull(Figures),
  /** What was done about it, a sentence without its full stop; null while nothing was. `ms`: how long that took from the proof. */
  done: orNull(object({ text: Type.String(), ms: orNull(Type.Number()) })),
  /** Of the page about it, below the server's public address; null where it has none. */
  path: orNull(Type.String()),
  /** The command that shows more. */
  command: Type.String(),
  /** Channels that the guardrail itself names; null where it names none. */
  tell: orNull(Type.Array(Type.String())),
});
export type Facts = Static<typeof Facts>;

/** Facts of what belongs to no endpoint. */
export const ABOUT_NOTHING: Omit<Facts, "severity" | "title" | "blindTitle" | "command"> = {
  endpoint: null,
  release: null,
  guardrail: null,
  group: null,
  figures: null,
  done: null,
  path: null,
  tell: null,
};

/** Something that holds now and that somebody should know of. */
export interface Condition {
  /** What it is about, the same as long as it holds: `incident/7`. */
  readonly key: string;
  readonly kind: AlertKind;
  readonly facts: Facts;
}

/** A condition from when it was first seen to hold until it no longer does: one life of it. */
export interface Alert extends Condition {
  readonly id: string;
  /** When it was opened; what it is now is among the facts. Labels of Alertmanager must not change. */
  readonly openedAs: Severity;
  readonly openedAtMs: number;
  /** When something was last worth telling again. */
  readonly changedAtMs: number;
  readonly resolvedAtMs: number | null;
  readonly acked: { readonly atMs: number; readonly by: string; readonly reason: string } | null;
}

/** What a channel was last told of an alert. */
export interface Told {
  readonly alert: string;
  readonly channel: string;
  readonly atMs: number;
  /** The alert's `changedAtMs` as it was told. */
  readonly changedAtMs: number;
  readonly isAcked: boolean;
  readonly isResolved: boolean;
}

/** Of alerts that match in all that is given, nobody is told. */
export const Matcher = object({
  alert: Type.Optional(Type.String({ description: "Id of one alert, or what it is about: incident/7" })),
  endpoint: Type.Optional(Type.String()),
  kind: Type.Optional(Type.Enum([...alertKinds])),
  guardrail: Type.Optional(Type.String()),
});
export type Matcher = Static<typeof Matcher>;

export interface Silence {
  readonly id: string;
  readonly matcher: Matcher;
  readonly fromMs: number;
  readonly untilMs: number;
  readonly by: string;
  readonly reason: string;
  /** Who ended it before its time. */
  readonly endedBy: string | null;
}

export const isSilencedBy = (alert: Alert, { matcher, fromMs, untilMs }: Silence, nowMs: number): boolean =>
  fromMs <= nowMs &&
  nowMs < untilMs &&
  (matcher.alert === undefined || matcher.alert === alert.id || matcher.alert === alert.key) &&
  (matcher.endpoint === undefined || matcher.endpoint === alert.facts.endpoint) &&
  (matcher.kind === undefined || matcher.kind === alert.kind) &&
  (matcher.guardrail === undefined || matcher.guardrail === alert.facts.guardrail);

/** What is new about an alert for a channel. */
export const newsWords = ["opened", "escalated", "changed", "acknowledged", "repeated", "resolved"] as const;
export type News = (typeof newsWords)[number];

/** One alert in a notice, as it was when the notice was made. */
export const Entry = object({
  alert: Type.String(),
  key: Type.String(),
  kind: Type.Enum([...alertKinds]),
  news: Type.Enum([...newsWords]),
  openedAs: Type.Enum([...severities]),
  openedAtMs: Type.Number(),
  resolvedAtMs: orNull(Type.Number()),
  facts: Facts,
});
export type Entry = Static<typeof Entry>;

/** One message to one channel. */
export interface Notice {
  /** The same in every attempt. */
  readonly id: string;
  readonly channel: string;
  readonly endpoint: string | null;
  /** At least one; the most severe first. */
  readonly entries: readonly Entry[];
  readonly createdAtMs: number;
}
