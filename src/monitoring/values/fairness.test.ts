/** The vectors of fairness-metrics §4, §6, §7 and §14. */
import { describe, expect, test } from "vitest";
import { loadClients } from "../../../examples/loans/data.ts";
import { educationOf, hasRepaid, sexOf } from "../../../examples/loans/clients.ts";
import type { MetricAnswer } from "./answer.ts";
import { conditionalAdverseImpact, conditionalDisparity, conditionalParity } from "./conditional.ts";
import { groupMetric, type GroupMetricName } from "./group-metrics.ts";
import { groupTable, noCounts, type CellCounts, type GroupCounts, type GroupTable } from "./groups.ts";
import { rateIn, type Terms } from "./rates.ts";
import { differenceInterval, falseDiscovery, fisher, rateInterval, ratioInterval, standardDeviations } from "./two-rates.ts";

const terms = (changes: Partial<Terms> = {}): Terms => ({
  minimum: 1,
  labels: "all",
  minGroupShare: 0,
  isProbability: true,
  hasFineScores: false,
  referenceOf: () => undefined,
  ...changes,
});
const counts = (of: Partial<GroupCounts>): GroupCounts => ({ ...noCounts(), ...of });
const cell = (groups: Record<string, string>, of: Partial<GroupCounts>): CellCounts => ({ cell: "", groups, counts: counts(of) });
/** A group by its four outcomes. */
const quad = (groups: Record<string, string>, [tp, fp, fn, tn]: readonly [number, number, number, number]) =>
  cell(groups, { n: tp + fp + fn + tn, x: tp + fp, tp, fp, fn, tn });
const one = (answers: readonly MetricAnswer[], group: Record<string, string> | null) =>
  answers.find((answer) => JSON.stringify(answer.group) === JSON.stringify(group));

/** Selections of group a against reference b. */
function pair([x1, n1]: readonly [number, number], [x2, n2]: readonly [number, number], minimum = 1) {
  const table = groupTable([cell({ g: "a" }, { n: n1, x: x1 }), cell({ g: "b" }, { n: n2, x: x2 })], { g: ["a", "b"] }, ["g"]);
  const own = terms({ minimum, referenceOf: () => ({ g: "b" }) });
  return (name: GroupMetricName) => one(groupMetric(name, table, own), { g: "a" });
}

