import { sql, type Kysely } from "kysely";

/**
 * Counts by day, so that what was decided with a dataset is known without reading decisions or minutes; how far OpenLineage was
 * told; which aliases not everybody may move.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  const isPostgres = db.getExecutor().adapter.supportsTransactionalDdl === true;
  const tallyDay = db.schema
    .createTable("tally_day")
    .addColumn("release", "text", (c) => c.notNull())
    .addColumn("endpoint", "text", (c) => c.notNull())
    .addColumn("day", "bigint", (c) => c.notNull())
    .addColumn("arm", "text", (c) => c.notNull())
    .addColumn("writer", "text", (c) => c.notNull())
    .addColumn("decisions", "bigint", (c) => c.notNull())
    .addColumn("first_seq", "bigint", (c) => c.notNull())
    .addColumn("last_seq", "bigint", (c) => c.notNull())
    .addPrimaryKeyConstraint("tally_day_key", ["release", "endpoint", "day", "arm", "writer"]);
  await (isPostgres ? tallyDay : tallyDay.modifyEnd(sql`without rowid`)).execute();
  await countWhatWas(db, isPostgres);
  await db.schema
    .createTable("model_protected_alias")
    .addColumn("model", "text", (c) => c.notNull())
    .addColumn("alias", "text", (c) => c.notNull())
    .addColumn("protected_at_ms", "bigint", (c) => c.notNull())
    .addColumn("protected_by", "text", (c) => c.notNull())
    .addColumn("reason", "text", (c) => c.notNull())
    .addPrimaryKeyConstraint("model_protected_alias_key", ["model", "alias"])
    .execute();
  await db.schema
    .createTable("openlineage_export")
    .addColumn("target", "text", (c) => c.primaryKey().notNull())
    .addColumn("position", "bigint", (c) => c.notNull())
    .addColumn("mark", "bigint", (c) => c.notNull())
    .addColumn("delivered", "bigint", (c) => c.notNull())
    .addColumn("refused", "bigint", (c) => c.notNull())
    .addColumn("failures", "bigint", (c) => c.notNull())
    .addColumn("last_error", "text")
    .addColumn("last_error_at_ms", "bigint")
    .addColumn("last_success_at_ms", "bigint")
    .execute();
}

/** So many numbers of the log in one statement: none may take longer than a server waits for one. */
const DECISIONS_AT_ONCE = 500_000;
const BATCHES_AT_ONCE = 10_000;

/** What was recorded before there was this table. A shadow's failures are no answers of its release. */
async function countWhatWas(db: Kysely<unknown>, isPostgres: boolean): Promise<void> {
  const [least, greatest] = isPostgres ? [sql.raw("least"), sql.raw("greatest")] : [sql.raw("min"), sql.raw("max")];
  const adding = sql`on conflict (release, endpoint, day, arm, writer) do update set decisions = tally_day.decisions + excluded.decisions,
    first_seq = ${least}(tally_day.first_seq, excluded.first_seq), last_seq = ${greatest}(tally_day.last_seq, excluded.last_seq)`;
  const columns = sql`(release, endpoint, day, arm, writer, decisions, first_seq, last_seq)`;
  const lastSeq = await lastOf(db, sql`select max(seq) as n from decision`);
  for (let from = 1; from <= lastSeq; from += DECISIONS_AT_ONCE)
    await sql`
      insert into tally_day ${columns}
      select release, endpoint, decided_at_ms / 86400000, arm, 'before-days', count(*), min(seq), max(seq) from decision
      where seq >= ${from} and seq < ${from + DECISIONS_AT_ONCE}
      group by release, endpoint, decided_at_ms / 86400000, arm ${adding}`.execute(db);
  const lastBatch = await lastOf(db, sql`select max(batch) as n from shadow_answer`);
  for (let from = 1; from <= lastBatch; from += BATCHES_AT_ONCE)
    await sql`
      insert into tally_day ${columns}
      select release, endpoint, answered_at_ms / 86400000, 'shadow', 'before-days', count(*), 0, 0 from shadow_answer
      where because is null and batch >= ${from} and batch < ${from + BATCHES_AT_ONCE}
      group by release, endpoint, answered_at_ms / 86400000 ${adding}`.execute(db);
}

async function lastOf(db: Kysely<unknown>, query: ReturnType<typeof sql<unknown>>): Promise<number> {
  const { rows } = await query.execute(db);
  const [row] = rows;
  return typeof row === "object" && row !== null && "n" in row && row.n !== null ? Number(row.n) : 0;
}
