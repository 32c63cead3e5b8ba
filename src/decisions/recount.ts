/** Whether the tallies are what the log adds up to. */
import { sql } from "kysely";
import type { EndpointName } from "../std.ts";
import type { Store } from "../store/index.ts";
import { ERASED_CELL } from "./digest.ts";
import { ERASED_WRITER } from "./erase-bins.ts";
import { loggedBatches } from "./log-rows.ts";
import type { Reader } from "./read-tallies.ts";
import { binDifferences, scoreOutcomeDifferences } from "./recount-bins.ts";
import { answerOf, shadowAnswerOf } from "./rows.ts";
import type { TallyDifference } from "./tally-difference.ts";
import { tallyUp, type Counts, type TallyIncrement } from "./tally.ts";

export interface Recount {
  readonly ok: boolean;
  /** Rows of the log that were counted. */
  readonly counted: number;
  /** The first hundred. */
  readonly differences: readonly TallyDifference[];
}

const MAX_DIFFERENCES = 100;
const ATTEMPTS = 3;

/** Counts the log anew, by the same pure function that counts it in the first place, and compares. Safe while decisions are made. */
export async function recount(store: Store, endpoint?: EndpointName): Promise<Recount> {
  for (let attempt = 1; ; attempt++) {
    const erasedBefore = await erasedCount(store.db);
    const { counted, differences } = await countOnce(store.db, endpoint);
    // An erasure meanwhile moves counts that were read before to where they aren't compared.
    const isDisturbed = differences.length > 0 && (await erasedCount(store.db)) !== erasedBefore;
    if (!isDisturbed || attempt === ATTEMPTS) {
      const others = [...(await totalDifferences(store.db, endpoint)), ...(await dayDifferences(store.db, endpoint))];
      const pairs = [...(await flipDifferences(store.db, endpoint)), ...(await outcomeDifferences(store.db, endpoint))];
      const bins = [...(await binDifferences(store.db, endpoint)), ...(await scoreOutcomeDifferences(store.db, endpoint))];
      const all = [...differences, ...others, ...pairs, ...bins];
      return { ok: all.length === 0, counted, differences: all.slice(0, MAX_DIFFERENCES) };
    }
  }
}

const nothing: Counts = { decisions: 0, counted: 0, fallback: 0, scored: 0, scoreSumU6: 0, latencySumUs: 0 };
const countNames = ["decisions", "counted", "fallback", "scored", "scoreSumU6", "latencySumUs"] as const;
type Sums = { -readonly [K in keyof Counts]: Counts[K] };

async function countOnce(
  db: Reader,
  endpoint: EndpointName | undefined,
): Promise<{ readonly counted: number; readonly differences: readonly TallyDifference[] }> {
  const { upTo, stored } = await storedTallies(db, endpoint);
  const recounted = new Map<string, Sums>();
  let counted = 0;
  for await (const { decisions, shadows } of loggedBatches(db, upTo)) {
    const answers = [...decisions.map((row) => answerOf(row)), ...shadows.map((row) => shadowAnswerOf(row))].filter(
      (answer) => answer.cell !== ERASED_CELL && (endpoint === undefined || answer.endpoint === endpoint),
    );
    counted += answers.length;
    for (const increment of tallyUp(answers)) addTo(recounted, keyOf(increment), increment);
  }
  const differences: TallyDifference[] = [];
  for (const key of new Set([...stored.keys(), ...recounted.keys()])) {
    const [kept, found] = [stored.get(key) ?? nothing, recounted.get(key) ?? nothing];
    const wrong = countNames.filter((name) => kept[name] !== found[name]);
    if (wrong.length === 0) continue;
    const message = wrong.map((name) => `${name} is ${kept[name]}, the log has ${found[name]}`).join("; ");
    differences.push({ table: "tally", key: key.replaceAll("\0", " "), message });
  }
  return { counted, differences };
}

const keyOf = (row: Pick<TallyIncrement, "endpoint" | "release" | "arm" | "minute" | "cell" | "action" | "source">): string =>
  [row.endpoint, row.release, row.arm, row.minute, row.cell, row.action, row.source].join("\0");

function addTo(sums: Map<string, Sums>, key: string, by: Counts): void {
  let sum = sums.get(key);
  if (!sum) {
    sum = { ...nothing };
    sums.set(key, sum);
  }
  for (const name of countNames) sum[name] += by[name];
}

/** The tallies and how far the log goes, in one statement: both of the same moment, though decisions go on being made. */
async function storedTallies(
  db: Reader,
  endpoint: EndpointName | undefined,
): Promise<{ readonly upTo: number; readonly stored: ReadonlyMap<string, Counts> }> {
  let query = db
    .selectFrom("tally")
    .selectAll()
    .select((eb) =>
      eb
        .selectFrom("decision_batch")
        .select((inner) => inner.fn.max("batch").as("batch"))
        .as("up_to"),
    )
    .where("writer", "!=", ERASED_WRITER);
  if (endpoint !== undefined) query = query.where("endpoint", "=", endpoint);
  const rows = await query.execute();
  const stored = new Map<string, Sums>();
  for (const row of rows)
    addTo(stored, keyOf({ ...row, arm: asArm(row.arm) }), { ...row, scoreSumU6: row.score_sum_u6, latencySumUs: row.latency_sum_us });
  return { upTo: rows[0]?.up_to ?? Number.MAX_SAFE_INTEGER, stored };
}
/** `tally.arm` holds nothing but what records had. */
const asArm = (arm: string): TallyIncrement["arm"] => arm as TallyIncrement["arm"];