describe("two rates (§4)", () => {
  const vectors = [
    [48, 80, 60, 80, 0.6, 0.490455, 0.700382, 0.8, 0.642573, 0.995995, -0.15, -0.286799, -0.004847, -2.025479, 0.06283397],
    [12, 40, 20, 40, 0.3, 0.180748, 0.4543, 0.6, 0.340746, 1.056506, -0.2, -0.390069, 0.013808, -1.825742, 0.109508524],
    [240, 1000, 350, 1000, 0.24, 0.214557, 0.267433, 0.685714, 0.596776, 0.787908, -0.11, -0.149402, -0.070126, -5.393518, 8.5217257e-8],
    [0, 30, 12, 40, 0, 0, 0.113513, 0, 0.003271, 0.862491, -0.3, -0.4543, -0.13536, -3.295765, 0.000738652],
    [5, 10, 8, 10, 0.5, 0.236593, 0.763407, 0.625, 0.312561, 1.249756, -0.3, -0.599872, 0.106672, -1.406422, 0.349845201],
    [1, 4, 3, 4, 0.25, 0.045587, 0.699358, 0.333333, 0.055698, 1.994876, -0.5, -0.789083, 0.135488, -1.414214, 0.485714286],
  ] as const;
  test.each(vectors)("%i/%i vs %i/%i", (x1, n1, x2, n2, rate, rl, rh, ratio, ql, qh, diff, dl, dh, z, p) => {
    const [a, b] = [
      { x: x1, n: n1 },
      { x: x2, n: n2 },
    ];
    expect(x1 / n1).toBeCloseTo(rate, 6);
    expect(rateInterval(a).low).toBeCloseTo(rl, 6);
    expect(rateInterval(a).high).toBeCloseTo(rh, 6);
    expect((x1 * n2) / (n1 * x2)).toBeCloseTo(ratio, 6);
    expect(ratioInterval(a, b).low).toBeCloseTo(ql, 6);
    expect(ratioInterval(a, b).high).toBeCloseTo(qh, 6);
    expect(x1 / n1 - x2 / n2).toBeCloseTo(diff, 6);
    expect(differenceInterval(a, b).low).toBeCloseTo(dl, 6);
    expect(differenceInterval(a, b).high).toBeCloseTo(dh, 6);
    expect(standardDeviations(a, b)).toBeCloseTo(z, 6);
    expect(Math.abs(fisher(a, b).p / p - 1)).toBeLessThan(1e-6);
  });

  test("30/30 vs 30/30: a degenerate ratio, no z, p 1", () => {
    const all = { x: 30, n: 30 };
    expect(rateInterval(all)).toMatchObject({ high: 1, low: expect.closeTo(0.886487, 6) });
    expect(ratioInterval(all, all)).toMatchObject({ low: 1, high: 1, degenerate: true });
    expect(differenceInterval(all, all)).toMatchObject({ low: expect.closeTo(-0.113513, 6), high: expect.closeTo(0.113513, 6) });
    expect(standardDeviations(all, all)).toBeNull();
    expect(fisher(all, all).p).toBe(1);
  });

  test.each([
    [0, 10, 0, 0.277533],
    [10, 10, 0.722467, 1],
    [1, 1, 0.206549, 1],
    [0, 1, 0, 0.793451],
    [3, 7, 0.15822, 0.749542],
  ])("Wilson alone: %i of %i", (x, n, low, high) => {
    expect(rateInterval({ x, n })).toMatchObject({ low: expect.closeTo(low, 6), high: expect.closeTo(high, 6) });
  });

  test("Benjamini and Hochberg's q-values, whatever the order", () => {
    const p = [0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205, 0.212, 0.216];
    const q = [0.01, 0.04, 0.084, 0.084, 0.084, 0.1, 0.1057, 0.216, 0.216, 0.216];
    falseDiscovery(p).forEach((value, i) => expect(value).toBeCloseTo(q[i] ?? 0, 4));
    falseDiscovery(p.toReversed()).forEach((value, i) => expect(value).toBeCloseTo(q.toReversed()[i] ?? 0, 4));
  });

  test("beyond a million the exact test is approximate, and says so", () => {
    expect(fisher({ x: 1_500_000, n: 4_000_000 }, { x: 1_501_000, n: 4_000_000 })).toMatchObject({ approximate: true });
    expect(fisher({ x: 13_880, n: 18_112 }, { x: 8_855, n: 11_888 }).approximate).toBe(false);
  });
});

