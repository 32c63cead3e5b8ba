import { expect, test } from "vitest";
import { BinCounts, FIRST_INPUT_BIN, latencyBucketOf, scoreBinOf, type BinnedAnswer } from "./bin-counts.ts";

// The reference's vector has milliseconds as the unit: buckets there are those of a thousandfold here.
test.each([
  [0.8, -2],
  [1, 0],
  [1.1, 2],
  [1.5, 5],
  [2, 8],
  [3, 13],
  [5, 19],
  [8, 24],
  [13, 30],
  [21, 36],
  [250, 64],
])("%f seconds are in bucket %i: a bound belongs to the bucket below it", (seconds, bucket) => {
  expect(latencyBucketOf(seconds * 1e6)).toBe(bucket);
});

test("every bucket holds exactly what is above its lower and up to its upper bound", () => {
  for (let bucket = -130; bucket <= 100; bucket++) {
    const bound = 2 ** (bucket / 8) * 1e6;
    expect(latencyBucketOf(Math.floor(bound) < bound ? Math.floor(bound) : bound)).toBeLessThanOrEqual(bucket);
    expect(latencyBucketOf(Math.floor(bound) + 1)).toBeGreaterThan(bucket);
  }
});

test("what took no time, or less, or an age, has a bucket all the same", () => {
  expect([0, -5, 1, 1e15].map(latencyBucketOf)).toEqual([-159, -159, -159, 104]);
});

test("bins of scores are found by edges: 0.29 is in bin 29, though 0.29 · 100 is below 29", () => {
  expect(scoreBinOf(0.29)).toBe(29);
  for (let i = 0; i < 100; i++) expect(scoreBinOf(i / 100)).toBe(i);
  expect([0, 1, 0.999999].map(scoreBinOf)).toEqual([0, 99, 99]);
});

test("answers add up by release, arm, hour, cell and bin, in whatever order they come", () => {
  const answer = (changes: Partial<BinnedAnswer>): BinnedAnswer => ({
    endpoint: "loans",
    release: "a",
    arm: "live",
    cell: "sex=female",
    atMs: 0,
    score: 0.29,
    latencyUs: 1000,
    inputBins: String.fromCharCode(FIRST_INPUT_BIN, FIRST_INPUT_BIN + 7),
    ...changes,
  });
  const answers = [
    answer({}),
    answer({ cell: "sex=male", score: null }),
    answer({ atMs: 3_600_000 }),
    answer({ arm: "shadow", inputBins: null }),
  ];
  const rows = (all: readonly BinnedAnswer[]) => {
    const counts = new BinCounts();
    for (const one of all) counts.add(one);
    const sorted = (of: Iterable<object>) => [...of].map((row) => JSON.stringify(row)).toSorted();
    return { latencies: sorted(counts.latencies()), scores: sorted(counts.scores()), inputs: sorted(counts.inputs()) };
  };
  expect(rows(answers)).toEqual(rows(answers.toReversed()));
  const { latencies, scores, inputs } = rows(answers);
  expect(latencies.length).toBe(3);
  expect(scores).toContain('{"endpoint":"loans","release":"a","arm":"live","day":0,"cell":"sex=female","bin":29,"count":1,"sumU6":290000}');
  expect(inputs).toContain('{"endpoint":"loans","release":"a","arm":"live","hour":0,"input":1,"bin":7,"count":2}');
  expect(inputs.length).toBe(4);
});
