import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { evaluateCase, parseCases } from "./cases.ts";

/** The vectors of sequential-tests §15 that are cases, as they stand there. */
const vectors: ({ id: string; fn: string; expect: { logE: number[]; maxLogE?: number; nextPivot?: number[] } } & Record<
  string,
  unknown
>)[] = JSON.parse(readFileSync(new URL("./vectors.json", import.meta.url), "utf8"));
const cases = vectors.filter(({ fn }) => fn === "v1" || fn === "buckets");
const ratioCase = { id: "a", fn: "v1", kind: "ratio_min", limit: 0.8, blocks: [{ n: [40, 160], k: [14, 112] }] };
const bucketCase = { id: "b", fn: "buckets", edges: [0, 1, 2], limit: 1, harm: "up", blocks: [{ count: [3, 2], sum: [1, 3] }] };

const evaluated = (value: unknown) => {
  const parsed = parseCases(value);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
  return parsed.value.map(evaluateCase);
};

test("every vector, sent as a case in its very form, gives what stands beside it", () => {
  const results = evaluated(cases.map(({ expect: _expected, ...one }) => one));
  expect(results).toHaveLength(18);
  for (const [i, { expect: expected, id }] of cases.entries()) {
    const { logE, maxLogE, nextPivot, ...more } = results[i] ?? { logE: [] };
    expect(more).toEqual({ id });
    const near = (actual: readonly number[], wanted: readonly number[], tolerance: number) => {
      expect(actual).toHaveLength(wanted.length);
      for (const [j, value] of wanted.entries())
        expect(Math.abs((actual[j] ?? Number.NaN) - value), `${id}[${j}]`).toBeLessThanOrEqual(tolerance * Math.max(1, Math.abs(value)));
    };
    near(logE, expected.logE, 1e-9);
    if (expected.maxLogE !== undefined) near([maxLogE ?? Number.NaN], [expected.maxLogE], 1e-9);
    if (expected.nextPivot) near(nextPivot ?? [], expected.nextPivot, 1e-9);
  }
});

test("with a budget a case has a verdict and a band", () => {
  const harm = {
    ...ratioCase,
    alpha: 0.05,
    blocks: [
      { n: [20, 80], k: [8, 56], times: 3 },
      { n: [20, 80], k: [4, 56], times: 5 },
    ],
  };
  const [proven, good, few, nobody, did, mean] = evaluated([
    harm,
    { ...ratioCase, alpha: 0.05, blocks: [{ n: [50, 50], k: [35, 35] }] },
    { ...ratioCase, alpha: 0.05, blocks: [{ n: [5, 5], k: [2, 4] }] },
    { ...ratioCase, alpha: 0.05, blocks: [{ n: [50, 50], k: [0, 0] }] },
    { id: "d", fn: "v1", kind: "did_min", limit: 0.05, alpha: 0.05, blocks: [{ n: [20, 80, 100, 400], k: [8, 56, 62, 282] }] },
    { ...bucketCase, alpha: 0.05, blocks: [{ count: [30, 20], sum: [10, 30] }] },
  ]);
  expect(proven?.verdict).toEqual({ state: "breached", threshold: -Math.log(0.05), provenAt: 1 });
  expect(proven?.band?.[1]).toBeLessThan(0.8);
  expect(good?.verdict?.state).toBe("ok");
  expect(good?.band && good.band[0] < 1 && (good.band[1] ?? 0) > 1).toBe(true);
  expect([few?.verdict?.state, nobody?.verdict?.state, nobody?.band?.[1]]).toEqual(["no-data", "not-comparable", null]);
  const gap = 8 / 20 - 56 / 80 - (62 / 100 - 282 / 400);
  expect(did?.band && did.band[0] < gap && (did.band[1] ?? -9) > gap).toBe(true);
  expect(mean?.band && mean.band[0] < 0.8 && (mean.band[1] ?? 0) > 0.8 && mean.band[0] > 0 && (mean.band[1] ?? 9) < 2).toBe(true);
});

