import fc from "fast-check";
import { expect, test } from "vitest";
import { dividends, minimalSets } from "./minimal-sets.ts";
import { owen } from "./owen.ts";
import { bitCount, shapley } from "../shapley.ts";

const value = fc.double({ min: -1, max: 1, noNaN: true });
/** A game of 1 to `most` players. */
const game = (most = 6) =>
  fc.integer({ min: 1, max: most }).chain((players) => fc.array(value, { minLength: 1 << players, maxLength: 1 << players }));
const blocked = game(5).chain((values) =>
  fc.tuple(fc.constant(values), fc.array(fc.nat(2), { minLength: Math.log2(values.length), maxLength: Math.log2(values.length) })),
);
const sum = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b, 0);
const total = (values: readonly number[]) => (values.at(-1) ?? 0) - (values[0] ?? 0);

test("parts sum to the whole difference, with and without blocks", () => {
  fc.assert(
    fc.property(blocked, ([values, blocks]) => {
      expect(Math.abs(sum(shapley(values)) - total(values))).toBeLessThan(1e-9);
      expect(Math.abs(sum(owen(values, blocks)) - total(values))).toBeLessThan(1e-9);
    }),
  );
});

test("a player that changes nothing gets exactly 0", () => {
  fc.assert(
    fc.property(blocked, fc.nat(4), ([values, blocks], which) => {
      const player = which % blocks.length;
      const without = values.map((_, coalition) => values[coalition & ~(1 << player)] ?? 0);
      expect(shapley(without)[player]).toBe(0);
      expect(owen(without, blocks)[player]).toBe(0);
    }),
  );
});

test("players that do the same get the same", () => {
  fc.assert(
    fc.property(fc.array(value, { minLength: 12, maxLength: 12 }), (drawn) => {
      // Players 0 and 1 count only by how many of them are in.
      const values = Array.from({ length: 16 }, (_, coalition) => drawn[bitCount(coalition & 3) * 4 + (coalition >> 2)] ?? 0);
      const parts = shapley(values);
      expect(parts[0]).toBeCloseTo(parts[1] ?? Number.NaN, 12);
      const blocks = owen(values, [0, 0, 1, 1]);
      expect(blocks[0]).toBeCloseTo(blocks[1] ?? Number.NaN, 12);
    }),
  );
});

test("the order in which players are declared doesn't matter", () => {
  fc.assert(
    fc.property(blocked, fc.array(fc.nat(), { minLength: 5, maxLength: 5 }), ([values, blocks], keys) => {
      const order = blocks.map((_, player) => player).toSorted((a, b) => (keys[a] ?? 0) - (keys[b] ?? 0) || a - b);
      const renamed = values.map((_, coalition) => {
        const original = order.reduce((mask, player, place) => (coalition & (1 << place) ? mask | (1 << player) : mask), 0);
        return values[original] ?? 0;
      });
      const renamedBlocks = order.map((player) => blocks[player] ?? 0);
      const [parts, others] = [owen(values, blocks), owen(renamed, renamedBlocks)];
      for (const [place, player] of order.entries()) expect(others[place]).toBeCloseTo(parts[player] ?? Number.NaN, 10);
    }),
  );
});

test("swapping the good and the bad release flips every sign", () => {
  fc.assert(
    fc.property(blocked, ([values, blocks]) => {
      const swapped = values.map((_, coalition) => values[values.length - 1 - coalition] ?? 0);
      const [parts, others] = [owen(values, blocks), owen(swapped, blocks)];
      for (const [player, part] of parts.entries()) expect(others[player]).toBeCloseTo(-part, 10);
    }),
  );
});

test("the parts of a block sum to what the block as a whole was worth", () => {
  fc.assert(
    fc.property(blocked, ([values, blocks]) => {
      const names = [...new Set(blocks)];
      const coarse = Array.from({ length: 1 << names.length }, (_, coalition) => {
        const mask = blocks.reduce((all, block, player) => (coalition & (1 << names.indexOf(block)) ? all | (1 << player) : all), 0);
        return values[mask] ?? 0;
      });
      const [fine, whole] = [owen(values, blocks), shapley(coarse)];
      for (const [at, name] of names.entries()) {
        expect(sum(fine.filter((_, player) => blocks[player] === name))).toBeCloseTo(whole[at] ?? Number.NaN, 10);
      }
    }),
  );
});

test("with blocks of one player each, Owen's value is Shapley's", () => {
  fc.assert(
    fc.property(game(), (values) => {
      const blocks = Array.from({ length: Math.log2(values.length) }, (_, player) => player);
      const [a, b] = [owen(values, blocks), shapley(values)];
      for (const [player, part] of a.entries()) expect(part).toBeCloseTo(b[player] ?? Number.NaN, 12);
    }),
  );
});

test("the dividends of a coalition's parts sum to its value", () => {
  fc.assert(
    fc.property(game(), (values) => {
      const all = dividends(values);
      for (const [coalition, expected] of values.entries()) {
        const parts = all.filter((_, part) => (part & ~coalition) === 0);
        expect(sum(parts)).toBeCloseTo(expected, 10);
      }
    }),
  );
});

test("taking a restoring set back ends the breach, making an inducing set makes it, and nothing smaller does", () => {
  fc.assert(
    fc.property(game(5), value, (values, limit) => {
      const breaches = values.map((gap) => gap > limit);
      const { restoring, inducing } = minimalSets(breaches);
      const all = values.length - 1;
      for (const set of restoring) expect(breaches[all & ~set]).toBe(false);
      for (const set of inducing) expect(breaches[set]).toBe(true);
      for (let set = 0; set <= all; set++) {
        if (restoring[0] !== undefined && bitCount(set) < bitCount(restoring[0])) expect(breaches[all & ~set]).toBe(true);
        if (inducing[0] !== undefined && bitCount(set) < bitCount(inducing[0])) expect(breaches[set]).toBe(false);
      }
      // A breach that the changes made always has both: all of them, if nothing smaller.
      expect(restoring.length > 0 && inducing.length > 0).toBe(breaches[all] === true && breaches[0] === false);
    }),
  );
});

test("one change that does everything alone is the only one in both sets; two that need each other are named together", () => {
  const alone = [0.02, 0.4, 0.03, 0.41];
  expect(minimalSets(alone.map((gap) => gap > 0.2))).toEqual({ restoring: [1], inducing: [1] });
  const together = [0.01, 0.01, 0.02, 0.14];
  expect(minimalSets(together.map((gap) => gap > 0.05))).toEqual({ restoring: [1, 2], inducing: [3] });
  expect(dividends(together)[3]).toBeCloseTo(0.12, 12);
});
