import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checked } from "../checked.ts";
import type { InputsSpec } from "./endpoint-spec.ts";
import { celVariables, type Inputs } from "./inputs.ts";
import { compileRules } from "./rules-scorer.ts";
import { RulesScorerSpec, type Scored } from "./scorer.ts";

const inputs: InputsSpec = {
  late: { type: "integer", min: -2, max: 4 },
  use: { type: "number", optional: true },
  job: { type: "string", values: ["none", "clerk", "boss"] },
  town: { type: "string" },
  owner: { type: "boolean" },
};
const parse = checked(RulesScorerSpec);
function compile(scorecard: unknown) {
  const spec = parse({ kind: "rules", scorecard });
  return spec.ok ? compileRules(spec.value, { inputs, variables: celVariables(inputs) }) : spec;
}
const issues = (scorecard: unknown) => {
  const compiled = compile(scorecard);
  return compiled.ok ? [] : compiled.error;
};
function scorerOf(scorecard: unknown): (given: Inputs) => Scored {
  const compiled = compile(scorecard);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.error));
  return (given) => {
    const scored = compiled.value.score(given, 1);
    if (scored instanceof Promise) throw new Error("rules answer at once");
    return scored;
  };
}

const late = {
  input: "late",
  reason: "Bills were paid late",
  bins: [
    { is: { below: 1 }, points: 100 },
    { is: { from: 1, below: 3 }, points: 40 },
    { is: { from: 3 }, points: 0, reason: "Bills were not paid for three months or more" },
  ],
};
const use = {
  input: "use",
  reason: "Much of the credit is used",
  bins: [
    { is: { below: 0.5 }, points: 60 },
    { is: { from: 0.5 }, points: 10 },
    { is: { missing: true }, points: 30, reason: "The use of credit is not known" },
  ],
};
const job = {
  input: "job",
  reason: "Employment",
  bins: [
    { is: ["clerk", "boss"], points: 40 },
    { is: "none", points: 0 },
  ],
};
const card = { base: 100, scale: { from: 100, to: 300 }, characteristics: [late, use, job] };
const person = { late: 0, use: 0.1, job: "boss", town: "here", owner: true };

test("points add up, the scale makes a score of them, and reasons are what lost most points", () => {
  const score = scorerOf(card);
  expect(score(person)).toEqual({ score: 1, reasons: [] });
  expect(score({ ...person, late: 2, use: 0.5, job: "none" })).toEqual({
    score: 0.25,
    reasons: ["Bills were paid late", "Much of the credit is used", "Employment"],
  });
  expect(score({ ...person, late: 4, use: null })).toEqual({
    score: (40 + 30) / 200,
    reasons: ["Bills were not paid for three months or more", "The use of credit is not known"],
  });
  expect(scorerOf({ ...card, reasons: 1 })({ ...person, late: 2, job: "none" }).reasons).toEqual(["Bills were paid late"]);
});

test("points may be odds: so many at a number of points, doubled with each further step", () => {
  const score = scorerOf({ ...card, scale: { at: 300, odds: 50, double: 20 } });
  expect(score(person).score).toBeCloseTo(50 / 51, 12);
  expect(score({ ...person, job: "none" }).score).toBeCloseTo(12.5 / 13.5, 12);
});

test("a characteristic may be computed", () => {
  const cel = {
    name: "stress",
    cel: "owner ? 0.0 : late * 2",
    bins: [
      { is: { below: 4 }, points: 1 },
      { is: { from: 4 }, points: 0 },
    ],
  };
  const score = scorerOf({ scale: { from: 0, to: 1 }, characteristics: [cel] });
  expect([0, 1, 2, 3].map((each) => score({ ...person, owner: false, late: each }).score)).toEqual([1, 1, 0, 0]);
  expect(score({ ...person, late: 4 }).score).toBe(1);
});

