import fc from "fast-check";
import { expect, test } from "vitest";
import { checked } from "../checked.ts";
import { unreachable } from "../std.ts";
import type { AnyKind } from "./any-test.ts";
import { GuardrailSpec, guardrailIssues, type DeclaredGroups } from "./guardrail.ts";
import { METRICS, kindOf, metricNames, type Direction } from "./metrics.ts";
import { planTests, sideOf } from "./plan.ts";
import { edgesOf } from "./value-buckets.ts";

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

const lender = { actions: ["approve", "refer", "deny"], hasOutcomes: true };
const odds: GuardrailSpec = { name: "odds", metric: "equalized_odds_difference", limit: 0.1, matures_after: "365d", action: "warn" };

test.each<[string, Partial<GuardrailSpec> & { readonly slow?: never }, string, string | undefined]>([
  ["a direction that the metric doesn't have", { ...failures, direction: "at_least" }, "/0/direction", undefined],
  ["an at-most ratio below 1", { direction: "at_most", limit: 0.8 }, "/0/limit", undefined],
  ["an unknown attribute, with the nearest", { groups: ["sexx"] }, "/0/groups/0", "did you mean sex?"],
  ["an unknown reference, with the nearest", { groups: ["education"], reference: "graduat" }, "/0/reference", "did you mean graduate?"],
  ["the previous release for a metric of outcomes", { ...odds, reference: "previous release" }, "/0/reference", undefined],
  [
    "the rest for a gap that is compared with the previous release",
    { metric: "selection_gap_increase", reference: "rest", limit: 0.1 },
    "/0/reference",
    undefined,
  ],
  ["shares of no actions", { metric: "action_rate", limit: 0.2 }, "/0/actions", undefined],
  [
    "an unknown action, with the nearest",
    { metric: "action_rate", limit: 0.2, actions: ["refers"] },
    "/0/actions/0",
    "did you mean refer?",
  ],
  ["actions where none are counted", { actions: ["refer"] }, "/0/actions", undefined],
  ["outcomes without an age", { metric: "equalized_odds_difference", limit: 0.1 }, "/0/matures_after", undefined],
  ["an age where there are no outcomes", { matures_after: "30d" }, "/0/matures_after", undefined],
  ["a mean beyond its values", { metric: "net_flips_to_worse", limit: 1 }, "/0/limit", undefined],
])("%s is refused", (_what, change, path, hint) => {
  const issue = guardrailIssues([{ ...parity, ...change }], groups, lender).find((one) => one.path === path);
  expect(issue).toBeDefined();
  expect(issue?.hint).toBe(hint);
});

test("a metric with outcomes needs outcomes that are declared, and a group needs somebody to be compared with", () => {
  expect(guardrailIssues([odds], groups, { ...lender, hasOutcomes: false })).toMatchObject([{ path: "/0/metric" }]);
  expect(guardrailIssues([parity], { sex: ["female"] }, lender)).toMatchObject([{ path: "/0/groups", got: "sex" }]);
  expect(guardrailIssues([{ ...parity, metric: "selection_rate", limit: 0.2 }], { sex: ["female"] }, lender)).toEqual([]);
});

test("parts of a metric and pairs of groups are tests that share the budget", () => {
  const plans = planTests([odds, { ...parity, groups: ["education"], reference: "every pair" }], groups, 0.01, "serving");
  expect(plans.filter(({ guardrail }) => guardrail === "odds")).toHaveLength(2 * 5);
  expect(plans.filter(({ guardrail }) => guardrail === "parity").map(({ groupLabel, reference }) => `${groupLabel} ${reference}`)).toEqual([
    "education=graduate university",
    "education=graduate high_school",
    "education=university graduate",
    "education=university high_school",
    "education=high_school graduate",
    "education=high_school university",
  ]);
  expect(plans.reduce((sum, { alpha }) => sum + alpha, 0)).toBeCloseTo(0.009, 12);
});

const asDirection = (text: string): Direction => (text === "at_most" ? "at_most" : "at_least");

/** Of every metric and direction: limits that are none, and one that is. */
const limitsOf = (kind: AnyKind, direction: string, edges: readonly number[] | undefined): { wrong: number[]; right: number } => {
  switch (kind) {
    case "rate_min":
    case "rate_max":
      return { wrong: [-0.1, 0, 1, 80, Number.NaN], right: 0.5 };
    case "ratio_min":
      return direction === "at_most"
        ? { wrong: [-1, 0, 0.8, Number.POSITIVE_INFINITY, Number.NaN], right: 1.25 }
        : { wrong: [-1, 0, 1.01, 80, Number.POSITIVE_INFINITY, Number.NaN], right: 0.8 };
    case "diff_min":
    case "did_min":
      return { wrong: [-1, 1, 10, Number.NaN], right: 0.1 };
    case "mean_min":
    case "mean_max": {
      const [first, last] = [edges?.[0] ?? 0, edges?.at(-1) ?? 1];
      return { wrong: [first - 1, first, last, last + 1, Number.NaN], right: (first + 3 * last) / 4 };
    }
    default:
      return unreachable(kind);
  }
};

test.each(
  metricNames.flatMap((metric) => Object.keys(METRICS[metric].kinds).map((direction) => [metric, asDirection(direction)] as const)),
)("a limit outside the range of %s, %s, is refused with the range, and one inside isn't", (metric, direction) => {
  const { counts } = METRICS[metric];
  const { wrong, right } = limitsOf(kindOf(metric, direction), direction, edgesOf(counts));
  const limited = (limit: number): GuardrailSpec => ({
    name: "one",
    metric,
    direction,
    limit,
    action: "warn",
    ...(counts === "actions" ? { actions: ["refer"] } : {}),
    ...(counts === "slow" ? { slower_than: "300ms" } : {}),
    ...(counts === "outcomes" ? { matures_after: "30d" } : {}),
  });
  expect(guardrailIssues([limited(right)], groups, lender)).toEqual([]);
  for (const limit of wrong)
    expect(guardrailIssues([limited(limit)], groups, lender)).toMatchObject([
      { path: "/0/limit", got: String(limit), expected: expect.stringMatching(/rate|ratio|difference|mean/) },
    ]);
});
