import type { Kysely } from "kysely";

/** What a step's outcome was made of, and the times it ran again to see whether it does the same. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable("step_run").addColumn("facts_blob", "text").execute();
  await db.schema.createIndex("step_run_newest").on("step_run").columns(["pipeline", "step", "created_at_ms"]).execute();
  await db.schema
    .createTable("step_repeat")
    .addColumn("id", "text", (c) => c.primaryKey())
    .addColumn("key", "text", (c) => c.notNull())
    .addColumn("outs_json", "text", (c) => c.notNull())
    .addColumn("metrics_json", "text", (c) => c.notNull())
    .addColumn("duration_ms", "bigint", (c) => c.notNull())
    .addColumn("repeated_at_ms", "bigint", (c) => c.notNull())
    .addColumn("repeated_by", "text", (c) => c.notNull())
    .execute();
  await db.schema.createIndex("step_repeat_key").on("step_repeat").columns(["key", "id"]).execute();
}
