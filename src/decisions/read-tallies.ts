/** Reading the counts. Every row is a sum over writers: which gateway served somebody says nothing about them. */
import { sql, type ExpressionBuilder, type Kysely } from "kysely";
import type { EndpointName, ReleaseId } from "../std.ts";
import type { Schema } from "../store/index.ts";
import type { Arm } from "./decision-record.ts";
import type { Counts } from "./tally.ts";

/** A store's `db`, or a transaction in it. */
export type Reader = Kysely<Schema>;

export interface TallyFilter {
  readonly endpoint: EndpointName;
  readonly release?: ReleaseId;
  readonly arm?: Arm;
}

export interface TotalRow extends Counts {
  readonly release: ReleaseId;
  readonly arm: Arm;
  readonly cell: string;
  readonly action: string;
}
export interface SourceTotalRow extends TotalRow {
  /** Id of the token that sent the requests. */
  readonly source: string;
}
export interface MinuteRow extends TotalRow {
  /** Whole minutes since 1970 (UTC) in which the answers were given. */
  readonly minute: number;
}
export interface FlipRow {
  readonly liveRelease: ReleaseId;
  readonly shadowRelease: ReleaseId;
  readonly cell: string;
  readonly liveAction: string;
  readonly shadowAction: string;
  /** People whom both answered, each counted once in 24 hours for the shadow. */
  readonly counted: number;
}
export interface OutcomeTotalRow {
  readonly release: ReleaseId;
  readonly arm: Arm;
  readonly cell: string;
  readonly action: string;
  readonly good: boolean;
  /** First outcomes: what tests consume. Only grows. */
  readonly count: number;
  /** What later corrections add to or take from it, for displays. */
  readonly corrections: number;
}

const summed = (eb: ExpressionBuilder<Schema, "tally" | "tally_total">) =>
  [
    eb.fn.sum<number>("decisions").as("decisions"),
    eb.fn.sum<number>("counted").as("counted"),
    eb.fn.sum<number>("fallback").as("fallback"),
    eb.fn.sum<number>("scored").as("scored"),
    eb.fn.sum<number>("score_sum_u6").as("scoreSumU6"),
    eb.fn.sum<number>("latency_sum_us").as("latencySumUs"),
  ] as const;

/** Counts since the beginning of each release, by arm, cell and action: what guardrails consume. They only grow. */
export async function readTotals(db: Reader, filter: TallyFilter): Promise<readonly TotalRow[]> {
  const rows = await selectTotals(db, filter).execute();
  return rows.map((row) => named(row));
}

/** `readTotals`, told apart by who sent the requests: whether a breach rests on one of them. */
export async function readTotalsBySource(db: Reader, filter: TallyFilter): Promise<readonly SourceTotalRow[]> {
  const rows = await selectTotals(db, filter).select("source").groupBy("source").execute();
  return rows.map((row) => named(row));
}

function selectTotals(db: Reader, filter: TallyFilter) {
  let query = db.selectFrom("tally_total").where("endpoint", "=", filter.endpoint);
  if (filter.release !== undefined) query = query.where("release", "=", filter.release);
  if (filter.arm !== undefined) query = query.where("arm", "=", filter.arm);
  const keys = ["release", "arm", "cell", "action"] as const;
  return query.select(keys).select(summed).groupBy(keys).orderBy("release").orderBy("arm").orderBy("cell").orderBy("action");
}

/** Counts of the minutes in `[fromMinute, toMinute)`, oldest first. A window is a sum of them. */
export async function readMinutes(
  db: Reader,
  filter: TallyFilter & { readonly fromMinute: number; readonly toMinute: number },
): Promise<readonly MinuteRow[]> {
  let query = db
    .selectFrom("tally")
    .where("endpoint", "=", filter.endpoint)
    .where("minute", ">=", filter.fromMinute)
    .where("minute", "<", filter.toMinute);
  if (filter.release !== undefined) query = query.where("release", "=", filter.release);
  if (filter.arm !== undefined) query = query.where("arm", "=", filter.arm);
  const keys = ["minute", "release", "arm", "cell", "action"] as const;
  const rows = await query.select(keys).select(summed).groupBy(keys).orderBy("minute").orderBy("release").orderBy("cell").execute();
  return rows.map((row) => named(row));
}

const MINUTES_A_DAY = 24 * 60;

