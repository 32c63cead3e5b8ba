import type { Kysely } from "kysely";

/** Why decisions came out as they did, and the people that they were compared with. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("reason_reference")
    .addColumn("id", "text", (c) => c.primaryKey())
    .addColumn("endpoint", "text", (c) => c.notNull())
    .addColumn("release", "text", (c) => c.notNull())
    .addColumn("source", "text", (c) => c.notNull())
    .addColumn("decisions_json", "text", (c) => c.notNull())
    .addColumn("frozen", "bigint", (c) => c.notNull())
    .addColumn("drawn_at_ms", "bigint", (c) => c.notNull())
    .execute();
  await db.schema.createIndex("reason_reference_release").on("reason_reference").columns(["endpoint", "release", "frozen"]).execute();
  await db.schema
    .createTable("decision_reasons")
    .addColumn("decision", "text", (c) => c.primaryKey())
    .addColumn("body_json", "text", (c) => c.notNull())
    .addColumn("computed_at_ms", "bigint", (c) => c.notNull())
    .execute();
}
