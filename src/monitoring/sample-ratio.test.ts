import { expect, test } from "vitest";
import { chance } from "../../test/torture/chance.ts";
import { SAMPLE_RATIO_PROOF, sampleRatioEvidence } from "./sample-ratio.ts";

const evidence = (...arms: readonly (readonly [answers: number, weight: number])[]) =>
  Math.exp(sampleRatioEvidence(arms.map(([answers, weight]) => ({ answers, weight }))));

test("the evidence is what the formula says, for few answers by hand", () => {
  expect(evidence([0, 1], [0, 1])).toBeCloseTo(1);
  // One answer says nothing about even weights: 1!·1!·0! / 2! over 1/2.
  expect(evidence([1, 1], [0, 1])).toBeCloseTo(1);
  expect(evidence([3, 1], [0, 1])).toBeCloseTo(2);
  expect(evidence([2, 1], [1, 2])).toBeCloseTo(2 / 24 / ((1 / 9) * (2 / 3)));
  expect(evidence([1, 1], [1, 1], [1, 2])).toBeCloseTo(2 / 120 / ((1 / 16) * (1 / 2)));
});

test("answers as asked are no evidence; a mismatch is proven, sooner the bigger it is", () => {
  expect(evidence([5000, 1], [5050, 1])).toBeLessThan(1);
  expect(evidence([1000, 1], [3000, 3])).toBeLessThan(1);
  expect(evidence([120, 1], [60, 1])).toBeGreaterThan(SAMPLE_RATIO_PROOF);
  expect(evidence([5600, 1], [5050, 1])).toBeGreaterThan(SAMPLE_RATIO_PROOF);
});

test("looked at after every answer, hardly any comparison that runs as asked is ever called a mismatch", () => {
  const random = chance(7);
  const next = () => random.next();
  let false_ = 0;
  for (let run = 0; run < 400; run++) {
    const arms = [
      { answers: 0, weight: 1 },
      { answers: 0, weight: 3 },
    ];
    for (let i = 0; i < 500; i++) {
      const arm = arms[next() < 0.25 ? 0 : 1];
      if (arm) arm.answers++;
      if (sampleRatioEvidence(arms) > Math.log(20)) {
        false_++;
        break;
      }
    }
  }
  // Ville: at most one in twenty.
  expect(false_ / 400).toBeLessThan(0.05);
});
