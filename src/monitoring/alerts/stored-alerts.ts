/**
 * Alerts, what was told of them and who asked for silence, as they are stored. Plain transactions of the database, not the store's own: the
 * room that is kept on a full disk is for rollbacks.
 */
import type { Selectable, Transaction } from "kysely";
import { checked } from "../../checked.ts";
import { canonicalJson, type Schema, type Store } from "../../store/index.ts";
import { Facts, Matcher, alertKinds, severities, type Alert, type AlertKind, type Severity, type Silence, type Told } from "./alert.ts";

export interface AlertFilter {
  readonly isOpen?: boolean;
  readonly endpoint?: string;
  /** What it is about: `incident/7`. */
  readonly key?: string;
  readonly limit?: number;
}

export type Db = Store["db"] | Transaction<Schema>;

const LISTED_MAX = 1000;

/** Open ones, and resolved ones that some channel hasn't been told of. */
export async function alertsUnderWay(db: Db): Promise<readonly Alert[]> {
  const rows = await db
    .selectFrom("alert")
    .selectAll()
    .where((eb) =>
      eb.or([eb("resolved_at_ms", "is", null), eb("id", "in", eb.selectFrom("alert_told").select("alert").where("is_resolved", "=", 0))]),
    )
    .orderBy("id")
    .execute();
  return rows.map(alertOf);
}

export async function toldOf(db: Db, alerts: readonly Alert[]): Promise<readonly Told[]> {
  const rows: Selectable<Schema["alert_told"]>[] = [];
  // A statement takes only so many values.
  for (let i = 0; i < alerts.length; i += 500) {
    const ids = alerts.slice(i, i + 500).map(({ id }) => id);
    rows.push(...(await db.selectFrom("alert_told").selectAll().where("alert", "in", ids).execute()));
  }
  return rows.map(({ alert, channel, at_ms, changed_at_ms, is_acked, is_resolved }) => ({
    alert,
    channel,
    atMs: at_ms,
    changedAtMs: changed_at_ms,
    isAcked: is_acked === 1,
    isResolved: is_resolved === 1,
  }));
}

export async function listAlerts(db: Db, { isOpen, endpoint, key, limit = 100 }: AlertFilter): Promise<readonly Alert[]> {
  let query = db.selectFrom("alert").selectAll();
  if (isOpen !== undefined) query = query.where("resolved_at_ms", isOpen ? "is" : "is not", null);
  if (endpoint !== undefined) query = query.where("endpoint", "=", endpoint);
  if (key !== undefined) query = query.where("key", "=", key);
  const rows = await query
    .orderBy("id", "desc")
    .limit(Math.max(1, Math.min(limit, LISTED_MAX)))
    .execute();
  return rows.map(alertOf);
}

/** @param name - its id, or what it is about: then the newest */
export async function findAlert(db: Db, name: string): Promise<Alert | undefined> {
  const row = await db
    .selectFrom("alert")
    .selectAll()
    .where((eb) => eb.or([eb("id", "=", name), eb("key", "=", name)]))
    .orderBy("id", "desc")
    .executeTakeFirst();
  return row && alertOf(row);
}

export async function saveAlerts(db: Db, alerts: readonly Alert[]): Promise<void> {
  for (const alert of alerts) {
    const row = rowOf(alert);
    const { id: _same, key: _too, ...moved } = row;
    await db
      .insertInto("alert")
      .values(row)
      .onConflict((conflict) => conflict.column("id").doUpdateSet(moved))
      .execute();
  }
}

/** Somebody has seen it: nothing else of the alert is touched, since it may just have moved. */
export async function saveAck(db: Db, id: string, { atMs, by, reason }: NonNullable<Alert["acked"]>): Promise<void> {
  await db.updateTable("alert").set({ acked_at_ms: atMs, acked_by: by, ack_reason: reason }).where("id", "=", id).execute();
}

