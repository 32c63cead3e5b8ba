/** Counts span by span and token by token: who fed what, and what would be without them. */
import { sql } from "kysely";
import type { EndpointName, ReleaseId } from "../std.ts";
import { armClassOf, type Arm, type ArmClass } from "./decision-record.ts";
import { named, type Reader, type SourceTotalRow, type TallyFilter, type TotalRow } from "./read-tallies.ts";
import { minuteOf } from "./tally.ts";

/** One span's rows of a release, by the token that sent the requests. */
export type SpanBySource = ReadonlyMap<string, readonly TotalRow[]>;

/** Spans of some minutes from a moment on that have any answers, oldest first. */
export async function readSpansBySource(
  db: Reader,
  asked: {
    readonly endpoint: EndpointName;
    readonly release: ReleaseId;
    readonly armClass: ArmClass;
    readonly fromMs: number;
    readonly minutes: number;
  },
): Promise<readonly SpanBySource[]> {
  const { endpoint, release, armClass, fromMs, minutes } = asked;
  const span = sql<number>`minute / ${sql.lit(minutes)}`;
  const rows = await db
    .selectFrom("tally")
    .where("endpoint", "=", endpoint)
    .where("release", "=", release)
    .where("minute", ">=", minuteOf(fromMs))
    .select(["source", "arm", "cell", "action"])
    .select((eb) => [span.as("span"), eb.fn.sum<number>("decisions").as("decisions"), eb.fn.sum<number>("counted").as("counted")])
    .groupBy([span, "source", "arm", "cell", "action"])
    .orderBy(span)
    .execute();
  const spans: Map<string, TotalRow[]>[] = [];
  let current = Number.NaN;
  for (const { span: at, source, arm, cell, action, decisions, counted } of rows) {
    if (armClassOf(asArm(arm)) !== armClass) continue;
    if (at !== current) spans.push(new Map());
    current = at;
    const rowsNow = spans.at(-1);
    const row = { release, arm: asArm(arm), cell, action, decisions, counted, fallback: 0, scored: 0, scoreSumU6: 0, latencySumUs: 0 };
    const known = rowsNow?.get(source);
    if (known) known.push(row);
    else rowsNow?.set(source, [row]);
  }
  return spans;
}

/** Counts of the minutes in `[fromMinute, toMinute)` added up, told apart by who sent the requests. */
export async function readWindowBySource(
  db: Reader,
  filter: Required<TallyFilter> & { readonly fromMinute: number; readonly toMinute: number },
): Promise<readonly SourceTotalRow[]> {
  const keys = ["release", "arm", "source", "cell", "action"] as const;
  const rows = await db
    .selectFrom("tally")
    .where("endpoint", "=", filter.endpoint)
    .where("release", "=", filter.release)
    .where("arm", "=", filter.arm)
    .where("minute", ">=", filter.fromMinute)
    .where("minute", "<", filter.toMinute)
    .select(keys)
    .select((eb) => [
      eb.fn.sum<number>("decisions").as("decisions"),
      eb.fn.sum<number>("counted").as("counted"),
      eb.fn.sum<number>("scored").as("scored"),
      eb.fn.sum<number>("score_sum_u6").as("scoreSumU6"),
    ])
    .groupBy(keys)
    .orderBy("source")
    .orderBy("cell")
    .orderBy("action")
    .execute();
  return rows.map((row) => ({ ...named(row), fallback: 0, latencySumUs: 0 }));
}

/** Tallies hold nothing but what the log put there. */
const asArm = (text: string): Arm => text as Arm;