async function erasedCount(db: Reader): Promise<number> {
  const row = await db
    .selectFrom("tally_total")
    .select((eb) => eb.fn.sum<number | null>("decisions").as("decisions"))
    .where("writer", "=", ERASED_WRITER)
    .executeTakeFirst();
  return row?.decisions ?? 0;
}

/** Totals against the sums of their minutes: one statement, so one moment. */
async function totalDifferences(db: Reader, endpoint: EndpointName | undefined): Promise<readonly TallyDifference[]> {
  const only = endpoint === undefined ? sql`1 = 1` : sql`endpoint = ${endpoint}`;
  const counts = ["decisions", "counted", "fallback", "scored", "score_sum_u6", "latency_sum_us"];
  const columns = sql.raw(counts.join(", "));
  const negated = sql.raw(counts.map((column) => `-${column} as ${column}`).join(", "));
  const differ = sql.raw(counts.map((column) => `sum(${column}) <> 0`).join(" or "));
  const { rows } = await sql<{ key: string; decisions: number }>`
    select release || ' ' || arm || ' ' || cell || ' ' || action || ' ' || writer as key, sum(decisions) as decisions from (
      select endpoint, release, arm, cell, action, writer, source, ${columns} from tally_total where ${only}
      union all select endpoint, release, arm, cell, action, writer, source, ${negated} from tally where ${only}
    ) as both_of_them
    group by endpoint, release, arm, cell, action, writer, source having ${differ} limit ${MAX_DIFFERENCES}`.execute(db);
  return rows.map(({ key, decisions }) => ({
    table: "tally_total",
    key,
    message: `differs from the sum of its minutes (decisions by ${decisions})`,
  }));
}

/** Days against the sums of their minutes: one statement, so one moment. */
async function dayDifferences(db: Reader, endpoint: EndpointName | undefined): Promise<readonly TallyDifference[]> {
  const only = endpoint === undefined ? sql`1 = 1` : sql`endpoint = ${endpoint}`;
  const { rows } = await sql<{ key: string; difference: number }>`
    select endpoint || ' ' || release || ' ' || arm || ' day ' || day as key, sum(decisions) as difference from (
      select endpoint, release, arm, day, decisions from tally_day where ${only}
      union all select endpoint, release, arm, minute / 1440, case when arm = 'shadow' then fallback - decisions else -decisions end
        from tally where ${only}
    ) as both_of_them
    group by endpoint, release, arm, day having sum(decisions) <> 0 limit ${MAX_DIFFERENCES}`.execute(db);
  return rows.map(({ key, difference }) => ({ table: "tally_day", key, message: `counts ${difference} more than its minutes` }));
}

async function flipDifferences(db: Reader, endpoint: EndpointName | undefined): Promise<readonly TallyDifference[]> {
  const only = endpoint === undefined ? sql`1 = 1` : sql`endpoint = ${endpoint}`;
  const { rows } = await sql<{ key: string; difference: number }>`
    select shadow_release || ' ' || live_release || ' ' || cell || ' ' || live_action || ' ' || shadow_action as key, sum(counted) as difference from (
      select endpoint, shadow_release, live_release, cell, live_action, shadow_action, counted from flip_total
        where writer <> ${ERASED_WRITER} and ${only}
      union all select endpoint, release, live_release, cell, live_action, action, -counted from shadow_answer where cell <> ${ERASED_CELL} and ${only}
    ) as both_of_them
    group by endpoint, shadow_release, live_release, cell, live_action, shadow_action having sum(counted) <> 0 limit ${MAX_DIFFERENCES}`.execute(
    db,
  );
  return rows.map(({ key, difference }) => ({ table: "flip_total", key, message: `counts ${difference} more than the log has` }));
}

async function outcomeDifferences(db: Reader, endpoint: EndpointName | undefined): Promise<readonly TallyDifference[]> {
  const only = endpoint === undefined ? sql`1 = 1` : sql`endpoint = ${endpoint}`;
  // Corrections of a decision telescope: in sum they take from what was said first and add to what was said last.
  const { rows } = await sql<{ key: string; count: number; corrections: number }>`
    with ends as (select decision, min(seq) as first_seq, max(seq) as last_seq from outcome group by decision),
    told as (
      select d.endpoint, d.release, d.arm, d.cell, d.action, d.decided_at_ms / 60000 as minute, f.good as first_good, l.good as last_good
      from ends join outcome f on f.seq = ends.first_seq join outcome l on l.seq = ends.last_seq join decision d on d.id = ends.decision
      where d.cell <> ${ERASED_CELL}
    )
    select release || ' ' || arm || ' ' || cell || ' ' || action as key, sum(count) as count, sum(corrections) as corrections from (
      select endpoint, release, arm, cell, minute, action, good, count, corrections from outcome_tally where writer <> ${ERASED_WRITER}
      union all select endpoint, release, arm, cell, minute, action, first_good, -1, 1 from told
      union all select endpoint, release, arm, cell, minute, action, last_good, 0, -1 from told
    ) as all_of_them
    where ${only}
    group by endpoint, release, arm, cell, minute, action, good having sum(count) <> 0 or sum(corrections) <> 0 limit ${MAX_DIFFERENCES}`.execute(
    db,
  );
  return rows.map(({ key, count, corrections }) => ({
    table: "outcome_tally",
    key,
    message: `counts ${count} more than the log has, and ${corrections} more corrections`,
  }));
}
