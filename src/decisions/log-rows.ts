/** Walking the whole log in order, a bounded number of rows at a time. */
import type { Selectable } from "kysely";
import type { Schema } from "../store/index.ts";
import type { DecisionRow, ShadowRow } from "./digest.ts";
import type { Reader } from "./read-tallies.ts";

export interface LoggedDecision extends DecisionRow {
  readonly batch: number;
  readonly cell: string;
  readonly subject: string | null;
  /** Null where the person was erased, and so are `subject` and `payload`. */
  readonly salt: string | null;
  readonly payload: string | null;
  readonly input_bins: string | null;
}
export interface LoggedShadow extends ShadowRow {
  readonly batch: number;
  readonly cell: string;
}
export interface LoggedBatch {
  readonly head: Selectable<Schema["decision_batch"]>;
  /** By `seq`. */
  readonly decisions: readonly LoggedDecision[];
  /** By `n`. */
  readonly shadows: readonly LoggedShadow[];
}

const BATCHES_AT_ONCE = 200;

/** Every batch up to and including `upTo`, in order of number. */
export async function* loggedBatches(db: Reader, upTo: number): AsyncGenerator<LoggedBatch> {
  let after = 0;
  for (;;) {
    const heads = await db
      .selectFrom("decision_batch")
      .selectAll()
      .where("batch", ">", after)
      .where("batch", "<=", upTo)
      .orderBy("batch")
      .limit(BATCHES_AT_ONCE)
      .execute();
    const last = heads.at(-1);
    if (!last) return;
    const decisions = Map.groupBy(await decisionsOf(db, heads), (row) => row.batch);
    const shadows = Map.groupBy(await shadowsOf(db, heads[0]?.batch ?? 0, last.batch), (row) => row.batch);
    for (const head of heads) yield { head, decisions: decisions.get(head.batch) ?? [], shadows: shadows.get(head.batch) ?? [] };
    after = last.batch;
  }
}

/** Batches of several gateways may interleave on PostgreSQL, so rows are chosen by range of numbers, then told apart by batch. */
async function decisionsOf(db: Reader, heads: readonly LoggedBatch["head"][]): Promise<readonly LoggedDecision[]> {
  const filled = heads.filter(({ decisions }) => decisions > 0);
  if (filled.length === 0) return [];
  return db
    .selectFrom("decision as d")
    .leftJoin("decision_payload as p", "p.seq", "d.seq")
    .selectAll("d")
    .select(["p.subject", "p.salt", "p.payload", "p.input_bins"])
    .where("d.seq", ">=", Math.min(...filled.map(({ first_seq }) => first_seq)))
    .where("d.seq", "<=", Math.max(...filled.map(({ last_seq }) => last_seq)))
    .orderBy("d.seq")
    .execute();
}

async function shadowsOf(db: Reader, from: number, to: number): Promise<readonly LoggedShadow[]> {
  return db
    .selectFrom("shadow_answer")
    .selectAll()
    .where("batch", ">=", from)
    .where("batch", "<=", to)
    .orderBy("batch")
    .orderBy("n")
    .execute();
}