describe("a card that doesn't say one thing for everybody is refused when it is applied", () => {
  const withBins = (of: object, bins: unknown[]) => ({ scale: { from: -1000, to: 1000 }, characteristics: [{ ...of, bins }] });
  const at = "/scorecard/characteristics/0";
  test.each<[string, unknown, object]>([
    [
      "a gap between numbers",
      withBins(late, [
        { is: { below: 1 }, points: 1 },
        { is: { from: 2 }, points: 0 },
      ]),
      { path: `${at}/bins`, got: "none for 1" },
    ],
    ["a gap at the end", withBins(late, [{ is: { below: 4 }, points: 1 }]), { path: `${at}/bins`, got: "none for 4" }],
    [
      "an overlap",
      withBins(late, [
        { is: { below: 2 }, points: 1 },
        { is: { from: 1 }, points: 0 },
      ]),
      { path: `${at}/bins/1`, got: "late 1 is in bin 0 too" },
    ],
    ["a value left out", withBins(job, [{ is: ["none", "boss"], points: 1 }]), { path: `${at}/bins`, got: 'none for "clerk"' }],
    [
      "a value twice",
      withBins(job, [
        { is: ["none", "boss"], points: 1 },
        { is: ["clerk", "none"], points: 2 },
      ]),
      { path: `${at}/bins/1` },
    ],
    [
      "a missing value without a bin",
      withBins(use, [
        { is: { below: 1 }, points: 1 },
        { is: { from: 1 }, points: 2 },
      ]),
      { path: `${at}/bins`, got: "none for missing" },
    ],
    [
      "texts that nobody declared",
      withBins({ input: "town" }, [{ is: ["here"], points: 1 }]),
      { path: `${at}/bins`, hint: "add a bin, or otherwise" },
    ],
    [
      "a bin that can't be",
      withBins(late, [{ is: { from: 7 }, points: 1 }]),
      { path: `${at}/bins/0/is`, expected: expect.stringContaining("-2 to 4") },
    ],
    ["a typing error in a value", withBins(job, [{ is: ["clrk"], points: 1 }]), { path: `${at}/bins/0/is`, hint: "did you mean clerk?" }],
    ["a typing error in an input", withBins({ input: "lat" }, [{ is: 1, points: 1 }]), { path: `${at}/input`, hint: "did you mean late?" }],
    ["a missing value of what is never missing", withBins(late, [{ is: { missing: true }, points: 1 }]), { path: `${at}/bins/0/is` }],
    ["a number for a text", withBins(job, [{ is: 3, points: 1 }]), { path: `${at}/bins/0/is`, expected: "a string, as job is" }],
    [
      "a scale too short",
      { ...card, scale: { from: 100, to: 250 } },
      { path: "/scorecard/scale", expected: expect.stringContaining("110 to 300") },
    ],
    ["the same characteristic twice", { ...card, characteristics: [late, late] }, { path: "/scorecard/characteristics/1/name" }],
    ["an expression that isn't one", withBins({ name: "x", cel: "lat + 1" }, [{ is: 1, points: 1 }]), { path: `${at}/cel` }],
    ["neither input nor expression", withBins({}, [{ is: 1, points: 1 }]), { path: at }],
    ["a field that isn't one", { ...card, scales: 1 }, { path: "/scorecard/scales", hint: 'did you mean "scale"?' }],
  ])("%s", (_what, scorecard, issue) => expect(issues(scorecard)).toContainEqual(expect.objectContaining(issue)));
});

test("bins are accepted exactly when every value is in one of them, and each person then gets the points of theirs", () => {
  const bound = fc.integer({ min: -3, max: 5 });
  const is = fc.oneof(
    fc.tuple(bound, bound).map(([a, b]) => ({ from: Math.min(a, b), below: Math.max(a, b) + 1 })),
    bound.map((below) => ({ below })),
    bound.map((from) => ({ from })),
    fc.array(fc.integer({ min: -2, max: 4 }), { minLength: 1, maxLength: 3 }),
  );
  const isIn = (test_: typeof is extends fc.Arbitrary<infer T> ? T : never, value: number) =>
    Array.isArray(test_)
      ? test_.includes(value)
      : value >= ("from" in test_ ? test_.from : -9) && value < ("below" in test_ && test_.below !== undefined ? test_.below : 9);
  const all = [-2, -1, 0, 1, 2, 3, 4];
  let accepted = 0;
  fc.assert(
    fc.property(fc.array(is, { minLength: 1, maxLength: 3 }), fc.boolean(), (tests, hasOtherwise) => {
      const bins = tests.map((each, i) => ({ is: each, points: 10 * (i + 1), reason: `bin ${i}` }));
      const otherwise = hasOtherwise ? { otherwise: { points: 5, reason: "otherwise" } } : {};
      const spec = { scale: { from: 0, to: 100 }, characteristics: [{ input: "late", bins, ...otherwise }] };
      const hits = all.map((value) => tests.flatMap((each, i) => (isIn(each, value) ? [i] : [])));
      const canAllBe = tests.every((each) => all.some((value) => isIn(each, value)));
      const isGood = canAllBe && hits.every((each) => each.length === 1 || (each.length === 0 && hasOtherwise));
      expect(issues(spec).length === 0).toBe(isGood);
      if (!isGood) return;
      accepted++;
      const score = scorerOf(spec);
      const most = Math.max(...bins.map(({ points }) => points), hasOtherwise ? 5 : 0);
      for (const [i, value] of all.entries()) {
        const bin = bins[hits[i]?.[0] ?? -1];
        const points = bin?.points ?? 5;
        expect(score({ ...person, late: value })).toEqual({
          score: points / 100,
          reasons: points < most ? [bin?.reason ?? "otherwise"] : [],
        });
      }
    }),
    { numRuns: 2000 },
  );
  expect(accepted).toBeGreaterThan(50);
});
