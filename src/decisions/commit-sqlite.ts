/** The group commit on SQLite: runs in the thread that writes, one call one transaction. */
import type { Schema, SqliteProcedure } from "../store/index.ts";
import type { Batch, BatchReply, DecisionTuple, Settled, ShadowTuple } from "./batch.ts";
import { ERASED_CELL, NO_DIGEST, batchDigest, commitmentOf, decisionText, shadowText } from "./digest.ts";
import type { ArmClass } from "./decision-record.ts";
import { BinWriter } from "./bins-sqlite.ts";
import { answerOf, decisionRow, flipOf, isOwnAnswer, shadowAnswerOf, shadowRow, type ShadowedDecision } from "./rows.ts";
import { storedReply } from "./stored-reply.ts";
import { SubjectIndex } from "./subject-index.ts";
import { REPEAT_WITHIN_MS, flipsUp, overDays, overMinutes, tallyUp, type CountedAnswer, type Flip } from "./tally.ts";

const REMEMBERED_SUBJECTS = 50_000;
/** Shadows answer within moments of the decision: most find it here, and the log needn't be asked. */
const REMEMBERED_DECISIONS = 4096;

type Database = Parameters<SqliteProcedure<unknown, unknown>>[0];
type DecisionColumns = Schema["decision"];

const commitBatches: SqliteProcedure<Batch, BatchReply> = (db) => {
  const writer = new BatchWriter(db);
  return (batch) => writer.commit(batch);
};
export default commitBatches;

class BatchWriter {
  readonly #statements: Statements;
  readonly #transaction: (batch: Batch) => BatchReply;
  /** Spares the log's index for those who come again and again, of whom it would otherwise read every decision of the day. */
  readonly #lastCountedMs = new Map<string, number>();
  readonly #subjects: SubjectIndex;
  readonly #bins: BinWriter;
  /** The latest decisions by id, oldest first. */
  readonly #latest = new Map<string, RecordedDecision>();
  #chain: Chain;
  /** Of the batch under way. */
  #answers: readonly CountedAnswer[] = [];