/** `readMinutes` of one release, a day at a time: a year of them needn't be in memory at once. */
export async function* readMinutesByDay(
  db: Reader,
  filter: {
    readonly endpoint: EndpointName;
    readonly release: ReleaseId;
    readonly fromMinute?: number;
    readonly toMinute?: number;
  },
): AsyncGenerator<readonly MinuteRow[]> {
  const { endpoint, release, fromMinute = 0, toMinute = Number.POSITIVE_INFINITY } = filter;
  const { first, last } = await db
    .selectFrom("tally")
    .where("endpoint", "=", endpoint)
    .where("release", "=", release)
    .select((eb) => [eb.fn.min<number | null>("minute").as("first"), eb.fn.max<number | null>("minute").as("last")])
    .executeTakeFirstOrThrow();
  if (first === null || last === null) return;
  const end = Math.min(toMinute, last + 1);
  for (let from = Math.max(fromMinute, first); from < end; from += MINUTES_A_DAY)
    yield await readMinutes(db, { endpoint, release, fromMinute: from, toMinute: Math.min(end, from + MINUTES_A_DAY) });
}

/** Counts of the minutes in `[fromMinute, toMinute)`, added up. */
export async function readWindow(
  db: Reader,
  filter: Required<TallyFilter> & { readonly fromMinute: number; readonly toMinute: number },
): Promise<readonly TotalRow[]> {
  const keys = ["release", "arm", "cell", "action"] as const;
  const rows = await db
    .selectFrom("tally")
    .where("endpoint", "=", filter.endpoint)
    .where("release", "=", filter.release)
    .where("arm", "=", filter.arm)
    .where("minute", ">=", filter.fromMinute)
    .where("minute", "<", filter.toMinute)
    .select(keys)
    .select(summed)
    .groupBy(keys)
    .orderBy("cell")
    .orderBy("action")
    .execute();
  return rows.map((row) => named(row));
}

/** How a shadow's answers differ from those that people got, in pairs of the same people. Equal answers are rows too. */
export async function readFlips(
  db: Reader,
  filter: { readonly endpoint: EndpointName; readonly shadowRelease?: ReleaseId; readonly liveRelease?: ReleaseId },
): Promise<readonly FlipRow[]> {
  let query = db.selectFrom("flip_total").where("endpoint", "=", filter.endpoint);
  if (filter.shadowRelease !== undefined) query = query.where("shadow_release", "=", filter.shadowRelease);
  if (filter.liveRelease !== undefined) query = query.where("live_release", "=", filter.liveRelease);
  const rows = await query
    .select(["live_release", "shadow_release", "cell", "live_action", "shadow_action"])
    .select((eb) => eb.fn.sum<number>("counted").as("counted"))
    .groupBy(["live_release", "shadow_release", "cell", "live_action", "shadow_action"])
    .orderBy("cell")
    .orderBy("live_action")
    .orderBy("shadow_action")
    .execute();
  return rows.map((row) => ({
    liveRelease: asReleaseId(row.live_release),
    shadowRelease: asReleaseId(row.shadow_release),
    cell: row.cell,
    liveAction: row.live_action,
    shadowAction: row.shadow_action,
    counted: row.counted,
  }));
}

/** Counts of outcomes that became known, by the answer that they belong to; in a window, those of decisions that were made in it. */
export async function readOutcomeTotals(
  db: Reader,
  filter: TallyFilter & { readonly fromMinute?: number; readonly toMinute?: number },
): Promise<readonly OutcomeTotalRow[]> {
  let query = db.selectFrom("outcome_tally").where("endpoint", "=", filter.endpoint);
  if (filter.release !== undefined) query = query.where("release", "=", filter.release);
  if (filter.arm !== undefined) query = query.where("arm", "=", filter.arm);
  if (filter.fromMinute !== undefined) query = query.where("minute", ">=", filter.fromMinute);
  if (filter.toMinute !== undefined) query = query.where("minute", "<", filter.toMinute);
  const rows = await query
    .select(["release", "arm", "cell", "action", "good"])
    .select((eb) => [eb.fn.sum<number>("count").as("count"), eb.fn.sum<number>("corrections").as("corrections")])
    .groupBy(["release", "arm", "cell", "action", "good"])
    .orderBy(sql`1, 2, 3, 4, 5`)
    .execute();
  return rows.map((row) => ({ ...named(row), good: row.good === 1 }));
}

/** Tallies hold nothing but what the log put there. */
export const named = <T extends { readonly release: string; readonly arm: string }>(
  row: T,
): T & { readonly release: ReleaseId; readonly arm: Arm } => row as T & { readonly release: ReleaseId; readonly arm: Arm };
const asReleaseId = (text: string): ReleaseId => text as ReleaseId;