export async function saveTold(db: Db, { alert, channel, atMs, changedAtMs, isAcked, isResolved }: Told): Promise<void> {
  const moved = { at_ms: atMs, changed_at_ms: changedAtMs, is_acked: isAcked ? 1 : 0, is_resolved: isResolved ? 1 : 0 } as const;
  await db
    .insertInto("alert_told")
    .values({ alert, channel, ...moved })
    .onConflict((conflict) => conflict.columns(["alert", "channel"]).doUpdateSet(moved))
    .execute();
}

/**
 * Forgets what has long been over and belongs to no incident: a sink that comes and goes would fill the database. Who was told of an incident
 * is kept as long as the incident.
 */
export async function forgetAlerts(db: Db, beforeMs: number): Promise<void> {
  await db.deleteFrom("alert").where("kind", "<>", "incident").where("resolved_at_ms", "<", beforeMs).execute();
  const known = db.selectFrom("alert").select("id");
  await db.deleteFrom("alert_told").where("alert", "not in", known).execute();
  await db.deleteFrom("alert_notice_of").where("alert", "not in", known).execute();
  await db
    .deleteFrom("alert_notice")
    .where("created_at_ms", "<", beforeMs)
    .where("state", "<>", "pending")
    .where("id", "not in", db.selectFrom("alert_notice_of").select("notice"))
    .execute();
}

/** @param atMs - those that hold then; all when left out, the newest first */
export async function listSilences(db: Db, atMs?: number): Promise<readonly Silence[]> {
  let query = db.selectFrom("alert_silence").selectAll();
  if (atMs !== undefined) query = query.where("until_ms", ">", atMs);
  const rows = await query.orderBy("id", "desc").limit(LISTED_MAX).execute();
  return rows.map(({ id, matcher_json, from_ms, until_ms, created_by, reason, ended_by }) => ({
    id,
    matcher: readOrThrow(`silence ${id}`, parseMatcher(JSON.parse(matcher_json))),
    fromMs: from_ms,
    untilMs: until_ms,
    by: created_by,
    reason,
    endedBy: ended_by,
  }));
}

export async function saveSilence(db: Db, { id, matcher, fromMs, untilMs, by, reason, endedBy }: Silence): Promise<void> {
  const moved = { until_ms: untilMs, ended_by: endedBy };
  await db
    .insertInto("alert_silence")
    .values({ id, matcher_json: canonicalJson({ ...matcher }), from_ms: fromMs, created_by: by, reason, ...moved })
    .onConflict((conflict) => conflict.column("id").doUpdateSet(moved))
    .execute();
}

const parseFacts = checked(Facts);
const parseMatcher = checked(Matcher);

export function readOrThrow<T>(
  what: string,
  read: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown },
): T {
  if (!read.ok) throw new Error(`${what} can't be read: ${JSON.stringify(read.error)}`);
  return read.value;
}
/** @throws Error when the row isn't one that this version wrote */
export function oneOf<T extends string>(known: readonly T[], text: string): T {
  const found = known.find((word) => word === text);
  if (found === undefined) throw new Error(`"${text}" is none of ${known.join(", ")}`);
  return found;
}

function alertOf(row: Selectable<Schema["alert"]>): Alert {
  const { acked_at_ms: atMs, acked_by: by, ack_reason: reason } = row;
  return {
    id: row.id,
    key: row.key,
    kind: oneOf<AlertKind>(alertKinds, row.kind),
    facts: readOrThrow(`alert ${row.id}`, parseFacts(JSON.parse(row.facts_json))),
    openedAs: oneOf<Severity>(severities, row.severity),
    openedAtMs: row.opened_at_ms,
    changedAtMs: row.changed_at_ms,
    resolvedAtMs: row.resolved_at_ms,
    acked: atMs === null ? null : { atMs, by: by ?? "", reason: reason ?? "" },
  };
}

/** Who has seen it is written by whoever says so, and by nobody else. */
const rowOf = ({ id, key, kind, facts, openedAs, openedAtMs, changedAtMs, resolvedAtMs }: Alert) => ({
  id,
  key,
  kind,
  endpoint: facts.endpoint,
  severity: openedAs,
  opened_at_ms: openedAtMs,
  changed_at_ms: changedAtMs,
  resolved_at_ms: resolvedAtMs,
  facts_json: canonicalJson({ ...facts }),
});
