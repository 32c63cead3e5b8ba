import type { Kysely } from "kysely";

/** Datasets of other formats than CSV and of several files; versions that are kept, taken away or redacted; tags that not everybody moves. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const version = () => db.schema.alterTable("dataset_version");
  await version()
    .addColumn("format", "text", (c) => c.notNull().defaultTo("csv"))
    .execute();
  await version()
    .addColumn("layout", "text", (c) => c.notNull().defaultTo("file"))
    .execute();
  await version().addColumn("sketches", "text").execute();
  await version().addColumn("removed_at_ms", "bigint").execute();
  await version().addColumn("removed_by", "text").execute();
  await version().addColumn("removed_because", "text").execute();
  // Two versions that differed in one person's row are the same bytes once that row is redacted in both.
  await db.schema.dropIndex("dataset_version_blob").execute();
  await db.schema.createIndex("dataset_version_blob").on("dataset_version").columns(["dataset", "blob"]).execute();
  await db.schema
    .createTable("dataset_pin")
    .addColumn("dataset", "text", (c) => c.notNull())
    .addColumn("number", "bigint", (c) => c.notNull())
    .addColumn("reason", "text", (c) => c.notNull())
    .addColumn("pinned_at_ms", "bigint", (c) => c.notNull())
    .addColumn("pinned_by", "text", (c) => c.notNull())
    .addPrimaryKeyConstraint("dataset_pin_key", ["dataset", "number"])
    .execute();
  await db.schema
    .createTable("dataset_protected_tag")
    .addColumn("dataset", "text", (c) => c.notNull())
    .addColumn("tag", "text", (c) => c.notNull())
    .addColumn("reason", "text", (c) => c.notNull())
    .addColumn("protected_at_ms", "bigint", (c) => c.notNull())
    .addColumn("protected_by", "text", (c) => c.notNull())
    .addPrimaryKeyConstraint("dataset_protected_tag_key", ["dataset", "tag"])
    .execute();
  await db.schema
    .createTable("dataset_redaction")
    .addColumn("dataset", "text", (c) => c.notNull())
    .addColumn("number", "bigint", (c) => c.notNull())
    .addColumn("blob_before", "text", (c) => c.notNull())
    .addColumn("blob_after", "text")
    .addColumn("id_before", "text", (c) => c.notNull())
    .addColumn("id_after", "text")
    .addColumn("rows", "bigint", (c) => c.notNull())
    .addColumn("reference", "text", (c) => c.notNull())
    .addColumn("redacted_at_ms", "bigint", (c) => c.notNull())
    .addColumn("redacted_by", "text", (c) => c.notNull())
    .addPrimaryKeyConstraint("dataset_redaction_key", ["dataset", "number", "blob_before"])
    .execute();
}
