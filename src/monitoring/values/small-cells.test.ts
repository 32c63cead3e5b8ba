/** Fairness-metrics §10: what readers who may not see groups don't get to see, and can't work out. */
import { describe, expect, test } from "vitest";
import { groupAnswers, type GroupQuestion } from "./group-metrics.ts";
import { noCounts, type CellCounts } from "./groups.ts";
import { fewOutcomes, hiddenGroups, hiddenIn, withoutSmallCells } from "./small-cells.ts";

test.each([
  ["female 120, male 80, unknown 4", [120, 80, 4], [1, 2]],
  ["female 120, male 4, unknown 9", [120, 4, 9], [1, 2]],
  ["a 50, b 40, c 3, d 2", [50, 40, 3, 2], [1, 2, 3]],
  ["a 50, b 0, c 60", [50, 0, 60], []],
  ["a 7, b 6", [7, 6], [0, 1]],
])("%s", (_name, counts, hidden) => {
  expect([...hiddenIn(counts, 10)].toSorted((a, b) => a - b)).toEqual(hidden);
});

test("fewer than ten in all: the total is a cell of its own", () => {
  const cells = [cellOf({ g: "a" }, 6)];
  const { groups, total } = hiddenGroups(cells, { g: ["a", "b"] }, [["g"]], 10);
  expect([groups({ g: "a" }), total]).toEqual([true, true]);
});

describe("tables beside each other", () => {
  const declared = { sex: ["female", "male"], education: ["graduate", "university", "high_school"] };
  const cells = [
    cellOf({ sex: "female", education: "graduate" }, 200),
    cellOf({ sex: "female", education: "university" }, 90),
    cellOf({ sex: "female", education: "high_school" }, 60),
    cellOf({ sex: "male", education: "graduate" }, 150),
    cellOf({ sex: "male", education: "university" }, 80),
    cellOf({ sex: "male", education: "high_school" }, 4),
  ];
  const question: GroupQuestion = {
    declared,
    sets: [["sex"], ["education"], ["sex", "education"]],
    metrics: ["selection_rate", "adverse_impact_ratio", "demographic_parity_difference", "selection_shortfall"],
    terms: { minimum: 30, labels: "all", minGroupShare: 0, isProbability: true, hasFineScores: false, referenceOf: () => undefined },
  };
  const { tables, answers } = groupAnswers(cells, question);
  const shown = withoutSmallCells(answers, tables, hiddenGroups(cells, declared, question.sets, 10), fewOutcomes(tables, 10));

  test("a hidden cell of an intersection can't be worked out from the lines that it stands in", () => {
    const hidden = shown.flatMap(({ metric, reason, group }) =>
      metric === "selection_rate" && reason === "suppressed" && group ? [group] : [],
    );
    for (const [attribute, value] of [
      ["sex", "male"],
      ["education", "high_school"],
    ] as const) {
      const inLine = hidden.filter((group) => group[attribute] === value && Object.keys(group).length === 2);
      expect(inLine.length, value).toBeGreaterThanOrEqual(2);
    }
    // Each line with a hidden cell has another one.
    const lines = Object.groupBy(hidden, ({ sex }) => String(sex));
    expect(Object.values(lines).every((line) => line === undefined || line.length !== 1)).toBe(true);
  });

  test("no number of a hidden group is anywhere in what is shown, nor a comparison that uses it", () => {
    const hidden = shown
      .filter(({ metric, reason }) => metric === "selection_rate" && reason === "suppressed")
      .map(({ group }) => JSON.stringify(group));
    expect(hidden.length).toBeGreaterThan(0);
    for (const answer of shown) {
      const involved = [answer.group, answer.reference, answer.least, answer.most].map((group) => JSON.stringify(group ?? null));
      if (!involved.some((group) => hidden.includes(group))) continue;
      expect(answer).toMatchObject({ value: null, reason: "suppressed", numerator: null, denominator: null, interval: null });
      expect(answer.four_fifths).toBeUndefined();
    }
    for (const { excluded } of shown) for (const one of excluded) if (hidden.includes(JSON.stringify(one.group))) expect(one.n).toBeNull();
  });

  test("what is hidden doesn't depend on which other tables are asked for", () => {
    const alone = hiddenGroups(cells, declared, [["sex", "education"]], 10);
    const together = hiddenGroups(cells, declared, question.sets, 10);
    for (const { rows } of tables) for (const { group } of rows) expect(alone.groups(group)).toBe(together.groups(group));
  });

  test("outcomes of so few that a rate would tell of single people are hidden, though the group is large", () => {
    const lent = [
      { cell: "", groups: { sex: "female" }, counts: { ...noCounts(), n: 82, x: 60, tp: 59, fp: 1, fn: 20, tn: 2 } },
      { cell: "", groups: { sex: "male" }, counts: { ...noCounts(), n: 100, x: 60, tp: 30, fp: 30, fn: 20, tn: 20 } },
    ];
    const asked: GroupQuestion = {
      ...question,
      sets: [["sex"]],
      metrics: ["selection_rate", "true_positive_rate", "positive_predictive_value"],
    };
    const found = groupAnswers(lent, asked);
    const seen = withoutSmallCells(found.answers, found.tables, hiddenGroups(lent, declared, [["sex"]], 10), fewOutcomes(found.tables, 10));
    const reasons = (metric: string) =>
      seen.filter((one) => one.metric === metric && one.group?.["sex"] === "female").map(({ reason }) => reason);
    expect(reasons("selection_rate")).toEqual([null]);
    // 79 turned out well and 3 badly: with the rates of those who turned out well, the 3 would be one subtraction away.
    expect(reasons("true_positive_rate")).toEqual(["suppressed"]);
    expect(reasons("positive_predictive_value")).toEqual(["suppressed"]);
  });
});

function cellOf(groups: Record<string, string>, n: number): CellCounts {
  return { cell: "", groups, counts: { ...noCounts(), n, x: Math.floor(n / 2) } };
}
