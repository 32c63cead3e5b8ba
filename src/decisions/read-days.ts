/** Which decisions were made with a release: counts by day, and the decisions' ids a page at a time, without reading the log for counts. */
import type { DecisionId, EndpointName, ReleaseId } from "../std.ts";
import type { Arm, ServingArm } from "./decision-record.ts";
import type { Reader } from "./read-tallies.ts";

export interface DayRow {
  readonly endpoint: EndpointName;
  readonly release: ReleaseId;
  readonly arm: Arm;
  /** Whole days since 1970 (UTC). */
  readonly day: number;
  /** Answers that the release itself gave. */
  readonly decisions: number;
}

export interface DecisionHead {
  readonly seq: number;
  readonly id: DecisionId;
  readonly endpoint: EndpointName;
  readonly release: ReleaseId;
  readonly arm: ServingArm;
  readonly decidedAtMs: number;
}

/** Well below what either database takes in one statement. */
const RELEASES_AT_ONCE = 500;
const DAY_MS = 24 * 60 * 60 * 1000;

/** Counts of these releases by day, oldest first. */
export async function readDays(db: Reader, releases: readonly ReleaseId[]): Promise<readonly DayRow[]> {
  const found: DayRow[] = [];
  for (let at = 0; at < releases.length; at += RELEASES_AT_ONCE) {
    const rows = await db
      .selectFrom("tally_day")
      .select(["endpoint", "release", "arm", "day"])
      .select((eb) => eb.fn.sum<number>("decisions").as("decisions"))
      .where("release", "in", releases.slice(at, at + RELEASES_AT_ONCE))
      .groupBy(["endpoint", "release", "arm", "day"])
      .execute();
    found.push(...rows.map(asDayRow));
  }
  return found.toSorted((a, b) => a.day - b.day);
}

/**
 * Decisions of a release that somebody received, in the order of recording. Ask for one more than a page to know whether there is another.
 * @param page.day - only those made on that day (whole days since 1970, UTC)
 * @param page.after - number of the last one of the page before
 */
export async function readMadeBy(
  db: Reader,
  { endpoint, id }: { readonly endpoint: EndpointName; readonly id: ReleaseId },
  page: { readonly day?: number; readonly after?: number; readonly limit: number },
): Promise<readonly DecisionHead[]> {
  let query = db
    .selectFrom("decision")
    .select(["seq", "id", "endpoint", "release", "arm", "decided_at_ms"])
    .where("endpoint", "=", endpoint)
    .where("release", "=", id)
    .where("arm", "!=", "pinned");
  if (page.after !== undefined) query = query.where("seq", ">", page.after);
  if (page.day !== undefined) {
    const range = await db
      .selectFrom("tally_day")
      .select((eb) => [eb.fn.min("first_seq").as("first"), eb.fn.max("last_seq").as("last")])
      .where("release", "=", id)
      .where("endpoint", "=", endpoint)
      .where("day", "=", page.day)
      .where("arm", "not in", ["shadow", "pinned"])
      .executeTakeFirst();
    // No decision of that day: what the range would have said is null.
    if (!range || typeof range.first !== "number") return [];
    query = query
      .where("seq", ">=", range.first)
      .where("seq", "<=", range.last)
      .where("decided_at_ms", ">=", page.day * DAY_MS)
      .where("decided_at_ms", "<", (page.day + 1) * DAY_MS);
  }
  const rows = await query.orderBy("seq").limit(page.limit).execute();
  return rows.map(({ decided_at_ms: decidedAtMs, ...row }) => asHead({ ...row, decidedAtMs }));
}

/** Both tables hold nothing but what the log put there. */
const asDayRow = (row: { endpoint: string; release: string; arm: string; day: number; decisions: number }): DayRow => row as DayRow;
const asHead = (row: Omit<DecisionHead, "id" | "endpoint" | "release" | "arm"> & Record<"id" | "endpoint" | "release" | "arm", string>) =>
  row as DecisionHead;
