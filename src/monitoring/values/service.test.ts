/** The vectors of fairness-metrics §5. */
import { expect, test } from "vitest";
import { latencyBucketOf } from "../../decisions/index.ts";
import { latencyQuantile, serviceAnswers, type ServiceCounts } from "./service.ts";

function rowsOf(values: readonly number[]) {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(latencyBucketOf(value * 1e6), (counts.get(latencyBucketOf(value * 1e6)) ?? 0) + 1);
  return [...counts].map(([bucket, count]) => ({ bucket, count })).toSorted((a, b) => a.bucket - b.bucket);
}

test("quantiles are those of the reference, within a bucket of the exact ones", () => {
  const rows = rowsOf([0.8, 1, 1.1, 1.5, 2, 2, 3, 5, 8, 13, 21, 250]);
  expect(rows.map(({ bucket, count }) => [bucket, count])).toEqual([
    [-2, 1],
    [0, 1],
    [2, 1],
    [5, 1],
    [8, 2],
    [13, 1],
    [19, 1],
    [24, 1],
    [30, 1],
    [36, 1],
    [64, 1],
  ]);
  expect(latencyQuantile(rows, 0.5)).toBeCloseTo(2, 6);
  expect(latencyQuantile(rows, 0.9)).toBeCloseTo(22.238692, 6);
  expect(latencyQuantile(rows, 0.95)).toBeCloseTo(243.031583, 5);
});

const nothing: ServiceCounts = {
  cells: [],
  latencies: [],
  latencySumUs: 0,
  traffic: {
    served: 0,
    fallback: 0,
    requests: 0,
    rejected: 0,
    failed: 0,
    weeksBefore: [],
    seconds: null,
    planned: { asked: 0, failed: 0 },
  },
};
const one = (name: Parameters<typeof serviceAnswers>[0][number], changes: Partial<ServiceCounts["traffic"]> = {}) =>
  serviceAnswers([name], { ...nothing, traffic: { ...nothing.traffic, ...changes } })[0];

test("no decision is a count of 0, and no rate", () => {
  expect(one("decision_count")).toMatchObject({ value: 0, reason: null });
  for (const name of ["error_rate", "release_error_rate", "rejection_rate", "fallback_rate", "latency_seconds"] as const)
    expect(one(name)).toMatchObject({ value: null, reason: "no_decisions" });
});

test("errors are told of those who asked properly, malformed requests of all", () => {
  expect(one("error_rate", { requests: 110, rejected: 10, failed: 5 })?.value).toBe(0.05);
  expect(one("rejection_rate", { requests: 110, rejected: 11, failed: 5 })?.value).toBe(0.1);
  expect(one("release_error_rate", { requests: 110, planned: { asked: 20, failed: 5 } })?.value).toBe(0.25);
});

test("as usual is the same time of at least two of the four weeks before", () => {
  expect(one("volume_ratio", { served: 300, weeksBefore: [100, null, null, null] })).toMatchObject({ value: null, reason: "too_few" });
  expect(one("volume_ratio", { served: 300, weeksBefore: [100, 200, null, null] })?.value).toBe(2);
  expect(one("volume_ratio", { served: 300, weeksBefore: [0, 0, 0, 0] })).toMatchObject({ reason: "reference_zero" });
});
