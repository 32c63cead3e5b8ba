import { afterEach, beforeEach, expect, test } from "vitest";
import type { FreshStore } from "../../test/sqlite.ts";
import type { EndpointName } from "../std.ts";
import { readDaily, readPeriod } from "./read-period.ts";

const loans = "loans" as EndpointName;
const DAY = 1440;

export function readPeriodSuite(open: () => Promise<FreshStore>): void {
  let fresh: FreshStore;
  beforeEach(async () => void (fresh = await open()));
  afterEach(() => fresh.drop());

  test("days are whole and half open, and both ways to read them add up to the same", async () => {
    const minutes = [10 * DAY - 1, 10 * DAY, 11 * DAY - 1, 11 * DAY, 12 * DAY];
    for (const [i, minute] of minutes.entries())
      await fresh.store.db
        .insertInto("tally")
        .values({
          endpoint: loans,
          release: "rel:a",
          arm: "live",
          cell: `sex=${i % 2 ? "f" : "m"}`,
          action: "approve",
          writer: "w",
          source: "t",
          minute,
          decisions: 2 ** i,
          counted: 1,
          fallback: 0,
          scored: 0,
          score_sum_u6: 0,
          latency_sum_us: 5,
        })
        .execute();
    const period = { endpoint: loans, fromDay: 10, toDay: 12 };
    expect(await readDaily(fresh.store.db, period)).toEqual([
      { day: 10, release: "rel:a", arm: "live", action: "approve", decisions: 6 },
      { day: 11, release: "rel:a", arm: "live", action: "approve", decisions: 8 },
    ]);
    expect(await readPeriod(fresh.store.db, period)).toMatchObject([
      { cell: "sex=f", decisions: 10, counted: 2, latencySumUs: 10 },
      { cell: "sex=m", decisions: 4, counted: 1, latencySumUs: 5 },
    ]);
  });
}
