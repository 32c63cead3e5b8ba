import { Type } from "typebox";
import { expect, test } from "vitest";
import { checked } from "./checked.ts";

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
