import fc from "fast-check";
import { expect, test } from "vitest";
import { isDifferenceBelow, isRateAbove, isRatioBelow, ratioOf } from "./exact.ts";

test("exactly four fifths is not below four fifths, though 0.6 / 0.75 is in doubles", () => {
  expect(0.6 / 0.75 < 0.8).toBe(true);
  expect(isRatioBelow({ n: 100, k: 60 }, { n: 100, k: 75 }, 0.8)).toBe(false);
  expect(isRatioBelow({ n: 80, k: 48 }, { n: 80, k: 60 }, 0.8)).toBe(false);
  expect(isRatioBelow({ n: 100, k: 59 }, { n: 100, k: 75 }, 0.8)).toBe(true);
  expect(ratioOf({ n: 80, k: 48 }, { n: 80, k: 60 })).toBe(0.8);
  expect(isDifferenceBelow({ n: 100, k: 60 }, { n: 100, k: 75 }, 0.15)).toBe(false);
  expect(isDifferenceBelow({ n: 100, k: 59 }, { n: 100, k: 75 }, 0.15)).toBe(true);
  expect(isRateAbove({ n: 10, k: 3 }, 0.3)).toBe(false);
  expect(isRateAbove({ n: 1_000_000, k: 300_001 }, 0.3)).toBe(true);
});

test("without people there is no answer", () => {
  const [some, none] = [
    { n: 10, k: 5 },
    { n: 0, k: 0 },
  ];
  expect([isRatioBelow(none, some, 0.8), isRatioBelow(some, none, 0.8), isRatioBelow(some, { n: 9, k: 0 }, 0.8)]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  expect([isDifferenceBelow(none, some, 0.1), isRateAbove(none, 0.1), ratioOf(some, { n: 9, k: 0 })]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

test("counts beyond 2^53 when multiplied are compared exactly", () => {
  const n = 4_000_000_007;
  expect(isRatioBelow({ n, k: 2_400_000_004 }, { n, k: 3_000_000_005 }, 0.8)).toBe(false); // 0.8 exactly
  expect(isRatioBelow({ n, k: 2_400_000_003 }, { n, k: 3_000_000_005 }, 0.8)).toBe(true);
});

test("limits mean what was written, in any notation", () => {
  for (const [limit, k] of [
    [1e-7, 1],
    [0.0000001, 1],
    [2.5e-7, 2],
    [1, 10_000_000],
  ] as const)
    expect(isRateAbove({ n: 10_000_000, k }, limit)).toBe(false);
  expect(isRatioBelow({ n: 10, k: 1 }, { n: 10, k: 1 }, 1e21)).toBe(true);
  expect(isDifferenceBelow({ n: 10, k: 6 }, { n: 10, k: 5 }, -0.2)).toBe(true); // must be ahead by 0.2, is by 0.1
});

test("far from the limit it says what doubles say", () => {
  const total = fc.integer({ min: 1, max: 1000 }).chain((n) => fc.record({ n: fc.constant(n), k: fc.integer({ min: 1, max: n }) }));
  fc.assert(
    fc.property(total, total, fc.integer({ min: 1, max: 200 }), (a, b, hundredths) => {
      const [ratio, limit] = [a.k / a.n / (b.k / b.n), hundredths / 100];
      fc.pre(Math.abs(ratio - limit) > 1e-9);
      expect(isRatioBelow(a, b, limit)).toBe(ratio < limit);
    }),
  );
});