test("a dependence widens the band by its root, as it slows the proof", () => {
  const [alone, clustered] = evaluated([1, 4].map((dependence) => ({ ...ratioCase, alpha: 0.05, options: { dependence } })));
  const width = (band: readonly [number, number | null] | undefined) => (band?.[1] ?? 0) - (band?.[0] ?? 0);
  expect(width(clustered?.band)).toBeGreaterThan(width(alone?.band) * 1.6);
});

test.each<[string, unknown, string]>([
  ["no array", {}, ""],
  ["an unknown function", [{ ...ratioCase, fn: "v2" }], "/0/fn"],
  ["no id", [{ ...ratioCase, id: undefined }], "/0/id"],
  ["an unknown kind", [{ ...ratioCase, kind: "ratio_max" }], "/0/kind"],
  ["an unknown word, such as what is expected", [{ ...ratioCase, expect: {} }], "/0/expect"],
  ["a limit that is none", [{ ...ratioCase, limit: 0 }], "/0/limit"],
  ["a rate of 1", [{ ...ratioCase, kind: "rate_min", limit: 1, blocks: [] }], "/0/limit"],
  ["a prior for too few cells", [{ ...ratioCase, options: { prior: [0.5] } }], "/0/options/prior"],
  ["a prior beyond 1", [{ ...ratioCase, options: { prior: [0.5, 1.5] } }], "/0/options/prior/1"],
  ["a dependence below 1", [{ ...ratioCase, options: { dependence: 0 } }], "/0/options/dependence"],
  ["too few cells", [ratioCase, { ...ratioCase, blocks: [{ n: [40], k: [14, 112] }] }], "/1/blocks/0/n"],
  ["nobody in a cell", [{ ...ratioCase, blocks: [{ n: [0, 10], k: [0, 5] }] }], "/0/blocks/0/n/0"],
  ["more favourable answers than decisions", [{ ...ratioCase, blocks: [{ n: [4, 10], k: [5, 5] }] }], "/0/blocks/0/k/0"],
  ["a count below 0", [{ ...ratioCase, blocks: [{ n: [4, 10], k: [3, -1] }] }], "/0/blocks/0/k/1"],
  ["text for a count", [{ ...ratioCase, blocks: [{ n: [4, "10"], k: [3, 1] }] }], "/0/blocks/0/n/1"],
  ["a repetition of 0", [{ ...ratioCase, blocks: [{ n: [4, 10], k: [3, 1], times: 0 }] }], "/0/blocks/0/times"],
  ["a budget of 1", [{ ...ratioCase, alpha: 1 }], "/0/alpha"],
  ["one edge", [{ ...bucketCase, edges: [0] }], "/0/edges"],
  ["edges that don't rise", [{ ...bucketCase, edges: [0, 2, 2] }], "/0/edges/2"],
  ["a mean beyond the edges", [{ ...bucketCase, limit: 2 }], "/0/limit"],
  ["a sum that its values can't have", [{ ...bucketCase, blocks: [{ count: [3, 2], sum: [4, 3] }] }], "/0/blocks/0/sum/0"],
  ["no value at all", [{ ...bucketCase, blocks: [{ count: [0, 0], sum: [0, 0] }] }], "/0/blocks/0/count"],
  [
    "more blocks than anybody waits for",
    [{ ...ratioCase, blocks: Array.from({ length: 11 }, () => ({ n: [4, 4], k: [1, 1], times: 1e6 })) }],
    "",
  ],
])("%s is refused, with where", (_what, value, path) => {
  const parsed = parseCases(JSON.parse(JSON.stringify(value)));
  expect(!parsed.ok && parsed.error.map((issue) => issue.path)).toContain(path);
});

test("numbers that aren't are refused: JSON has none, but callers may", () => {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY])
    expect(parseCases([{ ...ratioCase, blocks: [{ n: [bad, 10], k: [1, 1] }] }]).ok).toBe(false);
});
