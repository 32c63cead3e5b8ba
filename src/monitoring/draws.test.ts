import { expect, test } from "vitest";
import { binomial, uniformStream } from "./draws.ts";

test("a seed and a stream give the same numbers again, others don't", () => {
  const take = (seed: number, stream: number) => {
    const next = uniformStream(seed, stream);
    return Array.from({ length: 5 }, () => next());
  };
  expect(take(1, 2)).toEqual(take(1, 2));
  expect(new Set([take(1, 2), take(1, 3), take(2, 2), take(2, 1)].map((numbers) => numbers.join())).size).toBe(4);
});

/** ln n! by its sum: small enough here. */
function logFactorial(n: number): number {
  let sum = 0;
  for (let i = 2; i <= n; i++) sum += Math.log(i);
  return sum;
}

test.each([
  [1, 0.3],
  [20, 0.02],
  [40, 0.3],
  [100, 0.11],
  [100, 0.5],
  [300, 0.93],
  [5000, 0.4],
])("of %i coins of %d as many fall as the binomial distribution says", (n, p) => {
  const [draws, next] = [40_000, uniformStream(7, n)];
  const seen = new Map<number, number>();
  for (let i = 0; i < draws; i++) {
    const k = binomial(n, p, next);
    seen.set(k, (seen.get(k) ?? 0) + 1);
  }
  const chanceOf = (k: number) =>
    Math.exp(logFactorial(n) - logFactorial(k) - logFactorial(n - k) + k * Math.log(p) + (n - k) * Math.log(1 - p));
  // Pearson's test, with rare values together.
  let [distance, cells, rareSeen, rareExpected] = [0, 0, 0, 0];
  for (let k = 0; k <= n; k++) {
    const expected = draws * chanceOf(k);
    if (expected < 10) {
      rareSeen += seen.get(k) ?? 0;
      rareExpected += expected;
      continue;
    }
    distance += ((seen.get(k) ?? 0) - expected) ** 2 / expected;
    cells++;
  }
  if (rareExpected > 1) distance += (rareSeen - rareExpected) ** 2 / rareExpected;
  expect(distance).toBeLessThan(cells + 5 * Math.sqrt(2 * cells) + 5);
});

test("sure things are sure", () => {
  const next = uniformStream(1, 1);
  expect([binomial(0, 0.5, next), binomial(9, 0, next), binomial(9, 1, next), binomial(1e9, 1, next)]).toEqual([0, 0, 9, 1e9]);
});
