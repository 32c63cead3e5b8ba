import type { Kysely } from "kysely";

/** Rehearsals of a rollback, and what they came to. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("drill")
    .addColumn("endpoint", "text", (c) => c.notNull())
    .addColumn("at_ms", "bigint", (c) => c.notNull())
    .addColumn("mode", "text", (c) => c.notNull())
    .addColumn("live", "text", (c) => c.notNull())
    .addColumn("target", "text", (c) => c.notNull())
    .addColumn("passed", "bigint", (c) => c.notNull())
    .addColumn("body_json", "text", (c) => c.notNull())
    .addColumn("actor", "text", (c) => c.notNull())
    .addPrimaryKeyConstraint("drill_key", ["endpoint", "at_ms"])
    .execute();
}
