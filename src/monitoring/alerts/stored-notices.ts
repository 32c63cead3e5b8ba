/** Notices, from when they are on their way until they are delivered or given up, as they are stored. */
import type { Insertable, Selectable } from "kysely";
import { Type } from "typebox";
import { checked } from "../../checked.ts";
import { canonicalJson, type Schema } from "../../store/index.ts";
import { Entry, newsWords, type News, type Notice } from "./alert.ts";
import { oneOf, readOrThrow, saveTold, type Db } from "./stored-alerts.ts";
import { groupOf, merged, type Due } from "./tell.ts";

export const noticeStates = ["pending", "delivered", "dead", "dropped"] as const;
export type NoticeState = (typeof noticeStates)[number];

/** How far a notice has come, without what it says: looks read it every second. */
export interface NoticeHead extends Omit<Notice, "entries"> {
  readonly state: NoticeState;
  readonly attempts: number;
  readonly nextAtMs: number;
  readonly giveUpAtMs: number;
  /** When it was delivered or given up. */
  readonly settledAtMs: number | null;
  readonly lastError: string | null;
}
export interface StoredNotice extends NoticeHead, Notice {}

/** A notice is tried for so long. */
export const GIVE_UP_AFTER_MS = 24 * 3_600_000;
/** On their way at once; each channel has two for an endpoint at most. */
const PENDING_MAX = 2000;
/** With all that they say. */
const LISTED_MAX = 200;
const ERROR_MAX = 500;

/** What is now on its way to a channel, and what is remembered of it, in one. */
export async function saveDue(
  db: Db,
  { channel, endpoint, entries, told }: Due,
  { pending, nowMs, newId }: { readonly pending: readonly NoticeHead[]; readonly nowMs: number; readonly newId: () => string },
): Promise<void> {
  const head = pending.find((notice) => notice.attempts === 0 && groupOf(notice.channel, notice.endpoint) === groupOf(channel, endpoint));
  const waiting = head && (await findNotice(db, head.id));
  // What was tried may have arrived, and stays as it was: whoever has seen its id looks no more. What wasn't is made to say more.
  const all = waiting ? merged(waiting.entries, entries) : entries;
  const id = waiting?.id ?? `msg_${newId()}`;
  const row: Insertable<Schema["alert_notice"]> = {
    id,
    channel,
    endpoint,
    entries_json: canonicalJson([...all]),
    state: "pending",
    attempts: 0,
    created_at_ms: nowMs,
    next_at_ms: nowMs,
    give_up_at_ms: nowMs + GIVE_UP_AFTER_MS,
    settled_at_ms: null,
    last_error: null,
  };
  await db
    .insertInto("alert_notice")
    .values(row)
    .onConflict((conflict) => conflict.column("id").doUpdateSet({ entries_json: row.entries_json }))
    .execute();
  for (const { alert, news } of all)
    await db
      .insertInto("alert_notice_of")
      .values({ alert, notice: id, news })
      .onConflict((conflict) => conflict.columns(["alert", "notice"]).doUpdateSet({ news }))
      .execute();
  for (const one of told) await saveTold(db, one);
}

/** Oldest first. @param sinceMs - those that were settled since then only */
export async function listHeads(
  db: Db,
  { state, sinceMs }: { readonly state: NoticeState; readonly sinceMs?: number },
): Promise<readonly NoticeHead[]> {
  let query = db.selectFrom("alert_notice").select(HEAD_COLUMNS).where("state", "=", state);
  if (sinceMs !== undefined) query = query.where("settled_at_ms", ">=", sinceMs);
  return (await query.orderBy("id").limit(PENDING_MAX).execute()).map(headOf);
}

export async function listNotices(
  db: Db,
  { state, channel }: { readonly state: NoticeState; readonly channel?: string },
): Promise<readonly StoredNotice[]> {
  let query = db.selectFrom("alert_notice").selectAll().where("state", "=", state);
  if (channel !== undefined) query = query.where("channel", "=", channel);
  return (await query.orderBy("id").limit(LISTED_MAX).execute()).map(noticeOf);
}

export async function findNotice(db: Db, id: string): Promise<StoredNotice | undefined> {
  const row = await db.selectFrom("alert_notice").selectAll().where("id", "=", id).executeTakeFirst();
  return row && noticeOf(row);
}

