import { expect, test } from "vitest";
import { comparedIn, withRun } from "./chosen-runs.ts";

const [a, b] = ["01997fa2-0000-7000-8000-00000000000a", "01997fa2-0000-7000-8000-00000000000b"];

test("an address names runs once each, in its order, and nothing else", () => {
  expect(comparedIn(`${b},${a},${b.replaceAll("-", "")},x,`)).toEqual([b, a]);
  expect([comparedIn(undefined), comparedIn("")]).toEqual([[], []]);
});

test("a run is chosen and let go again", () => {
  expect([withRun([], a), withRun([a], b), withRun([a, b], a), withRun([b], b)]).toEqual([a, `${a},${b}`, b, undefined]);
});
