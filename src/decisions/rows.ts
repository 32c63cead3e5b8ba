/** From what came in to what is stored and counted: the same for both databases. */
import type { DecisionTuple, ShadowTuple } from "./batch.ts";
import type { AnsweredBy, ServingArm } from "./decision-record.ts";
import type { DecisionRow, ShadowRow } from "./digest.ts";
import type { CountedAnswer, Flip } from "./tally.ts";

export interface StoredDecision extends DecisionRow {
  readonly arm: ServingArm;
  readonly answered_by: AnsweredBy;
  readonly cell: string;
}
export interface StoredShadow extends ShadowRow {
  readonly cell: string;
}

export function decisionRow(
  tuple: DecisionTuple,
  given: { readonly seq: number; readonly counted: boolean; readonly commitment: string },
): StoredDecision {
  const [id, endpoint, release, arm, generation, cell, , , , score, action, favourable, reasons_json, ...rest] = tuple;
  const [answered_by, because, decided_at_ms, latency_us, idempotency_key, body_hash, source] = rest;
  return {
    seq: given.seq,
    id,
    endpoint,
    release,
    arm,
    generation,
    cell,
    score,
    action,
    favourable,
    reasons_json,
    answered_by,
    because,
    decided_at_ms,
    latency_us,
    source,
    idempotency_key,
    body_hash,
    counted: given.counted ? 1 : 0,
    commitment: given.commitment,
  };
}

/** What a tally needs to know of a stored decision, and of its request where that is at hand. */
export const answerOf = (
  row: Omit<StoredDecision, "arm" | "answered_by"> & { arm: string; answered_by: string },
  inputBins: string | null = null,
): CountedAnswer => ({
  endpoint: row.endpoint,
  release: row.release,
  arm: asServingArm(row.arm),
  cell: row.cell,
  source: row.source,
  action: row.action,
  atMs: row.decided_at_ms,
  counted: row.counted === 1,
  isFallback: row.answered_by === "fallback" || row.answered_by === "standby",
  score: row.score,
  latencyUs: row.latency_us,
  inputBins,
});
/** `decision.arm` holds nothing but what records had. */
const asServingArm = (arm: string): ServingArm => arm as ServingArm;

/** The columns that a shadow answer takes from its decision. */
export interface ShadowedDecision {
  readonly endpoint: string;
  readonly cell: string;
  readonly source: string;
  readonly release: string;
  readonly action: string;
  readonly subject: string | null;
}

export function shadowRow(
  tuple: ShadowTuple,
  of: ShadowedDecision,
  given: { readonly n: number; readonly counted: boolean },
): StoredShadow {
  const [decision, release, score, action, favourable, because, answered_at_ms, latency_us] = tuple;
  return {
    n: given.n,
    decision,
    release,
    endpoint: of.endpoint,
    cell: of.cell,
    source: of.source,
    live_release: of.release,
    live_action: of.action,
    score,
    action,
    favourable,
    because,
    counted: given.counted ? 1 : 0,
    answered_at_ms,
    latency_us,
  };
}

/** A shadow's own failures are recorded; they say nothing about its answers, so they never count as evidence. */
export const isOwnAnswer = ([, , , , , because]: ShadowTuple): boolean => because === null;

export const shadowAnswerOf = (row: StoredShadow): CountedAnswer => ({
  endpoint: row.endpoint,
  release: row.release,
  arm: "shadow",
  cell: row.cell,
  source: row.source,
  action: row.action,
  atMs: row.answered_at_ms,
  counted: row.counted === 1,
  isFallback: row.because !== null,
  score: row.score,
  latencyUs: row.latency_us,
  inputBins: null,
});

/** The pair of answers, where the shadow's counts; undefined where it doesn't. */
export const flipOf = (row: StoredShadow): Flip | undefined =>
  row.counted === 0
    ? undefined
    : {
        endpoint: row.endpoint,
        liveRelease: row.live_release,
        shadowRelease: row.release,
        cell: row.cell,
        liveAction: row.live_action,
        shadowAction: row.action,
      };
