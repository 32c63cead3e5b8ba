/** The vectors of fairness-metrics §6.7, §7.3, §7.4, §8 and §14.2. */
import { describe, expect, test } from "vitest";
import { educationOf, hasRepaid, sexOf, type Client } from "../../../examples/loans/clients.ts";
import { loadClients } from "../../../examples/loans/data.ts";
import { scoreBinOf } from "../../decisions/index.ts";
import { ksDistance } from "../../registry/index.ts";
import { groupMetric, type GroupMetricName } from "./group-metrics.ts";
import { groupTable, noBins, noCounts, type CellCounts, type GroupCounts } from "./groups.ts";
import type { Terms } from "./rates.ts";
import { areaError, areaUnderCurve, calibrationBands, wasserstein } from "./scores.ts";

const terms = (changes: Partial<Terms> = {}): Terms => ({
  minimum: 1,
  labels: "all",
  minGroupShare: 0,
  isProbability: true,
  hasFineScores: true,
  referenceOf: () => undefined,
  ...changes,
});

/** Counts as tallies have them. */
function add(counts: GroupCounts, score: number, isGood: boolean, isApproved: boolean): void {
  const bins = (counts.bins ??= noBins());
  const [bin, u6] = [scoreBinOf(score), Math.round(score * 1e6)];
  const plus = (to: Float64Array, by: number) => (to[bin] = (to[bin] ?? 0) + by);
  counts.n++;
  counts.scored++;
  counts.scoreSumU6 += u6;
  if (isApproved) {
    counts.x++;
    counts.scoredX++;
    counts.scoreSumXU6 += u6;
  }
  counts[isApproved ? (isGood ? "tp" : "fp") : isGood ? "fn" : "tn"]++;
  plus(bins.n, 1);
  plus(bins.sumU6, u6);
  plus(isGood ? bins.pos : bins.neg, 1);
  plus(bins.labelledSumU6, u6);
  if (isGood) bins.posSumU6 += u6;
  bins.labelledSumsqU6 += Math.round(score * score * 1e6);
}
const valueOf = (name: GroupMetricName, cells: readonly CellCounts[], of: Partial<Terms> = {}) =>
  groupMetric(name, groupTable(cells, {}, []), terms(of))[0];

describe("six people (7.3.a)", () => {
  const counts = noCounts();
  const [scores, good] = [
    [0.1, 0.3, 0.35, 0.6, 0.8, 0.9],
    [0, 0, 1, 1, 1, 0],
  ];
  for (const [i, score] of scores.entries()) add(counts, score, good[i] === 1, score >= 0.5);
  const cells = [{ cell: "", groups: {}, counts }];

  test.each([
    ["roc_auc_score", 0.666667],
    ["brier_score_loss", 0.255417],
    ["expected_calibration_error", 0.325],
    ["calibration_in_the_large", 0.008333],
    ["estimated_accuracy_score", 0.758333],
    ["estimated_positive_predictive_value", 0.766667],
    ["estimated_true_positive_rate", 0.754098],
    ["mean_score", 3.05 / 6],
  ] as const)("%s is %f", (name, expected) => {
    expect(valueOf(name, cells)?.value).toBeCloseTo(expected, 6);
  });

  test("a score that is no probability has no calibration, and no estimate", () => {
    for (const name of ["brier_score_loss", "expected_calibration_error", "estimated_accuracy_score"] as const)
      expect(valueOf(name, cells, { isProbability: false })).toMatchObject({ value: null, reason: "not_applicable" });
    expect(valueOf("roc_auc_score", cells, { isProbability: false })?.value).toBeCloseTo(0.666667, 6);
  });

  test("without outcomes, or with those of one kind only, there is no area", () => {
    const none = noCounts();
    none.n = 3;
    expect(valueOf("roc_auc_score", [{ cell: "", groups: {}, counts: none }])).toMatchObject({ value: null, reason: "no_outcomes" });
    const good = noCounts();
    add(good, 0.5, true, true);
    expect(valueOf("roc_auc_score", [{ cell: "", groups: {}, counts: good }])).toMatchObject({ value: null, reason: "no_denominator" });
  });
});

