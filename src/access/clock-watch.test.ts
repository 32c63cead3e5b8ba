import { afterEach, beforeEach, expect, test } from "vitest";
import { START_MS, freshSqliteStore, type FreshStore } from "../../test/sqlite.ts";
import { simulatedRuntime, type SimulatedRuntime } from "../store/index.ts";
import { Audit } from "./audit.ts";
import { ClockWatch } from "./clock-watch.ts";

let jumpedMs = 0;
let runtime: SimulatedRuntime;
let fresh: FreshStore;
let audit: Audit;
beforeEach(async () => {
  jumpedMs = 0;
  const world = simulatedRuntime(1, START_MS);
  const clock = { nowMs: () => world.clock.nowMs() + jumpedMs, monotonicUs: () => world.clock.monotonicUs() };
  runtime = { ...world, clock };
  fresh = await freshSqliteStore(runtime);
  audit = new Audit(fresh.store);
});
afterEach(() => fresh.drop());

const jumps = async () => (await audit.list({ limit: 100 })).entries.filter(({ action }) => action === "clock.jumped");

test("a wall clock that jumps by more than five seconds, forward or back, is written down with by how much", async () => {
  const watch = new ClockWatch(fresh.store, audit);
  await runtime.advance(3_600_000);
  await watch.tick();
  expect(await jumps()).toEqual([]);
  jumpedMs = 3_600_000;
  await watch.tick();
  jumpedMs = -60_000;
  await watch.tick();
  await watch.tick();
  expect((await jumps()).map(({ payload }) => payload)).toEqual([{ byMs: -3_660_000 }, { byMs: 3_600_000 }]);
});

test("a clock that a time service moves a little is no news", async () => {
  const watch = new ClockWatch(fresh.store, audit);
  for (let i = 0; i < 10; i++) {
    jumpedMs += 4000;
    await watch.tick();
  }
  expect(await jumps()).toEqual([]);
});
