import { sql, type Kysely } from "kysely";

/** Who is told of what, what they were told, and what they must not be told for a while. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("alert_setting")
    .addColumn("kind", "text", (c) => c.notNull())
    .addColumn("name", "text", (c) => c.notNull())
    .addColumn("spec_json", "text", (c) => c.notNull())
    .addColumn("created_at_ms", "bigint", (c) => c.notNull())
    .addColumn("updated_at_ms", "bigint", (c) => c.notNull())
    .addPrimaryKeyConstraint("alert_setting_key", ["kind", "name"])
    .execute();
  await db.schema
    .createTable("alert")
    .addColumn("id", "text", (c) => c.primaryKey().notNull())
    .addColumn("key", "text", (c) => c.notNull())
    .addColumn("kind", "text", (c) => c.notNull())
    .addColumn("endpoint", "text")
    .addColumn("severity", "text", (c) => c.notNull())
    .addColumn("opened_at_ms", "bigint", (c) => c.notNull())
    .addColumn("changed_at_ms", "bigint", (c) => c.notNull())
    .addColumn("resolved_at_ms", "bigint")
    .addColumn("acked_at_ms", "bigint")
    .addColumn("acked_by", "text")
    .addColumn("ack_reason", "text")
    .addColumn("facts_json", "text", (c) => c.notNull())
    .execute();
  await db.schema.createIndex("alert_open").unique().on("alert").column("key").where(sql.ref("resolved_at_ms"), "is", null).execute();
  await db.schema.createIndex("alert_key").on("alert").column("key").execute();
  await db.schema
    .createTable("alert_told")
    .addColumn("alert", "text", (c) => c.notNull())
    .addColumn("channel", "text", (c) => c.notNull())
    .addColumn("at_ms", "bigint", (c) => c.notNull())
    .addColumn("changed_at_ms", "bigint", (c) => c.notNull())
    .addColumn("is_acked", "bigint", (c) => c.notNull())
    .addColumn("is_resolved", "bigint", (c) => c.notNull())
    .addPrimaryKeyConstraint("alert_told_key", ["alert", "channel"])
    .execute();
  await db.schema.createIndex("alert_told_open").on("alert_told").columns(["is_resolved", "alert"]).execute();
  await db.schema
    .createTable("alert_notice")
    .addColumn("id", "text", (c) => c.primaryKey().notNull())
    .addColumn("channel", "text", (c) => c.notNull())
    .addColumn("endpoint", "text")
    .addColumn("entries_json", "text", (c) => c.notNull())
    .addColumn("state", "text", (c) => c.notNull())
    .addColumn("attempts", "bigint", (c) => c.notNull())
    .addColumn("created_at_ms", "bigint", (c) => c.notNull())
    .addColumn("next_at_ms", "bigint", (c) => c.notNull())
    .addColumn("give_up_at_ms", "bigint", (c) => c.notNull())
    .addColumn("settled_at_ms", "bigint")
    .addColumn("last_error", "text")
    .execute();
  await db.schema.createIndex("alert_notice_state").on("alert_notice").columns(["state", "id"]).execute();
  await db.schema
    .createTable("alert_notice_of")
    .addColumn("alert", "text", (c) => c.notNull())
    .addColumn("notice", "text", (c) => c.notNull())
    .addColumn("news", "text", (c) => c.notNull())
    .addPrimaryKeyConstraint("alert_notice_of_key", ["alert", "notice"])
    .execute();
  await db.schema
    .createTable("alert_silence")
    .addColumn("id", "text", (c) => c.primaryKey().notNull())
    .addColumn("matcher_json", "text", (c) => c.notNull())
    .addColumn("from_ms", "bigint", (c) => c.notNull())
    .addColumn("until_ms", "bigint", (c) => c.notNull())
    .addColumn("created_by", "text", (c) => c.notNull())
    .addColumn("reason", "text", (c) => c.notNull())
    .addColumn("ended_by", "text")
    .execute();
  await db.schema.createIndex("alert_silence_until").on("alert_silence").column("until_ms").execute();
}
