import { expect, test } from "vitest";
import { chosenWith, diffOf, diffText } from "./chosen.ts";

test("the address says what is compared, and without a word it is the two newest", () => {
  expect(diffOf(undefined, [3, 2, 1])).toEqual({ kind: "two", a: 2, b: 3 });
  expect(diffOf("3..1", [3, 2, 1])).toEqual({ kind: "two", a: 1, b: 3 });
  expect(diffOf("2..", [3, 2, 1])).toEqual({ kind: "one", a: 2 });
  expect(diffOf("9..x", [3, 2, 1])).toEqual({ kind: "none" });
  expect(diffOf("2..2", [3, 2, 1])).toEqual({ kind: "one", a: 2 });
  for (const text of ["1..3", "2.."]) expect(diffText(diffOf(text, [3, 2, 1]))).toBe(text);
});

test("a version is added or taken away, and a third takes the place of the nearer", () => {
  const two = diffOf("1..3", [5, 4, 3, 2, 1]);
  expect(chosenWith(two, 3)).toEqual({ kind: "one", a: 1 });
  expect(chosenWith(two, 4)).toEqual({ kind: "two", a: 1, b: 4 });
  expect(chosenWith({ kind: "one", a: 3 }, 2)).toEqual({ kind: "two", a: 2, b: 3 });
  expect(chosenWith({ kind: "none" }, 2)).toEqual({ kind: "one", a: 2 });
});
