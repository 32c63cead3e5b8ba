import fc from "fast-check";
import { expect, test } from "vitest";
import { SCORE_BINS } from "../../decisions/index.ts";
import { ksDistance } from "../../registry/index.ts";
import { DRIFT_MEASURES, isDriftMeasure, type DriftMeasure } from "./drift.ts";
import { scoreDrift } from "./score-drift.ts";

const names = Object.keys(DRIFT_MEASURES).filter(isDriftMeasure);
const bins = (counts: Readonly<Record<number, number>>) => Array.from({ length: SCORE_BINS }, (_, bin) => counts[bin] ?? 0);
const even = bins(Object.fromEntries(Array.from({ length: SCORE_BINS }, (_, bin) => [bin, 10])));
const find = (metric: DriftMeasure, live: readonly number[], reference: readonly number[] | null) =>
  scoreDrift([metric], { live, reference, against: "training" })[0];

test("the same scores have not moved, in whatever number", () => {
  for (const name of names)
    expect(
      find(
        name,
        even.map((n) => n * 3),
        even,
      )?.value,
    ).toBeCloseTo(0, 6);
  expect(find("population_stability_index", even, even)).toMatchObject({ status: "ok", drift_of: "scores", against: "training" });
});

test("bars are tenths of the reference, of ten equal ones the vectors of §9.2", () => {
  const live = [80, 90, 95, 100, 105, 105, 110, 105, 105, 105].flatMap((n) => Array.from({ length: 10 }, () => n / 10));
  const answer = find("population_stability_index", live, even);
  expect(answer).toMatchObject({ value: expect.closeTo(0.007864, 6), status: "ok" });
  expect(answer?.bins?.map(({ label }) => label)).toEqual(
    Array.from({ length: 10 }, (_, i) => `${(i / 10).toFixed(2)} to ${((i + 1) / 10).toFixed(2)}`),
  );
  expect(find("jensen_shannon_distance", live, even)).toMatchObject({ value: expect.closeTo(0.03783, 6) });
  expect(find("ks_statistic", live, even)).toMatchObject({ value: expect.closeTo(0.035, 6) });
});

test("scores that all became higher drift, by as many standard deviations as they moved", () => {
  const higher = bins(Object.fromEntries(Array.from({ length: 80 }, (_, bin) => [bin + 20, 12.5])));
  expect(find("population_stability_index", higher, even)).toMatchObject({ status: "drift" });
  expect(find("wasserstein_distance_normed", higher, even)?.value).toBeCloseTo(0.1 / 0.288661, 4);
});

test("few values of a score make few bars, and a new one is in none of its own", () => {
  const rule = bins({ 30: 200, 65: 300, 90: 500 });
  expect(find("population_stability_index", rule, rule)?.bins?.map(({ n }) => n)).toEqual([200, 300, 500]);
  expect(find("population_stability_index", bins({ 30: 500, 65: 300, 90: 200 }), rule)).toMatchObject({ status: "drift" });
  expect(find("population_stability_index", bins({ 30: 5, 65: 3, 90: 2 }), rule)).toMatchObject({ status: "too_few" });
});

test("without scores, or without a reference, there is a reason and no number", () => {
  expect(find("ks_statistic", bins({}), even)).toMatchObject({ value: null, reason: "no_decisions" });
  expect(find("ks_statistic", even, null)).toMatchObject({ value: null, reason: "no_profile" });
  expect(find("ks_statistic", even, bins({}))).toMatchObject({ value: null, reason: "no_profile" });
});

test("whatever was counted, every bar holds somebody of the reference, nobody is lost, and every measure is a number", () => {
  const counts = fc.array(fc.oneof(fc.constant(0), fc.nat(1000)), { minLength: SCORE_BINS, maxLength: SCORE_BINS });
  const some = counts.filter((all) => all.some((n) => n > 0));
  fc.assert(
    fc.property(some, some, (live, reference) => {
      const answers = scoreDrift(names, { live, reference, against: "launch" });
      for (const { value } of answers) expect(Number.isFinite(value)).toBe(true);
      const { bins: bars = [] } = answers.find(({ metric }) => metric === "population_stability_index") ?? {};
      expect(bars.length).toBeLessThanOrEqual(10);
      expect(bars.every((bar) => bar.reference > 0)).toBe(true);
      expect(bars.reduce((sum, { n }) => sum + n, 0)).toBe(live.reduce((sum, n) => sum + n, 0));
      expect(answers.find(({ metric }) => metric === "ks_statistic")?.value).toBeCloseTo(ksDistance(live, reference), 12);
    }),
    { numRuns: 200 },
  );
});
