/** From an answer to what is recorded of it, and from that to what the application gets. */
import type { AnsweredBy, DecisionRecord, StoredReply } from "../decisions/index.ts";
import type { DecisionId } from "../std.ts";
import type { Answer } from "./loaded-release.ts";
import type { Candidate, Planned, RouteView } from "./route-view.ts";

/** What the application gets. */
export interface DecisionReply {
  readonly id: DecisionId;
  readonly action: string;
  readonly score: number | null;
  readonly reasons: readonly string[];
  /** Number within the endpoint: `r3`. */
  readonly release: string;
  readonly generation: number;
  readonly route: AnsweredBy;
  /** ISO 8601, UTC. */
  readonly decidedAt: string;
}

/** An answer with who gave it. */
export interface Given {
  readonly answer: Answer;
  readonly candidate: Candidate;
  /** Why not the planned release answered; null where it did. */
  readonly because: string | null;
}

/** The parts of a record that the answer and the route table say. */
export function recordedAnswer({ answer, candidate, because }: Given, planned: Planned["arm"], view: RouteView) {
  return {
    endpoint: view.endpoint.name,
    release: candidate.release.id,
    arm: planned === "pinned" || because === null ? planned : "fallback",
    generation: view.generation,
    score: answer.score,
    action: answer.action,
    favourable: answer.favourable,
    reasons: answer.reasons,
    answeredBy: candidate.answeredBy,
    because,
  } as const satisfies Partial<DecisionRecord>;
}

export function replyOf(decision: DecisionRecord | StoredReply, view: RouteView): DecisionReply {
  const { id, action, score, reasons, release, generation, answeredBy, decidedAtMs } = decision;
  const number = view.releaseNumbers.get(release);
  return {
    id,
    action,
    score,
    reasons,
    release: number === undefined ? release : `r${number}`,
    generation,
    route: answeredBy,
    decidedAt: new Date(decidedAtMs).toISOString(),
  };
}
