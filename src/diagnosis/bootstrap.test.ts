import { expect, test } from "vitest";
import { bootstrapGaps, countSides, gapOf, personNumber, type Answers, type Window } from "./bootstrap.ts";
import { estimate, studentQuantile } from "./estimate.ts";
import { breachesOf, estimateOf, measure, minus, shareLines } from "./measure.ts";
import { owenMarginals } from "./owen.ts";
import { shapleyMarginals } from "../shapley.ts";

/** People of whom a third is in the harmed group. */
const windowOf = (people: number, from = 0): Window => ({
  sides: Int8Array.from({ length: people }, (_, i) => (i % 3 === 0 ? 1 : 0)),
  people: Uint32Array.from({ length: people }, (_, i) => personNumber(`client-${from + i}`)),
});
const answersOf = ({ sides, people }: Window, rates: { readonly harmed: number; readonly reference: number }, salt: string): Answers =>
  Uint8Array.from(people, (person, i) =>
    personNumber(`${salt} ${person}`) / 2 ** 32 < (sides[i] === 1 ? rates.harmed : rates.reference) ? 1 : 0,
  );
const deviation = (values: Float64Array) => {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / (values.length - 1));
};

test("the bootstrap's spread is that of the difference of two rates", async () => {
  const window = windowOf(6000);
  const answers = answersOf(window, { harmed: 0.3, reference: 0.6 }, "a");
  const [gaps = new Float64Array()] = await bootstrapGaps(window, [answers]);
  const expected = Math.sqrt((0.3 * 0.7) / 2000 + (0.6 * 0.4) / 4000);
  expect(deviation(gaps) / expected).toBeGreaterThan(0.88);
  expect(deviation(gaps) / expected).toBeLessThan(1.12);
  expect(gaps.reduce((a, b) => a + b, 0) / gaps.length).toBeCloseTo(gapOf(countSides(window, answers)), 2);
});

test("a draw depends on the people only: not on their order, nor on who else is asked what", async () => {
  const window = windowOf(3000);
  const a = answersOf(window, { harmed: 0.3, reference: 0.6 }, "a");
  const b = answersOf(window, { harmed: 0.5, reference: 0.6 }, "b");
  const [alone = new Float64Array()] = await bootstrapGaps(window, [a], { draws: 50 });
  const [, beside = new Float64Array()] = await bootstrapGaps(window, [b, a], { draws: 50 });
  const reversed = { sides: window.sides.toReversed(), people: window.people.toReversed() };
  const [backwards = new Float64Array()] = await bootstrapGaps(reversed, [a.toReversed()], { draws: 50 });
  for (const [draw, gap] of alone.entries()) {
    expect(beside[draw]).toBeCloseTo(gap, 12);
    expect(backwards[draw]).toBeCloseTo(gap, 12);
  }
});

test("400 draws of 10,000 people under 40 coalitions take well under two seconds", async () => {
  const window = windowOf(10_000);
  const answers = Array.from({ length: 40 }, (_, k) => answersOf(window, { harmed: 0.3 + k / 100, reference: 0.6 }, `model ${k % 4}`));
  const before = process.cpuUsage();
  await bootstrapGaps(window, answers);
  // Of computing: other processes take time as well.
  const durationMs = process.cpuUsage(before).user / 1000;
  console.log(`bootstrap of 10,000 people, 40 coalitions, 400 draws: ${durationMs.toFixed(0)} ms`);
  expect(durationMs).toBeLessThan(2000);
});

test("an interval has the luck of training in it when there is more than one seed, and is none when nothing varies", async () => {
  const draws = Float64Array.from({ length: 400 }, (_, i) => 0.1 + ((i % 5) - 2) / 1000);
  const one = estimate([0.1], draws);
  const five = estimate([0.06, 0.08, 0.1, 0.12, 0.14], draws);
  expect(five.share).toBeCloseTo(0.1, 12);
  expect(five.high - five.low).toBeGreaterThan(10 * (one.high - one.low));
  expect(estimate([0.2, 0.2], new Float64Array(400).fill(0.2))).toEqual({ share: 0.2, low: 0.2, high: 0.2 });
  expect(studentQuantile(2)).toBeCloseTo(4.3027, 4);
  expect(studentQuantile(7)).toBeCloseTo(2.365, 2);
  expect(studentQuantile(1e9)).toBeCloseTo(1.96, 4);
});

test("of a game over two windows: shares sum to the difference, a player without effect gets exactly 0 in every draw", async () => {
  const windows = [windowOf(4000), windowOf(4000, 4000)];
  const answers = windows.map((window) => [
    answersOf(window, { harmed: 0.6, reference: 0.6 }, "good"),
    answersOf(window, { harmed: 0.2, reference: 0.6 }, "bad"),
  ]);
  // Players: 0 model, 1 threshold (changes nothing), 2 population.
  const game = Array.from({ length: 8 }, (_, coalition) => {
    const window = coalition & 4 ? 1 : 0;
    const mine = answers[window]?.[coalition & 1];
    if (!mine) throw new Error("no answers");
    return { window, answers: mine };
  });
  const games = await measure(windows, [game]);
  const lines = shareLines(games, shapleyMarginals(3)).map(estimateOf);
  const gaps = games[0]?.gaps ?? new Float64Array();
  expect(lines.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo((gaps[7] ?? 0) - (gaps[0] ?? 0), 9);
  expect(lines[1]).toEqual({ share: 0, low: 0, high: 0 });
  expect(lines[0]?.low).toBeGreaterThan(0.3);
  expect(lines[2]?.low).toBeLessThan(0);
  expect(breachesOf(games, { kind: "ratio", limit: 0.8 })).toEqual([false, true, false, true, false, true, false, true]);
  const [block, again] = [shareLines(games, owenMarginals([0, 0, 1])), shareLines(games, owenMarginals([0, 0, 1]))];
  if (!block[0] || !again[0]) throw new Error("no lines");
  expect(estimateOf(minus(block[0], again[0]))).toEqual({ share: 0, low: 0, high: 0 });
});

test("limits are compared as integers: 60 of 100 against 75 of 100 is exactly 0.8 and no breach", async () => {
  const counts = { harmed: 100, harmedFavourable: 60, reference: 100, referenceFavourable: 75 };
  const game = { gaps: Float64Array.of(0.15), counts: [counts], drawn: [new Float64Array(1)] };
  expect(breachesOf([game], { kind: "ratio", limit: 0.8 })).toEqual([false]);
  expect(breachesOf([game], { kind: "ratio", limit: 0.800001 })).toEqual([true]);
  expect(breachesOf([game], { kind: "gap", limit: 0.15 })).toEqual([false]);
});
