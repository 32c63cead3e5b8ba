import { expect, test } from "vitest";
import { CelFailure } from "./cel.ts";
import { compileFeatures } from "./features.ts";
import { celVariables } from "./inputs.ts";

const variables = celVariables({
  limit_bal: { type: "number" },
  bill: { type: "number" },
  resident: { type: "boolean" },
  income: { type: "number", optional: true },
  education: { type: "string", values: ["graduate", "university"] },
});
const compile = (...features: ({ name: string; from: string } | { name: string; cel: string })[]) =>
  compileFeatures({ name: "f", features }, variables);

test("features are written in their order, rounded to 32-bit floats, at the place asked for", () => {
  const compiled = compile(
    { name: "limit_bal", from: "limit_bal" },
    { name: "resident", from: "resident" },
    { name: "income", from: "income" },
    { name: "use", cel: "bill / limit_bal" },
    { name: "is_graduate", cel: 'education == "graduate"' },
  );
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.error));
  expect(compiled.value.names).toEqual(["limit_bal", "resident", "income", "use", "is_graduate"]);
  const rows = new Float32Array(12).fill(7);
  compiled.value.derive({ limit_bal: 0.1, bill: 0.3, resident: true, income: null, education: "graduate" }, rows, 6);
  expect([...rows]).toEqual([7, 7, 7, 7, 7, 7, Math.fround(0.1), 1, Number.NaN, Math.fround(0.3 / 0.1), 1, 7]);
});

test("a feature that can't be computed without an optional input is a failure, not a zero", () => {
  const compiled = compile({ name: "x", cel: "income / 2" });
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.error));
  expect(() => compiled.value.derive({ income: null }, new Float32Array(1), 0)).toThrow(CelFailure);
});

test.each([
  [
    { name: "x", from: "limit_ball" },
    { path: "/features/0/from", hint: "did you mean limit_bal?" },
  ],
  [
    { name: "x", cel: "bill / limit" },
    { path: "/features/0/cel", got: "limit", line: 1, column: 8 },
  ],
  [
    { name: "x", cel: "education" },
    { path: "/features/0/cel", got: "a text" },
  ],
])("%o is refused where it is wrong", (feature, issue) => {
  const compiled = compile(feature);
  expect(compiled.ok ? [] : compiled.error).toEqual([expect.objectContaining(issue)]);
});

test("a text is its code, the same for the same text; none is no number", () => {
  const compiled = compile({ name: "x", from: "limit_bal" }, { name: "school", from: "education" });
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.error));
  const codes = compiled.value.texts.get(1);
  const row = new Float32Array(2);
  for (const education of ["university", "graduate", "university"]) {
    compiled.value.derive({ limit_bal: 1, education }, row, 0);
    expect(codes?.textOf(row[1] ?? 0)).toBe(education);
  }
  compiled.value.derive({ limit_bal: 1, education: null }, row, 0);
  expect(row[1]).toBeNaN();
  expect([...compiled.value.texts.keys()]).toEqual([1]);
});

test("two features of one name are refused", () => {
  const compiled = compile({ name: "x", from: "bill" }, { name: "x", from: "limit_bal" });
  expect(compiled.ok ? [] : compiled.error).toEqual([expect.objectContaining({ path: "/features/1/name", got: "x" })]);
});
