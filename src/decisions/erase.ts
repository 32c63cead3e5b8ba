/** Forgetting one person: what is personal goes, what was counted stays. */
import { sql, type Transaction } from "kysely";
import type { Schema, Store } from "../store/index.ts";
import { ERASED_CELL } from "./digest.ts";
import { ERASED_WRITER, moveBins } from "./erase-bins.ts";
import { OutcomeTallies, type OfDecision } from "./outcome-tallies.ts";
import { seqsOfSubject } from "./read-decisions.ts";
import { answerOf, flipOf, shadowAnswerOf, type StoredShadow } from "./rows.ts";
import { flipsUp, tallyUp, type CountedAnswer, type Flip, type TallyIncrement } from "./tally.ts";

type Tx = Transaction<Schema>;
const CHUNK = 500;

/**
 * Deletes a subject's requests, groups and hash from the log. Digests still verify, since they hold salted commitments only; counts
 * stay, under the name of nobody. The caller adds the audit entry in the same transaction, and calls `sweepErased` afterwards.
 * @param subject - keyed hash of the person's id
 * @returns how many decisions were about the subject
 */
export async function eraseSubject(tx: Tx, subject: string): Promise<number> {
  let erased = 0;
  for (;;) {
    const some = await eraseSome(tx, subject);
    erased += some;
    if (some < CHUNK) break;
  }
  await tx.deleteFrom("counted").where("subject", "=", subject).execute();
  await tx.deleteFrom("subject_index").where("subject", "=", subject).execute();
  return erased;
}

/** Makes what was deleted unreadable in the database's files as well, as far as the database can. */
export async function sweepErased(store: Store): Promise<void> {
  // SQLite overwrites deleted rows (secure_delete); the copy in the log file goes with a checkpoint that empties it.
  if (store.kind === "sqlite") await sql`pragma wal_checkpoint(truncate)`.execute(store.db);
  else await sql`vacuum decision_payload, decision, shadow_answer, counted`.execute(store.db);
}

async function eraseSome(tx: Tx, subject: string): Promise<number> {
  const decisions = await tx
    .selectFrom("decision_payload as p")
    .innerJoin("decision as d", "d.seq", "p.seq")
    .innerJoin("decision_batch as b", "b.batch", "d.batch")
    .selectAll("d")
    .select(["b.writer", "p.input_bins"])
    .where("p.subject", "=", subject)
    .where("p.seq", "in", seqsOfSubject(subject))
    .orderBy("d.seq")
    .limit(CHUNK)
    .execute();
  if (decisions.length === 0) return 0;
  const ids = decisions.map(({ id }) => id);
  const seqs = decisions.map(({ seq }) => seq);
  const shadows = await tx
    .selectFrom("shadow_answer as s")
    .innerJoin("decision_batch as b", "b.batch", "s.batch")
    .selectAll("s")
    .select("b.writer")
    .where("s.decision", "in", ids)
    .execute();

  await moveBins(tx, [
    ...decisions.map((row) => ({ writer: row.writer, batch: row.batch, answer: answerOf(row, row.input_bins) })),
    ...shadows.map((row) => ({ writer: row.writer, batch: row.batch, answer: shadowAnswerOf(row) })),
  ]);
  const answersOf = new Map<string, CountedAnswer[]>();
  const flipsOf = new Map<string, Flip[]>();
  for (const row of decisions) listOf(answersOf, row.writer).push(answerOf(row));
  for (const row of shadows) {
    listOf(answersOf, row.writer).push(shadowAnswerOf(row));
    const flip = flipOf(row satisfies StoredShadow);
    if (flip) listOf(flipsOf, row.writer).push(flip);
  }
  for (const [writer, answers] of answersOf) for (const row of tallyUp(answers)) await moveTally(tx, row, writer);
  for (const [writer, flips] of flipsOf) for (const row of flipsUp(flips)) await moveFlips(tx, row, row.counted, writer);
  await moveOutcomes(tx, ids, new Map(decisions.map((row) => [row.id, row])));

  await tx.deleteFrom("decision_payload").where("seq", "in", seqs).execute();
  await tx.updateTable("decision").set({ cell: ERASED_CELL }).where("seq", "in", seqs).execute();
  await tx.updateTable("shadow_answer").set({ cell: ERASED_CELL }).where("decision", "in", ids).execute();
  return decisions.length;
}

function listOf<K, V>(lists: Map<K, V[]>, key: K): V[] {
  const list = lists.get(key) ?? [];
  lists.set(key, list);
  return list;
}

