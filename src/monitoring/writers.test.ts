import { expect, test } from "vitest";
import { evidenceWithoutEach, restsOnWriter, writerDrifts, type BlocksByWriter } from "./writers.ts";
import type { TestDefinition } from "./sequential-test.ts";

const ratio: TestDefinition = { kind: "ratio_min", limit: 0.8, dependence: 1, prior: null, priorN: 2 };
const minutes = (count: number, span: Record<string, { n: number[]; k: number[] }>): BlocksByWriter[] =>
  Array.from({ length: count }, () => new Map(Object.entries(span)));

test("a harm that all see rests on nobody, though each is missed at the moment of proof", () => {
  const each = { n: [5, 20], k: [2, 14] };
  const without = evidenceWithoutEach(ratio, minutes(6, { a: each, b: each, c: each, d: each }));
  expect(without.each.map(({ share }) => share)).toEqual([0.25, 0.25, 0.25, 0.25]);
  expect(restsOnWriter(without)).toBeUndefined();
});

test("what one makes up, and the others don't see, rests on that one", () => {
  const fair = { n: [5, 20], k: [4, 14] };
  const without = evidenceWithoutEach(ratio, minutes(12, { a: fair, b: fair, forger: { n: [8, 8], k: [0, 8] } }));
  expect(without.each[0]?.writer).toBe("forger");
  expect(restsOnWriter(without)).toBe("forger");
});

test("where there is one writer, or nearly only one, it rests on that one", () => {
  const harm = { n: [10, 40], k: [2, 28] };
  expect(restsOnWriter(evidenceWithoutEach(ratio, minutes(8, { only: harm })))).toBe("only");
  expect(restsOnWriter(evidenceWithoutEach(ratio, minutes(8, { only: harm, b: { n: [1, 1], k: [0, 1] } })))).toBe("only");
  expect(evidenceWithoutEach(ratio, [])).toEqual({ all: 0, each: [] });
});

test("a writer whose mix, rate or share changes is told, and one that is new; ordinary days and few people aren't", () => {
  const cells = (a: number, ka: number, b: number, kb: number) =>
    new Map([
      ["sex=female", { n: a, k: ka }],
      ["sex=male", { n: b, k: kb }],
    ]);
  const before = new Map([
    ["web", cells(300, 200, 700, 500)],
    ["app", cells(290, 195, 710, 495)],
  ]);
  const found = (now: ReturnType<typeof cells>, writer = "app") =>
    writerDrifts(
      before,
      new Map([
        ["web", cells(305, 203, 695, 497)],
        [writer, now],
      ]),
    ).find((one) => one.writer === writer)?.found;
  expect(found(cells(310, 200, 690, 480))).toEqual([]);
  expect(found(cells(700, 470, 300, 210))).toEqual(["mix"]);
  expect(found(cells(290, 250, 710, 650))).toEqual(["rate"]);
  expect(found(cells(2900, 1950, 7100, 4950))).toEqual(["share"]);
  expect(found(cells(290, 195, 710, 495), "other")).toEqual(["new"]);
  expect(found(cells(30, 28, 10, 9))).toEqual([]);
});
