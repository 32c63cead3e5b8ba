import fc from "fast-check";
import { expect, test } from "vitest";
import { MIN_CELL, blockSince } from "./blocks.ts";

test("a block stays open until every cell has four new decisions", () => {
  expect(blockSince({ n: [104, 203], k: [9, 9] }, { n: [100, 200], k: [9, 9] })).toEqual({ kind: "open" });
  expect(blockSince({ n: [104, 204], k: [10, 9] }, { n: [100, 200], k: [9, 9] })).toEqual({
    kind: "closed",
    block: { n: [4, 4], k: [1, 0] },
  });
});

test("whether a block closes doesn't depend on the answers in it", () => {
  const anyCounts = fc.array(fc.record({ before: fc.nat(1000), more: fc.nat(9), a: fc.nat(9), b: fc.nat(9) }), {
    minLength: 1,
    maxLength: 4,
  });
  fc.assert(
    fc.property(anyCounts, (cells) => {
      const consumed = { n: cells.map(({ before }) => before), k: cells.map(() => 0) };
      const verdicts = (["a", "b"] as const).map((answers) => {
        const now = { n: cells.map(({ before, more }) => before + more), k: cells.map((cell) => Math.min(cell[answers], cell.more)) };
        return blockSince(now, consumed).kind;
      });
      expect(verdicts[0]).toBe(verdicts[1]);
      expect(verdicts[0]).toBe(cells.every(({ more }) => more >= MIN_CELL) ? "closed" : "open");
    }),
  );
});

test.each([
  ["shrunk", { n: [99], k: [1] }, "shrunk"],
  ["shrunk in favourable ones alone", { n: [120], k: [0] }, "shrunk"],
  ["more favourable than there are", { n: [105], k: [90] }, "favourable"],
  ["not numbers", { n: [Number.NaN], k: [1] }, "not numbers"],
  ["infinite", { n: [Number.POSITIVE_INFINITY], k: [1] }, "not numbers"],
  ["missing", { n: [110], k: [] }, "not numbers"],
])("counts that are %s are refused, with why", (_what, now, why) => {
  const verdict = blockSince(now, { n: [100], k: [1] });
  expect(verdict.kind === "broken" && verdict.why).toContain(why);
});
