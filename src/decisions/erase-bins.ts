/** Of somebody who is erased, counts by bin stay as coarse counts do: under the name of nobody. */
import type { Transaction } from "kysely";
import type { Schema } from "../store/index.ts";
import { BinCounts, type BinnedAnswer } from "./bin-counts.ts";

type Tx = Transaction<Schema>;

/** Counts of erased people stay under this writer's name: they hold nothing personal, and the log can't be counted for them. */
export const ERASED_WRITER = "erased";

/** An answer that is about to lose its cell, and where the log has it. */
export interface LoggedAnswer {
  readonly writer: string;
  readonly batch: number;
  readonly answer: BinnedAnswer;
}

/**
 * Moves what is in the bins already, and adds what isn't yet: their writers, told by the revision of their cursors, then count anew what
 * they have in memory, and find nobody there. Latencies are nobody's and stay where they are. To be called before anything else of an
 * erasure is written: it locks the cursors, as commits do first.
 */
export async function moveBins(tx: Tx, answers: readonly LoggedAnswer[]): Promise<void> {
  const writers = [...new Set(answers.map(({ writer }) => writer))].toSorted();
  if (writers.length === 0) return;
  await tx
    .updateTable("bin_cursor")
    .set((eb) => ({ revision: eb("revision", "+", 1) }))
    .where("writer", "in", writers)
    .execute();
  const cursors = await tx.selectFrom("bin_cursor").selectAll().where("writer", "in", writers).execute();
  const cursorOf = new Map(cursors.map((cursor) => [cursor.writer, cursor]));
  const counted = new Map<string, BinCounts>(writers.map((writer) => [writer, new BinCounts()]));
  const all = new BinCounts();
  for (const { writer, batch, answer } of answers) {
    const { from_batch = 0, batch: upTo = 0 } = cursorOf.get(writer) ?? {};
    if (batch <= from_batch) continue; // recorded before there were bins
    all.add(answer);
    if (batch <= upTo) counted.get(writer)?.add(answer);
  }
  for (const [writer, counts] of counted) await addBins(tx, counts, writer, -1);
  await addBins(tx, all, ERASED_WRITER, 1);
}

async function addBins(tx: Tx, counts: BinCounts, writer: string, times: 1 | -1): Promise<void> {
  for (const { sumU6, day, count, ...place } of counts.scores()) {
    const by = { count: times * count, sum_u6: times * sumU6 };
    await tx
      .insertInto("score_tally")
      .values({ ...place, day, writer, ...by })
      .onConflict((conflict) =>
        conflict.columns(["endpoint", "release", "arm", "day", "cell", "bin", "writer"]).doUpdateSet((eb) => ({
          count: eb("score_tally.count", "+", by.count),
          sum_u6: eb("score_tally.sum_u6", "+", by.sum_u6),
        })),
      )
      .execute();
    await tx
      .insertInto("score_total")
      .values({ ...place, writer, ...by })
      .onConflict((conflict) =>
        conflict.columns(["endpoint", "release", "arm", "cell", "bin", "writer"]).doUpdateSet((eb) => ({
          count: eb("score_total.count", "+", by.count),
          sum_u6: eb("score_total.sum_u6", "+", by.sum_u6),
        })),
      )
      .execute();
  }
  for (const { count, ...place } of counts.inputs())
    await tx
      .insertInto("input_tally")
      .values({ ...place, writer, count: times * count })
      .onConflict((conflict) =>
        conflict
          .columns(["endpoint", "release", "arm", "hour", "input", "bin", "writer"])
          .doUpdateSet((eb) => ({ count: eb("input_tally.count", "+", times * count) })),
      )
      .execute();
}
