import { getConformanceSuite, type IncrementalTest, type IncrementalTestSuite } from "@bufbuild/cel-spec/testdata/tests.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CelFailure, compileCelCondition, compileCelNumber, type CelVariable } from "./cel.ts";

const variables = new Map<string, CelVariable>([
  ["pay_0", { type: "number", optional: false }],
  ["bill_amt1", { type: "number", optional: false }],
  ["limit_bal", { type: "number", optional: false }],
  ["income", { type: "number", optional: true }],
  ["education", { type: "string", optional: false, values: ["graduate", "university", "high_school"] }],
  ["employer", { type: "string", optional: false }],
  ["resident", { type: "boolean", optional: false }],
]);
const person = { pay_0: -1, bill_amt1: 7, limit_bal: 2, income: null, education: "graduate", employer: "Acme", resident: true };

const number = (source: string) => {
  const compiled = compileCelNumber(source, variables, "/cel");
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.error));
  return compiled.value.evaluate(person);
};
const condition = (source: string) => {
  const compiled = compileCelCondition(source, variables, "/when");
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.error));
  return compiled.value.evaluate(person);
};
const issue = (source: string) => {
  const compiled = compileCelCondition(source, variables, "/when");
  return compiled.ok ? undefined : compiled.error[0];
};

describe("numbers are doubles", () => {
  test.each([
    ["bill_amt1 / limit_bal", 3.5],
    ["7 / 2", 3.5],
    ["0x10 + 1", 17],
    ["-3 * 2 - -1", -5],
    ["1 / 0", Number.POSITIVE_INFINITY],
    ["size(employer)", 4],
    ["resident", 1],
    ["max(bill_amt1, 10) + abs(pay_0) + floor(2.7)", 13],
    ["income == null ? 0 : income", 0],
    ['double("2.5") * 2', 5],
  ])("%s is %d", (source, expected) => expect(number(source)).toBe(expected));

  test.each([
    ["pay_0 <= 0", true],
    ["bill_amt1 / limit_bal > 3 && education in ['graduate', 'university']", true],
    ["pay_0 in [-1, 0]", true],
    ["bill_amt1 == 7", true],
    ["income == null || income > 3", true],
    ["employer.startsWith('Ac') && !resident", false],
  ])("%s is %s", (source, expected) => expect(condition(source)).toBe(expected));

  test("a whole number means the same with and without a decimal point, whatever stands around it", () => {
    const literal = fc.oneof(fc.integer({ min: -1e9, max: 1e9 }), fc.integer({ min: -9, max: 9 }));
    fc.assert(
      fc.property(literal, literal, fc.constantFrom("+", "-", "*", "/"), fc.constantFrom(" ", "  ", "\n"), (a, b, operator, gap) => {
        const expected = { "+": a + b, "-": a - b, "*": a * b, "/": a / b }[operator];
        expect(number(`${a}${gap}${operator}${gap}${b}`)).toBe(expected);
        expect(number(`(${a}.0)${operator}(${b})`)).toBe(expected);
      }),
    );
  });
});

