import { expect, test } from "vitest";
import { NO_ENDS, afterEnd, type Ends } from "./restart-policy.ts";

/** Ends one after the other, each so long after the one before. */
function endings(gapsMs: readonly number[], upMs = 0) {
  let ends: Ends = NO_ENDS;
  let nowMs = 1_000_000;
  return gapsMs.map((gapMs) => {
    nowMs += gapMs;
    const after = afterEnd(ends, nowMs, upMs);
    ends = after.ends;
    return after;
  });
}

test("the first time it is started again at once, then after 1, 2, 4 … 60 seconds", () => {
  expect(endings(Array.from({ length: 10 }, () => 1000)).map(({ delayMs }) => delayMs / 1000)).toEqual([0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
});

test("after five good minutes an end is the first again", () => {
  const [, last] = endings([0, 400_000], 300_000);
  expect(last).toMatchObject({ delayMs: 0, isTrouble: false });
});

test("five ends within five minutes are trouble, told once in five", () => {
  expect(
    endings(Array.from({ length: 11 }, () => 10_000))
      .map(({ isTrouble }, i) => isTrouble && i + 1)
      .filter(Boolean),
  ).toEqual([5, 10]);
  expect(endings(Array.from({ length: 12 }, () => 80_000)).some(({ isTrouble }) => isTrouble)).toBe(false);
});