describe("adverse impact (§6.2)", () => {
  test.each([
    [[48, 80], [60, 80], 0.8, false, false, false],
    [[1, 4], [3, 4], 0.333333, true, false, false],
    [[5, 10], [8, 10], 0.625, true, false, false],
    [[2, 10], [3, 10], 0.666667, true, false, true],
    [[13_880, 18_112], [8855, 11_888], 1.028829, false, true, false],
  ] as const)("%j against %j", (group, reference, ratio, below, significant, small) => {
    const answer = pair(group, reference)("adverse_impact_ratio");
    expect(answer?.value).toBeCloseTo(ratio, 6);
    expect(answer?.four_fifths).toMatchObject({ below_four_fifths: below, significant, small_numbers: small });
  });

  test("a reference rate of 0 has no ratio", () => {
    expect(pair([0, 20], [0, 30])("adverse_impact_ratio")).toMatchObject({ value: null, reason: "reference_zero", interval: null });
  });
  test("the interval of a ratio of 0 begins at 0", () => {
    expect(pair([0, 30], [12, 40])("adverse_impact_ratio")).toMatchObject({
      value: 0,
      interval: { low: 0, high: expect.closeTo(0.862491, 6) },
    });
  });
  test("people missing to parity and to four fifths (§6.3)", () => {
    expect(pair([48, 80], [60, 80])("selection_shortfall")).toMatchObject({ value: 12, parts: { to_four_fifths: { value: 0 } } });
    expect(pair([240, 1000], [350, 1000])("selection_shortfall")).toMatchObject({
      value: 110,
      parts: { to_four_fifths: { value: expect.closeTo(40, 9) } },
    });
  });
  test("by default 30 are needed on both sides, and the first reason of the list is told", () => {
    expect(pair([5, 12], [60, 80], 30)("adverse_impact_ratio")).toMatchObject({ value: null, reason: "too_few" });
    expect(pair([40, 80], [0, 0], 30)("adverse_impact_ratio")).toMatchObject({ value: null, reason: "reference_missing" });
    expect(pair([40, 80], [4, 8], 30)("adverse_impact_ratio")).toMatchObject({ value: null, reason: "reference_too_few" });
    expect(pair([0, 0], [4, 8], 30)("adverse_impact_ratio")).toMatchObject({ value: null, reason: "no_decisions" });
  });
  test("the best-off group is never the unknown one, and of equals the larger", () => {
    const cells = [
      cell({ g: "a" }, { n: 100, x: 50 }),
      cell({ g: "b" }, { n: 200, x: 100 }),
      cell({ g: "c" }, { n: 100, x: 40 }),
      cell({ g: "unknown" }, { n: 100, x: 99 }),
    ];
    const answers = groupMetric("adverse_impact_ratio", groupTable(cells, { g: ["a", "b", "c"] }, ["g"]), terms());
    expect(one(answers, { g: "c" })).toMatchObject({ value: 0.8, reference: { g: "b" }, reference_mode: "best_off" });
    expect(one(answers, null)).toMatchObject({ value: 0.8, least: { g: "c" }, attributes: ["g"] });
    expect(one(answers, { g: "unknown" })).toBeUndefined();
  });
});

describe("with outcomes (§7)", () => {
  const of = (a: readonly [number, number, number, number], b: readonly [number, number, number, number]) => {
    const table = groupTable([quad({ g: "A" }, a), quad({ g: "B" }, b)], { g: ["A", "B"] }, ["g"]);
    const own = terms({ referenceOf: () => ({ g: "A" }) });
    return (name: GroupMetricName, group: Record<string, string> | null = null) => one(groupMetric(name, table, own), group);
  };

  test("7.a", () => {
    const at = of([40, 10, 10, 40], [24, 6, 16, 54]);
    const [A, B] = [{ g: "A" }, { g: "B" }];
    expect([at("true_positive_rate", A)?.value, at("true_positive_rate", B)?.value]).toEqual([0.8, 0.6]);
    expect([at("false_positive_rate", A)?.value, at("false_positive_rate", B)?.value]).toEqual([0.2, 0.1]);
    expect([at("positive_predictive_value", A)?.value, at("positive_predictive_value", B)?.value]).toEqual([0.8, 0.8]);
    expect([at("accuracy_score", A)?.value, at("accuracy_score", B)?.value]).toEqual([0.8, 0.78]);
    expect([at("selection_rate", A)?.value, at("selection_rate", B)?.value]).toEqual([0.5, 0.3]);
    expect(at("equal_opportunity_difference")?.value).toBeCloseTo(0.2, 12);
    expect(at("equal_opportunity_ratio")?.value).toBeCloseTo(0.75, 12);
    expect(at("equalized_odds_difference")?.value).toBeCloseTo(0.2, 12);
    expect(at("equalized_odds_difference")?.parts?.["mean"]?.value).toBeCloseTo(0.15, 12);
    expect(at("equalized_odds_ratio")?.value).toBeCloseTo(0.5, 12);
    expect(at("average_odds_difference", B)?.value).toBeCloseTo(-0.15, 12);
    expect(at("predictive_parity_difference")?.value).toBe(0);
    expect(at("demographic_parity_difference")?.value).toBeCloseTo(0.2, 12);
    expect(at("demographic_parity_ratio")?.value).toBeCloseTo(0.6, 12);
  });

  test("7.b: a group without good payers is excluded by name, and nothing is compared with nothing", () => {
    const at = of([40, 10, 10, 40], [0, 3, 0, 27]);
    const B = { g: "B" };
    expect(at("true_positive_rate", B)).toMatchObject({ value: null, reason: "no_denominator" });
    expect(at("false_positive_rate", B)?.value).toBeCloseTo(0.1, 12);
    expect(at("positive_predictive_value", B)?.value).toBe(0);
    expect(at("equal_opportunity_difference")).toMatchObject({ value: null, reason: "too_few" });
    expect(at("equalized_odds_difference")).toMatchObject({
      value: null,
      reason: "too_few",
      excluded: [{ group: B, part: "true_positive_rate", reason: "no_denominator" }],
      parts: { false_positive_rate: { value: expect.closeTo(0.1, 12) } },
    });
  });

  test("7.c: nobody approved", () => {
    const at = of([0, 0, 5, 5], [0, 0, 9, 1]);
    expect(at("true_positive_rate", { g: "A" })?.value).toBe(0);
    expect(at("false_positive_rate", { g: "B" })?.value).toBe(0);
    expect(at("positive_predictive_value", { g: "A" })).toMatchObject({ value: null, reason: "no_denominator" });
    expect(at("demographic_parity_ratio")).toMatchObject({ value: null, reason: "reference_zero" });
    expect(at("demographic_parity_difference")).toMatchObject({ value: 0, reason: null });
  });

  test("7.2: of those turned away nobody knows, so there are bounds and no number", () => {
    const lent = counts({ n: 1000, x: 720, tp: 640, fp: 80 });
    const bounds = (name: Parameters<typeof rateIn>[0]) => rateIn(name, lent, "favourable_only");
    expect(bounds("true_positive_rate")).toMatchObject({
      reason: "selective_labels",
      bounds: { low: expect.closeTo(0.695652, 6), high: 1 },
    });
    expect(bounds("false_positive_rate")).toMatchObject({ bounds: { low: expect.closeTo(0.222222, 6), high: 1 } });
    expect(bounds("base_rate")).toMatchObject({ bounds: { low: 0.64, high: 0.92 } });
    expect(bounds("positive_predictive_value")).toEqual({ ok: true, count: { x: 640, n: 720 } });
  });
});

