import { sql, type Transaction } from "kysely";
import type { Schema } from "../store/index.ts";
import type { Batch, DecisionTuple } from "./batch.ts";
import type { ReplyColumns } from "./stored-reply.ts";

export type KnownDecision = ReplyColumns & { readonly body_hash: string | null };

/** Idempotency keys are scoped by endpoint and source. */
export function keyOf(tuple: DecisionTuple): string | null {
  return tuple[17] === null ? null : scopedKey(tuple[1], tuple[19], tuple[17]);
}
const scopedKey = (endpoint: string, source: string, key: string): string => `${endpoint}\0${source}\0${key}`;

/** What of a batch is in the log already; also draws the batch's number and tells the transaction's id, to save round trips. */
export async function findKnown(
  tx: Transaction<Schema>,
  tuples: readonly DecisionTuple[],
): Promise<{
  readonly batch: number;
  readonly transactionId: string;
  readonly byId: ReadonlyMap<string, KnownDecision>;
  readonly byKey: ReadonlyMap<string, KnownDecision>;
}> {
  const keyed = tuples.filter((tuple) => tuple[17] !== null);
  const { rows } = await sql<
    {
      next_batch: number;
      transaction_id: string;
      id: string | null;
      endpoint: string;
      source: string;
      idempotency_key: string | null;
    } & KnownDecision
  >`
    with head as (select nextval(pg_get_serial_sequence('decision_batch', 'batch')) as next_batch, pg_current_xact_id()::text as transaction_id),
    known as (
      select * from decision where id = any(${tuples.map((tuple) => tuple[0])}::text[])
      union
      select d.* from unnest(${keyed.map((tuple) => tuple[1])}::text[], ${keyed.map((tuple) => tuple[19])}::text[],
        ${keyed.map((tuple) => tuple[17])}::text[]) as k (endpoint, source, idempotency_key)
      join decision d on d.endpoint = k.endpoint and d.source = k.source and d.idempotency_key = k.idempotency_key
    )
    select head.next_batch, head.transaction_id, known.* from head left join known on true`.execute(tx);
  const byId = new Map<string, KnownDecision>();
  const byKey = new Map<string, KnownDecision>();
  for (const row of rows) {
    if (row.id === null) continue;
    byId.set(row.id, row);
    if (row.idempotency_key !== null) byKey.set(scopedKey(row.endpoint, row.source, row.idempotency_key), row);
  }
  const [head] = rows;
  if (!head) throw new Error("PostgreSQL gave no batch number");
  return { batch: head.next_batch, transactionId: head.transaction_id, byId, byKey };
}

/** The decisions of wholes that stay out, each with why. Goes through them in order: a key may be used twice within the batch, too. */
export function refusedWholes(
  { decisions, wholes = [] }: Batch,
  byKey: ReadonlyMap<string, KnownDecision>,
): ReadonlyMap<DecisionTuple, "other-body" | "left-out"> {
  const refused = new Map<DecisionTuple, "other-body" | "left-out">();
  const hashOf = new Map<string, string | null>();
  for (const [from, to] of wholes) {
    const whole = decisions.slice(from, to);
    const isReused = whole.map((tuple) => {
      const key = keyOf(tuple);
      if (key === null) return false;
      const known = byKey.get(key);
      const hash = known ? known.body_hash : hashOf.get(key);
      return hash !== undefined && hash !== tuple[18];
    });
    if (isReused.includes(true)) for (const [i, tuple] of whole.entries()) refused.set(tuple, isReused[i] ? "other-body" : "left-out");
    else
      for (const tuple of whole) {
        const key = keyOf(tuple);
        if (key !== null) hashOf.set(key, tuple[18]);
      }
  }
  return refused;
}
