import { expect, test } from "vitest";
import { arrivals, boundDecisions, informationOf, quantileOf, simulateDelays, slackOf, smallestShare } from "./expected-delay.ts";
import { uniformStream } from "./draws.ts";
import type { TestDefinition } from "./sequential-test.ts";

const ratio: TestDefinition = { kind: "ratio_min", limit: 0.8, dependence: 1, prior: null, priorN: 2 };

test("the bound is that of sequential-tests §11", () => {
  const truth = (harm: number) => ({ rates: [harm * 0.6, 0.6], shares: [0.2, 0.8] });
  expect(boundDecisions(ratio, truth(0.7), 0.05)).toBeCloseTo(2383, -0.5);
  expect(boundDecisions(ratio, truth(0.5), 0.05)).toBeCloseTo(257, -0.5);
});

test("what brings the least information is the nearest fair truth, as a search finds it", () => {
  const [ta, tb, share] = [0.36, 0.6, 0.2];
  const kl = (t: number, p: number) => t * Math.log(t / p) + (1 - t) * Math.log((1 - t) / (1 - p));
  let least = Number.POSITIVE_INFINITY;
  for (let pb = 0.3; pb < 0.9; pb += 1e-5) least = Math.min(least, share * kl(ta, 0.8 * pb) + (1 - share) * kl(tb, pb));
  expect(informationOf(ratio, { rates: [ta, tb], shares: [share, 1 - share] })).toBeCloseTo(least, 9);
  const difference: TestDefinition = { ...ratio, kind: "diff_min", limit: 0.05 };
  least = Number.POSITIVE_INFINITY;
  for (let pb = 0.3; pb < 0.9; pb += 1e-5) least = Math.min(least, share * kl(ta, pb - 0.05) + (1 - share) * kl(tb, pb));
  expect(informationOf(difference, { rates: [ta, tb], shares: [share, 1 - share] })).toBeCloseTo(least, 9);
});

test("where there is no harm there is nothing to prove", () => {
  expect(slackOf(ratio, [0.48, 0.6])).toBeCloseTo(0, 12);
  expect(boundDecisions(ratio, { rates: [0.5, 0.6], shares: [0.5, 0.5] }, 0.01)).toBe(Number.POSITIVE_INFINITY);
  const delays = simulateDelays(ratio, { rates: [0.6, 0.6], shares: [0.5, 0.5] }, 0.01, {
    runs: 20,
    seed: 1,
    look: 50,
    decisionsMax: 5000,
  });
  expect(delays).toEqual(Array.from({ length: 20 }, () => Number.POSITIVE_INFINITY));
});

test("simulated delays are those of sequential-tests §13, and the same for the same seed", () => {
  const truth = { rates: [0.35, 0.7], shares: [0.5, 0.5] };
  const simulation = { runs: 200, seed: 3, look: 10, decisionsMax: 10_000 };
  const delays = simulateDelays(ratio, truth, 0.01, simulation);
  expect(delays).toEqual(simulateDelays(ratio, truth, 0.01, simulation));
  expect(quantileOf(delays, 0.5)).toBeGreaterThan(200); // 252 there
  expect(quantileOf(delays, 0.5)).toBeLessThan(310);
  expect(quantileOf(delays, 0.9)).toBeLessThan(560); // 444
  expect(delays[0]).toBeGreaterThan(20);
});

test("everybody who comes is in one cell", () => {
  const next = uniformStream(5, 5);
  const sums = [0, 0, 0];
  for (let i = 0; i < 2000; i++) {
    const n = arrivals(50, [0.1, 0.3, 0.6], next);
    expect(n.reduce((sum, count) => sum + count, 0)).toBe(50);
    for (const [g, count] of n.entries()) sums[g] = (sums[g] ?? 0) + count;
  }
  expect(sums.map((sum) => Math.round(sum / 10_000))).toEqual([1, 3, 6]);
});

test("the smallest group that can be guarded is smaller the more people come and the larger the harm", () => {
  const share = (decisions: number, harm: number) => smallestShare(ratio, [harm * 0.7, 0.7], 0.001, { decisions, slack: 1.5 }) ?? 1;
  expect(share(100_000, 0.6)).toBeLessThan(share(10_000, 0.6));
  expect(share(10_000, 0.5)).toBeLessThan(share(10_000, 0.6));
  expect(smallestShare(ratio, [0.55, 0.7], 0.001, { decisions: 20, slack: 1.5 })).toBeNull();
  expect(quantileOf([1, 2, 3, 4], 0.5)).toBe(2);
});
