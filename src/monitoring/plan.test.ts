import fc from "fast-check";
import { expect, test } from "vitest";
import { checked } from "../checked.ts";
import { GuardrailSpec, guardrailIssues, type DeclaredGroups } from "./guardrail.ts";
import { planTests, sideOf } from "./plan.ts";

const groups: DeclaredGroups = { sex: ["female", "male"], education: ["graduate", "university", "high_school"] };
const parity: GuardrailSpec = { name: "parity", metric: "adverse_impact_ratio", groups: "all", limit: 0.8, action: "roll_back" };
const failures: GuardrailSpec = { name: "failures", metric: "fallback_rate", limit: 0.02, action: "fall_back" };
const flips: GuardrailSpec = { name: "flips", metric: "flips_to_worse", groups: ["education"], limit: 0.5, action: "hold" };
const labels = (guardrails: readonly GuardrailSpec[], armClass: "serving" | "shadow" = "serving") =>
  planTests(guardrails, groups, 0.01, armClass).map(({ guardrail, groupLabel, reference }) => `${guardrail} ${groupLabel} ${reference}`);

test("every group of every watched attribute is a test, and every combination of intersected ones", () => {
  expect(labels([{ ...parity, intersections: true }])).toEqual([
    "parity sex=female rest",
    "parity sex=male rest",
    "parity education=graduate rest",
    "parity education=university rest",
    "parity education=high_school rest",
    "parity sex=female,education=graduate rest",
    "parity sex=female,education=university rest",
    "parity sex=female,education=high_school rest",
    "parity sex=male,education=graduate rest",
    "parity sex=male,education=university rest",
    "parity sex=male,education=high_school rest",
  ]);
  const { groups: _all, ...unnamed } = parity;
  expect(labels([unnamed])).toEqual(labels([parity]));
  expect(labels([{ ...parity, intersections: [["education", "sex"]], groups: ["sex"] }])).toContain(
    "parity education=graduate,sex=female rest",
  );
});

test("a named reference isn't compared with itself", () => {
  expect(labels([{ ...parity, groups: ["education"], reference: "graduate" }])).toEqual([
    "parity education=university graduate",
    "parity education=high_school graduate",
  ]);
});

test("a metric that compares no groups watches everybody as one, or each group it is told to", () => {
  expect(labels([failures])).toEqual(["failures everybody null"]);
  expect(labels([{ ...failures, groups: ["sex"] }])).toEqual(["failures sex=female null", "failures sex=male null"]);
});

test("a shadow has tests of its own; flips are among them only", () => {
  expect(labels([parity, flips])).toEqual(labels([parity]));
  expect(labels([flips], "shadow")).toEqual([
    "flips education=graduate null",
    "flips education=university null",
    "flips education=high_school null",
  ]);
});

test("the shares of all tests are nine tenths of the budget, split by weight, then by group", () => {
  const plans = planTests([{ ...parity, weight: 2, intersections: true }, failures], groups, 0.01, "serving");
  expect(plans.reduce((sum, { alpha }) => sum + alpha, 0)).toBeCloseTo(0.009, 12);
  expect(plans.at(-1)?.alpha).toBeCloseTo(0.003, 12);
  expect(plans[0]?.alpha).toBeCloseTo((0.006 * 0.8) / 5, 12);
  expect(plans[5]?.alpha).toBeCloseTo((0.006 * 0.2) / 6, 12);
});

test("everybody is on exactly one side, and those whose group isn't known are on none", () => {
  const plans = planTests([{ ...parity, intersections: true }], groups, 0.01, "serving");
  const person = fc.record({
    sex: fc.constantFrom("female", "male", "unknown"),
    education: fc.constantFrom("graduate", "university", "high_school", "unknown"),
  });
  fc.assert(
    fc.property(person, (who) => {
      for (const plan of plans) {
        const asked = Object.entries(plan.group);
        const isKnown = asked.every(([attribute]) => attribute in who && who[attribute as "sex"] !== ("unknown" as string));
        const isMember = asked.every(([attribute, value]) => who[attribute as "sex"] === value);
        expect(sideOf(plan, who)).toBe(!isKnown ? "neither" : isMember ? "group" : "reference");
      }
    }),
  );
});

test("with a named reference everybody else is on neither side", () => {
  const [plan] = planTests([{ ...parity, groups: ["education"], reference: "graduate" }], groups, 0.01, "serving");
  if (!plan) throw new Error("no plan");
  expect(["university", "graduate", "high_school", "unknown"].map((education) => sideOf(plan, { education }))).toEqual([
    "group",
    "reference",
    "neither",
    "neither",
  ]);
  expect(sideOf(plan, {})).toBe("neither");
});

test.each<[string, Partial<GuardrailSpec>, string]>([
  ["a limit that is no ratio", { limit: 0 }, "/0/limit"],
  ["a rate above 1", { ...failures, limit: 1.5 }, "/0/limit"],
  ["a difference of 1", { metric: "selection_rate_difference", limit: 1 }, "/0/limit"],
  ["an attribute that isn't declared", { groups: ["sex", "age"] }, "/0/groups/1"],
  ["an intersection with one that isn't", { intersections: [["sex", "age"]] }, "/0/intersections/0/1"],
  ["intersections of a single attribute", { groups: ["sex"], intersections: true }, "/0/intersections"],
  ["a reference that not every attribute has", { reference: "graduate" }, "/0/reference"],
  ["a reference where nothing is compared", { ...failures, reference: "male" }, "/0/reference"],
])("%s is refused, with where", (_what, change, path) => {
  expect(guardrailIssues([{ ...parity, ...change }], groups).map((issue) => issue.path)).toContain(path);
});

test("two guardrails of one name, and none of an endpoint without groups, are refused", () => {
  expect(guardrailIssues([parity, { ...failures, name: "parity" }], groups)).toMatchObject([{ path: "/1/name", got: "parity" }]);
  expect(guardrailIssues([parity], {})).toMatchObject([{ path: "/0/groups" }]);
  expect(guardrailIssues([failures], {})).toEqual([]);
  expect(guardrailIssues([parity, failures, flips, { ...parity, name: "both", intersections: true }], groups)).toEqual([]);
});

test("more groups than a budget can be split over are refused", () => {
  const many = { a: Array.from({ length: 40 }, (_, i) => `a${i}`), b: Array.from({ length: 40 }, (_, i) => `b${i}`) };
  expect(guardrailIssues([{ ...parity, intersections: true }], many)).toMatchObject([{ path: "", got: "1680" }]);
});

test("a guardrail as written is checked, with the nearest known word", () => {
  const parse = checked(GuardrailSpec);
  expect(parse(parity).ok).toBe(true);
  expect(parse({ ...parity, intersections: true, weight: 2, dependence: 3, reference: "rest" }).ok).toBe(true);
  const wrong = parse({ ...parity, metric: "adverse_impact_ration", acton: "warn" });
  expect(!wrong.ok && wrong.error).toMatchObject([
    { path: "/acton", hint: 'did you mean "action"?' },
    { path: "/metric", hint: 'did you mean "adverse_impact_ratio"?' },
  ]);
});
