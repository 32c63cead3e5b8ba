/** Counts by bin on SQLite, in the thread that writes: kept in memory, written with a commit every two seconds or so. */
import type { Schema, SqliteProcedure } from "../store/index.ts";
import { uncelled, type BinnedAnswer } from "./bin-counts.ts";
import { BEGINNING, PendingBins, type BinCursor } from "./pending-bins.ts";
import { answerOf, shadowAnswerOf } from "./rows.ts";

type Database = Parameters<SqliteProcedure<unknown, unknown>>[0];

export class BinWriter {
  readonly #statements: ReturnType<typeof prepare>;
  readonly #pending = new PendingBins();

  constructor(db: Database) {
    this.#statements = prepare(db);
  }

  /** Writes what batches up to `lastBatch`, all committed, add to the bins. Within a transaction. */
  write(writer: string, lastBatch: number): void {
    const stored = this.#statements.cursor.get(writer) ?? BEGINNING;
    if (!this.#pending.goOnFrom(stored)) this.#countFrom(stored.batch, lastBatch);
    const { addLatency, addLatencyTotal, addScore, addScoreTotal, addInput, moveCursor } = this.#statements;
    for (const { endpoint, release, arm, hour, bucket, count } of this.#pending.counts.latencies()) {
      addLatency.run(endpoint, release, arm, hour, bucket, writer, count);
      addLatencyTotal.run(endpoint, release, arm, bucket, writer, count);
    }
    for (const { endpoint, release, arm, day, cell, bin, count, sumU6 } of this.#pending.counts.scores()) {
      addScore.run(endpoint, release, arm, day, cell, bin, writer, count, sumU6);
      addScoreTotal.run(endpoint, release, arm, cell, bin, writer, count, sumU6);
    }
    for (const { endpoint, release, arm, hour, input, bin, count } of this.#pending.counts.inputs())
      addInput.run(endpoint, release, arm, hour, input, bin, writer, count);
    moveCursor.run(writer, lastBatch);
    this.#pending.wrote({ batch: lastBatch, revision: stored.revision });
  }

  committed(answers: readonly BinnedAnswer[]): void {
    this.#pending.committed(answers);
  }
  forget(): void {
    this.#pending.forget();
  }

  /** Counts the log's batches above `after`, up to `upTo`. Whoever was erased was moved to where they count when that was done. */
  #countFrom(after: number, upTo: number): void {
    const { firstSeq } = this.#statements.firstSeq.get(after, upTo) ?? { firstSeq: null };
    if (firstSeq !== null)
      for (const row of this.#statements.decisions.iterate(firstSeq, after, upTo))
        this.#pending.counts.add(uncelled(answerOf(row, row.input_bins)));
    for (const row of this.#statements.shadows.iterate(after, upTo)) this.#pending.counts.add(uncelled(shadowAnswerOf(row)));
  }
}

type DecisionWithBins = Schema["decision"] & { seq: number } & Pick<Schema["decision_payload"], "input_bins">;

function prepare(db: Database) {
  const add = (table: string, key: readonly string[], counts: readonly string[]) => {
    const columns = [...key, "writer", ...counts];
    const sums = counts.map((column) => `${column} = ${table}.${column} + excluded.${column}`).join(", ");
    return db.prepare(
      `insert into ${table} (${columns.join(", ")}) values (${columns.map(() => "?").join(", ")}) on conflict do update set ${sums}`,
    );
  };
  const series = ["endpoint", "release", "arm"];
  return {
    cursor: db.prepare<[string], BinCursor>("select batch, revision from bin_cursor where writer = ?"),
    moveCursor: db.prepare(
      `insert into bin_cursor (writer, from_batch, batch, revision) values (?, 0, ?, 0)
       on conflict do update set batch = excluded.batch`,
    ),
    firstSeq: db.prepare<[number, number], { firstSeq: number | null }>(
      "select min(first_seq) as firstSeq from decision_batch where batch > ? and batch <= ? and decisions > 0",
    ),
    decisions: db.prepare<[number, number, number], DecisionWithBins>(
      `select d.*, p.input_bins from decision d left join decision_payload p on p.seq = d.seq
       where d.seq >= ? and d.batch > ? and d.batch <= ? order by d.seq`,
    ),
    shadows: db.prepare<[number, number], Schema["shadow_answer"]>("select * from shadow_answer where batch > ? and batch <= ?"),
    addLatency: add("latency_tally", [...series, "hour", "bucket"], ["count"]),
    addLatencyTotal: add("latency_total", [...series, "bucket"], ["count"]),
    addScore: add("score_tally", [...series, "day", "cell", "bin"], ["count", "sum_u6"]),
    addScoreTotal: add("score_total", [...series, "cell", "bin"], ["count", "sum_u6"]),
    addInput: add("input_tally", [...series, "hour", "input", "bin"], ["count"]),
  };
}
