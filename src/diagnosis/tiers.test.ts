import { expect, test } from "vitest";
import type { Policy } from "../serving/index.ts";
import { personNumber, type Window } from "./bootstrap.ts";
import { composeReport } from "./compose-report.ts";
import type { ModelScores, Scene } from "./scene.ts";
import { tierOne, tierZero, type Rebuilt } from "./tiers.ts";
import type { ReleaseId } from "../std.ts";

const threshold = (from: number): Policy => ({
  decide: (score) => ({ action: score >= from ? "approve" : "deny", favourable: score >= from, reason: null }),
});
const windowOf = (people: number, from: number): Window => ({
  sides: Int8Array.from({ length: people }, (_, i) => (i % 4 === 0 ? 1 : 0)),
  people: Uint32Array.from({ length: people }, (_, i) => personNumber(`p${from + i}`)),
});
/** A model that takes `penalty` off the scores of the harmed group; `noise` moves everybody by the luck of a seed. */
const modelOf = (windows: readonly Window[], penalty: number, noise = ""): ModelScores =>
  windows.map(({ sides, people }) =>
    Float64Array.from(people, (person, i) => {
      const own = personNumber(`score ${person}`) / 2 ** 32;
      const luck = noise === "" ? 0 : (personNumber(`${noise} ${person}`) / 2 ** 32 - 0.5) * 0.02;
      return Math.min(1, Math.max(0, own - (sides[i] === 1 ? penalty : 0) + luck));
    }),
  );
const windows = [windowOf(6000, 0), windowOf(6000, 6000)];
const [served, harmful] = [modelOf(windows, 0), modelOf(windows, 0.4)];
const scene = (changes: Partial<Scene> = {}): Scene => ({
  windows,
  served: { good: served, bad: harmful },
  policies: { good: threshold(0.4), bad: threshold(0.4) },
  differs: { model: true, threshold: false },
  limit: { kind: "ratio", limit: 0.8 },
  ...changes,
});
const sum = (parts: readonly { readonly share: number }[]) => parts.reduce((all, { share }) => all + share, 0);
const ids = { good: { id: "rel:a" as ReleaseId, number: 2 }, bad: { id: "rel:b" as ReleaseId, number: 3 } };
const question = { group: { sex: "female" }, groupLabel: "sex=female", reference: "rest", limit: { kind: "ratio", limit: 0.8 } as const };
const facts = {
  ...ids,
  question,
  people: { good: 6000, bad: 6000, notReplayable: 0 },
  merged: [],
  mostHarmed: [],
  notes: [],
};

test("tier 0: the model that harms is named, and all parts sum to the harm", async () => {
  const result = await tierZero(scene());
  expect(result.parts.map(({ step }) => step)).toEqual(["model", "population"]);
  expect(sum(result.parts)).toBeCloseTo(result.harm.share, 9);
  const report = composeReport({ ...facts, tier: 0, result, notReproduced: null, seeds: [] });
  expect(report.verdict).toMatchObject({ word: "did it", steps: ["model"] });
  expect(report.sentence).toMatch(
    /^People with sex=female got a favourable answer \d+\.\d points less often than everybody else from r3, .* from r2\. The model did it: /,
  );
});

test("tier 0: a threshold that turns a difference of scores into a difference of answers is named", async () => {
  // Everybody passed the old threshold, whatever the model thought of them.
  const close = modelOf(windows, 0.3);
  const result = await tierZero(
    scene({
      served: { good: close, bad: close },
      policies: { good: threshold(0), bad: threshold(0.6) },
      differs: { model: false, threshold: true },
    }),
  );
  expect(result.parts.map(({ step }) => step)).toEqual(["threshold", "population"]);
  const report = composeReport({ ...facts, tier: 0, result, notReproduced: null, seeds: [] });
  expect(report.verdict.word).not.toBe("we cannot tell");
  expect(report.verdict.steps).toEqual(["threshold"]);
});

test("swapping the good and the bad release flips the sign of every part", async () => {
  const there = await tierZero(scene());
  const back = await tierZero(scene({ windows: windows.toReversed(), served: { good: harmful.toReversed(), bad: served.toReversed() } }));
  for (const [i, { share }] of there.parts.entries()) expect(back.parts[i]?.share).toBeCloseTo(-share, 9);
});

/** Steps: data (bit 0) harms, algorithm (bit 1) doesn't. */
const rebuiltOf = (penaltyOf: (mask: number) => number, seeds: readonly number[], isIdentical = false): Rebuilt => ({
  steps: ["data", "algorithm"],
  bySeed: new Map(
    seeds.map((seed) => [seed, Array.from({ length: 4 }, (_, mask) => modelOf(windows, penaltyOf(mask), `seed ${seed} ${mask}`))]),
  ),
  isIdentical: { good: isIdentical, bad: isIdentical },
});

test("tier 1: the parts of the model and what is unexplained sum to tier 0's model, and the step is named", async () => {
  const zero = await tierZero(scene());
  const one = await tierOne(
    scene(),
    rebuiltOf((mask) => (mask & 1 ? 0.4 : 0), [1, 2, 3]),
  );
  expect(one.parts.map(({ step, block }) => [step, block])).toEqual([
    ["data", "model"],
    ["algorithm", "model"],
    ["population", null],
  ]);
  const model = one.parts.filter(({ block }) => block === "model");
  expect(sum(model) + (one.unexplained?.share ?? Number.NaN)).toBeCloseTo(zero.parts[0]?.share ?? Number.NaN, 9);
  expect(sum(one.parts) + (one.unexplained?.share ?? Number.NaN)).toBeCloseTo(one.harm.share, 9);
  expect(one.parts[2]).toEqual(zero.parts[1]);
  expect(one.notReproduced).toBeNull();
  const report = composeReport({ ...facts, tier: 1, result: one, notReproduced: one.notReproduced, seeds: [1, 2, 3], notes: one.notes });
  expect(report.verdict).toMatchObject({ word: "did it", steps: ["data"] });
  expect(report.notes).toContain("3 of 3 seeds of the bad release's making break the limit");
});

test("tier 1: two steps that harm only together are named together", async () => {
  const one = await tierOne(
    scene(),
    rebuiltOf((mask) => (mask === 3 ? 0.4 : 0), [1, 2]),
  );
  const report = composeReport({ ...facts, tier: 1, result: one, notReproduced: one.notReproduced, seeds: [1, 2], notes: one.notes });
  expect(report.verdict).toMatchObject({ word: "these two together", steps: ["algorithm", "data"] });
  expect(report.together[0]?.share).toBeGreaterThan(0.3);
});

test("tier 1: what is built again and doesn't do what served did names nobody", async () => {
  const one = await tierOne(
    scene(),
    rebuiltOf((mask) => (mask & 1 ? 0.15 : 0), [1, 2, 3]),
  );
  expect(one.notReproduced).toContain("the bad release as it served");
  const report = composeReport({ ...facts, tier: 1, result: one, notReproduced: one.notReproduced, seeds: [1, 2, 3] });
  expect(report.verdict).toMatchObject({ word: "could not be reproduced", steps: [] });
});
