/** Counts of whole days of an endpoint, over all of its releases: what a report on a closed period is made of. */
import { sql } from "kysely";
import type { EndpointName, ReleaseId } from "../std.ts";
import type { Arm } from "./decision-record.ts";
import type { OutcomeTotalRow, Reader, TotalRow } from "./read-tallies.ts";

const MINUTES_A_DAY = 24 * 60;

/** Whole days since 1970 (UTC), half open. */
export interface Period {
  readonly endpoint: EndpointName;
  readonly fromDay: number;
  readonly toDay: number;
}

export interface DailyRow {
  readonly day: number;
  readonly release: ReleaseId;
  readonly arm: Arm;
  readonly action: string;
  readonly decisions: number;
}

/** By release, arm, cell and action, added up over the days. */
export async function readPeriod(db: Reader, period: Period): Promise<readonly TotalRow[]> {
  const keys = ["release", "arm", "cell", "action"] as const;
  const rows = await within(db, period)
    .select(keys)
    .select((eb) => [
      eb.fn.sum<number>("decisions").as("decisions"),
      eb.fn.sum<number>("counted").as("counted"),
      eb.fn.sum<number>("fallback").as("fallback"),
      eb.fn.sum<number>("scored").as("scored"),
      eb.fn.sum<number>("score_sum_u6").as("scoreSumU6"),
      eb.fn.sum<number>("latency_sum_us").as("latencySumUs"),
    ])
    .groupBy(keys)
    .orderBy("release")
    .orderBy("arm")
    .orderBy("cell")
    .orderBy("action")
    .execute();
  return rows.map((row) => named(row));
}

/** By day, release, arm and action, oldest first. */
export async function readDaily(db: Reader, period: Period): Promise<readonly DailyRow[]> {
  const day = sql<number>`minute / ${sql.lit(MINUTES_A_DAY)}`;
  const rows = await within(db, period)
    .select(["release", "arm", "action"])
    .select((eb) => [day.as("day"), eb.fn.sum<number>("decisions").as("decisions")])
    .groupBy(["release", "arm", "action"])
    .groupBy(day)
    .orderBy("day")
    .orderBy("release")
    .orderBy("arm")
    .orderBy("action")
    .execute();
  return rows.map((row) => named(row));
}

/** Decisions and known outcomes of a day, of one release and arm, cell and action. */
export interface DailyCellRow extends DailyRow {
  readonly cell: string;
}
export interface DailyOutcomeRow extends OutcomeTotalRow {
  readonly day: number;
}

/** By day, release, arm, cell and action, oldest first. */
export async function readDailyCells(db: Reader, period: Period): Promise<readonly DailyCellRow[]> {
  const day = sql<number>`minute / ${sql.lit(MINUTES_A_DAY)}`;
  const keys = ["release", "arm", "cell", "action"] as const;
  const rows = await within(db, period)
    .select(keys)
    .select((eb) => [day.as("day"), eb.fn.sum<number>("decisions").as("decisions")])
    .groupBy(keys)
    .groupBy(day)
    .orderBy("day")
    .execute();
  return rows.map((row) => named(row));
}

/** Outcomes of the decisions of each day, whenever they became known. */
export async function readDailyOutcomes(db: Reader, { endpoint, fromDay, toDay }: Period): Promise<readonly DailyOutcomeRow[]> {
  const day = sql<number>`minute / ${sql.lit(MINUTES_A_DAY)}`;
  const keys = ["release", "arm", "cell", "action", "good"] as const;
  const rows = await db
    .selectFrom("outcome_tally")
    .where("endpoint", "=", endpoint)
    .where("minute", ">=", fromDay * MINUTES_A_DAY)
    .where("minute", "<", toDay * MINUTES_A_DAY)
    .select(keys)
    .select((eb) => [day.as("day"), eb.fn.sum<number>("count").as("count"), eb.fn.sum<number>("corrections").as("corrections")])
    .groupBy(keys)
    .groupBy(day)
    .orderBy("day")
    .execute();
  return rows.map((row) => ({ ...named(row), good: row.good === 1 }));
}

function within(db: Reader, { endpoint, fromDay, toDay }: Period) {
  return db
    .selectFrom("tally")
    .where("endpoint", "=", endpoint)
    .where("minute", ">=", fromDay * MINUTES_A_DAY)
    .where("minute", "<", toDay * MINUTES_A_DAY);
}

/** Tallies hold nothing but what the log put there. */
const named = <T extends { readonly release: string; readonly arm: string }>(
  row: T,
): T & { readonly release: ReleaseId; readonly arm: Arm } => row as T & { readonly release: ReleaseId; readonly arm: Arm };
