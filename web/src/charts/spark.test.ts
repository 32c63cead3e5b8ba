import { expect, test } from "vitest";
import { sparkPath } from "./spark.tsx";

const size = { width: 132, height: 24 };

test("a line starts from zero: nothing lies on the bottom, the most near the top", () =>
  expect(sparkPath([0, 10, 5], size)).toBe("M1 23L66 3L131 13"));

test("an hour without decisions is a flat line on the bottom, not a division by zero", () =>
  expect(sparkPath([0, 0], size)).toBe("M1 23L131 23"));

test("one value is no line yet", () => expect([sparkPath([], size), sparkPath([3], size)]).toEqual(["", ""]));
