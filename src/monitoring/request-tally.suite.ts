import { afterEach, beforeEach, expect, test } from "vitest";
import type { FreshStore } from "../../test/sqlite.ts";
import type { EndpointName, ReleaseId } from "../std.ts";
import type { PlannedCount } from "../serving/index.ts";
import { RequestTally } from "./request-tally.ts";
import { readTraffic } from "./values/read-traffic.ts";

const loans = "loans" as EndpointName;
const r3 = "release-3" as ReleaseId;

/** @param fresh - a store whose clock stands still */
export function requestTallySuite(fresh: () => Promise<FreshStore & { readonly later: (ms: number) => Promise<void> }>): void {
  let there: Awaited<ReturnType<typeof fresh>>;
  beforeEach(async () => {
    there = await fresh();
  });
  afterEach(() => there.drop());

  test("what a release was asked and had no answer for is added up by place and minute, over processes that begin again", async () => {
    const { store } = there;
    const counted = (arm: PlannedCount["arm"], asked: number, failed: number): PlannedCount => ({
      endpoint: loans,
      release: r3,
      arm,
      asked,
      failed,
    });
    const requests = (answered: number) => [{ endpoint: loans, answered, unanswered: 1, rejected: 0 }];
    const first = new RequestTally(store);
    await first.write(requests(10), [counted("live", 10, 2), counted("canary", 1, 1)]);
    await first.write(requests(15), [counted("live", 15, 2), counted("canary", 1, 1)]);
    await there.later(60_000);
    await first.write(requests(20), [counted("live", 20, 4), counted("canary", 1, 1)]);
    await new RequestTally(store).write(requests(5), [counted("live", 5, 1)]);
    const planned = async (arm: PlannedCount["arm"] | "shadow", window?: { readonly fromMinute: number; readonly toMinute: number }) =>
      (await readTraffic(store.db, { endpoint: loans, release: r3, arm, ...(window ? { window } : {}) })).planned;
    expect(await planned("live")).toEqual({ asked: 25, failed: 5 });
    expect(await planned("canary")).toEqual({ asked: 1, failed: 1 });
    expect(await planned("shadow")).toEqual({ asked: 0, failed: 0 });
    const minute = Math.floor(store.runtime.clock.nowMs() / 60_000);
    expect(await planned("live", { fromMinute: minute, toMinute: minute + 1 })).toEqual({ asked: 10, failed: 3 });
    expect(await readTraffic(store.db, { endpoint: loans, release: r3, arm: "live" })).toMatchObject({ requests: 27, failed: 2 });
  });
}
