/** Reading counts by bin. They follow the log within two seconds or so: `bin_cursor` says how far. Every row is a sum over writers. */
import type { ReleaseId } from "../std.ts";
import type { Arm } from "./decision-record.ts";
import { named, type Reader, type TallyFilter } from "./read-tallies.ts";

export interface LatencyRow {
  readonly release: ReleaseId;
  readonly arm: Arm;
  /** Above 2^((bucket-1)/8) seconds and up to 2^(bucket/8). */
  readonly bucket: number;
  readonly count: number;
}
export interface ScoreRow {
  readonly release: ReleaseId;
  readonly arm: Arm;
  readonly cell: string;
  /** Of `SCORE_BINS`. */
  readonly bin: number;
  readonly count: number;
  /** Sum of round(score · 10⁶). */
  readonly sumU6: number;
}
/** Known outcomes, corrections included: for display, never for tests. */
export interface ScoreOutcomeRow extends ScoreRow {
  readonly good: boolean;
  /** Sum of round(score² · 10⁶). */
  readonly sumsqU6: number;
}
export interface InputRow {
  readonly release: ReleaseId;
  readonly arm: Arm;
  /** Its place in the release's input profile. */
  readonly input: number;
  readonly bin: number;
  readonly count: number;
}

/** Whole hours since 1970 (UTC), half open. */
export interface Hours {
  readonly fromHour: number;
  readonly toHour: number;
}
/** Whole days since 1970 (UTC), half open. */
export interface Days {
  readonly fromDay: number;
  readonly toDay: number;
}

/** Since the beginning of each release. They only grow. */
export async function readLatencyTotals(db: Reader, filter: TallyFilter): Promise<readonly LatencyRow[]> {
  const keys = ["release", "arm", "bucket"] as const;
  let query = db.selectFrom("latency_total").where("endpoint", "=", filter.endpoint);
  if (filter.release !== undefined) query = query.where("release", "=", filter.release);
  if (filter.arm !== undefined) query = query.where("arm", "=", filter.arm);
  const rows = await query
    .select(keys)
    .select((eb) => eb.fn.sum<number>("count").as("count"))
    .groupBy(keys)
    .orderBy("release")
    .orderBy("arm")
    .orderBy("bucket")
    .execute();
  return rows.map((row) => named(row));
}

/** Of the hours in which the answers were given. */
export async function readLatencyWindow(db: Reader, filter: TallyFilter & Hours): Promise<readonly LatencyRow[]> {
  const keys = ["release", "arm", "bucket"] as const;
  let query = db
    .selectFrom("latency_tally")
    .where("endpoint", "=", filter.endpoint)
    .where("hour", ">=", filter.fromHour)
    .where("hour", "<", filter.toHour);
  if (filter.release !== undefined) query = query.where("release", "=", filter.release);
  if (filter.arm !== undefined) query = query.where("arm", "=", filter.arm);
  const rows = await query
    .select(keys)
    .select((eb) => eb.fn.sum<number>("count").as("count"))
    .groupBy(keys)
    .orderBy("release")
    .orderBy("arm")
    .orderBy("bucket")
    .execute();
  return rows.map((row) => named(row));
}

/** Since the beginning of each release. They only grow. */
export async function readScoreTotals(db: Reader, filter: TallyFilter): Promise<readonly ScoreRow[]> {
  const keys = ["release", "arm", "cell", "bin"] as const;
  let query = db.selectFrom("score_total").where("endpoint", "=", filter.endpoint);
  if (filter.release !== undefined) query = query.where("release", "=", filter.release);
  if (filter.arm !== undefined) query = query.where("arm", "=", filter.arm);
  const rows = await query
    .select(keys)
    .select((eb) => [eb.fn.sum<number>("count").as("count"), eb.fn.sum<number>("sum_u6").as("sumU6")])
    .groupBy(keys)
    .orderBy("release")
    .orderBy("arm")
    .orderBy("cell")
    .orderBy("bin")
    .execute();
  return rows.map((row) => named(row));
}

/** Of the days in which the answers were given. */
export async function readScoreWindow(db: Reader, filter: TallyFilter & Days): Promise<readonly ScoreRow[]> {
  const keys = ["release", "arm", "cell", "bin"] as const;
  let query = db
    .selectFrom("score_tally")
    .where("endpoint", "=", filter.endpoint)
    .where("day", ">=", filter.fromDay)
    .where("day", "<", filter.toDay);
  if (filter.release !== undefined) query = query.where("release", "=", filter.release);
  if (filter.arm !== undefined) query = query.where("arm", "=", filter.arm);
  const rows = await query
    .select(keys)
    .select((eb) => [eb.fn.sum<number>("count").as("count"), eb.fn.sum<number>("sum_u6").as("sumU6")])
    .groupBy(keys)
    .orderBy("release")
    .orderBy("arm")
    .orderBy("cell")
    .orderBy("bin")
    .execute();
  return rows.map((row) => named(row));
}

/** Known outcomes by score, of decisions that were made in the days asked for, or ever. */
export async function readScoreOutcomes(db: Reader, filter: TallyFilter & Partial<Days>): Promise<readonly ScoreOutcomeRow[]> {
  const keys = ["release", "arm", "cell", "bin", "good"] as const;
  let query = db.selectFrom("score_outcome_tally").where("endpoint", "=", filter.endpoint);
  if (filter.fromDay !== undefined) query = query.where("day", ">=", filter.fromDay);
  if (filter.toDay !== undefined) query = query.where("day", "<", filter.toDay);
  if (filter.release !== undefined) query = query.where("release", "=", filter.release);
  if (filter.arm !== undefined) query = query.where("arm", "=", filter.arm);
  const rows = await query
    .select(keys)
    .select((eb) => [
      eb.fn.sum<number>("count").as("count"),
      eb.fn.sum<number>("sum_u6").as("sumU6"),
      eb.fn.sum<number>("sumsq_u6").as("sumsqU6"),
    ])
    .groupBy(keys)
    .orderBy("release")
    .orderBy("arm")
    .orderBy("cell")
    .orderBy("bin")
    .execute();
  return rows.map((row) => ({ ...named(row), good: row.good === 1 }));
}

/** Inputs by bin, of the hours in which the answers were given. */
export async function readInputWindow(db: Reader, filter: TallyFilter & Hours): Promise<readonly InputRow[]> {
  const keys = ["release", "arm", "input", "bin"] as const;
  let query = db
    .selectFrom("input_tally")
    .where("endpoint", "=", filter.endpoint)
    .where("hour", ">=", filter.fromHour)
    .where("hour", "<", filter.toHour);
  if (filter.release !== undefined) query = query.where("release", "=", filter.release);
  if (filter.arm !== undefined) query = query.where("arm", "=", filter.arm);
  const rows = await query
    .select(keys)
    .select((eb) => eb.fn.sum<number>("count").as("count"))
    .groupBy(keys)
    .orderBy("release")
    .orderBy("arm")
    .orderBy("input")
    .orderBy("bin")
    .execute();
  return rows.map((row) => named(row));
}
