import type { Kysely } from "kysely";

/** What had become of decisions when they reached the ages at which guardrails on outcomes look, and how far the log is counted for each. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("matured_outcome")
    .addColumn("endpoint", "text", (c) => c.notNull())
    .addColumn("matures_after_ms", "bigint", (c) => c.notNull())
    .addColumn("release", "text", (c) => c.notNull())
    .addColumn("arm", "text", (c) => c.notNull())
    .addColumn("cell", "text", (c) => c.notNull())
    .addColumn("action", "text", (c) => c.notNull())
    .addColumn("state", "text", (c) => c.notNull())
    .addColumn("count", "bigint", (c) => c.notNull())
    .addPrimaryKeyConstraint("matured_outcome_key", ["endpoint", "matures_after_ms", "release", "arm", "cell", "action", "state"])
    .execute();
  await db.schema
    .createTable("matured_cursor")
    .addColumn("endpoint", "text", (c) => c.notNull())
    .addColumn("matures_after_ms", "bigint", (c) => c.notNull())
    .addColumn("position", "bigint", (c) => c.notNull())
    .addColumn("has_caught_up", "bigint", (c) => c.notNull())
    .addPrimaryKeyConstraint("matured_cursor_key", ["endpoint", "matures_after_ms"])
    .execute();
}