describe("alike in something else (§6.6)", () => {
  const table = (strata: readonly (readonly [string, readonly [number, number], readonly [number, number]])[]): GroupTable =>
    groupTable(
      strata.flatMap(([stratum, [x1, n1], [x2, n2]]) => [
        cell({ g: "own", s: stratum }, { x: x1, n: n1 }),
        cell({ g: "other", s: stratum }, { x: x2, n: n2 }),
      ]),
      { g: ["own", "other"] },
      ["g"],
    );
  const own = { g: "own" };
  const toOther = terms({ referenceOf: () => ({ g: "other" }) });

  test("Berkeley 1973: within departments women are no worse off", () => {
    const berkeley = table([
      ["A", [89, 108], [512, 825]],
      ["B", [17, 25], [353, 560]],
      ["C", [202, 593], [120, 325]],
      ["D", [131, 375], [138, 417]],
      ["E", [94, 393], [53, 191]],
      ["F", [24, 341], [22, 373]],
    ]);
    const ratio = one(conditionalAdverseImpact(berkeley, "s", toOther), own);
    expect(ratio?.value).toBeCloseTo(1.058307, 6);
    expect(ratio?.interval).toMatchObject({ low: expect.closeTo(0.970439, 6), high: expect.closeTo(1.154132, 6) });
    expect(ratio?.parts?.["unconditional"]?.value).toBeCloseTo(0.68183, 6);
    const difference = one(conditionalParity(berkeley, "s", toOther), own);
    expect(difference?.value).toBeCloseTo(0.018425, 6);
    expect(difference?.parts?.["unconditional"]?.value).toBeCloseTo(-0.141645, 6);
    const disparity = one(conditionalDisparity(berkeley, "s", toOther), own);
    expect(disparity?.value).toBeCloseTo(-0.019283, 6);
    expect(disparity?.parts?.["unconditional"]?.value).toBeCloseTo(0.143826, 6);
  });

  test("German credit, young against others, given their housing", () => {
    const german = table([
      ["free", [1, 5], [52, 103]],
      ["own", [68, 106], [441, 607]],
      ["rent", [48, 79], [62, 100]],
    ]);
    const ratio = one(conditionalAdverseImpact(german, "s", toOther), own);
    expect(ratio?.value).toBeCloseTo(0.898535, 6);
    expect(ratio?.interval).toMatchObject({ low: expect.closeTo(0.790741, 6), high: expect.closeTo(1.021022, 6) });
    expect(one(conditionalDisparity(german, "s", toOther), own)).toMatchObject({
      value: expect.closeTo(0.045688, 6),
      parts: { unconditional: { value: expect.closeTo(0.048454, 6) } },
    });
  });

  test("Taiwan, high school against graduate, given the limit: a proxy explains harm away", () => {
    const taiwan = table([
      ["1", [1639, 2513], [1574, 2238]],
      ["2", [1122, 1460], [2686, 3524]],
      ["3", [794, 944], [3998, 4823]],
    ]);
    const ratio = one(conditionalAdverseImpact(taiwan, "s", toOther), own);
    expect(ratio).toMatchObject({ value: expect.closeTo(0.980475, 6), parts: { unconditional: { value: expect.closeTo(0.926735, 6) } } });
    expect(ratio?.interval).toMatchObject({ low: expect.closeTo(0.960712, 6), high: expect.closeTo(1.000645, 6) });
    expect(one(conditionalParity(taiwan, "s", toOther), own)?.value).toBeCloseTo(-0.014771, 6);
  });
});