  constructor(db: Database) {
    this.#statements = prepare(db);
    this.#subjects = new SubjectIndex(db);
    this.#bins = new BinWriter(db);
    this.#chain = this.#readChain();
    const transaction = db.transaction((batch: Batch) => this.#write(batch));
    this.#transaction = (batch) => transaction.immediate(batch);
  }

  commit(batch: Batch): BatchReply {
    const before = { ...this.#chain };
    try {
      const reply = this.#transaction(batch);
      this.#bins.committed(this.#answers);
      return reply;
    } catch (error) {
      this.#chain = before;
      this.#bins.forget();
      this.#lastCountedMs.clear();
      this.#latest.clear();
      this.#subjects.reload();
      throw error;
    }
  }

  #readChain(): Chain {
    const { lastSeq, lastId } = this.#statements.lastDecision.get() ?? { lastSeq: 0, lastId: "" };
    const last = this.#statements.lastBatch.get();
    return { lastSeq: Math.max(lastSeq, last?.lastSeq ?? 0), lastId, lastBatch: last?.batch ?? 0, digest: last?.digest ?? NO_DIGEST };
  }

  #write(batch: Batch): BatchReply {
    const written: Written = { batch: this.#chain.lastBatch + 1, texts: [], answers: [], flips: [], decisions: 0, shadows: 0 };
    this.#answers = written.answers;
    if (batch.countBins) this.#bins.write(batch.writer, this.#chain.lastBatch);
    const firstSeq = this.#chain.lastSeq + 1;
    const settled = this.#writeDecisions(batch, written);
    let shadowsDropped = 0;
    for (const tuple of batch.shadows) if (!this.#writeShadow(tuple, written)) shadowsDropped++;
    if (written.texts.length > 0) {
      this.#writeTallies(batch.writer, written, firstSeq);
      this.#subjects.flushWhenDue(this.#chain.lastSeq);
      const digest = batchDigest({ previousDigest: this.#chain.digest, batch: written.batch, writer: batch.writer }, written.texts);
      const { decisions, shadows } = written;
      this.#statements.insertBatch.run(
        written.batch,
        batch.writer,
        this.#chain.lastBatch,
        firstSeq,
        this.#chain.lastSeq,
        decisions,
        shadows,
        digest,
      );
      this.#chain.lastBatch = written.batch;
      this.#chain.digest = digest;
    }
    return { settled, shadowsDropped };
  }

  #writeDecisions({ decisions, wholes }: Batch, written: Written): readonly Settled[] {
    if (!wholes) return decisions.map((tuple) => this.#writeDecision(tuple, written));
    return wholes.flatMap(([from, to]): readonly Settled[] => {
      const whole = decisions.slice(from, to);
      const isReused = whole.map(([, endpoint, , , , , , , , , , , , , , , , key, bodyHash, source]) => {
        const known = key === null ? undefined : this.#statements.byKey.get(endpoint, source, key);
        return known !== undefined && known.body_hash !== bodyHash;
      });
      if (isReused.includes(true)) return isReused.map((reused) => (reused ? "other-body" : "left-out"));
      return whole.map((tuple) => this.#writeDecision(tuple, written));
    });
  }

  #writeDecision(tuple: DecisionTuple, written: Written): Settled {
    const [id, endpoint, release, arm, , cell, subject, payload, salt, , action, , , , , decidedAtMs, , key, bodyHash, source, inputBins] =
      tuple;
    if (key !== null) {
      const known = this.#statements.byKey.get(endpoint, source, key);
      if (known) return known.body_hash === bodyHash ? storedReply(known) : "other-body";
    }
    // Ids are time-sorted: only one that isn't above all others can have been here before.
    if (id <= this.#chain.lastId) {
      const known = this.#statements.byId.get(id);
      if (known) return storedReply(known);
    } else this.#chain.lastId = id;
    const counted = arm !== "pinned" && (subject === null || this.#isFirstInADay("serving", release, subject, decidedAtMs));
    const row = decisionRow(tuple, { seq: this.#chain.lastSeq + 1, counted, commitment: commitmentOf(salt, cell, subject, payload) });
    this.#statements.insertDecision.run(
      row.seq,
      row.id,
      row.endpoint,
      row.release,
      row.arm,
      row.generation,
      row.cell,
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
      written.batch,
    );
    this.#statements.insertPayload.run(row.seq, subject, salt, payload, inputBins);
    if (subject !== null) this.#subjects.add(subject, row.seq);
    this.#remember(id, { seq: row.seq, endpoint, cell, source, release, action, subject });
    this.#chain.lastSeq = row.seq;
    written.decisions++;
    written.texts.push(decisionText(row));
    written.answers.push(answerOf(row, inputBins));
    return row.seq;
  }

  #remember(id: string, decision: RecordedDecision): void {
    this.#latest.set(id, decision);
    if (this.#latest.size <= REMEMBERED_DECISIONS) return;
    for (const oldest of this.#latest.keys()) {
      this.#latest.delete(oldest);
      break;
    }
  }

  /** The decision that a shadow answered too; undefined where there is none, or where the person has been erased. */
  #shadowed(id: string): RecordedDecision | undefined {
    const latest = this.#latest.get(id);
    // Whoever was erased meanwhile has no payload any more.
    if (latest) return this.#statements.hasPayload.get(latest.seq) === undefined ? undefined : latest;
    const stored = this.#statements.shadowed.get(id);
    return stored?.cell === ERASED_CELL ? undefined : stored;
  }

  /** @returns whether it is recorded now and was not before */
  #writeShadow(tuple: ShadowTuple, written: Written): boolean {
    const [decision, release, , , , , answeredAtMs] = tuple;
    const of = this.#shadowed(decision);
    if (!of) return false;
    if (this.#statements.shadowKnown.get(decision, release)) return false;
    const counted = isOwnAnswer(tuple) && (of.subject === null || this.#isFirstInADay("shadow", release, of.subject, answeredAtMs, of.seq));
    const row = shadowRow(tuple, of, { n: written.shadows++, counted });
    this.#statements.insertShadow.run(
      written.batch,
      row.n,
      row.decision,
      row.release,
      row.endpoint,
      row.cell,
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
    );
    written.texts.push(shadowText(row));
    written.answers.push(shadowAnswerOf(row));
    const flip = flipOf(row);
    if (flip) written.flips.push(flip);
    return true;
  }

  /**
   * Whether this answer is the subject's first in a day for the release. The log itself knows: a table of who was counted when would
   * be written at one more random place for every decision, which costs a third of the throughput.
   * @param ownSeq - of the decision that the answer itself belongs to
   */
  #isFirstInADay(armClass: ArmClass, release: string, subject: string, atMs: number, ownSeq?: number): boolean {
    const key = `${subject}\0${release}\0${armClass}`;
    const lastMs = this.#lastCountedMs.get(key);
    if (lastMs !== undefined && Math.abs(atMs - lastMs) < REPEAT_WITHIN_MS) return false;
    const countedMs = this.#countedMsAround(armClass, release, subject, atMs, ownSeq);
    if (this.#lastCountedMs.size >= REMEMBERED_SUBJECTS) this.#lastCountedMs.clear();
    this.#lastCountedMs.set(key, countedMs ?? atMs);
    return countedMs === undefined;
  }

  /** When, within a day before or after, an answer of the release to the subject was counted. */
  #countedMsAround(armClass: ArmClass, release: string, subject: string, atMs: number, ownSeq: number | undefined): number | undefined {
    const [fromMs, toMs] = [atMs - REPEAT_WITHIN_MS, atMs + REPEAT_WITHIN_MS];
    for (const seq of this.#subjects.waiting(subject)) {
      if (seq === ownSeq) continue;
      const found = this.#statements.countedIn[armClass].get(seq, release, fromMs, toMs);
      if (found) return found.atMs;
    }
    // Most people are new; asking for the subject alone costs a sixth of the whole question.
    if (!this.#subjects.isInTable(subject)) return undefined;
    return this.#statements.countedOf[armClass].get(subject, release, fromMs, toMs)?.atMs;
  }

  #writeTallies(writer: string, written: Written, firstSeq: number): void {
    const increments = tallyUp(written.answers);
    for (const row of increments) {
      const { endpoint, release, arm, minute, cell, action, source, decisions, counted, fallback, scored, scoreSumU6, latencySumUs } = row;
      const counts = [decisions, counted, fallback, scored, scoreSumU6, latencySumUs];
      this.#statements.addTally.run(endpoint, release, arm, minute, cell, action, writer, source, ...counts);
    }
    for (const row of overMinutes(increments)) {
      const { endpoint, release, arm, cell, action, source, decisions, counted, fallback, scored, scoreSumU6, latencySumUs } = row;
      const counts = [decisions, counted, fallback, scored, scoreSumU6, latencySumUs];
      this.#statements.addTotal.run(endpoint, release, arm, cell, action, writer, source, ...counts);
    }
    for (const { release, endpoint, day, arm, decisions } of overDays(increments))
      this.#statements.addDay.run(release, endpoint, day, arm, writer, decisions, firstSeq, this.#chain.lastSeq);
    for (const row of flipsUp(written.flips)) {
      const { endpoint, shadowRelease, liveRelease, cell, liveAction, shadowAction, counted } = row;
      this.#statements.addFlip.run(endpoint, shadowRelease, liveRelease, cell, liveAction, shadowAction, writer, counted);
    }
  }
}

/** Where the log ends; kept here between batches, since nobody else writes to it. */
interface Chain {
  lastSeq: number;
  /** The highest id. */
  lastId: string;
  lastBatch: number;
  digest: string;
}

interface RecordedDecision extends ShadowedDecision {
  readonly seq: number;
}

interface Written {
  readonly batch: number;
  readonly texts: string[];
  readonly answers: CountedAnswer[];
  readonly flips: Flip[];
  decisions: number;
  shadows: number;
}

const isCounted = "counted = 1 and";
const servingBySeq = `select decided_at_ms as atMs from decision
  where seq = ? and release = ? and ${isCounted} decided_at_ms > ? and decided_at_ms < ?`;
const servingBySubject = `select d.decided_at_ms as atMs from subject_index i join decision d on d.seq = i.seq
  where i.subject = ? and d.release = ? and d.${isCounted} d.decided_at_ms > ? and d.decided_at_ms < ? limit 1`;
const shadowBySeq = `select s.answered_at_ms as atMs from decision d join shadow_answer s on s.decision = d.id
  where d.seq = ? and s.release = ? and s.${isCounted} s.answered_at_ms > ? and s.answered_at_ms < ?`;
const shadowBySubject = `select s.answered_at_ms as atMs from subject_index i join decision d on d.seq = i.seq
  join shadow_answer s on s.decision = d.id
  where i.subject = ? and s.release = ? and s.${isCounted} s.answered_at_ms > ? and s.answered_at_ms < ? limit 1`;

type Statements = ReturnType<typeof prepare>;

function prepare(db: Database) {
  const counts = "decisions, counted, fallback, scored, score_sum_u6, latency_sum_us";
  const add = (table: string) =>
    counts
      .split(", ")
      .map((column) => `${column} = ${table}.${column} + excluded.${column}`)
      .join(", ");
  const countedAmong = <Key>(query: string) => db.prepare<[Key, string, number, number], { atMs: number }>(query);
  const marks = (count: number) => Array.from({ length: count }, () => "?").join(", ");
  return {
    lastDecision: db.prepare<[], { lastSeq: number; lastId: string }>(
      "select coalesce((select max(seq) from decision), 0) as lastSeq, coalesce((select max(id) from decision), '') as lastId",
    ),
    lastBatch: db.prepare<[], { batch: number; lastSeq: number; digest: string }>(
      "select batch, last_seq as lastSeq, digest from decision_batch order by batch desc limit 1",
    ),
    byKey: db.prepare<[string, string, string], DecisionColumns & { seq: number }>(
      "select * from decision where endpoint = ? and source = ? and idempotency_key = ?",
    ),
    byId: db.prepare<[string], DecisionColumns & { seq: number }>("select * from decision where id = ?"),
    countedIn: { serving: countedAmong(servingBySeq), shadow: countedAmong(shadowBySeq) },
    countedOf: { serving: countedAmong(servingBySubject), shadow: countedAmong(shadowBySubject) },
    insertDecision: db.prepare(
      `insert into decision (seq, id, endpoint, release, arm, generation, cell, score, action, favourable, reasons_json, answered_by, because,
       decided_at_ms, latency_us, source, idempotency_key, body_hash, counted, commitment, batch) values (${marks(21)})`,
    ),
    insertPayload: db.prepare("insert into decision_payload (seq, subject, salt, payload, input_bins) values (?, ?, ?, ?, ?)"),
    hasPayload: db.prepare<[number], unknown>("select 1 from decision_payload where seq = ?"),
    shadowed: db.prepare<[string], RecordedDecision>(
      `select d.seq, d.endpoint, d.cell, d.source, d.release, d.action, p.subject
       from decision d left join decision_payload p on p.seq = d.seq where d.id = ?`,
    ),
    shadowKnown: db.prepare<[string, string], unknown>("select 1 from shadow_answer where decision = ? and release = ?"),
    insertShadow: db.prepare(
      `insert into shadow_answer (batch, n, decision, release, endpoint, cell, source, live_release, live_action, score, action, favourable,
       because, counted, answered_at_ms, latency_us) values (${marks(16)})`,
    ),
    insertBatch: db.prepare(
      `insert into decision_batch (batch, writer, previous, first_seq, last_seq, decisions, shadows, digest) values (${marks(8)})`,
    ),
    addTally: db.prepare(
      `insert into tally (endpoint, release, arm, minute, cell, action, writer, source, ${counts}) values (${marks(14)})
       on conflict do update set ${add("tally")}`,
    ),
    addTotal: db.prepare(
      `insert into tally_total (endpoint, release, arm, cell, action, writer, source, ${counts}) values (${marks(13)})
       on conflict do update set ${add("tally_total")}`,
    ),
    addDay: db.prepare(
      `insert into tally_day (release, endpoint, day, arm, writer, decisions, first_seq, last_seq) values (${marks(8)})
       on conflict do update set decisions = tally_day.decisions + excluded.decisions,
         first_seq = min(tally_day.first_seq, excluded.first_seq), last_seq = max(tally_day.last_seq, excluded.last_seq)`,
    ),
    addFlip: db.prepare(
      `insert into flip_total (endpoint, shadow_release, live_release, cell, live_action, shadow_action, writer, counted) values (${marks(8)})
       on conflict do update set counted = flip_total.counted + excluded.counted`,
    ),
  };
}
