import { sql, type Kysely } from "kysely";

/** Counts by day, so that what was decided with a dataset is known without reading decisions or minutes. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const isPostgres = db.getExecutor().adapter.supportsTransactionalDdl;
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
  // What was counted before this table: one pass over the log, once. A shadow's failures are no answers of its release.
  await sql`
    insert into tally_day (release, endpoint, day, arm, writer, decisions, first_seq, last_seq)
    select release, endpoint, decided_at_ms / 86400000, arm, 'before-days', count(*), min(seq), max(seq)
    from decision group by release, endpoint, decided_at_ms / 86400000, arm`.execute(db);
  await sql`
    insert into tally_day (release, endpoint, day, arm, writer, decisions, first_seq, last_seq)
    select release, endpoint, answered_at_ms / 86400000, 'shadow', 'before-days', count(*), 0, 0
    from shadow_answer where because is null group by release, endpoint, answered_at_ms / 86400000`.execute(db);
}
