import type { Kysely } from "kysely";

/** Where decisions and outcomes are delivered, how far that has come, and which process does it. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("sink")
    .addColumn("name", "text", (c) => c.primaryKey().notNull())
    .addColumn("spec_json", "text", (c) => c.notNull())
    .addColumn("state", "text", (c) => c.notNull())
    .addColumn("why", "text")
    .addColumn("created_at_ms", "bigint", (c) => c.notNull())
    .addColumn("updated_at_ms", "bigint", (c) => c.notNull())
    .execute();
  await db.schema
    .createTable("sink_cursor")
    .addColumn("sink", "text", (c) => c.notNull())
    .addColumn("stream", "text", (c) => c.notNull())
    .addColumn("position", "bigint", (c) => c.notNull())
    .addColumn("claimed_to", "bigint")
    .addColumn("mark", "text")
    .addColumn("delivered", "bigint", (c) => c.notNull())
    .addColumn("failures", "bigint", (c) => c.notNull())
    .addColumn("last_error", "text")
    .addColumn("last_error_at_ms", "bigint")
    .addColumn("last_success_at_ms", "bigint")
    .addPrimaryKeyConstraint("sink_cursor_key", ["sink", "stream"])
    .execute();
  await db.schema
    .createTable("sink_lease")
    .addColumn("name", "text", (c) => c.primaryKey().notNull())
    .addColumn("holder", "text", (c) => c.notNull())
    .addColumn("until_ms", "bigint", (c) => c.notNull())
    .execute();
}
