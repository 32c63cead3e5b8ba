import { describe, expect, test } from "vitest";
import { Type } from "typebox";
import { parse } from "yaml";
import { checked } from "../checked.ts";
import type { ColumnProfile } from "../registry/index.ts";
import type { InputsSpec } from "./endpoint-spec.ts";
import { ExpectationSpec } from "./expectation-spec.ts";
import { compileExpectations } from "./expectations.ts";
import { inferExpectations, type ProfiledData } from "./infer-expectations.ts";
import { celVariables } from "./inputs.ts";

const check = checked(Type.Object({ expectations: Type.Array(ExpectationSpec) }));

/** What the printed text is read as, once it is checked as an endpoint's would be. */
function read(
  inputs: InputsSpec,
  columns: ProfiledData["columns"],
  rows = 30_000,
): { readonly specs: readonly ExpectationSpec[]; readonly text: string } {
  const text = inferExpectations("loans", inputs, { version: "credit/3", rows, columns });
  const parsed = check(parse(text));
  if (!parsed.ok) throw new Error(`${text}\n${JSON.stringify(parsed.error)}`);
  const compiled = compileExpectations(parsed.value.expectations, { inputs, groups: {}, variables: celVariables(inputs) });
  expect(compiled).toMatchObject({ ok: true });
  return { specs: parsed.value.expectations, text };
}

type Column = ProfiledData["columns"][number];
const column = (name: string, type: ColumnProfile["type"], more: Partial<Column> = {}): Column => ({
  name,
  type,
  empty: 0,
  distinct: null,
  numbers: null,
  top: [],
  isHidden: false,
  ...more,
});
const numbers = (min: number, max: number, low = min, high = max): NonNullable<Column["numbers"]> => ({
  min,
  max,
  mean: 0,
  variance: 1,
  quantiles: { "0.01": low, "0.99": high },
  isExact: true,
  notFinite: 0,
});
const texts = (...values: string[]) => ({ distinct: values.length, top: values.map((value) => ({ value, count: 10 })) });

describe("what is inferred from a column", () => {
  test.each<[string, InputsSpec[string], Column, readonly ExpectationSpec[]]>([
    [
      "a range with slack",
      { type: "number" },
      column("x", "number", { numbers: numbers(100, 900, 150, 850) }),
      [{ input: "x", min: 30, max: 970, on_breach: "warn" }],
    ],
    [
      "never beyond 0",
      { type: "number" },
      column("x", "number", { numbers: numbers(0, 100) }),
      [{ input: "x", min: 0, max: 110, on_breach: "warn" }],
    ],
    ["not what the input refuses already", { type: "integer", min: 0, max: 105 }, column("x", "integer", { numbers: numbers(0, 100) }), []],
    [
      "no slack for few values",
      { type: "integer" },
      column("x", "integer", { distinct: 11, numbers: numbers(-2, 8) }),
      [{ input: "x", min: -2, max: 8, on_breach: "warn" }],
    ],
    [
      "whole numbers",
      { type: "number" },
      column("x", "integer", { distinct: 3, numbers: numbers(0, 2) }),
      [{ input: "x", type: "integer", min: 0, max: 2, on_breach: "warn" }],
    ],
    [
      "a constant",
      { type: "number" },
      column("x", "number", { distinct: 1, numbers: numbers(1.5, 1.5) }),
      [{ input: "x", min: 1.5, max: 1.5, on_breach: "warn" }],
    ],
    [
      "categories",
      { type: "string" },
      column("x", "string", texts("a", "true", "it's: one, [b]")),
      [{ input: "x", categories: ["a", "true", "it's: one, [b]"], on_breach: "warn" }],
    ],
    ["accepted and seen all", { type: "string", values: ["a", "b"] }, column("x", "string", texts("b", "a")), []],
    [
      "accepted and never seen",
      { type: "string", values: ["a", "b"] },
      column("x", "string", texts("b", "c")),
      [{ input: "x", categories: ["b"], on_breach: "warn" }],
    ],
    ["too many texts", { type: "string" }, column("x", "string", { ...texts("a"), distinct: 400 }), []],
    [
      "texts that are dates",
      { type: "string" },
      column("x", "date", texts("2020-01-01")),
      [{ input: "x", type: "date", on_breach: "warn" }],
    ],
    [
      "a missing share",
      { type: "boolean", optional: true },
      column("x", "boolean", { empty: 3000 }),
      [{ input: "x", missing: 0.2, on_breach: "warn" }],
    ],
    [
      "hardly ever missing",
      { type: "boolean", optional: true },
      column("x", "boolean", { empty: 0 }),
      [{ input: "x", missing: 0.01, on_breach: "warn" }],
    ],
    ["what may not be seen", { type: "string" }, column("x", "string", { ...texts(), isHidden: true }), []],
  ])("%s", (_what, input, of, specs) => {
    expect(read({ x: input }, [of]).specs).toEqual(specs);
  });
});

test("what can't be inferred is said in comments, whatever the data's names have in them", () => {
  const { specs, text } = read({ income: { type: "number" } }, [column("incom", "number"), column("a\n- { input: x }", "string")], 12);
  expect(specs).toEqual([]);
  expect(text).toContain("income: the data has no column of that name (incom?)");
  expect(text).toContain("Only 12 rows");
  expect(text).toContain("expectations: []");
});
