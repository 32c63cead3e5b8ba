import { expect, test } from "vitest";
import { DRIFT_MEASURES, isDriftMeasure } from "./drift.ts";
import { noCounts, type CellCounts } from "./groups.ts";
import { OTHER_WRITERS, mixDrift, trainedMix, type MixDrift } from "./mix-drift.ts";

const declared = { sex: ["female", "male"], education: ["graduate", "high_school"] };
const names = Object.keys(DRIFT_MEASURES).filter(isDriftMeasure);
const PSI = "population_stability_index";

/** @param x - of them with a favourable answer */
const cell = (sex: string, education: string, n: number, x = 0): CellCounts => ({
  cell: `education=${education},sex=${sex}`,
  groups: { sex, education },
  counts: { ...noCounts(), n, x, scored: n, scoreSumU6: x * 1e6 },
});
const trained = [
  cell("female", "graduate", 3000),
  cell("male", "graduate", 3000),
  cell("female", "high_school", 2000),
  cell("male", "high_school", 2000),
];
const question = (of: Partial<MixDrift>): MixDrift => ({
  declared,
  sets: [["sex"], ["education"], ["sex", "education"]],
  live: [],
  reference: { cells: trained, attributes: new Set(["sex", "education"]) },
  against: "training",
  writers: null,
  isHidden: () => false,
  ...of,
});
const about = (answers: ReturnType<typeof mixDrift>, attributes: string, writer?: string) =>
  answers.find((one) => one.metric === PSI && one.attributes?.join("/") === attributes && one.writer === writer);

test("the same mix of fewer people has not moved; who moved is told by attribute", () => {
  const same = mixDrift(
    names,
    question({ live: trained.map(({ groups, ...rest }) => ({ ...rest, groups, counts: { ...noCounts(), n: rest.counts.n / 10 } })) }),
  );
  for (const { value } of same) expect(value ?? 0).toBeCloseTo(0, 4);
  const live = [
    cell("female", "graduate", 450),
    cell("male", "graduate", 450),
    cell("female", "high_school", 50),
    cell("male", "high_school", 50),
  ];
  const answers = mixDrift(names, question({ live }));
  expect(about(answers, "sex")).toMatchObject({ status: "ok", drift_of: "groups", against: "training", group: null });
  expect(about(answers, "education")).toMatchObject({
    status: "drift",
    bins: [
      { label: "graduate", n: 900, reference: 6000 },
      { label: "high_school", n: 100, reference: 4000 },
    ],
  });
  expect(about(answers, "sex/education")).toMatchObject({ status: "drift" });
  // Groups have no order: what needs one isn't said of them.
  expect(new Set(answers.map(({ metric }) => metric)).size).toBe(7);
});

test("a form that stops sending an attribute is a drift: nobody is known any more", () => {
  const live = [cell("unknown", "graduate", 600), cell("unknown", "high_school", 400)];
  const answers = mixDrift([PSI], question({ live }));
  expect(about(answers, "sex")).toMatchObject({ status: "drift", bins: [{ n: 0 }, { n: 0 }, { label: "unknown", n: 1000, reference: 0 }] });
  expect(about(answers, "education")).toMatchObject({ status: "ok" });
});

test("a writer that sends only easy cases is told by name, with how they fare, while the mix of all looks as ever (T20)", () => {
  const easy = [cell("female", "graduate", 250, 250), cell("male", "graduate", 50, 50)];
  const rest = [
    cell("female", "graduate", 50, 20),
    cell("male", "graduate", 250, 100),
    cell("female", "high_school", 200, 60),
    cell("male", "high_school", 200, 60),
  ];
  const live = [...easy, ...rest];
  const answers = mixDrift(
    [PSI],
    question({
      live,
      writers: new Map([
        ["easy", easy],
        ["branch", rest],
      ]),
    }),
  );
  expect(about(answers, "education")).toMatchObject({ status: "ok" });
  expect(about(answers, "education", "easy")).toMatchObject({
    status: "drift",
    parts: { share: { value: 0.3 }, selection_rate: { value: 1 }, mean_score: { value: 1 } },
  });
  expect(about(answers, "education", "branch")).toMatchObject({ parts: { selection_rate: { value: expect.closeTo(240 / 700, 9) } } });
  // Whoever sends everything is everybody; a reader who may not see groups isn't told.
  expect(mixDrift([PSI], question({ live, writers: new Map([["one", live]]) })).some(({ writer }) => writer !== undefined)).toBe(false);
  expect(mixDrift([PSI], question({ live })).some(({ writer }) => writer !== undefined)).toBe(false);
});

test("however many tokens there are, twenty are told and the others are one", () => {
  const writers = new Map(Array.from({ length: 500 }, (_, i) => [`t${i}`, [cell("female", "graduate", 1000 - i)]]));
  const answers = mixDrift([PSI], question({ live: [...writers.values()].flat(), writers, sets: [["sex"]] }));
  const told = answers.flatMap(({ writer }) => writer ?? []);
  expect([told.length, told[0], told.at(-1)]).toEqual([21, "t0", OTHER_WRITERS]);
});

test("an attribute that the training data hasn't, and a group too small for the reader, have reasons", () => {
  const live = [cell("female", "graduate", 500), cell("male", "graduate", 3)];
  const withoutSex = question({ live, reference: { cells: trained, attributes: new Set(["education"]) } });
  expect(about(mixDrift([PSI], withoutSex), "sex")).toMatchObject({ value: null, reason: "no_profile" });
  const hidden = mixDrift([PSI], question({ live, isHidden: (group) => group["sex"] === "male" }));
  expect(about(hidden, "sex")).toMatchObject({ value: null, reason: "suppressed" });
  expect(about(hidden, "sex")?.bins).toBeUndefined();
  expect(about(mixDrift([PSI], question({})), "sex")).toMatchObject({ reason: "no_decisions" });
});

test("the mix of a dataset version has the endpoint's attributes, and unknown for what it doesn't declare", () => {
  const cells = [
    { groups: { sex: "female", age: "<26" }, rows: 7, labels: {} },
    { groups: { sex: "missing", age: "<26" }, rows: 2, labels: {} },
  ];
  const mix = trainedMix({ profile: { columns: [], cells } }, declared);
  expect([...(mix?.attributes ?? [])]).toEqual(["sex"]);
  expect(mix?.cells.map(({ groups, counts }) => [groups, counts.n])).toEqual([
    [{ sex: "female" }, 7],
    [{ sex: "unknown" }, 2],
  ]);
  expect(trainedMix({ profile: { columns: [], cells: [] } }, declared)).toBeNull();
});
