import fc from "fast-check";
import { expect, test } from "vitest";
import { ebh, holm, reserveShare, splitBudget } from "./multiplicity.ts";

const guardrail = fc.record({ weight: fc.double({ min: 0.1, max: 10, noNaN: true }), singles: fc.nat(20), intersections: fc.nat(40) });

test("all tests and the reserve together never spend more than the budget", () => {
  fc.assert(
    fc.property(
      fc.array(guardrail, { minLength: 1, maxLength: 8 }),
      fc.double({ min: 1e-4, max: 0.2, noNaN: true }),
      (guardrails, alpha) => {
        const shares = splitBudget(alpha, guardrails);
        const spent = shares.reduce((sum, { single, intersection }, i) => {
          const { singles = 0, intersections = 0 } = guardrails[i] ?? {};
          return sum + single * singles + intersection * intersections;
        }, 0);
        expect(spent).toBeLessThanOrEqual(0.9 * alpha * (1 + 1e-12));
        const reserve = Array.from({ length: 1000 }, (_, i) => reserveShare(alpha, i + 1)).reduce((sum, share) => sum + share, 0);
        expect(reserve).toBeLessThanOrEqual(0.1 * alpha);
      },
    ),
  );
});

test("single groups get four fifths, intersections one; everything goes to the one where there is no other", () => {
  const shares = splitBudget(0.01, [
    { weight: 1, singles: 2, intersections: 8 },
    { weight: 2, singles: 4, intersections: 0 },
  ]);
  expect(shares[0]?.single).toBeCloseTo((0.003 * 0.8) / 2, 15);
  expect(shares[0]?.intersection).toBeCloseTo((0.003 * 0.2) / 8, 15);
  expect(shares[1]).toEqual({ single: expect.closeTo(0.006 / 4, 15), intersection: 0 });
});

test("whoever breaches alone is named, and naming one makes it easier for the others", () => {
  const alphas = [0.008, 0.001, 0.001];
  // With 0 gone, the other two have 0.005 each; with one of them gone, the last has it all.
  expect(holm([Math.log(126), Math.log(199), Math.log(199)], alphas)).toEqual([0]);
  expect(holm([Math.log(126), Math.log(201), Math.log(101)], alphas)).toEqual([0, 1, 2]);
  expect(holm([Math.log(126), Math.log(201), Math.log(99)], alphas)).toEqual([0, 1]);
  expect(holm([Math.log(126), Math.log(101), Math.log(1001)], alphas)).toEqual([0, 1, 2]);
  expect(holm([], [])).toEqual([]);
  fc.assert(
    fc.property(
      fc.array(fc.record({ logE: fc.double({ min: -5, max: 15, noNaN: true }), alpha: fc.double({ min: 1e-5, max: 1e-2, noNaN: true }) }), {
        minLength: 1,
      }),
      (all) => {
        const named = holm(
          all.map(({ logE }) => logE),
          all.map(({ alpha }) => alpha),
        );
        const alone = all.flatMap(({ logE, alpha }, i) => (logE >= -Math.log(alpha) + 1e-9 ? [i] : []));
        for (const i of alone) expect(named).toContain(i);
        if (alone.length === 0 && all.every(({ logE, alpha }) => logE < -Math.log(alpha) - 1e-9)) expect(named).toEqual([]);
      },
    ),
  );
});

test("warnings take the largest number that fits the rate", () => {
  expect(ebh([Math.log(9), Math.log(9)], 0.1)).toEqual([]);
  expect(ebh([Math.log(10), Math.log(10)], 0.1)).toEqual([0, 1]);
  expect(ebh([], 0.1)).toEqual([]);
});
