import { expect, test } from "vitest";
import {
  chiSquareTail,
  chiSquareZ,
  holm,
  homogeneity,
  kolmogorovTail,
  ksChance,
  ksDistance,
  psi,
  ratesChance,
  totalVariation,
} from "./diff-statistics.ts";

test("distances are those of the formulas", () => {
  const million = (...shares: number[]) => shares.map((share) => share * 1e9);
  // 0.1 ln(0.6/0.5) + 0.1 ln(0.5/0.4)
  expect(psi(million(0.5, 0.5), million(0.6, 0.4))).toBeCloseTo(0.1 * Math.log(1.2) + 0.1 * Math.log(1.25), 8);
  expect(psi([10, 0], [0, 10])).toBeCloseTo(2 * (10 / 11) * Math.log(21), 10);
  expect(psi([3, 0, 5], [3, 0, 5])).toBe(0);
  expect(psi([], [1])).toBe(0);
  expect(totalVariation([50, 30, 20], [20, 30, 50])).toBeCloseTo(0.3, 12);
  expect(ksDistance([5, 0, 5], [0, 5, 5])).toBeCloseTo(0.5, 12);
  for (const distance of [psi, totalVariation, ksDistance])
    expect(distance([7, 1, 9], [2, 5, 4])).toBeCloseTo(distance([2, 5, 4], [7, 1, 9]), 12);
});

test("chances are those of the tables", () => {
  for (const [freedom, x] of [
    [1, 3.841459],
    [2, 5.991465],
    [10, 18.307038],
    [100, 124.342113],
  ] as const)
    expect(chiSquareTail(x, freedom)).toBeCloseTo(0.05, 6);
  expect(chiSquareTail(10.827566, 1)).toBeCloseTo(0.001, 7);
  expect(chiSquareTail(0.0039321, 1)).toBeCloseTo(0.95, 5);
  expect(chiSquareTail(2, 2)).toBeCloseTo(Math.exp(-1), 11);
  expect(chiSquareZ(124.342113, 100)).toBeCloseTo(1.645, 2);
  for (const [lambda, chance] of [
    [1.3581, 0.05],
    [1.6276, 0.01],
    [0.8276, 0.5],
  ] as const)
    expect(kolmogorovTail(lambda)).toBeCloseTo(chance, 4);
  expect(ksChance(0, 100, 100)).toBe(1);
  // 2 x 2: the square of the difference of two rates in pooled standard errors
  expect(homogeneity([30, 70], [50, 50])).toMatchObject({ statistic: expect.closeTo(25 / 3, 10), freedom: 1 });
  expect(ratesChance({ count: 30, of: 100 }, { count: 50, of: 100 })).toBeCloseTo(0.003892, 6);
  expect(homogeneity([1, 2, 3], [2, 1, 0]).freedom).toBe(0);
});

test("chances corrected by Holm are those of his example, whatever their order", () => {
  const rounded = (chances: readonly number[]) => chances.map((chance) => Number(chance.toFixed(10)));
  expect(rounded(holm([0.01, 0.04, 0.03, 0.005]))).toEqual([0.03, 0.06, 0.06, 0.02]);
  expect(rounded(holm([0.005, 0.03, 0.04, 0.01]))).toEqual([0.02, 0.06, 0.06, 0.03]);
  expect(holm([])).toEqual([]);
});
