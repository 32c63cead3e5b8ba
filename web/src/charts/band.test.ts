import { expect, test } from "vitest";
import { bandScale } from "./band.tsx";

test.each([
  ["a ratio reaches to 1 at least", { estimate: 0.43, band: { low: 0.22, high: 0.72 }, limit: 0.8 }, 0, 1],
  ["a ratio far over its limit fits", { estimate: 1.2, band: { low: 0.7, high: 2 }, limit: 0.8 }, 0, 2.2],
  ["a band without an upper end is drawn to the end", { estimate: null, band: { low: 0, high: null }, limit: 0.8 }, 0, 1],
  ["a difference has both signs", { estimate: -0.2, band: { low: -0.4, high: 0.1 }, limit: -0.1 }, -0.4, 0.11],
  ["a small rate is not squeezed into a corner", { estimate: 0.04, band: { low: 0.02, high: 0.08 }, limit: 0.01 }, 0, 0.088],
])("%s", (_, view, low, high) => {
  expect(bandScale(view).low).toBeCloseTo(low);
  expect(bandScale(view).high).toBeCloseTo(high);
});
