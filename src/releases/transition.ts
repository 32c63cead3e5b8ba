/** One change of a route table: what it is, and how it is read back from where it was stored. */
import { Type, type Static } from "typebox";
import { checked, object } from "../checked.ts";
import type { CommandId, ReleaseId } from "../std.ts";
import { RolloutStep } from "./rollout-plan.ts";

const Release = Type.Unsafe<ReleaseId>(Type.String({ minLength: 1 }));

/** Who does something: a person answers for it by name; the system acts on evidence. */
export const Actor = Type.Union([
  object({ kind: Type.Literal("person"), name: Type.String() }),
  object({ kind: Type.Literal("system"), name: Type.String() }),
]);
export type Actor = Readonly<Static<typeof Actor>>;

/** A place that a release can have in a route table. */
export const Place = Type.Union([
  Type.Literal("live"),
  Type.Literal("canary"),
  Type.Literal("ab"),
  Type.Literal("shadow"),
  Type.Literal("standby"),
  Type.Literal("fallback"),
]);
export type Place = Static<typeof Place>;

const kind = <K extends string>(name: K) => ({ kind: Type.Literal(name) });

/** What one transition changes. Facts, not wishes: folding never decides again, so that old transitions mean the same for ever. */
export const Change = Type.Union([
  object({ ...kind("registered"), release: Release }),
  /** `live` is set by the first one only: from then on the endpoint answers. */
  object({ ...kind("fallback-set"), fallback: Release, live: Type.Union([Release, Type.Null()]) }),
  /** `share`: of the subjects; all of them when left out, as before there were shares. */
  object({ ...kind("shadow-started"), release: Release, share: Type.Optional(Type.Number()) }),
  object({ ...kind("shadow-changed"), release: Release, share: Type.Number() }),
  object({ ...kind("shadow-stopped"), release: Release }),
  /** `when`: a condition over the inputs; the share is of those whom it holds for. */
  object({ ...kind("canary-started"), release: Release, share: Type.Number(), when: Type.Optional(Type.String()) }),
  object({ ...kind("canary-changed"), release: Release, share: Type.Number(), when: Type.Optional(Type.String()) }),
  object({ ...kind("canary-stopped"), release: Release }),
  object({ ...kind("promoted"), live: Release, from: Release }),
  object({
    ...kind("rolled-back"),
    live: Release,
    from: Release,
    condemned: Type.Union([Release, Type.Null()]),
    stoppedCanary: Type.Union([Release, Type.Null()]),
    automatic: Type.Boolean(),
  }),
  /** A rehearsal: the target answers everybody until `drill-ended` puts `from` back. */
  object({ ...kind("drill-started"), live: Release, from: Release }),
  object({ ...kind("drill-ended"), live: Release, from: Release }),
  object({ ...kind("condemned"), release: Release, from: Type.Union([Place, Type.Null()]), automatic: Type.Boolean() }),
  object({ ...kind("reinstated"), release: Release }),
  /** The first step takes effect with it. `counted`: people whom the release had answered in that step's place before. */
  object({ ...kind("rollout-started"), release: Release, plan: Type.Array(RolloutStep), counted: Type.Integer() }),
  object({ ...kind("rollout-advanced"), release: Release, step: Type.Integer(), counted: Type.Integer() }),
  object({ ...kind("rollout-approved"), release: Release, step: Type.Integer() }),
  object({ ...kind("rollout-paused"), release: Release }),
  object({ ...kind("rollout-continued"), release: Release }),
  object({ ...kind("rollout-aborted"), release: Release }),
  /** `answers`, `untilMs`: when it ends by itself. `counted`: answers that the arms had given in A/B tests before. */
  object({
    ...kind("ab-started"),
    arms: Type.Array(object({ release: Release, weight: Type.Integer() })),
    answers: Type.Union([Type.Integer(), Type.Null()]),
    untilMs: Type.Union([Type.Integer(), Type.Null()]),
    counted: Type.Integer(),
  }),
  object({ ...kind("ab-ended"), arms: Type.Array(Release) }),
  object(kind("rollouts-held")),
  object(kind("rollouts-resumed")),
]);
export type Change = Readonly<Static<typeof Change>>;

/**
 * The release that a change is about: what went live, was placed, condemned or let go, of an A/B test the one beside live; null for
 * holding and resuming.
 */
export function subjectOf(change: Change): ReleaseId | null {
  if ("live" in change && change.live !== null) return change.live;
  if ("release" in change) return change.release;
  if (change.kind === "ab-started") return change.arms[1]?.release ?? null;
  if (change.kind === "ab-ended") return change.arms[1] ?? null;
  return "fallback" in change ? change.fallback : null;
}

/** Who, why and when. */
export interface Stamp {
  readonly actor: Actor;
  readonly reason: string;
  readonly atMs: number;
}

/** One change of a route table, with who, why and when. */
export interface Transition extends Stamp {
  readonly generation: number;
  readonly command: CommandId;
  /** What was asked for, as one text: another command under the same id is refused instead of swallowed. */
  readonly intent: string;
  readonly change: Change;
}

/** What of a transition is stored as JSON; the rest has columns of its own. */
const StoredBody = object({ intent: Type.String(), actor: Actor, change: Change });
const parseBody = checked(StoredBody);

interface StoredTransition {
  readonly generation: number;
  readonly command: string;
  readonly body_json: string;
  readonly reason: string;
  readonly at_ms: number;
}

export const bodyOf = ({ intent, actor, change }: Transition): Static<typeof StoredBody> => ({ intent, actor, change });

/** @throws Error when the row isn't one that this version wrote: an endpoint whose history can't be read must not be served by guess */
export function parseTransition(row: StoredTransition): Transition {
  const body = parseBody(JSON.parse(row.body_json));
  if (!body.ok) throw new Error(`transition ${row.generation} can't be read: ${JSON.stringify(body.error)}`);
  return { ...body.value, generation: row.generation, command: asCommandId(row.command), reason: row.reason, atMs: row.at_ms };
}

/** Ids of commands are whatever callers chose, so that a retry is the same command; any text that came as one is one. */
export const asCommandId = (text: string): CommandId => text as CommandId;