test.each([
  [[1, 2, 5, 10], [8, 5, 2, 1], 0.868056, 0.065972],
  [[5, 5], [5, 5], 0.5, 0.25],
  [[0, 0, 3], [4, 0, 0], 1, 0],
])("area from bins %j and %j is %f ± %f", (pos, neg, value, uncertainty) => {
  expect(areaUnderCurve(pos, neg)).toEqual({ value: expect.closeTo(value, 6), uncertainty: expect.closeTo(uncertainty, 6) });
});

test("toy distances (§8)", () => {
  expect(ksDistance([5, 0, 5], [0, 10, 0])).toBeCloseTo(0.5, 12);
  expect(wasserstein([5, 0, 5], [0, 10, 0], [0.5, 1.5, 2.5])).toBeCloseTo(1, 12);
  expect(ksDistance([10, 20, 70], [30, 40, 30])).toBeCloseTo(0.4, 12);
  expect(wasserstein([10, 20, 70], [30, 40, 30], [0.5, 2, 6.5])).toBeCloseTo(2.1, 12);
});

describe("30,000 card clients and points (§8.1, §14.2)", () => {
  const points = ({ pay_0, pay_2, pay_3, limit_bal }: Client): number => {
    const raw =
      84 - 20 * Math.max(pay_0, 0) - 8 * Math.max(pay_2, 0) - 4 * Math.max(pay_3, 0) + Math.floor(Math.min(limit_bal, 500_000) / 50_000);
    return Math.min(99, Math.max(1, raw));
  };
  const cells = new Map<string, CellCounts>();
  for (const client of loadClients()) {
    const groups = { education: educationOf(client), sex: sexOf(client) };
    const key = JSON.stringify(groups);
    const cell = cells.get(key) ?? { cell: key, groups, counts: noCounts() };
    cells.set(key, cell);
    add(cell.counts, points(client) / 100, hasRepaid(client), points(client) >= 75);
  }
  const all = [...cells.values()];
  const declared = { sex: ["female", "male"], education: ["graduate", "university", "high_school", "other_unknown"] };
  const of = (name: GroupMetricName, attribute: "sex" | "education", value: string, changes: Partial<Terms> = {}) =>
    groupMetric(name, groupTable(all, declared, [attribute]), terms(changes)).find(({ group }) => group?.[attribute] === value);

  test("everybody", () => {
    expect(valueOf("mean_score", all)?.value).toBeCloseTo(0.764262, 6);
    const auc = valueOf("roc_auc_score", all);
    expect(auc?.value).toBeCloseTo(0.748209, 6);
    expect(auc?.parts?.["bin_uncertainty"]?.value).toBeCloseTo(0.023387, 6);
    expect(auc?.parts?.["standard_error"]?.value).toBeCloseTo(0.003027, 6);
    expect(areaError(0.748209, 23_364, 6636)).toBeCloseTo(0.003027, 6);
    expect(valueOf("brier_score_loss", all)?.value).toBeCloseTo(0.14152, 6);
    expect(valueOf("calibration_in_the_large", all)?.value).toBeCloseTo(-0.014538, 6);
    const ece = valueOf("expected_calibration_error", all);
    expect(ece?.value).toBeCloseTo(0.022369, 6);
    expect(ece?.bands?.map(({ n, good_rate }) => Math.round(n * (good_rate ?? 0)))).toEqual([
      140, 56, 391, 119, 1051, 316, 1199, 1026, 15_203, 3863,
    ]);
    expect(ece?.bands?.map(({ n, mean_score }) => (n * (mean_score ?? 0)).toFixed(2))).toEqual([
      "11.30",
      "20.79",
      "309.10",
      "106.76",
      "991.42",
      "271.43",
      "1079.91",
      "1100.27",
      "15130.69",
      "3906.20",
    ]);
  });

  test.each([
    ["sex", "female", 0.743796, 0.02363, 0.135171, -0.020864, 0.027012],
    ["sex", "male", 0.752113, 0.023475, 0.151194, -0.0049, 0.026858],
    ["education", "graduate", 0.732565, 0.020623, 0.127967, -0.011836, 0.023471],
    ["education", "university", 0.753472, 0.02695, 0.148307, -0.013422, 0.024113],
    ["education", "high_school", 0.745697, 0.028229, 0.156572, -0.01504, 0.031147],
    ["education", "other_unknown", 0.6434, 0.047719, 0.086463, -0.103825, 0.103825],
  ] as const)("%s %s", (attribute, value, auc, uncertainty, brier, large, ece) => {
    expect(of("roc_auc_score", attribute, value)?.value).toBeCloseTo(auc, 6);
    expect(of("roc_auc_score", attribute, value)?.parts?.["bin_uncertainty"]?.value).toBeCloseTo(uncertainty, 6);
    expect(of("brier_score_loss", attribute, value)?.value).toBeCloseTo(brier, 6);
    expect(of("calibration_in_the_large", attribute, value)?.value).toBeCloseTo(large, 6);
    expect(of("expected_calibration_error", attribute, value)?.value).toBeCloseTo(ece, 6);
  });

  test("estimates flatter, as an overconfident score must", () => {
    expect(valueOf("estimated_accuracy_score", all)?.value).toBeCloseTo(0.793766, 6);
    expect(valueOf("accuracy_score", all)?.value).toBeCloseTo(0.776833, 6);
    expect(valueOf("estimated_positive_predictive_value", all)?.value).toBeCloseTo(0.868303, 6);
    expect(valueOf("positive_predictive_value", all)?.value).toBeCloseTo(0.866722, 6);
    expect(valueOf("estimated_true_positive_rate", all)?.value).toBeCloseTo(0.860696, 6);
    expect(valueOf("estimated_roc_auc_score", all)?.value).toBeCloseTo(0.765524, 6);
  });

  test("distances between groups, before any threshold", () => {
    const toMale = { referenceOf: () => ({ sex: "male" }) };
    expect(of("ks_statistic", "sex", "female", toMale)?.value).toBeCloseTo(0.056092, 6);
    expect(of("wasserstein_distance", "sex", "female", toMale)?.value).toBeCloseTo(0.018827, 6);
    expect(of("mean_score_difference", "sex", "female", toMale)?.value).toBeCloseTo(0.017946, 6);
    const toGraduate = { referenceOf: () => ({ education: "graduate" }) };
    expect(of("ks_statistic", "education", "high_school", toGraduate)?.value).toBeCloseTo(0.25719, 6);
    expect(of("wasserstein_distance", "education", "high_school", toGraduate)?.value).toBeCloseTo(0.062433, 6);
  });

  test("who scores above everybody's median (New York City)", () => {
    expect(of("scoring_rate", "sex", "female")).toMatchObject({ numerator: { x: 9106, n: 18_112 }, value: expect.closeTo(0.502761, 6) });
    expect(of("scoring_rate", "sex", "male")).toMatchObject({ numerator: { x: 5310, n: 11_888 }, value: expect.closeTo(0.446669, 6) });
    expect(of("impact_ratio", "sex", "male")?.value).toBeCloseTo(0.888433, 6);
    // The median's bin holds 16 % of everybody: which of them are above it isn't known, unless scores are points.
    expect(of("impact_ratio", "sex", "male", { hasFineScores: false })).toMatchObject({ value: null, reason: "not_applicable" });
  });

  test("bands of too few are marked, not left out", () => {
    const counts = noCounts();
    for (let i = 0; i < 29; i++) add(counts, 0.55, true, true);
    for (let i = 0; i < 31; i++) add(counts, 0.65, i % 2 === 0, true);
    const bands = calibrationBands(counts.bins ?? noBins());
    expect(bands.map(({ n, small }) => [n, small]).filter(([n]) => n !== 0)).toEqual([
      [29, true],
      [31, false],
    ]);
  });
});
