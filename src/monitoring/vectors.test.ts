import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { closeBucketBlock, startBucketTest } from "./bucket-test.ts";
import { differenceBand, pooledEvidence, rateBand, ratioBand } from "./confidence-sequence.ts";
import { addLikeForLike, likeForLike, moverRatio, newcombe, noLikeForLike, wilson } from "./intervals.ts";
import { ebh, holm } from "./multiplicity.ts";
import { closeBlock, nextPivot, startTest, type TestDefinition } from "./sequential-test.ts";

/** The vectors of sequential-tests §15, as they stand there. */
type Numbers = readonly number[];
type Vector = { readonly id: string } & (
  | {
      fn: "v1";
      kind: TestDefinition["kind"];
      limit: number;
      options?: { dependence?: number; prior?: number[]; priorN?: number };
      blocks: { n: Numbers; k: Numbers; times?: number }[];
      expect: { logE: Numbers; maxLogE: number; nextPivot: Numbers };
    }
  | {
      fn: "buckets";
      edges: Numbers;
      limit: number;
      harm: "up" | "down";
      blocks: { count: Numbers; sum: Numbers }[];
      expect: { logE: Numbers };
    }
  | { fn: "pooled"; na: number; ka: number; nb: number; kb: number; slope: number; shift: number; sign: 1 | -1; expect: number }
  | { fn: "cs_rate"; n: number; k: number; alpha: number; expect: Numbers }
  | { fn: "cs_ratio" | "cs_diff"; na: number; ka: number; nb: number; kb: number; alpha: number; expect: Numbers }
  | { fn: "wilson"; n: number; k: number; expect: Numbers }
  | { fn: "newcombe" | "mover_ratio"; na: number; ka: number; nb: number; kb: number; expect: Numbers }
  | { fn: "mh_ratio"; blocks: [number, number, number, number][]; expect: Numbers }
  | { fn: "holm"; logE: Numbers; alpha: number; expect: Numbers }
  | { fn: "ebh"; logE: Numbers; q: number; expect: Numbers }
);
const vectors: Vector[] = JSON.parse(readFileSync(new URL("./vectors.json", import.meta.url), "utf8"));

function close(actual: readonly number[], expected: readonly number[], tolerance: number) {
  expect(actual).toHaveLength(expected.length);
  for (const [i, value] of expected.entries()) {
    expect(Math.abs((actual[i] ?? Number.NaN) - value), `[${i}] ${actual[i]} instead of ${value}`).toBeLessThanOrEqual(
      tolerance * Math.max(1, Math.abs(value)),
    );
  }
}

test.each(vectors)("$id ($fn)", (vector) => {
  switch (vector.fn) {
    case "v1": {
      const { options = {}, kind, limit } = vector;
      const definition: TestDefinition = {
        kind,
        limit,
        dependence: options.dependence ?? 1,
        prior: options.prior ?? null,
        priorN: options.priorN ?? 2,
      };
      let state = startTest(definition);
      const logE = vector.blocks.map(({ n, k, times = 1 }) => {
        for (let i = 0; i < times; i++) state = closeBlock(definition, state, { n, k });
        return state.logE;
      });
      close(logE, vector.expect.logE, 1e-9);
      close([state.maxLogE], [vector.expect.maxLogE], 1e-9);
      return close(nextPivot(definition, state), vector.expect.nextPivot, 1e-9);
    }
    case "buckets": {
      let state = startBucketTest(vector);
      const logE = vector.blocks.map((block) => (state = closeBucketBlock(vector, state, block)).logE);
      return close(logE, vector.expect.logE, 1e-9);
    }
    case "pooled":
      return close(
        [pooledEvidence({ n: vector.na, k: vector.ka }, { n: vector.nb, k: vector.kb }, vector, vector.sign)],
        [vector.expect],
        1e-8,
      );
    case "cs_rate":
      return close(rateBand(vector, vector.alpha), vector.expect, 1e-6);
    case "cs_ratio":
      return close(ratioBand({ n: vector.na, k: vector.ka }, { n: vector.nb, k: vector.kb }, vector.alpha), vector.expect, 1e-6);
    case "cs_diff":
      return close(differenceBand({ n: vector.na, k: vector.ka }, { n: vector.nb, k: vector.kb }, vector.alpha), vector.expect, 1e-6);
    case "wilson":
      return close(wilson(vector), vector.expect, 1e-6);
    case "newcombe":
      return close(newcombe({ n: vector.na, k: vector.ka }, { n: vector.nb, k: vector.kb }), vector.expect, 1e-6);
    case "mover_ratio":
      return close(moverRatio({ n: vector.na, k: vector.ka }, { n: vector.nb, k: vector.kb }), vector.expect, 1e-6);
    case "mh_ratio": {
      const sums = vector.blocks.reduce((all, [na, ka, nb, kb]) => addLikeForLike(all, { n: na, k: ka }, { n: nb, k: kb }), noLikeForLike);
      const found = likeForLike(sums);
      return close(found ? [found.ratio, ...found.interval] : [], vector.expect, 1e-6);
    }
    case "holm":
      return expect(
        holm(
          vector.logE,
          vector.logE.map(() => vector.alpha / vector.logE.length),
        ),
      ).toEqual(vector.expect);
    case "ebh":
      return expect(ebh(vector.logE, vector.q)).toEqual(vector.expect);
  }
});

test("a band of a ratio costs less than 3 ms", () => {
  // The quickest of many: what it costs, and not what else this machine had to do meanwhile.
  const tookMs = Array.from({ length: 20 }, (_, i) => {
    const startedMs = performance.now();
    ratioBand({ n: 2000 + i, k: 900 }, { n: 8000, k: 5600 }, 0.05);
    return performance.now() - startedMs;
  });
  expect(Math.min(...tookMs)).toBeLessThan(3 * 3); // three times the bar: machines are shared
});
