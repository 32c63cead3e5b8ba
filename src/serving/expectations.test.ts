import { describe, expect, test } from "vitest";
import type { GroupsSpec, InputsSpec } from "./endpoint-spec.ts";
import type { ExpectationSpec } from "./expectation-spec.ts";
import { compileExpectations, type CompiledExpectations } from "./expectations.ts";
import { celVariables, type Inputs } from "./inputs.ts";

const inputs: InputsSpec = {
  amount: { type: "number", min: 0, max: 1e6 },
  age: { type: "integer" },
  resident: { type: "boolean" },
  education: { type: "string", values: ["graduate", "university", "high_school"] },
  employer: { type: "string", optional: true },
  since: { type: "string", optional: true },
  bonus: { type: "number", optional: true },
  postcode: { type: "string", optional: true, twin_of: "origin" },
};
const groups: GroupsSpec = { education: ["graduate", "university", "high_school"], origin: ["here", "abroad"] };
const around = { inputs, groups, variables: celVariables(inputs) };
const usual: Inputs = {
  amount: 1000,
  age: 40,
  resident: true,
  education: "graduate",
  employer: "Acme",
  since: "2020-02-29",
  bonus: 10,
  postcode: "10115",
};

function compile(...specs: ExpectationSpec[]): CompiledExpectations {
  const compiled = compileExpectations(specs, around);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.error));
  return compiled.value;
}
const issuesOf = (...specs: ExpectationSpec[]) => {
  const compiled = compileExpectations(specs, around);
  return compiled.ok ? [] : compiled.error;
};
/** Kinds of breach of the first expectation that were counted for one request. */
function breachesOf(spec: ExpectationSpec, change: Inputs): readonly string[] {
  const expectations = compile(spec);
  const counts = expectations.emptyCounts();
  expectations.check({ ...usual, ...change }, counts);
  const { checked, breaches } = expectations.read(counts);
  expect(checked).toBe(1);
  return Object.entries(breaches[0] ?? {}).flatMap(([kind, count]) => (count > 0 ? [kind] : []));
}

describe("a value that isn't as expected is counted by the way in which it isn't", () => {
  test.each<[string, ExpectationSpec, Inputs, readonly string[]]>([
    ["inside", { input: "amount", min: 100, max: 2000, on_breach: "warn" }, {}, []],
    ["at the lower end", { input: "amount", min: 1000, on_breach: "warn" }, {}, []],
    ["below", { input: "amount", min: 1000.5, on_breach: "warn" }, {}, ["below"]],
    ["above", { input: "amount", max: 999, on_breach: "warn" }, {}, ["above"]],
    ["a whole number", { input: "amount", type: "integer", on_breach: "warn" }, {}, []],
    ["no whole number", { input: "amount", type: "integer", on_breach: "warn" }, { amount: 0.5 }, ["type"]],
    ["a known category", { input: "education", categories: ["graduate"], on_breach: "warn" }, {}, []],
    ["a new category", { input: "education", categories: ["university"], on_breach: "warn" }, {}, ["category"]],
    ["a known code", { input: "age", categories: [40, 41], on_breach: "warn" }, {}, []],
    ["a new code", { input: "age", categories: [41], on_breach: "warn" }, {}, ["category"]],
    ["there", { input: "employer", required: true, on_breach: "warn" }, {}, []],
    ["missing", { input: "employer", required: true, on_breach: "warn" }, { employer: null }, ["missing"]],
    ["missing where some may", { input: "bonus", missing: 0.2, max: 5, on_breach: "warn" }, { bonus: null }, ["missing"]],
    ["missing where that is nobody's business", { input: "bonus", max: 5, on_breach: "warn" }, { bonus: null }, []],
    ["a date", { input: "since", type: "date", on_breach: "warn" }, {}, []],
    ["no such day", { input: "since", type: "date", on_breach: "warn" }, { since: "2020-13-01" }, ["type"]],
    ["a time where a date is meant", { input: "since", type: "date", on_breach: "warn" }, { since: "2020-01-01T00:00:00Z" }, ["type"]],
    ["a time", { input: "since", type: "timestamp", on_breach: "warn" }, { since: "2020-01-01T10:00:00+01:00" }, []],
    ["a text that is a number", { input: "postcode", type: "integer", on_breach: "warn" }, {}, []],
    ["a text that is none", { input: "postcode", type: "integer", on_breach: "warn" }, { postcode: "SW1A" }, ["type"]],
    ["a condition that holds", { name: "c", condition: "amount > age", on_breach: "warn" }, {}, []],
    ["a condition that doesn't", { name: "c", condition: "amount < age", on_breach: "warn" }, {}, ["condition"]],
    ["a condition that can't be computed", { name: "c", condition: "bonus < amount", on_breach: "refuse" }, { bonus: null }, ["unknown"]],
  ])("%s", (_what, spec, change, kinds) => {
    expect(breachesOf(spec, change)).toEqual(kinds);
  });
});

