import { describe, expect, test } from "vitest";
import { poissonWeight } from "./random-forest.ts";
import { drawFor, hash32, seeded, shuffled } from "./random.ts";

describe("the example's randomness", () => {
  test("the same seed gives the same numbers, another seed others", () => {
    const five = (seed: number) => Array.from({ length: 5 }, seeded(seed));
    expect(five(7)).toEqual(five(7));
    expect(five(7)).not.toEqual(five(8));
  });

  test("a shuffle keeps every item once and leaves its input alone", () => {
    const items = Array.from({ length: 1000 }, (_, i) => i);
    const mixed = shuffled(items, 3);
    expect(mixed.toSorted((a, b) => a - b)).toEqual(items);
    expect(mixed).not.toEqual(items);
    expect(items[0]).toBe(0);
  });

  test("draws by id are spread evenly over [0, 1), also for ids and seeds that follow each other", () => {
    for (const seed of [0, 1, 2, 4_000_000_000]) {
      const tenths = Array.from({ length: 10 }, () => 0);
      for (let id = 1; id <= 20_000; id++) {
        const tenth = Math.floor(drawFor(id, seed) * 10);
        tenths[tenth] = (tenths[tenth] ?? 0) + 1;
      }
      const chi2 = tenths.reduce((sum, count) => sum + (count - 2000) ** 2 / 2000, 0);
      expect(chi2).toBeLessThan(33.7); // 9 degrees of freedom, one in 10,000
    }
  });

  test("a bootstrap draws a row once on average with variance 1, and trees draw independently of each other", () => {
    const trees = [0, 1, 2].map((tree) => hash32(tree, 1));
    const weights = trees.map((seed) => Array.from({ length: 30_000 }, (_, i) => poissonWeight(i + 1, seed)));
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const covariance = (a: readonly number[], b: readonly number[]) => mean(a.map((value, i) => value * (b[i] ?? 0))) - mean(a) * mean(b);
    const [first = [], ...others] = weights;
    expect(mean(first)).toBeCloseTo(1, 1);
    expect(covariance(first, first)).toBeCloseTo(1, 1);
    for (const other of others) expect(Math.abs(covariance(first, other))).toBeLessThan(0.03);
  });
});
