import { expect, test } from "vitest";
import { decisionsToProof, meterOf, oddsText, thresholdOf, watchedFrom, withProgress, type Progress } from "./evidence.ts";

test("the meter goes from nothing to proof, and evidence for the release counts as nothing", () => {
  expect([-3, 0, Math.log(10), Math.log(100), 30].map((logE) => meterOf(logE, 0.01))).toEqual([0, 0, expect.closeTo(0.5, 12), 1, 1]);
  expect(thresholdOf(0.01)).toBeCloseTo(Math.log(100), 12);
  expect(watchedFrom(0.01)).toBeCloseTo(Math.log(10), 12);
});

test("odds are read out as they are told", () => {
  expect(oddsText(Math.log(340.5), 1 / 12_000)).toBe("1 : 340 against a fair release; needed 1 : 12,000");
  expect(oddsText(Math.log(2.54), 0.01)).toBe("1 : 2.5 against a fair release; needed 1 : 100");
  expect(oddsText(-1, 0.01)).toBe("no evidence against a fair release; needed 1 : 100");
  expect(oddsText(60, 1e-7)).toBe("1 : 10^26 against a fair release; needed 1 : 10,000,000");
});

const growing = (perBlock: number, blocks = 5): readonly Progress[] =>
  Array.from({ length: blocks }, (_, i) => ({ decisions: 100 * (i + 1), logE: perBlock * i }));

test("a forecast is made only where evidence grows", () => {
  expect(decisionsToProof(growing(0.5), 0.01)).toBe(Math.ceil((Math.log(100) - 2) / 0.005));
  expect(decisionsToProof(growing(0), 0.01)).toBeUndefined();
  expect(decisionsToProof(growing(-0.5), 0.01)).toBeUndefined();
  expect(decisionsToProof(growing(0.5, 1), 0.01)).toBeUndefined();
  expect(decisionsToProof([], 0.01)).toBeUndefined();
  expect(decisionsToProof(growing(3), 0.01)).toBe(0);
});

test("a forecast looks back over the last blocks only", () => {
  let recent: readonly Progress[] = [];
  for (let i = 0; i < 100; i++) recent = withProgress(recent, { decisions: i, logE: i });
  expect([recent.length, recent[0], recent.at(-1)]).toEqual([9, { decisions: 91, logE: 91 }, { decisions: 99, logE: 99 }]);
});
