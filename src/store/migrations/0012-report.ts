import type { Kysely } from "kysely";

/** What came in otherwise than expected, the warnings that this gave, and reports that were made of an endpoint. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("expectation_hour")
    .addColumn("endpoint", "text", (c) => c.notNull())
    .addColumn("hour", "bigint", (c) => c.notNull())
    .addColumn("writer", "text", (c) => c.notNull())
    .addColumn("counts_json", "text", (c) => c.notNull())
    .addPrimaryKeyConstraint("expectation_hour_key", ["endpoint", "hour", "writer"])
    .execute();
  await db.schema
    .createTable("expectation_warning")
    .addColumn("endpoint", "text", (c) => c.notNull())
    .addColumn("day", "bigint", (c) => c.notNull())
    .addColumn("expectation", "text", (c) => c.notNull())
    .addColumn("breach", "text", (c) => c.notNull())
    .addColumn("at_ms", "bigint", (c) => c.notNull())
    .addColumn("checked", "bigint", (c) => c.notNull())
    .addColumn("breached", "bigint", (c) => c.notNull())
    .addColumn("share_limit", "double precision", (c) => c.notNull())
    .addPrimaryKeyConstraint("expectation_warning_key", ["endpoint", "day", "expectation", "breach"])
    .execute();
  await db.schema
    .createTable("report")
    .addColumn("id", "text", (c) => c.primaryKey().notNull())
    .addColumn("endpoint", "text", (c) => c.notNull())
    .addColumn("schedule", "text", (c) => c.notNull())
    .addColumn("from_ms", "bigint", (c) => c.notNull())
    .addColumn("to_ms", "bigint", (c) => c.notNull())
    .addColumn("blob", "text", (c) => c.notNull())
    .addColumn("bytes", "bigint", (c) => c.notNull())
    .addColumn("made_at_ms", "bigint", (c) => c.notNull())
    .addColumn("made_by", "text", (c) => c.notNull())
    .execute();
  // Of two servers that make the same scheduled report, one keeps it.
  await db.schema.createIndex("report_period").on("report").columns(["endpoint", "schedule", "from_ms"]).unique().execute();
}
