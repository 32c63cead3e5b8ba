/**
 * The chain over the log: what makes a changed, missing or reordered decision visible.
 *
 * commitment = SHA-256 of `salt, cell, subject, payload` · row = JSON list of all other columns and the commitment ·
 * digest = SHA-256 of the previous batch's digest, the batch's own columns and its rows. Erasing somebody deletes salt, cell,
 * subject and payload; row and digest stay as they are and still verify.
 */
import { hash } from "node:crypto";
import type { ReplyColumns } from "./stored-reply.ts";

/** Stands for the digest before the first. */
export const NO_DIGEST = "0".repeat(64);
/** Stands in place of the cell of somebody who was erased. */
export const ERASED_CELL = "erased";

/** @param salt - 32 hex digits */
export function commitmentOf(salt: string, cell: string, subject: string | null, payload: string): string {
  // NUL can't occur in the parts, so no two lists of parts give one text.
  return hash("sha256", `${salt}\0${cell}\0${subject ?? ""}\0${payload}`, "hex");
}

/** The columns of `decision` that are never erased. */
export interface DecisionRow extends ReplyColumns {
  readonly endpoint: string;
  readonly latency_us: number;
  readonly source: string;
  readonly idempotency_key: string | null;
  readonly body_hash: string | null;
  readonly counted: 0 | 1;
  readonly commitment: string;
}

/** The columns of `shadow_answer` that are never erased. */
export interface ShadowRow {
  readonly n: number;
  readonly decision: string;
  readonly release: string;
  readonly endpoint: string;
  readonly source: string;
  readonly live_release: string;
  readonly live_action: string;
  readonly score: number | null;
  readonly action: string;
  readonly favourable: 0 | 1;
  readonly because: string | null;
  readonly counted: 0 | 1;
  readonly answered_at_ms: number;
  readonly latency_us: number;
}

export function decisionText(row: DecisionRow): string {
  return JSON.stringify([
    row.seq,
    row.id,
    row.endpoint,
    row.release,
    row.arm,
    row.generation,
    row.score,
    row.action,
    row.favourable,
    row.reasons_json,
    row.answered_by,
    row.because,
    row.decided_at_ms,
    row.latency_us,
    row.source,
    row.idempotency_key,
    row.body_hash,
    row.counted,
    row.commitment,
  ]);
}

export function shadowText(row: ShadowRow): string {
  return JSON.stringify([
    row.n,
    row.decision,
    row.release,
    row.endpoint,
    row.source,
    row.live_release,
    row.live_action,
    row.score,
    row.action,
    row.favourable,
    row.because,
    row.counted,
    row.answered_at_ms,
    row.latency_us,
  ]);
}

/** @param rows - texts of the decisions by `seq`, then of the shadow answers by `n` */
export function batchDigest(
  head: { readonly previousDigest: string; readonly batch: number; readonly writer: string },
  rows: readonly string[],
): string {
  return hash("sha256", `${head.previousDigest}\n${JSON.stringify([head.batch, head.writer])}\n${rows.join("\n")}`, "hex");
}
