import type { Kysely } from "kysely";

/** The scores that releases give to what they were trained on: what live scores are compared with. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("score_reference")
    .addColumn("release", "text", (c) => c.primaryKey())
    .addColumn("reference_json", "text", (c) => c.notNull())
    .addColumn("made_at_ms", "bigint", (c) => c.notNull())
    .execute();
}
