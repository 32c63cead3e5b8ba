import { afterAll, beforeAll, expect, test } from "vitest";
import { Lender, fairRelease, harmfulRelease } from "../../test/lender.ts";
import { systemRuntime } from "../store/index.ts";
import { TransitionCounts } from "./transition-counts.ts";

let lender: Lender;
beforeAll(async () => {
  lender = await Lender.open(systemRuntime());
});
afterAll(() => lender.drop());

test("each transition is counted once, however often and by how many it is asked, and rollbacks by what made them", async () => {
  const [good, bad] = await lender.define(fairRelease(40), harmfulRelease(40, 80));
  if (!good || !bad) throw new Error("no releases");
  const counts = new TransitionCounts(lender.store.db);
  expect((await counts.of(lender.room)).kinds.get("registered")).toBe(3);
  await lender.untilIncident(good, bad);
  await Promise.all([counts.of(lender.room), counts.of(lender.room)]);
  const { kinds, rollbacks } = await counts.of(lender.room);
  expect([kinds.get("promoted"), kinds.get("rolled-back")]).toEqual([2, 1]);
  expect([...rollbacks]).toEqual([["guardrail", 1]]);
  await lender.rollback();
  expect([...(await counts.of(lender.room)).rollbacks]).toEqual([
    ["guardrail", 1],
    ["person", 1],
  ]);
  const afresh = await new TransitionCounts(lender.store.db).of(lender.room);
  expect([...afresh.kinds].reduce((sum, [, count]) => sum + count, 0)).toBe(lender.table.generation);
  expect(await lender.incidents.unsettledCounts()).toEqual([{ endpoint: "loans", state: "contained", count: 1 }]);
});
