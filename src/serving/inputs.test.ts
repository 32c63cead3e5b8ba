import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compileInputs, type InputRules } from "./inputs.ts";

const rules: InputRules = {
  inputs: {
    age: { type: "integer", min: 18, max: 120 },
    limit_bal: { type: "number" },
    education: { type: "string", values: ["graduate", "university"] },
    employer: { type: "string", optional: true },
    resident: { type: "boolean", optional: true },
  },
  groups: { sex: ["female", "male"], education: ["graduate", "high_school"] },
};
const compile = (change: Partial<InputRules> = {}) => {
  const compiled = compileInputs({ ...rules, ...change });
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.error));
  return compiled.value;
};
const parse = compile();
const inputs = { age: 40, limit_bal: 1.5, education: "graduate", employer: "Acme", resident: true };
const issues = (body: unknown, parser = parse) => {
  const request = parser(body);
  return request.ok ? [] : request.error;
};

test("a valid body becomes a request: missing optional inputs are null, groups fall in one cell", () => {
  expect(parse({ subject: "ann", inputs, groups: { sex: "female" } })).toEqual({
    ok: true,
    value: { subject: "ann", inputs, groups: { sex: "female" }, cell: "education=unknown,sex=female" },
  });
  const { age, limit_bal, education } = inputs;
  for (const body of [
    { inputs: { age, limit_bal, education } },
    { inputs: { age, limit_bal, education, employer: null, resident: null }, subject: null, groups: { sex: null } },
  ])
    expect(parse(body)).toMatchObject({
      ok: true,
      value: {
        subject: null,
        inputs: { age, limit_bal, education, employer: null, resident: null },
        groups: {},
        cell: "education=unknown,sex=unknown",
      },
    });
});

describe("what is wrong is named with its field, what was expected and what came", () => {
  test.each([
    [{ age: "40" }, { path: "/inputs/age", expected: "a whole number from 18 to 120", got: '"40"' }],
    [{ age: 17 }, { path: "/inputs/age", got: "17" }],
    [{ age: 40.5 }, { path: "/inputs/age", got: "40.5" }],
    [{ age: null }, { path: "/inputs/age", got: "null" }],
    [{ age: true }, { path: "/inputs/age", got: "true" }],
    [{ age: [40] }, { path: "/inputs/age", got: "a list of 1" }],
    [{ limit_bal: Number.POSITIVE_INFINITY }, { path: "/inputs/limit_bal", expected: "a number" }],
    [{ limit_bal: Number.NaN }, { path: "/inputs/limit_bal" }],
    [{ education: "gradute" }, { path: "/inputs/education", expected: 'one of "graduate", "university"' }],
    [{ employer: "a\0b" }, { path: "/inputs/employer" }],
    [{ employer: "\ud800" }, { path: "/inputs/employer" }],
    [{ employer: "a".repeat(1001) }, { path: "/inputs/employer", expected: "a text of at most 1000 characters" }],
    [{ resident: 1 }, { path: "/inputs/resident", expected: "true or false", got: "1" }],
    [{ limit_ball: 3 }, { path: "/inputs/limit_ball", got: "an unknown field", hint: 'did you mean "limit_bal"?' }],
    [{ constructor: 3 }, { path: "/inputs/constructor", got: "an unknown field" }],
  ])("inputs %o", (change, issue) => {
    expect(issues({ inputs: { ...inputs, ...change } })).toEqual([expect.objectContaining(issue)]);
  });
  test("a missing field", () => {
    const { age: _age, ...rest } = inputs;
    expect(issues({ inputs: rest })).toEqual([{ path: "/inputs/age", expected: "a whole number from 18 to 120", got: "nothing" }]);
  });
  test.each([
    [null, { path: "" }],
    [[], { path: "" }],
    ["text", { path: "" }],
    [{}, { path: "/inputs", got: "nothing" }],
    [{ inputs: [] }, { path: "/inputs", got: "a list of 0" }],
    [
      { inputs, subject: 7 },
      { path: "/subject", got: "7" },
    ],
    [{ inputs, subject: "" }, { path: "/subject" }],
    [{ inputs, subject: "a".repeat(251) }, { path: "/subject" }],
    [{ inputs, groups: [] }, { path: "/groups" }],
    [
      { inputs, groups: { sex: "femal" } },
      { path: "/groups/sex", got: '"femal"', hint: 'did you mean "female"?' },
    ],
    [
      { inputs, groups: { sex: 1 } },
      { path: "/groups/sex", got: "1" },
    ],
    [
      { inputs, groups: { sx: "male" } },
      { path: "/groups/sx", hint: 'did you mean "sex"?' },
    ],
    [
      { inputs, group: {} },
      { path: "/group", hint: 'did you mean "groups"?' },
    ],
    [
      { inputs, release: "r1" },
      { path: "/release", got: "an unknown field" },
    ],
  ])("body %o", (body, issue) => expect(issues(body)).toEqual([expect.objectContaining(issue)]));
  test("all of it at once, up to twenty", () => {
    expect(issues({ inputs: { age: 1, education: 2, x: 3 }, subject: 4, groups: { sex: 5 } }).map(({ path }) => path)).toEqual([
      "/inputs/age", "/inputs/limit_bal", "/inputs/education", "/inputs/x", "/groups/sex", "/subject",
    ]); // prettier-ignore
    expect(issues({ inputs: Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`x${i}`, i])) })).toHaveLength(20);
  });
});

