import type { Kysely } from "kysely";

/** What releases were asked first, by the route table, and what of it they had no answer for. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("planned_tally")
    .addColumn("endpoint", "text", (c) => c.notNull())
    .addColumn("release", "text", (c) => c.notNull())
    .addColumn("arm", "text", (c) => c.notNull())
    .addColumn("minute", "bigint", (c) => c.notNull())
    .addColumn("writer", "text", (c) => c.notNull())
    .addColumn("asked", "bigint", (c) => c.notNull())
    .addColumn("failed", "bigint", (c) => c.notNull())
    .addPrimaryKeyConstraint("planned_tally_pk", ["endpoint", "release", "arm", "minute", "writer"])
    .execute();
}
