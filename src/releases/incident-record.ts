/** What is kept of an incident: what a breach or a person opened, and what became of it. */
import { Type, type Static } from "typebox";
import { checked, object, orNull } from "../checked.ts";
import { Breach } from "../monitoring/index.ts";
import type { EndpointName, ReleaseId } from "../std.ts";
import { Actor, Place } from "./transition.ts";

const Release = Type.Unsafe<ReleaseId>(Type.String({ minLength: 1 }));

/**
 * - `open`: harm may go on; somebody is needed.
 * - `contained`: the release decides about nobody any more.
 * - `in_review`: the people it touched are being looked at.
 * - `resolved`: cause known, people put right.
 * - `closed`: nothing more will happen.
 */
export const incidentStates = ["open", "contained", "in_review", "resolved", "closed"] as const;
export type IncidentState = (typeof incidentStates)[number];

/** From where to where an incident may go. A closed one stays closed: a new finding opens a new incident. */
export const nextStates: Readonly<Record<IncidentState, readonly IncidentState[]>> = {
  open: ["contained", "in_review", "closed"],
  contained: ["in_review", "resolved", "closed"],
  in_review: ["contained", "resolved", "closed"],
  resolved: ["in_review", "closed"],
  closed: [],
};

/** Where a person can say that an incident has come to. That a release is contained is found, not said. */
export const saidStates = ["in_review", "resolved", "closed"] as const satisfies readonly IncidentState[];
export type SaidState = (typeof saidStates)[number];
/** Where a person can move an incident from here. */
export const movesFrom = (state: IncidentState): readonly SaidState[] => saidStates.filter((to) => nextStates[state].includes(to));

const Side = object({
  n: Type.Number(),
  favourableBefore: Type.Number(),
  favourableAfter: Type.Number(),
  better: Type.Number(),
  worse: Type.Number(),
});
/** One target that was asked before the rollback, and what it said. */
export const CandidateTried = object({
  release: Release,
  number: Type.Number(),
  isFallback: Type.Boolean(),
  passes: Type.Boolean(),
  /** Why it wasn't taken; null where it was. */
  why: orNull(Type.String()),
  figures: orNull(
    object({
      asked: Type.Number(),
      unanswered: Type.Number(),
      harmed: Side,
      reference: Side,
      ratioBefore: orNull(Type.Number()),
      ratioAfter: orNull(Type.Number()),
    }),
  ),
  durationUs: Type.Number(),
});
export type CandidateTried = Static<typeof CandidateTried>;

/** Durations are counted from the proof: the moment when the guardrail handed over its breach. */
export const RollbackFacts = object({
  from: Release,
  to: Release,
  generation: Type.Number(),
  automatic: Type.Boolean(),
  /** Until the new table was what every new request meets. */
  switchedUs: Type.Number(),
  /** Until the last answer of the old table had been given. */
  drainedUs: orNull(Type.Number()),
  /** Valid requests of the endpoint that got no answer between the proof and the last answer of the old table. */
  failedRequests: orNull(Type.Number()),
});
export type RollbackFacts = Static<typeof RollbackFacts>;

export const IncidentBody = object({
  /** The finding in words. */
  title: Type.String(),
  openedBy: Actor,
  reason: Type.String(),
  /** Where the release was when the incident was opened; null: nowhere any more. */
  place: orNull(Place),
  guardrail: orNull(Type.String()),
  group: orNull(Type.String()),
  /** What the guardrail handed over (monitoring's `Breach`); null for an incident that a person opened. */
  breach: Type.Unknown(),
  /** Why nothing was rolled back automatically; null where something was, or nothing had to be. */
  notRolledBack: orNull(Type.String()),
  candidates: Type.Array(CandidateTried),
  rollback: orNull(RollbackFacts),
  /** Decisions of the release that count as its own for this incident. `to…` null while it still decides. */
  served: object({ fromGeneration: Type.Number(), fromMs: Type.Number(), toMs: orNull(Type.Number()) }),
});
export type IncidentBody = Static<typeof IncidentBody>;

const EventBody = object({
  /** For people. */
  text: Type.String(),
  /** Microseconds since the proof, where the event belongs to the rollback; else null. */
  sinceProofUs: orNull(Type.Number()),
  detail: Type.Unknown(),
});
export interface IncidentEvent extends Readonly<Static<typeof EventBody>> {
  readonly seq: number;
  readonly atMs: number;
  readonly kind: string;
  readonly actor: string;
}

export interface IncidentHead {
  /** Number of the incident within the server. */
  readonly n: number;
  readonly endpoint: EndpointName;
  /** The release that the finding is about. */
  readonly release: ReleaseId;
  /** What decides in its stead; null where nothing was put back. */
  readonly restored: ReleaseId | null;
  readonly state: IncidentState;
  /** What opened it: a guardrail's proof, a release that failed, or a person. */
  readonly kind: "breach" | "failure" | "by-hand";
  readonly openedAtMs: number;
  readonly updatedAtMs: number;
  readonly body: IncidentBody;
}
/** Everything that is known of an incident, its timeline oldest first. */
export interface Incident extends IncidentHead {
  readonly events: readonly IncidentEvent[];
}

const parseBreach = checked(Breach);

/** The breach that opened an incident, where one did. */
export function breachIn(incident: IncidentHead): Breach | null {
  const parsed = parseBreach(incident.body.breach);
  return parsed.ok ? parsed.value : null;
}

interface HeadRow {
  readonly n: number;
  readonly endpoint: string;
  readonly release: string;
  readonly restored: string | null;
  readonly state: string;
  readonly kind: string;
  readonly body_json: string;
  readonly opened_at_ms: number;
  readonly updated_at_ms: number;
}
const parseHead = checked(
  object({
    n: Type.Number(),
    endpoint: Type.Unsafe<EndpointName>(Type.String()),
    release: Release,
    restored: orNull(Release),
    state: Type.Unsafe<IncidentState>(Type.Enum([...incidentStates])),
    kind: Type.Union([Type.Literal("breach"), Type.Literal("failure"), Type.Literal("by-hand")]),
    openedAtMs: Type.Number(),
    updatedAtMs: Type.Number(),
    body: IncidentBody,
  }),
);

/** @throws Error when the row isn't one that this version wrote */
export function headOf(row: HeadRow): IncidentHead {
  const { body_json, opened_at_ms: openedAtMs, updated_at_ms: updatedAtMs, ...rest } = row;
  return parsed(`incident ${row.n}`, parseHead({ ...rest, openedAtMs, updatedAtMs, body: JSON.parse(body_json) }));
}

interface EventRow {
  readonly seq: number;
  readonly at_ms: number;
  readonly kind: string;
  readonly actor: string;
  readonly body_json: string;
}
const parseEvent = checked(EventBody);

export function eventOf({ seq, at_ms: atMs, kind, actor, body_json }: EventRow): IncidentEvent {
  return { seq, atMs, kind, actor, ...parsed(`event ${seq}`, parseEvent(JSON.parse(body_json))) };
}

function parsed<T>(what: string, result: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown }): T {
  if (!result.ok) throw new Error(`${what} can't be read: ${JSON.stringify(result.error)}`);
  return result.value;
}