/** Sums over writers stay as they are at every moment: tests that consume them see nothing. */
async function moveTally(tx: Tx, row: TallyIncrement, writer: string): Promise<void> {
  const { endpoint, release, arm, minute, cell, action, source } = row;
  const key = { endpoint, release, arm, cell, action, source };
  const plus = {
    decisions: row.decisions,
    counted: row.counted,
    fallback: row.fallback,
    scored: row.scored,
    score_sum_u6: row.scoreSumU6,
    latency_sum_us: row.latencySumUs,
  };
  const minus = {
    decisions: -row.decisions,
    counted: -row.counted,
    fallback: -row.fallback,
    scored: -row.scored,
    score_sum_u6: -row.scoreSumU6,
    latency_sum_us: -row.latencySumUs,
  };
  for (const [whose, counts] of [
    [writer, minus],
    [ERASED_WRITER, plus],
  ] as const) {
    await tx
      .insertInto("tally")
      .values({ ...key, minute, writer: whose, ...counts })
      .onConflict((conflict) =>
        conflict.columns(["endpoint", "release", "arm", "minute", "cell", "action", "writer", "source"]).doUpdateSet((eb) => ({
          decisions: eb("tally.decisions", "+", counts.decisions),
          counted: eb("tally.counted", "+", counts.counted),
          fallback: eb("tally.fallback", "+", counts.fallback),
          scored: eb("tally.scored", "+", counts.scored),
          score_sum_u6: eb("tally.score_sum_u6", "+", counts.score_sum_u6),
          latency_sum_us: eb("tally.latency_sum_us", "+", counts.latency_sum_us),
        })),
      )
      .execute();
    await tx
      .insertInto("tally_total")
      .values({ ...key, writer: whose, ...counts })
      .onConflict((conflict) =>
        conflict.columns(["endpoint", "release", "arm", "cell", "action", "writer", "source"]).doUpdateSet((eb) => ({
          decisions: eb("tally_total.decisions", "+", counts.decisions),
          counted: eb("tally_total.counted", "+", counts.counted),
          fallback: eb("tally_total.fallback", "+", counts.fallback),
          scored: eb("tally_total.scored", "+", counts.scored),
          score_sum_u6: eb("tally_total.score_sum_u6", "+", counts.score_sum_u6),
          latency_sum_us: eb("tally_total.latency_sum_us", "+", counts.latency_sum_us),
        })),
      )
      .execute();
  }
}

async function moveFlips(tx: Tx, flip: Flip, counted: number, writer: string): Promise<void> {
  const key = {
    endpoint: flip.endpoint,
    shadow_release: flip.shadowRelease,
    live_release: flip.liveRelease,
    cell: flip.cell,
    live_action: flip.liveAction,
    shadow_action: flip.shadowAction,
  };
  for (const [whose, by] of [
    [writer, -counted],
    [ERASED_WRITER, counted],
  ] as const) {
    await tx
      .insertInto("flip_total")
      .values({ ...key, writer: whose, counted: by })
      .onConflict((conflict) =>
        conflict
          .columns(["endpoint", "shadow_release", "live_release", "cell", "live_action", "shadow_action", "writer"])
          .doUpdateSet((eb) => ({ counted: eb("flip_total.counted", "+", by) })),
      )
      .execute();
  }
}

async function moveOutcomes(tx: Tx, ids: readonly string[], decisions: ReadonlyMap<string, OfDecision>): Promise<void> {
  const rows = await tx.selectFrom("outcome").select(["decision", "good", "writer"]).where("decision", "in", ids).orderBy("seq").execute();
  const moved = new OutcomeTallies();
  for (const [id, history] of Map.groupBy(rows, ({ decision }) => decision)) {
    const decision = decisions.get(id);
    if (!decision) continue;
    for (const [at, { good, writer }] of history.entries()) {
      const before = history[at - 1];
      const by = before === undefined ? { count: 1, corrections: 0 } : { count: 0, corrections: 1 };
      if (before?.good === good) continue;
      if (before) {
        moved.add(decision, before.good, before.writer, { count: 0, corrections: 1 });
        moved.add(decision, before.good, ERASED_WRITER, { count: 0, corrections: -1 });
      }
      moved.add(decision, good, writer, { count: -by.count, corrections: -by.corrections });
      moved.add(decision, good, ERASED_WRITER, by);
    }
  }
  await moved.write(tx);
}
