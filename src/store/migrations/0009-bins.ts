import { sql, type CreateTableBuilder, type Kysely } from "kysely";

/** Counts by bin: latencies, scores, inputs, outcomes by score; and how far each writer's part of the log has gone into them. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const isPostgres = db.getExecutor().adapter.supportsTransactionalDdl;
  const texts = new Set(["endpoint", "release", "arm", "cell", "writer"]);
  const counted = async (name: string, key: readonly string[], counts: readonly string[]) => {
    let table: CreateTableBuilder<string, string> = db.schema.createTable(name);
    for (const column of [...key, ...counts]) table = table.addColumn(column, texts.has(column) ? "text" : "bigint", (c) => c.notNull());
    const keyed = table.addPrimaryKeyConstraint(`${name}_key`, [...key]);
    await (isPostgres ? keyed : keyed.modifyEnd(sql`without rowid`)).execute();
  };
  const series = ["endpoint", "release", "arm"];
  await counted("latency_tally", [...series, "hour", "bucket", "writer"], ["count"]);
  await counted("latency_total", [...series, "bucket", "writer"], ["count"]);
  await counted("score_tally", [...series, "day", "cell", "bin", "writer"], ["count", "sum_u6"]);
  await counted("score_total", [...series, "cell", "bin", "writer"], ["count", "sum_u6"]);
  await counted("score_outcome_tally", [...series, "day", "cell", "bin", "good", "writer"], ["count", "sum_u6", "sumsq_u6"]);
  await counted("input_tally", [...series, "hour", "input", "bin", "writer"], ["count"]);
  await counted("request_tally", ["endpoint", "minute", "writer"], ["requests", "rejected", "failed"]);
  await counted("bin_cursor", ["writer"], ["from_batch", "batch", "revision"]);
  // What was recorded before there were bins isn't counted into them.
  await sql`insert into bin_cursor (writer, from_batch, batch, revision)
    select writer, max(batch), max(batch), 0 from decision_batch group by writer`.execute(db);
  const whole = (value: string) => (isPostgres ? `floor(${value})::bigint` : `cast(${value} as integer)`);
  const rough = whole("score * 100");
  // By edges, as `scoreBinOf` finds it; outcomes are few beside decisions.
  const bin = `case when ${rough} > 99 then 99 when score < ${rough} / 100.0 then ${rough} - 1
    when ${rough} < 99 and score >= (${rough} + 1) / 100.0 then ${rough} + 1 else ${rough} end`;
  await sql`insert into score_outcome_tally (endpoint, release, arm, day, cell, bin, good, writer, count, sum_u6, sumsq_u6)
    select endpoint, release, arm, day, cell, bin, good, writer, count(*), sum(u6), sum(squu6) from (
      select d.endpoint, d.release, d.arm, d.decided_at_ms / 86400000 as day, d.cell, ${sql.raw(bin)} as bin, o.good, o.writer,
        ${sql.raw(whole("score * 1000000.0 + 0.5"))} as u6, ${sql.raw(whole("score * score * 1000000.0 + 0.5"))} as squu6
      from (select max(seq) as seq from outcome group by decision) as newest
      join outcome o on o.seq = newest.seq join decision d on d.id = o.decision where d.score is not null and d.cell <> 'erased'
    ) as told group by endpoint, release, arm, day, cell, bin, good, writer`.execute(db);
  await db.schema.alterTable("decision_payload").addColumn("input_bins", "text").execute();
  await db.schema
    .createTable("input_profile")
    .addColumn("release", "text", (c) => c.primaryKey())
    .addColumn("profile_json", "text", (c) => c.notNull())
    .addColumn("made_at_ms", "bigint", (c) => c.notNull())
    .execute();
}
