import type { DecisionId, ReleaseId } from "../std.ts";
import type { AnsweredBy, ServingArm, StoredReply } from "./decision-record.ts";

/** The columns that a reply is made of. */
export interface ReplyColumns {
  readonly seq: number;
  readonly id: string;
  readonly release: string;
  readonly arm: string;
  readonly generation: number;
  readonly score: number | null;
  readonly action: string;
  readonly favourable: 0 | 1;
  readonly reasons_json: string;
  readonly answered_by: string;
  readonly because: string | null;
  readonly decided_at_ms: number;
}

/** Rows of `decision` hold nothing but what the log has written: ids and words of its own types. */
export const storedReply = (row: ReplyColumns): StoredReply => ({
  seq: row.seq,
  id: row.id as DecisionId,
  release: row.release as ReleaseId,
  arm: row.arm as ServingArm,
  generation: row.generation,
  score: row.score,
  action: row.action,
  favourable: row.favourable === 1,
  reasons: JSON.parse(row.reasons_json) as readonly string[],
  answeredBy: row.answered_by as AnsweredBy,
  because: row.because,
  decidedAtMs: row.decided_at_ms,
});