describe("30,000 card clients and a rule (§14.1)", () => {
  const cells = new Map<string, CellCounts>();
  for (const client of loadClients()) {
    const groups = { education: educationOf(client), sex: sexOf(client) };
    const key = JSON.stringify(groups);
    const known = cells.get(key) ?? cell(groups, {});
    cells.set(key, known);
    const isApproved = client.pay_0 <= 0 && client.pay_2 <= 1;
    known.counts.n++;
    if (isApproved) known.counts.x++;
    known.counts[isApproved ? (hasRepaid(client) ? "tp" : "fp") : hasRepaid(client) ? "fn" : "tn"]++;
  }
  // What isn't documented is nobody's group.
  const declared = { sex: ["male", "female"], education: ["graduate", "university", "high_school"] };
  const everybody = [...cells.values()];
  const withoutUnknown = everybody.map(({ groups, counts: of }) => ({
    cell: "",
    groups: { ...groups, ...(groups["education"] === "other_unknown" ? { education: "unknown" } : {}) },
    counts: of,
  }));
  const own = (labels: Terms["labels"] = "all") =>
    terms({
      minimum: 30,
      labels,
      referenceOf: (attributes) =>
        attributes.length === 2
          ? { sex: "female", education: "graduate" }
          : attributes[0] === "sex"
            ? { sex: "male" }
            : { education: "graduate" },
    });

  test("by sex", () => {
    const table = groupTable(everybody, declared, ["sex"]);
    expect(table.all).toMatchObject({ n: 30_000, x: 22_735 });
    const ratio = one(groupMetric("adverse_impact_ratio", table, own()), { sex: "female" });
    expect(ratio).toMatchObject({
      numerator: { x: 13_880, n: 18_112 },
      value: expect.closeTo(1.028829, 6),
      interval: { low: expect.closeTo(1.0153, 4), high: expect.closeTo(1.0425, 4) },
      four_fifths: { z: expect.closeTo(4.2466, 4) },
    });
    expect(Math.abs((ratio?.four_fifths?.p_value ?? 0) / 2.337e-5 - 1)).toBeLessThan(1e-3);
    const value = (name: GroupMetricName) => one(groupMetric(name, table, own()), null)?.value;
    expect(value("demographic_parity_difference")).toBeCloseTo(0.021474, 6);
    expect(value("demographic_parity_ratio")).toBeCloseTo(0.971979, 6);
    expect(value("equal_opportunity_difference")).toBeCloseTo(0.006588, 6);
    expect(value("equal_opportunity_ratio")).toBeCloseTo(0.99221, 6);
    expect(value("equalized_odds_difference")).toBeCloseTo(0.014635, 6);
    expect(value("equalized_odds_ratio")).toBeCloseTo(0.968458, 6);
    expect(value("predictive_parity_difference")).toBeCloseTo(0.020001, 6);
    const parts = one(groupMetric("demographic_parity_difference", table, own()), null)?.parts;
    expect(parts?.["to_overall"]?.value).toBeCloseTo(0.012965, 6);
    expect(one(groupMetric("demographic_parity_ratio", table, own()), null)?.parts?.["to_overall"]?.value).toBeCloseTo(0.982893, 6);
    expect(one(groupMetric("equalized_odds_difference", table, own()), null)?.parts?.["mean"]?.value).toBeCloseTo(0.010612, 6);
  });

  test("by education, with and without what isn't documented", () => {
    const table = groupTable(withoutUnknown, declared, ["education"]);
    const value = (name: GroupMetricName, of = table) => one(groupMetric(name, of, own()), null)?.value;
    expect(value("demographic_parity_difference")).toBeCloseTo(0.057159, 6);
    expect(value("demographic_parity_ratio")).toBeCloseTo(0.926735, 6);
    expect(value("equal_opportunity_difference")).toBeCloseTo(0.028343, 6);
    expect(value("equalized_odds_difference")).toBeCloseTo(0.056635, 6);
    // The reference subtracts rounded rates here.
    expect(Math.abs((value("predictive_parity_difference") ?? 0) - 0.029406)).toBeLessThan(1e-6);
    const wrong = groupTable(everybody, { education: [...declared.education, "other_unknown"] }, ["education"]);
    expect(value("demographic_parity_difference", wrong)).toBeCloseTo(0.14452, 6);
    expect(value("demographic_parity_ratio", wrong)).toBeCloseTo(0.833411, 6);
    expect(value("equal_opportunity_difference", wrong)).toBeCloseTo(0.051281, 6);
    expect(value("equalized_odds_difference", wrong)).toBeCloseTo(0.360231, 6);
    expect(value("predictive_parity_difference", wrong)).toBeCloseTo(0.084765, 6);
    const highSchool = one(groupMetric("adverse_impact_ratio", table, own()), { education: "high_school" });
    expect(highSchool?.four_fifths?.p_value).toBeCloseTo(0, 12);
    expect(Math.abs((highSchool?.four_fifths?.p_value ?? 0) / 1.286e-14 - 1)).toBeLessThan(1e-3);
  });

  test("by both together, with a reference named outright", () => {
    const table = groupTable(everybody, { ...declared, education: [...declared.education, "other_unknown"] }, ["sex", "education"]);
    const ratios = groupMetric("adverse_impact_ratio", table, own());
    expect(one(ratios, { sex: "male", education: "high_school" })).toMatchObject({
      value: expect.closeTo(0.903415, 6),
      interval: { low: expect.closeTo(0.8757, 4), high: expect.closeTo(0.932, 4) },
    });
    expect(one(groupMetric("true_positive_rate", table, own()), { sex: "male", education: "high_school" })?.value).toBeCloseTo(0.817301, 6);
    expect(one(ratios, null)?.least).toEqual({ sex: "male", education: "high_school" });
  });

  test("with outcomes of the approved only, bounds hold the true rate", () => {
    const lent = everybody.map(({ groups, counts: of }) => ({ cell: "", groups, counts: { ...of, fn: 0, tn: 0 } }));
    const answers = groupMetric("true_positive_rate", groupTable(lent, declared, ["sex"]), own("favourable_only"));
    const bounds = (sex: string) => one(answers, { sex })?.bounds;
    expect(bounds("female")).toEqual({ low: expect.closeTo(0.741415, 6), high: 1 });
    expect(bounds("male")).toEqual({ low: expect.closeTo(0.713787, 6), high: 1 });
  });
});
