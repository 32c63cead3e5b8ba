import { Type } from "typebox";
import { expect, test } from "vitest";
import { checkedYaml, parseYaml } from "./yaml.ts";

const check = checkedYaml(
  Type.Object(
    { name: Type.String(), steps: Type.Array(Type.Object({ cmd: Type.String() }, { additionalProperties: false })) },
    { additionalProperties: false },
  ),
);
const issuesOf = (text: string) => {
  const parsed = parseYaml(text);
  if (!parsed.ok) return parsed.error;
  return parsed.value.flatMap((document) => {
    const result = check(document);
    return result.ok ? [] : result.error;
  });
};

test("a typo is found at its line and column, with the nearest known key", () =>
  expect(issuesOf("name: x\nsteps:\n  - cmd: a\n  - cmmd: b\n")).toContainEqual({
    path: "/steps/1/cmmd",
    expected: "one of cmd",
    got: "an unknown field",
    hint: 'did you mean "cmd"?',
    line: 4,
    column: 5,
  }));
test("a wrong value is found at its key", () =>
  expect(issuesOf("name: [1]\nsteps: []")).toEqual([{ path: "/name", expected: "string", got: "a list of 1", line: 1, column: 1 }]));
test("broken YAML says where", () => expect(issuesOf("name: x\nsteps: }")[0]).toMatchObject({ line: 2, column: 8 }));
test("a key written twice is refused", () => expect(issuesOf("name: a\nname: b\nsteps: []")[0]?.got).toContain("unique"));
test("an alias bomb is refused", () => {
  const bomb = [
    "a: &a [x,x,x,x,x,x,x,x,x]",
    ...["b", "c", "d", "e", "f"].map((key, i) => `${key}: &${key} [${Array(9).fill(`*${"abcde"[i]}`).join(",")}]`),
  ].join("\n");
  expect(parseYaml(bomb).ok).toBe(false);
});
