import type { Kysely } from "kysely";

/** How tests began, beside what they have come to, and a check on both: a test whose state is lost begins the same way again. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("guardrail_begun")
    .addColumn("id", "text", (c) => c.notNull().primaryKey())
    .addColumn("endpoint", "text", (c) => c.notNull())
    .addColumn("release", "text", (c) => c.notNull())
    .addColumn("arm_class", "text", (c) => c.notNull())
    .addColumn("epoch", "bigint", (c) => c.notNull())
    .addColumn("begun_json", "text", (c) => c.notNull())
    .addColumn("digest", "text", (c) => c.notNull())
    .execute();
  await db.schema.createIndex("guardrail_begun_release").on("guardrail_begun").columns(["endpoint", "release"]).execute();
  // Null in rows of earlier versions: nothing to check them by.
  await db.schema.alterTable("guardrail_test").addColumn("digest", "text").execute();
}
