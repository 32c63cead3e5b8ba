import type { Kysely } from "kysely";

/** How the values of a version's columns are spread, in all rows and by group: beside the versions, so that lists of them don't read it. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable("dataset_version").dropColumn("sketches").execute();
  await db.schema
    .createTable("dataset_sketch")
    .addColumn("dataset", "text", (c) => c.notNull())
    .addColumn("number", "bigint", (c) => c.notNull())
    .addColumn("sketches_json", "text", (c) => c.notNull())
    .addPrimaryKeyConstraint("dataset_sketch_key", ["dataset", "number"])
    .execute();
}
