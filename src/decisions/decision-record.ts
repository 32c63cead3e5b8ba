/** What is recorded of an answer, and what the log says back. */
import type { CellKey, DecisionId, EndpointName, ReleaseId } from "../std.ts";

/** Which place of the route table an answer came from. */
export type Arm = "live" | "canary" | "ab" | "shadow" | "fallback" | "pinned";
/**
 * `ab` are the arms of an A/B test, live's as well: told apart by their releases, of equal standing.
 * Arms whose answers went out: everything but `shadow`, whose answers feed tests of their own. `pinned` answers were asked of one
 * release by name, by somebody who tries it: they are recorded and tallied apart, never count as evidence and feed no test.
 */
export type ServingArm = Exclude<Arm, "shadow">;
/** Evidence is kept apart by whether people received the answer. */
export type ArmClass = "serving" | "shadow";
export type AnsweredBy = "live" | "canary" | "ab" | "standby" | "fallback" | "pinned";

/** The class of tests that an arm's answers feed; null where they feed none. */
export const armClassOf = (arm: Arm): ArmClass | null => (arm === "pinned" ? null : arm === "shadow" ? "shadow" : "serving");

/** All that is recorded of one answer. What is personal (cell, subject, payload) can be erased later; the rest is kept for ever. */
export interface DecisionRecord {
  readonly id: DecisionId;
  readonly endpoint: EndpointName;
  /** The release that gave the answer. */
  readonly release: ReleaseId;
  readonly arm: ServingArm;
  readonly generation: number;
  readonly cell: CellKey;
  /** Keyed hash of the person's id, hex; null where the application doesn't say who it is. */
  readonly subject: string | null;
  /** The request's text exactly as received. */
  readonly payload: string;
  /** 16 random bytes: makes the commitment to the personal parts unguessable once they are erased. */
  readonly salt: Buffer;
  /** In [0, 1]; null where the answer was given without one. */
  readonly score: number | null;
  readonly action: string;
  readonly favourable: boolean;
  readonly reasons: readonly string[];
  readonly answeredBy: AnsweredBy;
  /** Why not the planned release answered; null where it did. */
  readonly because: string | null;
  readonly decidedAtMs: number;
  readonly latencyUs: number;
  /** Scoped by endpoint and source. */
  readonly idempotencyKey: string | null;
  /** Hash of the request's body, compared when a key comes again. */
  readonly bodyHash: string | null;
  /** Id of the token that sent the request. */
  readonly source: string;
  /** Bins of the inputs by the release's input profile, one character each; left out where it has none. Erased with the request. */
  readonly inputBins?: string;
}

/** What a shadow release would have answered to a recorded decision. The rest is taken from that decision's row. */
export interface ShadowAnswer {
  readonly decision: DecisionId;
  /** The shadow release. */
  readonly release: ReleaseId;
  readonly score: number | null;
  readonly action: string;
  readonly favourable: boolean;
  /** Why there is no proper answer (the scorer failed); null where there is. */
  readonly because: string | null;
  readonly answeredAtMs: number;
  readonly latencyUs: number;
}

/** Enough of a recorded decision to give its reply again, byte for byte. */
export interface StoredReply {
  readonly seq: number;
  readonly id: DecisionId;
  readonly release: ReleaseId;
  readonly arm: ServingArm;
  readonly generation: number;
  readonly score: number | null;
  readonly action: string;
  readonly favourable: boolean;
  readonly reasons: readonly string[];
  readonly answeredBy: AnsweredBy;
  readonly because: string | null;
  readonly decidedAtMs: number;
}

/**
 * What became of an appended record.
 * - `seq`: it is in the log under this number; null under `ack: "memory"` or `"off"`, where nobody waited for it.
 * - `replayed`: the same request was recorded before; give this reply, not the new one. Nothing was counted.
 * - `conflict`: the idempotency key was used before with another body. Nothing was recorded.
 */
export type AppendOutcome = { readonly seq: number | null } | { readonly replayed: StoredReply } | { readonly conflict: "other-body" };

/**
 * When `append` resolves: `durable` once the record is on disk (the default); `memory` once it is queued, so that a crash loses
 * what was acknowledged in the last moments; `off` records nothing and is for benchmarks only.
 * Under `memory` a record with an idempotency key is still waited for, since only the log knows whether it is new.
 */
export type Ack = "durable" | "memory" | "off";

/** Too many records wait to be committed, or this one waited too long. Nothing was recorded; come back later. */
export class LogOverloaded extends Error {
  override readonly name = "LogOverloaded";
  readonly queued: number;
  constructor(queued: number, message: string) {
    super(message);
    this.queued = queued;
  }
}
