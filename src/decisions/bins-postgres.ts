/** Counts by bin on PostgreSQL: as on SQLite, kept in memory and written with a commit every two seconds or so. */
import { sql, type RawBuilder, type Transaction } from "kysely";
import type { Schema } from "../store/index.ts";
import { BinCounts, uncelled, type BinnedAnswer } from "./bin-counts.ts";
import { BEGINNING, PendingBins, type BinCursor } from "./pending-bins.ts";
import type { Reader } from "./read-tallies.ts";
import { answerOf, shadowAnswerOf } from "./rows.ts";

type Tx = Transaction<Schema>;

export class PostgresBins {
  readonly #writer: string;
  readonly #pending = new PendingBins();

  constructor(writer: string) {
    this.#writer = writer;
  }

  /**
   * Writes what the writer's batches up to `lastBatch`, all committed, add to the bins. Its cursor stays locked until the transaction
   * ends: whoever counts for a writer that is gone, or erases somebody, waits for it.
   */
  async write(tx: Tx, lastBatch: number): Promise<void> {
    const stored = (await lockCursor(tx, this.#writer)) ?? BEGINNING;
    const { counts } = this.#pending;
    if (!this.#pending.goOnFrom(stored)) await countLog(tx, counts, this.#writer, stored.batch, lastBatch);
    await insertBins(tx, counts, this.#writer);
    await moveCursor(tx, this.#writer, lastBatch);
    this.#pending.wrote({ batch: lastBatch, revision: stored.revision });
  }

  committed(answers: readonly BinnedAnswer[]): void {
    this.#pending.committed(answers);
  }
  forget(): void {
    this.#pending.forget();
  }
}

/** Counts what writers left behind that ended before they had: each in a transaction of its own. Those that are alive notice. */
export async function countLeftBehind(db: Reader, inTransaction: (work: (tx: Tx) => Promise<void>) => Promise<void>): Promise<void> {
  const { rows } = await sql<{ writer: string }>`
    select c.writer from bin_cursor c where exists (select 1 from decision_batch b where b.batch > c.batch and b.writer = c.writer)`.execute(
    db,
  );
  for (const { writer } of rows)
    await inTransaction(async (tx) => {
      const cursor = await lockCursor(tx, writer);
      const last = await tx
        .selectFrom("decision_batch")
        .select((eb) => eb.fn.max("batch").as("batch"))
        .where("writer", "=", writer)
        .executeTakeFirst();
      if (!cursor || !last || last.batch === null || last.batch <= cursor.batch) return;
      const counts = new BinCounts();
      await countLog(tx, counts, writer, cursor.batch, last.batch);
      await insertBins(tx, counts, writer);
      await moveCursor(tx, writer, last.batch);
    });
}

const lockCursor = (tx: Tx, writer: string): Promise<BinCursor | undefined> =>
  tx.selectFrom("bin_cursor").select(["batch", "revision"]).where("writer", "=", writer).forUpdate().executeTakeFirst();

async function moveCursor(tx: Tx, writer: string, batch: number): Promise<void> {
  await tx
    .insertInto("bin_cursor")
    .values({ writer, from_batch: 0, batch, revision: 0 })
    .onConflict((conflict) => conflict.column("writer").doUpdateSet({ batch }))
    .execute();
}

async function countLog(tx: Tx, counts: BinCounts, writer: string, after: number, upTo: number): Promise<void> {
  const decisions = await tx
    .selectFrom("decision_batch as b")
    .innerJoin("decision as d", (join) =>
      join.onRef("d.seq", ">=", "b.first_seq").onRef("d.seq", "<=", "b.last_seq").onRef("d.batch", "=", "b.batch"),
    )
    .leftJoin("decision_payload as p", "p.seq", "d.seq")
    .selectAll("d")
    .select("p.input_bins")
    .where("b.writer", "=", writer)
    .where("b.batch", ">", after)
    .where("b.batch", "<=", upTo)
    .execute();
  for (const row of decisions) counts.add(uncelled(answerOf(row, row.input_bins)));
  const shadows = await tx
    .selectFrom("decision_batch as b")
    .innerJoin("shadow_answer as s", "s.batch", "b.batch")
    .selectAll("s")
    .where("b.writer", "=", writer)
    .where("b.batch", ">", after)
    .where("b.batch", "<=", upTo)
    .execute();
  for (const row of shadows) counts.add(uncelled(shadowAnswerOf(row)));
}

/** One table, fed with columns as arrays. */
type Columns = Readonly<Record<string, readonly (string | number)[]>>;

async function insertBins(tx: Tx, counts: BinCounts, writer: string): Promise<void> {
  const latencies = [...counts.latencies()];
  const scores = [...counts.scores()];
  const inputs = [...counts.inputs()];
  const series = (rows: readonly { endpoint: string; release: string; arm: string }[]) => ({
    endpoint: rows.map(({ endpoint }) => endpoint),
    release: rows.map(({ release }) => release),
    arm: rows.map(({ arm }) => arm),
    writer: rows.map(() => writer),
  });
  const count = (rows: readonly { count: number }[]) => rows.map((row) => row.count);
  const bucket = latencies.map((row) => row.bucket);
  const hourly = { ...series(latencies), hour: latencies.map(({ hour }) => hour), bucket };
  await upsert(tx, "latency_tally", hourly, { count: count(latencies) });
  await upsert(tx, "latency_total", { ...series(latencies), bucket }, { count: count(latencies) });
  const place = { ...series(scores), cell: scores.map(({ cell }) => cell), bin: scores.map(({ bin }) => bin) };
  const sums = { count: count(scores), sum_u6: scores.map(({ sumU6 }) => sumU6) };
  await upsert(tx, "score_tally", { ...place, day: scores.map(({ day }) => day) }, sums);
  await upsert(tx, "score_total", place, sums);
  const ofInput = { hour: inputs.map(({ hour }) => hour), input: inputs.map(({ input }) => input), bin: inputs.map(({ bin }) => bin) };
  await upsert(tx, "input_tally", { ...series(inputs), ...ofInput }, { count: count(inputs) });
}

/** Adds up rows of one key first: hours of one total are several. Rows go in in one order, so that nobody waits for each other. */
async function upsert(tx: Tx, table: string, key: Columns, counts: Columns): Promise<void> {
  const names = Object.keys(key);
  const counted = Object.keys(counts);
  if ((counts["count"] ?? []).length === 0) return;
  const array = (values: readonly (string | number)[]): RawBuilder<unknown> =>
    typeof values[0] === "string" ? sql`${values}::text[]` : sql`${values}::bigint[]`;
  const all = sql.raw([...names, ...counted].join(", "));
  const keys = sql.raw(names.join(", "));
  const arrays = sql.join([...names.map((name) => array(key[name] ?? [])), ...counted.map((name) => array(counts[name] ?? []))]);
  const sums = sql.raw(counted.map((name) => `sum(${name})::bigint`).join(", "));
  const add = sql.raw(counted.map((name) => `${name} = ${table}.${name} + excluded.${name}`).join(", "));
  await sql`insert into ${sql.raw(table)} (${all})
    select ${keys}, ${sums} from unnest(${arrays}) as t (${all}) group by ${keys} order by ${keys}
    on conflict (${keys}) do update set ${add}`.execute(tx);
}
