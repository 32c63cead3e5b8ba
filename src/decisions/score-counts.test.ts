import fc from "fast-check";
import { expect, test } from "vitest";
import { SCORE_BOUNDS, Scores, addScores } from "./score-counts.ts";

const counted = (...scores: readonly number[]) => {
  const counts = new Scores();
  for (const score of scores) counts.add(score);
  return counts.counts();
};

test("every score is in the first bin whose bound it doesn't exceed, bounds and both ends included", () => {
  for (const [i, bound] of SCORE_BOUNDS.entries()) expect([i, counted(bound).bins.indexOf(1)]).toEqual([i, i]);
  expect(counted(0).bins.indexOf(1)).toBe(0);
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (score) => {
      expect(counted(score).bins.indexOf(1)).toBe(SCORE_BOUNDS.findIndex((bound) => score <= bound));
    }),
  );
});

test("counts of two add up to those of both together", () => {
  expect(addScores(counted(0.25), counted(0.75, 1))).toEqual(counted(0.25, 0.75, 1));
});
