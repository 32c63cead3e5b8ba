import { expect, test } from "vitest";
import { likeForLike, moverRatio, newcombe, noLikeForLike, wilson, addLikeForLike } from "./intervals.ts";

test("no data is no interval but everything possible", () => {
  const [some, none] = [
    { n: 10, k: 5 },
    { n: 0, k: 0 },
  ];
  expect([wilson(none), newcombe(some, none), moverRatio(none, some)]).toEqual([
    [0, 1],
    [-1, 1],
    [0, Number.POSITIVE_INFINITY],
  ]);
  expect(likeForLike(addLikeForLike(noLikeForLike, some, none))).toBeNull();
});

/** fairness-metrics §4. */
test.each([
  [0, 10, 0, 0.277533],
  [10, 10, 0.722467, 1],
  [1, 1, 0.206549, 1],
  [0, 1, 0, 0.793451],
  [3, 7, 0.15822, 0.749542],
])("Wilson of %i in %i is [%d, %d]", (k, n, low, high) => {
  const [l, h] = wilson({ n, k });
  expect(Math.abs(l - low)).toBeLessThan(1e-6);
  expect(Math.abs(h - high)).toBeLessThan(1e-6);
});

test.each([
  ["4.a", 48, 80, 60, 80, -0.286799, -0.004847],
  ["4.c", 240, 1000, 350, 1000, -0.149402, -0.070126],
  ["4.d", 0, 30, 12, 40, -0.4543, -0.13536],
  ["4.g", 30, 30, 30, 30, -0.113513, 0.113513],
])("Newcombe, vector %s", (_id, ka, na, kb, nb, low, high) => {
  const [l, h] = newcombe({ n: na, k: ka }, { n: nb, k: kb });
  expect(Math.abs(l - low)).toBeLessThan(1e-6);
  expect(Math.abs(h - high)).toBeLessThan(1e-6);
});

test("like for like undoes what a mix of strata pretends: Berkeley 1973 (fairness-metrics 6.6)", () => {
  const departments = [
    [825, 512, 108, 89],
    [560, 353, 25, 17],
    [325, 120, 593, 202],
    [417, 138, 375, 131],
    [191, 53, 393, 94],
    [373, 22, 341, 24],
  ] as const;
  const sums = departments.reduce(
    (all, [men, menIn, women, womenIn]) => addLikeForLike(all, { n: women, k: womenIn }, { n: men, k: menIn }),
    noLikeForLike,
  );
  const found = likeForLike(sums);
  expect(found?.ratio).toBeCloseTo(1.058307, 6);
  expect(found?.interval[0]).toBeCloseTo(0.970439, 6);
  expect(found?.interval[1]).toBeCloseTo(1.154132, 6);
});
