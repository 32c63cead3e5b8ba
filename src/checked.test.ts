import { Type, type TSchema } from "typebox";
import { expect, test } from "vitest";
import { checked, object } from "./checked.ts";

const parse = checked(
  Type.Object(
    {
      role: Type.Enum(["viewer", "operator"]),
      kind: Type.Union([Type.Literal("rules"), Type.Literal("onnx")]),
      age: Type.Optional(Type.Integer({ minimum: 0 })),
      inputs: Type.Optional(Type.Record(Type.String(), Type.Object({ type: Type.String() }, { additionalProperties: false }))),
    },
    { additionalProperties: false },
  ),
);
const issues = (value: unknown) => {
  const result = parse(value);
  return result.ok ? [] : result.error;
};

test("a good value comes back as it is", () =>
  expect(parse({ role: "viewer", kind: "onnx" })).toEqual({ ok: true, value: { role: "viewer", kind: "onnx" } }));
test("an unknown field is named, with what was most likely meant", () =>
  expect(issues({ rle: "viewer", role: "viewer", kind: "rules" })).toEqual([
    { path: "/rle", expected: "one of role, kind, age, inputs", got: "an unknown field", hint: 'did you mean "role"?' },
  ]));
test("a missing field is named", () => expect(issues({ kind: "rules" })).toEqual([{ path: "/role", expected: "a value", got: "nothing" }]));
test("a value that is not among the choices is shown beside them", () =>
  expect(issues({ role: "opperator", kind: "onx" })).toEqual([
    { path: "/role", expected: "one of viewer, operator", got: '"opperator"', hint: 'did you mean "operator"?' },
    { path: "/kind", expected: 'one of "rules", "onnx"', got: '"onx"' },
  ]));
test("nothing is coerced", () => {
  expect(issues({ role: "viewer", kind: "rules", age: "5" })).toEqual([{ path: "/age", expected: "integer", got: '"5"' }]);
  expect(issues({ role: "viewer", kind: "rules", age: null })).toHaveLength(1);
});
test("places inside are found by their pointer", () =>
  expect(issues({ role: "viewer", kind: "rules", inputs: { "a/b": { typ: "x" } } })).toContainEqual({
    path: "/inputs/a~1b/typ",
    expected: "one of type",
    got: "an unknown field",
    hint: 'did you mean "type"?',
  }));

test("of several forms, only the one that is meant is held against the value", () => {
  const form = (kind: string, rest: Record<string, TSchema>) => object({ kind: Type.Literal(kind), ...rest });
  const Form = Type.Union([
    form("rules", { rules: Type.Array(Type.Number()) }),
    form("rules", { table: object({ rows: Type.Number() }) }),
    Type.Union([
      object({ kind: Type.Literal("http"), url: Type.String(), protocol: Type.Literal("a"), model: Type.String() }),
      object({ kind: Type.Literal("http"), url: Type.String(), protocol: Type.Literal("b") }),
    ]),
  ]);
  const parseForm = checked(object({ scorer: Form }));
  const wrong = (scorer: unknown) => {
    const parsed = parseForm({ scorer });
    return parsed.ok ? [] : parsed.error;
  };
  expect(wrong({ kind: "http", protocol: "b", urls: "x" })).toEqual([
    { path: "/scorer/url", expected: "a value", got: "nothing" },
    { path: "/scorer/urls", expected: "one of kind, url, protocol", got: "an unknown field", hint: 'did you mean "url"?' },
  ]);
  expect(wrong({ kind: "http", protocol: "other", url: "x" })).toEqual([
    { path: "/scorer/protocol", expected: "one of a, b", got: '"other"' },
  ]);
  expect(wrong({ kind: "rule" })).toEqual([
    { path: "/scorer/kind", expected: "one of rules, http", got: '"rule"', hint: 'did you mean "rules"?' },
  ]);
  expect(wrong({ kind: "rules", table: { row: 1 } })).toEqual([
    { path: "/scorer/table/rows", expected: "a value", got: "nothing" },
    { path: "/scorer/table/row", expected: "one of rows", got: "an unknown field", hint: 'did you mean "rows"?' },
  ]);
  expect(wrong({ kind: "rules", table: { rows: 1 } })).toEqual([]);
  const TextOrObject = checked(object({ features: Type.Union([Type.String(), object({ name: Type.String({ pattern: "^[a-z]+$" }) })]) }));
  expect(TextOrObject({ features: { name: "Two" } })).toMatchObject({ ok: false, error: [{ path: "/features/name" }] });
  expect(TextOrObject({ features: 3 })).toMatchObject({ ok: false, error: [{ path: "/features" }] });
});

test("of several forms in a list each item is held against the one that is meant", () => {
  const check = checked(
    object({
      list: Type.Array(
        Type.Union([
          object({ input: Type.String(), on: Type.Enum(["warn", "refuse"]) }),
          object({ condition: Type.String(), name: Type.String() }),
        ]),
      ),
    }),
  );
  const issues = (value: unknown) => {
    const result = check(value);
    return result.ok ? [] : result.error;
  };
  expect(
    issues({
      list: [
        { condition: "x", name: "y" },
        { input: "x", on: "warn" },
      ],
    }),
  ).toEqual([]);
  expect(
    issues({
      list: [
        { condition: "x", name: "y" },
        { input: "x", on: "stop" },
      ],
    }),
  ).toEqual([{ path: "/list/1/on", expected: "one of warn, refuse", got: '"stop"' }]);
  expect(issues({ list: [{ input: "x", on: "warn", inputs: 1 }] })).toEqual([
    { path: "/list/0/inputs", expected: "one of input, on", got: "an unknown field", hint: 'did you mean "input"?' },
  ]);
  expect(issues({ list: ["x"] })).toEqual([expect.objectContaining({ path: "/list/0" })]);
});
