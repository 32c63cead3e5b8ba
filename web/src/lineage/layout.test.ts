import fc from "fast-check";
import { expect, test } from "vitest";
import { BOX_HEIGHT, BOX_WIDTH, drawn, pathText } from "./layout.ts";

const at = (drawing: ReturnType<typeof drawn>) => Object.fromEntries(drawing.boxes.map(({ key, x, y }) => [key, { x, y }]));

test("what something was made of is at its left, what was made of it at its right, each beside the next", () => {
  const edges = ["data run", "run model", "features model", "model release", "data release"].map((text) => {
    const [from = "", to = ""] = text.split(" ");
    return { from, to };
  });
  const drawing = drawn(["model", "run", "features", "data", "release"], edges);
  const { data, run, features, model, release } = at(drawing);
  expect([data?.x, run?.x, model?.x, release?.x].toSorted((a = 0, b = 0) => a - b)).toEqual([data?.x, run?.x, model?.x, release?.x]);
  expect(features?.x).toBe(run?.x);
  const long = drawing.lines.find(({ from, to }) => from === "data" && to === "release");
  // It passes both columns between, and no box there.
  expect(long?.points).toHaveLength(6);
});

test("no box lies on another, nor outside of the picture, and no line runs backwards, whatever is drawn", () => {
  const edge = fc.record({ from: fc.nat(30), to: fc.nat(30) }).map(({ from, to }) => ({ from: `${from}`, to: `${to}` }));
  fc.assert(
    fc.property(fc.array(edge, { maxLength: 80 }), (edges) => {
      // Of rings, which lineage hasn't, it must not go round for ever.
      const keys = [...new Set(["0", ...edges.flatMap(({ from, to }) => [from, to])])];
      const { boxes, lines, left, width, height } = drawn(keys, edges);
      expect(boxes.length + left.reduce((sum, { count }) => sum + count, 0)).toBe(keys.length);
      for (const [i, a] of boxes.entries()) {
        expect(a.x >= 0 && a.y >= 0 && a.x + BOX_WIDTH <= width && a.y + BOX_HEIGHT <= height).toBe(true);
        for (const b of boxes.slice(i + 1)) expect(a.x !== b.x || Math.abs(a.y - b.y) >= BOX_HEIGHT).toBe(true);
      }
      for (const { points } of lines) for (const [i, [x]] of points.entries()) expect(x).toBeGreaterThanOrEqual(points[i - 1]?.[0] ?? 0);
    }),
    {
      numRuns: 300,
      examples: [
        [
          [
            { from: "21", to: "7" },
            { from: "7", to: "0" },
            { from: "7", to: "21" },
          ],
        ],
      ],
    },
  );
});

test("a line is level where it leaves and where it comes", () => {
  expect(
    pathText([
      [0, 5],
      [10, 5],
      [20, 25],
    ] as const),
  ).toBe("M0 5H10C15 5 15 25 20 25");
});