describe("an expression that can't be right is refused where it is written", () => {
  test("an unknown variable is named with its place and the name that was meant", () => {
    expect(issue("pay_0 <= 0 &&\n  limit_ball > 3")).toMatchObject({
      path: "/when",
      got: "limit_ball",
      hint: "did you mean limit_bal?",
      line: 2,
      column: 3,
    });
  });
  test("a text compared with a value it never has", () => {
    expect(issue("education == 'gradute'")).toMatchObject({ got: '"gradute"', hint: 'did you mean "graduate"?', column: 14 });
    expect(issue("education in ['graduate', 'x']")).toMatchObject({ got: '"x"' });
  });
  test("types that don't fit, with the place found behind rewritten numbers", () => {
    expect(issue("1 > 0 && 2 > 1 && (employer + 1) == 'a'")).toMatchObject({ got: "string + number", column: 20 });
    expect(issue("pay_0 == null")?.hint).toContain("optional");
    expect(issue("pay_0 + 1")).toMatchObject({ expected: "a condition that is true or false", got: "a number" });
    expect(issue("pay_0 && resident")?.got).toContain("number");
  });
  test.each([
    "employer.matches('(a+)+$')",
    "[1, 2].all(x, x > 0)",
    "[1, 2].exists(x, x > 0)",
    "[1, 2].map(x, x)[0] == 1",
    "cel.bind(x, 1, x > 0)",
    "has(employer.length)",
    "{'a': 1}.a == 1",
    "[1][0] == 1",
    "pay_0 % 2 == 0",
    "1u == 1",
    "b'a' == b'a'",
    "timestamp('2024-01-01T00:00:00Z') == timestamp('2024-01-01T00:00:00Z')",
    "int(pay_0) == 1",
    "dyn(pay_0) == 1",
    "9007199254740993 == pay_0",
    "employer.constructor == employer",
    "__proto__ == null",
    "constructor == null",
    "",
    "pay_0 >",
    "pay_0 >> 2",
    "pay_0 = 2",
  ])("%s is refused with a position", (source) => {
    expect(issue(source)).toMatchObject({ path: "/when", line: 1, column: expect.any(Number) });
  });
  test("bombs are refused in milliseconds", () => {
    const before = process.cpuUsage();
    expect(issue(`${"(".repeat(1000)}true${")".repeat(1000)}`)?.got).toContain("maxDepth");
    expect(issue(`pay_0 > ${"0+".repeat(1500)}0`)?.got).toContain("maxAstNodes");
    expect(issue(`${"!".repeat(4000)}resident`)).toBeDefined();
    expect(issue(`resident && ${"-".repeat(2000)}1 > 0`)).toBeDefined();
    expect(issue(`employer == '${"a".repeat(1_000_000)}'`)?.expected).toContain("4096");
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(1000); // of computing: other processes take time as well
  });
  test("no text, however odd, does anything but compile or be refused", () => {
    const piece = fc.constantFrom(
      "pay_0",
      "income",
      "education",
      "1",
      "2.5",
      "'a'",
      "null",
      "(",
      ")",
      "[",
      "]",
      "?",
      ":",
      "&&",
      "||",
      "!",
      "-",
      "+",
      "*",
      "/",
      "in",
      "==",
      "<",
      ",",
      "size",
      ".",
      "abs",
      "{",
      "}",
      "\n",
      "😀",
      "true",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.constantFrom("", " "), (pieces, gap) => {
        const compiled = compileCelNumber(pieces.join(gap), variables, "/cel");
        const isGood = compiled.ok ? isHonest(() => compiled.value.evaluate(person)) : compiled.error.length === 1;
        expect(isGood).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });
});

/** Whether a call gives a number or says why it can't; anything else is thrown on. */
function isHonest(evaluate: () => number): boolean {
  try {
    return typeof evaluate() === "number";
  } catch (error) {
    return error instanceof CelFailure;
  }
}

test("a missing value where one is needed is a failure, never a silent false", () => {
  const compiled = compileCelCondition("income > 3", variables, "/when");
  if (!compiled.ok) throw new Error("refused");
  expect(compiled.value.reads).toEqual(["income"]);
  expect(() => compiled.value.evaluate(person)).toThrow(new CelFailure("income > 3: a missing value > number"));
  expect(compiled.value.evaluate({ ...person, income: 4 })).toBe(true);
});

test("a failure tells the kind of a value, never the value", () => {
  const optional = new Map<string, CelVariable>([["diagnosis", { type: "string", optional: true }]]);
  for (const source of ["diagnosis", "diagnosis + 1", "double(diagnosis)", "abs(diagnosis)", "diagnosis ? 1 : 0", "-diagnosis"]) {
    const compiled = compileCelNumber(source, optional, "/cel");
    if (!compiled.ok) throw new Error("refused");
    const evaluate = () => compiled.value.evaluate({ diagnosis: "a-secret" });
    expect(evaluate).toThrow(CelFailure);
    expect(evaluate).not.toThrow("secret");
  }
});

describe("conformance", () => {
  function* testsOf(suite: IncrementalTestSuite): Iterable<IncrementalTest> {
    yield* suite.tests;
    for (const each of suite.suites) yield* testsOf(each);
  }
  /** What the dialect computes on purpose in another way: whole numbers don't divide down, overflow or fail at division by zero. */
  const WHOLE_NUMBERS = /^(basic|integer_math)$/;

  test("every test of cel-spec that the dialect accepts gives what the specification says", () => {
    let accepted = 0;
    for (const suite of getConformanceSuite().suites) {
      if (WHOLE_NUMBERS.test(suite.name)) continue;
      for (const { original } of testsOf(suite)) {
        const { resultMatcher, bindings } = original;
        if (Object.keys(bindings).length > 0 || resultMatcher.case !== "value") continue;
        const { kind } = resultMatcher.value;
        const compiled =
          kind.case === "boolValue" ? compileCelCondition(original.expr, variables, "") : compileCelNumber(original.expr, variables, "");
        if (!compiled.ok || !(kind.case === "boolValue" || kind.case === "int64Value" || kind.case === "doubleValue")) continue;
        accepted++;
        expect({ [original.expr]: compiled.value.evaluate(person) }).toEqual({
          [original.expr]: typeof kind.value === "bigint" ? Number(kind.value) : kind.value,
        });
      }
    }
    expect(accepted).toBeGreaterThan(150);
    console.log(`${accepted} tests of cel-spec accepted by the dialect, all as specified`);
  });
});
