/** What outcomes do to the tallies, collected and then written: by answer, and by the score that the decision had. */
import type { Transaction } from "kysely";
import type { Schema } from "../store/index.ts";
import { hourOf, scoreBinOf } from "./bin-counts.ts";
import { minuteOf } from "./tally.ts";

type Tx = Transaction<Schema>;
type OutcomeIncrement = Schema["outcome_tally"];
type ScoreIncrement = Schema["score_outcome_tally"];
/** What of a decision its outcome is counted by. */
export type OfDecision = Pick<OutcomeIncrement, "endpoint" | "release" | "arm" | "cell" | "action"> & {
  readonly decided_at_ms: number;
  readonly score: number | null;
};

const CHUNK = 500;

export class OutcomeTallies {
  readonly #byAnswer = new Map<string, OutcomeIncrement>();
  readonly #byScore = new Map<string, ScoreIncrement>();

  /** Adds one outcome, or takes it away again. */
  add(decision: OfDecision, good: 0 | 1, writer: string, by: { readonly count: number; readonly corrections: number }): void {
    const { endpoint, release, arm, cell, action, decided_at_ms } = decision;
    const minute = minuteOf(decided_at_ms);
    const key = [endpoint, release, arm, cell, minute, action, good, writer].join("\0");
    const row = this.#byAnswer.get(key) ?? { endpoint, release, arm, cell, minute, action, good, writer, count: 0, corrections: 0 };
    this.#byAnswer.set(key, { ...row, count: row.count + by.count, corrections: row.corrections + by.corrections });
    this.#addScore(decision, good, writer, by.count + by.corrections);
  }

  #addScore({ endpoint, release, arm, cell, score, decided_at_ms }: OfDecision, good: 0 | 1, writer: string, times: number): void {
    if (score === null) return;
    const [day, bin] = [Math.floor(hourOf(decided_at_ms) / 24), scoreBinOf(score)];
    const key = [endpoint, release, arm, cell, day, bin, good, writer].join("\0");
    const nothing = { count: 0, sum_u6: 0, sumsq_u6: 0 };
    const row = this.#byScore.get(key) ?? { endpoint, release, arm, cell, day, bin, good, writer, ...nothing };
    this.#byScore.set(key, {
      ...row,
      count: row.count + times,
      sum_u6: row.sum_u6 + times * Math.round(score * 1e6),
      sumsq_u6: row.sumsq_u6 + times * Math.round(score * score * 1e6),
    });
  }

  async write(tx: Tx): Promise<void> {
    for (const rows of chunks([...this.#byAnswer.values()]))
      await tx
        .insertInto("outcome_tally")
        .values(rows)
        .onConflict((conflict) =>
          conflict.columns(["endpoint", "release", "arm", "cell", "minute", "action", "good", "writer"]).doUpdateSet((eb) => ({
            count: eb("outcome_tally.count", "+", eb.ref("excluded.count")),
            corrections: eb("outcome_tally.corrections", "+", eb.ref("excluded.corrections")),
          })),
        )
        .execute();
    for (const rows of chunks([...this.#byScore.values()]))
      await tx
        .insertInto("score_outcome_tally")
        .values(rows)
        .onConflict((conflict) =>
          conflict.columns(["endpoint", "release", "arm", "day", "cell", "bin", "good", "writer"]).doUpdateSet((eb) => ({
            count: eb("score_outcome_tally.count", "+", eb.ref("excluded.count")),
            sum_u6: eb("score_outcome_tally.sum_u6", "+", eb.ref("excluded.sum_u6")),
            sumsq_u6: eb("score_outcome_tally.sumsq_u6", "+", eb.ref("excluded.sumsq_u6")),
          })),
        )
        .execute();
  }
}

function chunks<T>(rows: readonly T[]): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(rows.length / CHUNK) }, (_, i) => rows.slice(i * CHUNK, (i + 1) * CHUNK));
}