test("undeclared groups count as unknown where the endpoint says so, and stay legible", () => {
  const lenient = compile({ undeclaredGroups: "unknown" });
  expect(lenient({ inputs, groups: { sex: "other" } })).toMatchObject({
    ok: true,
    value: { cell: "education=unknown,sex=unknown", groups: { sex: "other" } },
  });
  expect(issues({ inputs, groups: { sex: 7 } }, lenient)).toHaveLength(1);
});

test("every combination of groups has a cell of its own, the same whatever the order they are told in", () => {
  const cells = new Map<string, string>();
  for (const sex of ["female", "male", undefined])
    for (const education of ["graduate", "high_school", undefined]) {
      const one = parse({ inputs, groups: { ...(sex ? { sex } : {}), ...(education ? { education } : {}) } });
      const other = parse({ inputs, groups: { ...(education ? { education } : {}), ...(sex ? { sex } : {}) } });
      if (!one.ok || !other.ok) throw new Error("refused");
      expect(one.value.cell).toBe(other.value.cell);
      expect(one.value.cell).toBe(`education=${education ?? "unknown"},sex=${sex ?? "unknown"}`);
      cells.set(one.value.cell, "");
    }
  expect(cells.size).toBe(9);
});

test("no JSON, however odd, passes without being valid", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (body, value) => {
      expect(parse(body).ok).toBe(false); // the odds of a valid one are nil
      const request = parse({ inputs: { ...inputs, age: value } });
      expect(request.ok).toBe(typeof value === "number" && Number.isInteger(value) && value >= 18 && value <= 120);
    }),
  );
});

test.each<[Partial<InputRules>, string]>([
  [{ inputs: {} }, "/inputs"],
  [{ inputs: { a: { type: "number", min: 2, max: 1 } } }, "/inputs/a/max"],
  [{ inputs: { a: { type: "boolean", min: 2 } } }, "/inputs/a"],
  [{ inputs: { a: { type: "number", values: ["x"] } } }, "/inputs/a/values"],
  [{ inputs: { a: { type: "string", values: ["x", "x"] } } }, "/inputs/a/values"],
  [{ inputs: Object.fromEntries([["toString", { type: "number" }]]) }, "/inputs/toString"],
  [{ groups: { sex: ["a", "a"] } }, "/groups/sex"],
  [{ groups: Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`g${i}`, ["a", "b", "c"]])) }, "/groups"],
])("rules that can't be right are refused: %o", (change, path) => {
  const compiled = compileInputs({ ...rules, ...change });
  expect(compiled.ok ? [] : compiled.error.map((issue) => issue.path)).toEqual([path]);
});