test("only what refuses refuses, and it says field, expected and got", () => {
  const expectations = compile(
    { input: "amount", name: "small", max: 500, on_breach: "warn" },
    { input: "amount", min: 2000, max: 9000, on_breach: "refuse" },
    { input: "employer", required: true, on_breach: "refuse" },
    { name: "old enough", condition: "age >= 50 && amount > 5000", on_breach: "refuse" },
    { name: "bonus", condition: "bonus > 0", on_breach: "refuse" },
  );
  const counts = expectations.emptyCounts();
  expect(expectations.check({ ...usual, amount: 8000, age: 60 }, counts)).toBe(false);
  const wrong: Inputs = { ...usual, employer: null, bonus: null };
  expect(expectations.check(wrong, counts)).toBe(true);
  expect(expectations.issues(wrong)).toEqual([
    { path: "/inputs/amount", expected: "a number from 2000 to 9000", got: "1000", hint: `the endpoint's expectation "amount" refuses it` },
    { path: "/inputs/employer", expected: "a value", got: "nothing", hint: `the endpoint's expectation "employer" refuses it` },
    {
      path: "/inputs/age",
      expected: "age >= 50 && amount > 5000",
      got: "age 40, amount 1000",
      hint: `the endpoint's expectation "old enough" refuses it`,
    },
  ]);
  const { checked, refused, breaches } = expectations.read(counts);
  expect([checked, refused, breaches[0]?.above, breaches[4]?.unknown]).toEqual([2, 1, 2, 1]);
});

test("what tells of a protected attribute isn't echoed, neither the value nor the names of groups", () => {
  const expectations = compile(
    { input: "education", categories: ["university"], on_breach: "refuse" },
    { input: "postcode", type: "integer", on_breach: "refuse" },
    { name: "schooling", condition: `education != "graduate" || amount > 2000`, on_breach: "refuse" },
  );
  const issues = expectations.issues({ ...usual, postcode: "SW1A" });
  expect(issues.map(({ path }) => path)).toEqual(["/inputs/education", "/inputs/postcode", "/inputs/education"]);
  expect(JSON.stringify(issues)).not.toMatch(/graduate|university|SW1A/);
});

describe("what is wrong with an expectation is said where it was written", () => {
  const warn = { on_breach: "warn" } as const;
  test.each<[string, ExpectationSpec, string, RegExp]>([
    ["an unknown input", { input: "amont", min: 1, ...warn }, "/expectations/0/input", /did you mean "amount"/],
    ["an inherited name", { input: "constructor", min: 1, ...warn }, "/expectations/0/input", /an input of the endpoint/],
    ["nothing expected", { input: "amount", ...warn }, "/expectations/0", /nothing that is expected/],
    ["a type that it can't have", { input: "amount", type: "date", ...warn }, "/expectations/0/type", /number, integer/],
    ["a range of a text", { input: "employer", min: 1, ...warn }, "/expectations/0", /employer, a string/],
    ["ends that are turned round", { input: "amount", min: 2, max: 1, ...warn }, "/expectations/0/max", /at least min/],
    ["a range beyond what is accepted", { input: "amount", min: 2e6, ...warn }, "/expectations/0/min", /every request breaches it/],
    [
      "a category that isn't accepted",
      { input: "education", categories: ["gradute"], ...warn },
      "/expectations/0/categories/0",
      /did you mean "graduate"/,
    ],
    ["a category of another type", { input: "age", categories: ["1"], ...warn }, "/expectations/0/categories/0", /a number/],
    ["one category twice", { input: "age", categories: [1, 1], ...warn }, "/expectations/0/categories", /each category once/],
    ["what can't be missing", { input: "amount", required: true, ...warn }, "/expectations/0/required", /an optional input/],
    ["a share that refuses", { input: "bonus", missing: 0.1, on_breach: "refuse" }, "/expectations/0/on_breach", /required: true/],
    ["required and a share", { input: "bonus", required: true, missing: 0.1, ...warn }, "/expectations/0/missing", /both/],
    ["a limit without a warning", { input: "bonus", max: 1, limit: 0.1, on_breach: "count" }, "/expectations/0/limit", /on_breach: count/],
    [
      "a condition over an unknown input",
      { name: "c", condition: "amont > 1", ...warn },
      "/expectations/0/condition",
      /did you mean amount/,
    ],
    ["a condition that is a number", { name: "c", condition: "amount + 1", ...warn }, "/expectations/0/condition", /true or false/],
    ["a condition over nothing", { name: "c", condition: "1 < 2", ...warn }, "/expectations/0/condition", /reads an input/],
  ])("%s", (_what, spec, path, text) => {
    const issues = issuesOf(spec);
    expect(issues.map((issue) => issue.path)).toContain(path);
    expect(JSON.stringify(issues).replaceAll('\\"', '"')).toMatch(text);
  });

  test("two of one name", () => {
    const issues = issuesOf({ input: "amount", min: 1, ...warn }, { input: "amount", max: 2, ...warn });
    expect(issues).toEqual([expect.objectContaining({ path: "/expectations/1", got: "that of /expectations/0" })]);
    expect(issuesOf({ input: "amount", min: 1, ...warn }, { input: "amount", name: "amount-high", max: 2, ...warn })).toEqual([]);
  });
});

test("an expectation that says something else is counted apart; what is done about it changes nothing", () => {
  const key = (spec: ExpectationSpec) => compile(spec).list[0]?.key;
  const warns = key({ input: "amount", min: 1, on_breach: "warn" });
  expect(key({ input: "amount", min: 1, on_breach: "refuse", text: "small" })).toBe(warns);
  expect(key({ input: "amount", min: 2, on_breach: "warn" })).not.toBe(warns);
});
