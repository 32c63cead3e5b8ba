import fc from "fast-check";
import { expect, test } from "vitest";
import { DURATION_BOUNDS, Durations, addDurations } from "./durations.ts";

const firstNotBelow = (seconds: number) => {
  const at = DURATION_BOUNDS.findIndex((bound) => seconds <= bound);
  return at === -1 ? DURATION_BOUNDS.length : at;
};
const counted = (...durationsUs: readonly number[]) => {
  const durations = new Durations();
  for (const us of durationsUs) durations.add(us);
  return durations.counts();
};

test("every duration is in the first bucket whose bound it doesn't exceed, bounds included", () => {
  for (const [i, bound] of DURATION_BOUNDS.entries()) expect([i, counted(bound * 1e6).buckets.indexOf(1)]).toEqual([i, i]);
  fc.assert(
    fc.property(fc.double({ min: 0, max: 60e6, noNaN: true }), (us) => {
      expect(counted(us).buckets.indexOf(1)).toBe(firstNotBelow(us / 1e6));
    }),
  );
});

test("nothing, less than nothing and far too long are counted too", () => {
  const { buckets, sumSeconds } = counted(0, -5, 1e12);
  expect([buckets[0], buckets.at(-1), sumSeconds]).toEqual([2, 1, 1e6]);
});

test("counts of two add up to those of both together", () => {
  expect(addDurations(counted(1000, 20_000), counted(700_000))).toEqual(counted(1000, 20_000, 700_000));
});
