/** What came to an endpoint in a window, whichever release answered. */
import { readTotals, readWindow } from "../../decisions/index.ts";
import type { Store } from "../../store/index.ts";
import type { EndpointName } from "../../std.ts";
import type { CellsFilter, Window } from "./read-cells.ts";
import type { Traffic } from "./service.ts";

const WEEK_MINUTES = 7 * 1440;
/** Answers that nobody got, or that were asked for to try a release. */
const APART = ["shadow", "pinned"];

export async function readTraffic(db: Store["db"], filter: CellsFilter): Promise<Traffic> {
  const { endpoint, window } = filter;
  const { decisions, fallback } = await served(db, endpoint, window);
  const requests = await counted(db, endpoint, window);
  const first = await firstMinute(db, endpoint);
  const from = window?.fromMinute ?? first;
  const end = window?.toMinute ?? (await lastMinute(db, endpoint));
  const seconds = from === null || end === null || end <= from ? null : (end - from) * 60;
  const planned = await plannedFor(db, filter);
  return { served: decisions, fallback, ...requests, planned, seconds, weeksBefore: await weeksBefore(db, endpoint, window, first) };
}

async function weeksBefore(
  db: Store["db"],
  endpoint: EndpointName,
  window: Window | undefined,
  first: number | null,
): Promise<readonly (number | null)[]> {
  if (!window || window.fromMinute === null || window.toMinute - window.fromMinute > WEEK_MINUTES) return [];
  const counts: (number | null)[] = [];
  for (let week = 1; week <= 4; week++) {
    const fromMinute = window.fromMinute - week * WEEK_MINUTES;
    const wasThere = first !== null && first <= fromMinute;
    counts.push(wasThere ? (await served(db, endpoint, { fromMinute, toMinute: window.toMinute - week * WEEK_MINUTES })).decisions : null);
  }
  return counts;
}

async function served(db: Store["db"], endpoint: EndpointName, window: Window | undefined) {
  const sums = window
    ? await db
        .selectFrom("tally")
        .where("endpoint", "=", endpoint)
        .where("minute", ">=", window.fromMinute ?? 0)
        .where("minute", "<", window.toMinute)
        .where("arm", "not in", APART)
        .select((eb) => [eb.fn.sum<number | null>("decisions").as("decisions"), eb.fn.sum<number | null>("fallback").as("fallback")])
        .executeTakeFirst()
    : await db
        .selectFrom("tally_total")
        .where("endpoint", "=", endpoint)
        .where("arm", "not in", APART)
        .select((eb) => [eb.fn.sum<number | null>("decisions").as("decisions"), eb.fn.sum<number | null>("fallback").as("fallback")])
        .executeTakeFirst();
  return { decisions: sums?.decisions ?? 0, fallback: sums?.fallback ?? 0 };
}

async function counted(db: Store["db"], endpoint: EndpointName, window: Window | undefined) {
  let query = db.selectFrom("request_tally").where("endpoint", "=", endpoint);
  if (window) query = query.where("minute", ">=", window.fromMinute ?? 0).where("minute", "<", window.toMinute);
  const sums = await query
    .select((eb) => [
      eb.fn.sum<number | null>("requests").as("requests"),
      eb.fn.sum<number | null>("rejected").as("rejected"),
      eb.fn.sum<number | null>("failed").as("failed"),
    ])
    .executeTakeFirst();
  return { requests: sums?.requests ?? 0, rejected: sums?.rejected ?? 0, failed: sums?.failed ?? 0 };
}

/** Of a shadow, what it was asked and failed to answer is recorded itself; else it is another release's answer that is. */
async function plannedFor(db: Store["db"], { endpoint, release, arm, window }: CellsFilter): Promise<Traffic["planned"]> {
  if (arm === "shadow") {
    const rows = await (window
      ? readWindow(db, { endpoint, release, arm, fromMinute: window.fromMinute ?? 0, toMinute: window.toMinute })
      : readTotals(db, { endpoint, release, arm }));
    return rows.reduce((sum, row) => ({ asked: sum.asked + row.decisions, failed: sum.failed + row.fallback }), { asked: 0, failed: 0 });
  }
  let query = db.selectFrom("planned_tally").where("endpoint", "=", endpoint).where("release", "=", release).where("arm", "=", arm);
  if (window) query = query.where("minute", ">=", window.fromMinute ?? 0).where("minute", "<", window.toMinute);
  const sums = await query
    .select((eb) => [eb.fn.sum<number | null>("asked").as("asked"), eb.fn.sum<number | null>("failed").as("failed")])
    .executeTakeFirst();
  return { asked: sums?.asked ?? 0, failed: sums?.failed ?? 0 };
}

/** By day, so that nobody reads all minutes of years. */
async function firstMinute(db: Store["db"], endpoint: EndpointName): Promise<number | null> {
  const days = db.selectFrom("tally_day").where("endpoint", "=", endpoint).where("arm", "not in", APART);
  const found = await days.select((eb) => eb.fn.min<number | null>("day").as("day")).executeTakeFirst();
  const day = found?.day ?? null;
  return day === null ? null : day * 1440;
}
async function lastMinute(db: Store["db"], endpoint: EndpointName): Promise<number | null> {
  const days = db.selectFrom("tally_day").where("endpoint", "=", endpoint).where("arm", "not in", APART);
  const found = await days.select((eb) => eb.fn.max<number | null>("day").as("day")).executeTakeFirst();
  const day = found?.day ?? null;
  return day === null ? null : (day + 1) * 1440;
}