/** What a channel was told of an alert, and when; oldest first. */
export interface Telling {
  readonly notice: string;
  readonly channel: string;
  readonly news: News;
  readonly state: NoticeState;
  readonly attempts: number;
  readonly createdAtMs: number;
  readonly settledAtMs: number | null;
  readonly lastError: string | null;
}

export async function tellingsOf(db: Db, alert: string): Promise<readonly Telling[]> {
  const rows = await db
    .selectFrom("alert_notice_of")
    .innerJoin("alert_notice", "alert_notice.id", "alert_notice_of.notice")
    .select([
      "alert_notice.id as notice",
      "channel",
      "news",
      "state",
      "attempts",
      "created_at_ms as createdAtMs",
      "settled_at_ms as settledAtMs",
      "last_error as lastError",
    ])
    .where("alert", "=", alert)
    .orderBy("alert_notice.id")
    .execute();
  return rows.map((row) => ({ ...row, news: oneOf(newsWords, row.news), state: oneOf(noticeStates, row.state) }));
}

/**
 * Counts an attempt before it is made: from then on the notice says what it says.
 * @returns the notice as it is to be sent; undefined where somebody else has it, or it waits no more
 */
export async function claimNotice(db: Db, { id, attempts }: Pick<StoredNotice, "id" | "attempts">): Promise<StoredNotice | undefined> {
  const row = await db
    .updateTable("alert_notice")
    .set({ attempts: attempts + 1 })
    .where("id", "=", id)
    .where("state", "=", "pending")
    .where("attempts", "=", attempts)
    .returningAll()
    .executeTakeFirst();
  return row && noticeOf(row);
}

/** What came of an attempt. */
export async function settleAttempt(
  db: Db,
  { id }: Pick<StoredNotice, "id">,
  to: { readonly state: NoticeState; readonly nowMs: number; readonly nextAtMs?: number; readonly error: string | null },
): Promise<void> {
  await db
    .updateTable("alert_notice")
    .set({
      state: to.state,
      last_error: to.error?.slice(0, ERROR_MAX) ?? null,
      settled_at_ms: to.state === "pending" ? null : to.nowMs,
      ...(to.nextAtMs === undefined ? {} : { next_at_ms: to.nextAtMs }),
    })
    .where("id", "=", id)
    .where("state", "=", "pending")
    .execute();
}

/** Given up or not: it is tried from now on as if it were new, under the id that it had. */
export async function sendAgain(db: Db, id: string, nowMs: number): Promise<void> {
  await db
    .updateTable("alert_notice")
    .set({ state: "pending", next_at_ms: nowMs, give_up_at_ms: nowMs + GIVE_UP_AFTER_MS, settled_at_ms: null })
    .where("id", "=", id)
    .where("state", "in", ["dead", "pending"])
    .execute();
}

/** A channel that was taken away is told nothing more, and nothing waits for it. */
export async function dropChannel(db: Db, channel: string, nowMs: number): Promise<void> {
  await db.deleteFrom("alert_told").where("channel", "=", channel).execute();
  await db
    .updateTable("alert_notice")
    .set({ state: "dropped", settled_at_ms: nowMs })
    .where("channel", "=", channel)
    .where("state", "in", ["pending", "dead"])
    .execute();
}

const parseEntries = checked(Type.Array(Entry));

const HEAD_COLUMNS = [
  "id",
  "channel",
  "endpoint",
  "state",
  "attempts",
  "created_at_ms",
  "next_at_ms",
  "give_up_at_ms",
  "settled_at_ms",
  "last_error",
] as const;

const headOf = (row: Omit<Selectable<Schema["alert_notice"]>, "entries_json">): NoticeHead => ({
  id: row.id,
  channel: row.channel,
  endpoint: row.endpoint,
  createdAtMs: row.created_at_ms,
  state: oneOf(noticeStates, row.state),
  attempts: row.attempts,
  nextAtMs: row.next_at_ms,
  giveUpAtMs: row.give_up_at_ms,
  settledAtMs: row.settled_at_ms,
  lastError: row.last_error,
});

const noticeOf = (row: Selectable<Schema["alert_notice"]>): StoredNotice => ({
  ...headOf(row),
  entries: readOrThrow(`notice ${row.id}`, parseEntries(JSON.parse(row.entries_json))),
});
