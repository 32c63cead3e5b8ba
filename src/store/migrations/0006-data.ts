import type { Kysely } from "kysely";

/** Datasets of other formats than CSV, and of several files. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable("dataset_version")
    .addColumn("format", "text", (c) => c.notNull().defaultTo("csv"))
    .execute();
  await db.schema
    .alterTable("dataset_version")
    .addColumn("layout", "text", (c) => c.notNull().defaultTo("file"))
    .execute();
}
