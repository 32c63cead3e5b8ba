import { afterEach, beforeEach, expect, test } from "vitest";
import { Lender, fairRelease, harmfulRelease } from "../../test/lender.ts";
import { START_MS } from "../../test/sqlite.ts";
import { simulatedRuntime } from "../store/index.ts";
import { previewRollback } from "./rollback-preview.ts";

let lender: Lender;
beforeEach(async () => {
  lender = await Lender.open(simulatedRuntime(1, START_MS));
});
afterEach(() => lender.drop());

test("a preview says whose answer would change, by group, what the guardrails would say, and changes nothing", async () => {
  const [good, worse] = await lender.define(fairRelease(40), harmfulRelease(40, 80));
  if (!good || !worse) throw new Error("no releases");
  await lender.promote(good);
  await lender.promote(worse);
  await lender.applications(100, "a");
  const before = lender.table;
  const preview = await previewRollback(lender, lender.room, null, 200);
  if (!preview.ok) throw new Error(JSON.stringify(preview.error));
  const { value } = preview;
  expect(value).toMatchObject({ from: worse.id, to: good.id, isWarm: true, isFallback: false, asked: 200, unanswered: 0, worse: 0 });
  expect(value.better).toBe(40); // high school, incomes of 40 to 79
  expect(value.actions.reduce((sum, { people }) => sum + people, 0)).toBe(200);
  expect(value.groups).toEqual([
    { attribute: "education", value: "high_school", people: 100, better: 40, worse: 0 },
    { attribute: "education", value: "university", people: 100, better: 0, worse: 0 },
  ]);
  expect(value.guardrails.map(({ groupLabel, estimate, wouldBreach }) => [groupLabel, estimate, wouldBreach])).toEqual([
    ["education=university", 1, false],
    ["education=high_school", 1, false],
  ]);
  expect(value.expectedUs).not.toBeNull();
  expect(lender.table).toBe(before);

  const back = await previewRollback(lender, lender.room, lender.table.fallback, 200);
  expect(back).toMatchObject({ ok: true, value: { isFallback: true, better: 20, worse: 20 } }); // its own income
  expect(await previewRollback(lender, lender.room, worse.id, 200)).toMatchObject({ ok: false, error: { kind: "not-a-candidate" } });
});
