/** The vectors of fairness-metrics §9. */
import { describe, expect, test } from "vitest";
import { loadClients } from "../../../examples/loans/data.ts";
import { ksDistance, psi, totalVariation } from "../../registry/index.ts";
import { chiSquare, driftStatus, hellinger, jensenShannon, largestMove, psiChance, psiOfChance, type Compared } from "./drift.ts";
import { wasserstein } from "./scores.ts";

const even = [100, 100, 100, 100, 100, 100, 100, 100, 100, 100];

test.each([
  ["9.a", even, even, 0, 0, 0, 0, 9, 1, 0, 0, 0, 0, 0],
  [
    "9.b",
    [80, 90, 95, 100, 105, 105, 110, 105, 105, 105],
    even,
    0.007864,
    0.03783,
    0.035,
    3.96269,
    9,
    0.913851,
    0.044512,
    0.02,
    0.035,
    0.031505,
    0.205,
  ],
  [
    "9.c",
    [50, 60, 80, 100, 120, 130, 130, 120, 110, 100],
    even,
    0.082616,
    0.122033,
    0.11,
    40.82753,
    9,
    5e-6,
    0.142877,
    0.05,
    0.11,
    0.101892,
    0.55,
  ],
  ["9.d", [0, 50, 50], [10, 45, 45], 0.310225, 0.227814, 0.1, 10.526316, 2, 0.005179, 0.229416, 0.1, 0.1, 0.226532, 0.15],
  ["9.e", [40, 40, 20], [50, 50, 0], 0.77522, 0.328682, 0.2, 22.222222, 2, 1.5e-5, 0.333333, 0.2, 0.2, 0.32492, 0.3],
  ["9.f", [300, 700], [500, 500], 0.1691, 0.174084, 0.2, 83.333333, 1, 0, 0.204124, 0.2, 0.2, 0.145237, 0.2],
])("%s", (_name, live, reference, index, js, ks, chi2, freedom, p, v, linf, tv, h, w) => {
  expect(psi(live, reference)).toBeCloseTo(index, 6);
  expect(jensenShannon(live, reference)).toBeCloseTo(js, 6);
  expect(ksDistance(live, reference)).toBeCloseTo(ks, 6);
  expect(chiSquare(live, reference)).toMatchObject({ statistic: expect.closeTo(chi2, 5), freedom, v: expect.closeTo(v, 6) });
  expect(chiSquare(live, reference).p).toBeCloseTo(p, 5);
  expect(largestMove(live, reference)).toBeCloseTo(linf, 6);
  expect(totalVariation(live, reference)).toBeCloseTo(tv, 6);
  expect(hellinger(live, reference)).toBeCloseTo(h, 6);
  const middles = live.map((_, i) => i + 0.5);
  expect(wasserstein(live, reference, middles)).toBeCloseTo(w, 6);
});

test("the same shares of other numbers are no drift; disjoint ones are as far apart as can be", () => {
  expect(psi([0, 50, 50], [0, 500, 500])).toBe(0);
  expect(jensenShannon([5, 0], [0, 7])).toBe(1);
});

describe("30,000 card clients (§9.2)", () => {
  const edges = [30_000, 50_000, 70_000, 100_000, 140_000, 180_000, 210_000, 270_000, 360_000];
  const clients = loadClients();
  const histogram = (values: readonly number[]) => {
    const counts = Array.from({ length: 10 }, () => 0);
    for (const value of values) {
      const bin = edges.findIndex((edge) => value <= edge);
      counts[bin < 0 ? 9 : bin] = (counts[bin < 0 ? 9 : bin] ?? 0) + 1;
    }
    return counts;
  };
  const limits = (of: typeof clients) => histogram(of.map(({ limit_bal }) => limit_bal));
  const reference = limits(clients);
  const status = (live: readonly number[]) => driftStatus(compared(live, reference), psiChance(compared(live, reference)));

  test("the reference is that of the file", () => {
    expect(reference).toEqual([4081, 3595, 1556, 3266, 2792, 3331, 2487, 2934, 3482, 2476]);
  });
  test("the first thousand rows: no drift", () => {
    const live = limits(clients.slice(0, 1000));
    expect(live).toEqual([129, 140, 52, 101, 97, 102, 84, 99, 113, 83]);
    expect(psi(live, reference)).toBeCloseTo(0.005112, 6);
    expect(jensenShannon(live, reference)).toBeCloseTo(0.030446, 6);
    expect(ksDistance(live, reference)).toBeCloseTo(0.013267, 6);
    expect(chiSquare(live, reference)).toMatchObject({ statistic: expect.closeTo(5.153985, 5), p: expect.closeTo(0.8207, 4) });
    expect(status(live)).toBe("ok");
  });
  test("high school", () => {
    const live = limits(clients.filter(({ education }) => education === 3));
    expect(psi(live, reference)).toBeCloseTo(0.127078, 6);
    expect(jensenShannon(live, reference)).toBeCloseTo(0.150931, 6);
    expect(ksDistance(live, reference)).toBeCloseTo(0.159768, 6);
    expect(chiSquare(live, reference).statistic).toBeCloseTo(521.484, 3);
    expect(status(live)).toBe("drift");
  });
  test("25 and under", () => {
    const live = limits(clients.filter(({ age }) => age <= 25));
    expect(psi(live, reference)).toBeCloseTo(0.886223, 6);
    expect(jensenShannon(live, reference)).toBeCloseTo(0.380522, 6);
    expect(ksDistance(live, reference)).toBeCloseTo(0.375443, 6);
    expect(chiSquare(live, reference).statistic).toBeCloseTo(2377.726, 3);
  });
  test("sent in thousands: all of them below what was ever seen", () => {
    const live = [4917, ...Array.from({ length: 10 }, () => 0)];
    expect(psi(live, [0, ...reference])).toBeCloseTo(17.902334, 6);
    expect(jensenShannon(live, [0, ...reference])).toBeCloseTo(1, 12);
    expect(ksDistance(live, [0, ...reference])).toBe(1);
  });
  test("codes of education of the young", () => {
    const codes = [14, 10_585, 14_030, 4917, 123, 280, 51];
    const young = [0, 1126, 2273, 415, 16, 38, 3];
    expect(psi(young, codes)).toBeCloseTo(0.064117, 6);
    expect(jensenShannon(young, codes)).toBeCloseTo(0.108267, 6);
    expect(chiSquare(young, codes).v).toBeCloseTo(0.079403, 6);
    expect(largestMove(young, codes)).toBeCloseTo(0.11952, 6);
    expect(totalVariation(young, codes)).toBeCloseTo(0.120037, 6);
  });

  test.each([
    [100, 0.2174],
    [200, 0.1091],
    [500, 0.0441],
    [1000, 0.0224],
    [10_000, 0.0029],
  ])("of %i people chance alone stays below %f (§9.3)", (n, limit) => {
    const live = Array.from({ length: 10 }, () => n / 10);
    expect(
      psiOfChance(
        compared(
          live,
          Array.from({ length: 10 }, () => 3000),
        ),
      ),
    ).toBeCloseTo(limit, 4);
  });

  test("of a hundred people nothing can be said, which is not the same as no drift", () => {
    expect(status(limits(clients.slice(0, 100)))).toBe("too_few");
  });
});

function compared(live: readonly number[], reference: readonly number[]): Compared {
  return { live, reference, numbers: null };
}
