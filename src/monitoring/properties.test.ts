/** What the sequential test must hold (sequential-tests §3, and the list at the end of §15). */
import fc from "fast-check";
import { expect, test } from "vitest";
import { chance } from "../../test/torture/chance.ts";
import { closeBucketBlock, startBucketTest } from "./bucket-test.ts";
import { differenceBand, pooledEvidence, rateBand, ratioBand, type Line, type Sign } from "./confidence-sequence.ts";
import {
  betsOn,
  cellsOf,
  closeBlock,
  nextPivot,
  startTest,
  type TestDefinition,
  type TestKind,
  type TestState,
} from "./sequential-test.ts";

const kinds = ["rate_min", "rate_max", "ratio_min", "diff_min", "did_min"] as const satisfies readonly TestKind[];
const definitionOf = (kind: TestKind, limit: number, dependence = 1): TestDefinition => ({
  kind,
  limit,
  dependence,
  prior: null,
  priorN: 2,
});
const anyDefinition = fc
  .record({
    kind: fc.constantFrom(...kinds),
    limit: fc.double({ min: 0.02, max: 0.95, noNaN: true }),
    dependence: fc.integer({ min: 1, max: 4 }),
  })
  .map(({ kind, limit, dependence }) => definitionOf(kind, limit, dependence));
const anyRate = fc.double({ min: 0, max: 1, noNaN: true });
const anyBlock = (cells: number) =>
  fc
    .array(fc.record({ n: fc.integer({ min: 1, max: 5000 }), rate: anyRate }), { minLength: cells, maxLength: cells })
    .map((all) => ({ n: all.map(({ n }) => n), k: all.map(({ n, rate }) => Math.round(n * rate)) }));
const testWithBlocks = anyDefinition.chain((definition) =>
  fc.record({ definition: fc.constant(definition), blocks: fc.array(anyBlock(cellsOf(definition.kind)), { minLength: 1, maxLength: 30 }) }),
);
const after = (definition: TestDefinition, blocks: readonly { n: number[]; k: number[] }[]): TestState =>
  blocks.reduce((state, block) => closeBlock(definition, state, block), startTest(definition));

function draws(n: number, p: number, next: () => number): number {
  let k = 0;
  for (let i = 0; i < n; i++) if (next() < p) k++;
  return k;
}

test("evidence is one coin before any block", () => {
  for (const kind of kinds) {
    const { logE, maxLogE, logR, info } = startTest(definitionOf(kind, 0.5));
    expect([logE, maxLogE]).toEqual([0, 0]);
    const wealth = logR.map((log, j) => Math.exp(log) + 0.5 * (1 + (info[j] ?? 0)) ** -0.1);
    for (const coin of wealth) expect(coin).toBeCloseTo(1, 12);
  }
});

test("nobody gains on a block that is exactly on the limit", () => {
  fc.assert(
    fc.property(testWithBlocks, anyBlock(4), ({ definition, blocks }, { n: sizes }) => {
      const pivot = nextPivot(definition, after(definition, blocks));
      const n = sizes.slice(0, pivot.length);
      const bets = betsOn(definition, pivot, { n, k: n.map((count, g) => count * (pivot[g] ?? 0)) });
      for (const { logE } of bets) expect(logE).toBeLessThanOrEqual(1e-9);
    }),
  );
});

/** The mean of every bettor's factor over all outcomes of a block whose people are favoured with chances p, exactly enumerated. */
function meanFactors(definition: TestDefinition, pivot: readonly number[], n: readonly number[], p: readonly number[]): number[] {
  const means = Array.from({ length: 8 }, () => 0);
  const visit = (k: number[], chance: number) => {
    const g = k.length;
    if (g === n.length) {
      for (const [j, { logE }] of betsOn(definition, pivot, { n, k }).entries()) means[j] = (means[j] ?? 0) + chance * Math.exp(logE);
      return;
    }
    const [size, rate] = [n[g] ?? 0, p[g] ?? 0];
    let ways = 1;
    for (let count = 0; count <= size; count++) {
      visit([...k, count], chance * ways * rate ** count * (1 - rate) ** (size - count));
      ways = (ways * (size - count)) / (count + 1);
    }
  };
  visit([], 1);
  return means;
}
const smallBlock = anyDefinition.chain((definition) => {
  const cells = cellsOf(definition.kind);
  return fc.record({
    definition: fc.constant(definition),
    past: fc.array(anyBlock(cells), { maxLength: 5 }),
    n: fc.array(fc.integer({ min: 1, max: cells > 2 ? 4 : 9 }), { minLength: cells, maxLength: cells }),
    p: fc.array(anyRate, { minLength: cells, maxLength: cells }),
  });
});
/** Σ c_g p_g - d of §3: at least 0 is fair. */
function slackOf({ kind, limit }: TestDefinition, p: readonly number[]): number {
  const [a = 0, b = 0, c = 0, d = 0] = p;
  const slack: Record<TestKind, number> = {
    rate_min: a - limit,
    rate_max: limit - a,
    ratio_min: a - limit * b,
    diff_min: a - b + limit,
    did_min: a - b - c + d + limit,
  };
  return slack[kind];
}

test("over all outcomes of a block the mean gain is nothing at the pivot", () => {
  fc.assert(
    fc.property(smallBlock, ({ definition, past, n }) => {
      const alone = { ...definition, dependence: 1 };
      const pivot = nextPivot(alone, after(alone, past));
      for (const mean of meanFactors(alone, pivot, n, pivot)) expect(Math.abs(mean - 1)).toBeLessThan(1e-12);
    }),
    { numRuns: 150 },
  );
});

test("over all outcomes of a block the mean gain is at most nothing whenever it is fair, whatever the pivot believed", () => {
  let tried = 0;
  fc.assert(
    fc.property(smallBlock, ({ definition, past, n, p }) => {
      fc.pre(slackOf(definition, p) >= 0);
      tried++;
      const pivot = nextPivot(definition, after(definition, past));
      for (const mean of meanFactors(definition, pivot, n, p)) expect(mean).toBeLessThanOrEqual(1 + 1e-12);
    }),
    { numRuns: 300 },
  );
  expect(tried).toBeGreaterThan(200);
});

test("twice the people with the same answers are twice the evidence, against the same pivot", () => {
  fc.assert(
    fc.property(testWithBlocks, fc.integer({ min: 2, max: 50 }), ({ definition, blocks }, times) => {
      const pivot = nextPivot(definition, after(definition, blocks));
      const block = blocks[0] ?? { n: [], k: [] };
      const more = { n: block.n.map((n) => n * times), k: block.k.map((k) => k * times) };
      const [once, often] = [betsOn(definition, pivot, block), betsOn(definition, pivot, more)];
      for (const [j, { logE }] of once.entries()) {
        const scaled = often[j]?.logE ?? Number.NaN;
        expect(Math.abs(scaled - logE * times)).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(scaled)));
      }
    }),
  );
});

test("turned round, with the limit turned round, a test has evidence for what the other has evidence against", () => {
  const [forward, backward] = [definitionOf("ratio_min", 0.8), definitionOf("ratio_min", 1 / 0.8)];
  for (const [ka, kb] of [
    [4, 56],
    [16, 40],
  ] as const) {
    const blocks = Array.from({ length: 20 }, () => ({ n: [20, 80], k: [ka, kb] }));
    const turned = blocks.map(({ n: [na = 0, nb = 0], k: [a = 0, b = 0] }) => ({ n: [nb, na], k: [b, a] }));
    const [one, other] = [after(forward, blocks).logE, after(backward, turned).logE];
    expect(Math.sign(one)).toBe(-Math.sign(other));
  }
});

test.each([
  { kind: "ratio_min" as const, limit: 0.8, n: [20, 80], p: [0.56, 0.7] },
  { kind: "rate_max" as const, limit: 0.05, n: [50], p: [0.05] },
  { kind: "diff_min" as const, limit: 0.05, n: [30, 30], p: [0.45, 0.5] },
])(
  "of fair releases exactly at the limit no more than the budget are ever accused, in whatever blocks one looks: $kind",
  ({ kind, limit, n, p }) => {
    const [alpha, runs, blocks] = [0.05, 600, 60];
    const definition = definitionOf(kind, limit);
    const random = chance(20260102);
    const next = () => random.next();
    const alarms = { whole: 0, split: 0 };
    for (let run = 0; run < runs; run++) {
      const state = { whole: startTest(definition), split: startTest(definition) };
      for (let i = 0; i < blocks; i++) {
        const halves = [0, 1].map(() => ({ n: n.map((count) => count / 2), k: n.map((count, g) => draws(count / 2, p[g] ?? 0, next)) }));
        const k = n.map((_, g) => (halves[0]?.k[g] ?? 0) + (halves[1]?.k[g] ?? 0));
        state.whole = closeBlock(definition, state.whole, { n, k });
        for (const half of halves) state.split = closeBlock(definition, state.split, half);
      }
      if (state.whole.maxLogE >= -Math.log(alpha)) alarms.whole++;
      if (state.split.maxLogE >= -Math.log(alpha)) alarms.split++;
    }
    const most = alpha * runs + 3 * Math.sqrt(runs * alpha * (1 - alpha));
    expect(alarms.whole).toBeLessThanOrEqual(most);
    expect(alarms.split).toBeLessThanOrEqual(most);
  },
);

test("a harm is found after about as many decisions as sequential-tests §13 says", () => {
  const definition = definitionOf("ratio_min", 0.8);
  const random = chance(7);
  const next = () => random.next();
  const found = Array.from({ length: 101 }, () => {
    let state = startTest(definition);
    let decisions = 0;
    while (state.logE < Math.log(100)) {
      const n = [10, 10];
      state = closeBlock(definition, state, { n, k: [draws(10, 0.35, next), draws(10, 0.7, next)] });
      decisions += 20;
    }
    return decisions;
  }).toSorted((a, b) => a - b);
  expect(found[50]).toBeGreaterThan(200); // the median there is 252
  expect(found[50]).toBeLessThan(310);
});

test("a harm that begins after a long good time is found about as fast as one that was there from the start", () => {
  const definition = definitionOf("ratio_min", 0.8);
  let state = startTest(definition);
  for (let i = 0; i < 1000; i++) state = closeBlock(definition, state, { n: [20, 80], k: [13, 55] }); // 100,000 decisions
  let more = 0;
  while (state.logE < Math.log(20)) {
    state = closeBlock(definition, state, { n: [20, 80], k: [6, 55] });
    more += 100;
  }
  expect(more).toBeLessThanOrEqual(1600);
});

test("every state is finite, whatever the blocks", () => {
  fc.assert(
    fc.property(testWithBlocks, ({ definition, blocks }) => {
      const { logR, info, logE, maxLogE, memory } = after(definition, blocks);
      for (const value of [...logR, ...info, logE, maxLogE, ...memory.flatMap(({ n, k }) => [n, k])])
        expect(Number.isFinite(value)).toBe(true);
      const pivot = nextPivot(definition, { ...after(definition, blocks) });
      expect(Math.abs(slackOf(definition, pivot))).toBeLessThan(1e-9);
      for (const p of pivot) expect(p > 0 && p < 1).toBe(true);
    }),
  );
});

test("a mean at its limit gains nothing on average, above it harm is found", () => {
  const definition = { edges: [0, 50, 100, 200, 400], limit: 120, harm: "up" } as const;
  const random = chance(11);
  const next = () => random.next();
  const endings = Array.from({ length: 200 }, () => {
    let state = startBucketTest(definition);
    for (let i = 0; i < 30; i++) {
      const values = Array.from({ length: 20 }, () => (next() < 0.3 ? 400 : 0)); // mean 120
      state = closeBucketBlock(definition, state, bucketsOf(definition.edges, values));
    }
    return state.maxLogE;
  });
  expect(endings.filter((logE) => logE >= Math.log(20)).length).toBeLessThanOrEqual(200 * 0.05 + 3 * Math.sqrt(200 * 0.05 * 0.95));
  let state = startBucketTest(definition);
  let values = 0;
  while (state.logE < Math.log(100) && values < 5000) {
    state = closeBucketBlock(
      definition,
      state,
      bucketsOf(
        definition.edges,
        Array.from({ length: 20 }, () => (next() < 0.6 ? 400 : 0)),
      ),
    );
    values += 20;
  }
  expect(values).toBeLessThan(200);
});
function bucketsOf(edges: readonly number[], values: readonly number[]) {
  const count = edges.slice(1).map(() => 0);
  const sum = edges.slice(1).map(() => 0);
  for (const value of values) {
    let b = 0;
    while (b + 2 < edges.length && value >= (edges[b + 1] ?? 0)) b++;
    count[b] = (count[b] ?? 0) + 1;
    sum[b] = (sum[b] ?? 0) + value;
  }
  return { count, sum };
}

const anyTotal = fc
  .record({ n: fc.integer({ min: 1, max: 300_000 }), rate: fc.oneof(anyRate, fc.constantFrom(0, 1)) })
  .map(({ n, rate }) => ({ n, k: Math.round(n * rate) }));
const anyAlpha = fc.constantFrom(0.05, 0.01, 1e-5);

test("every band holds the point estimate, and a stricter one holds the wider", () => {
  fc.assert(
    fc.property(anyTotal, anyTotal, anyAlpha, (a, b, alpha) => {
      const [pa, pb] = [a.k / a.n, b.k / b.n];
      const inside = ([low, high]: readonly [number, number], x: number) => expect(low <= x + 1e-12 && x - 1e-12 <= high).toBe(true);
      inside(rateBand(a, alpha), pa);
      inside(differenceBand(a, b, alpha), pa - pb);
      const band = ratioBand(a, b, alpha);
      if (pb > 0) inside(band, pa / pb);
      const wider = ratioBand(a, b, alpha / 10);
      expect(wider[0]).toBeLessThanOrEqual(band[0] + 1e-9);
      expect(wider[1] * (1 + 1e-9)).toBeGreaterThanOrEqual(band[1]);
    }),
  );
});

test("at the ends of a ratio's band the evidence is exactly what the band asks for", () => {
  fc.assert(
    fc.property(anyTotal, anyTotal, anyAlpha, (a, b, alpha) => {
      const [low, high] = ratioBand(a, b, alpha);
      const [lowGap, highGap] = differenceBand(a, b, alpha);
      // An end that is the end of everything has less evidence than would be enough.
      const missed = (line: Line, sign: Sign) => Math.abs(pooledEvidence(a, b, line, sign) - Math.log(2 / alpha));
      expect(low === 0 ? 0 : missed({ slope: low, shift: 0 }, 1)).toBeLessThan(1e-5);
      expect(high === Number.POSITIVE_INFINITY ? 0 : missed({ slope: high, shift: 0 }, -1)).toBeLessThan(1e-5);
      expect(lowGap === -1 ? 0 : missed({ slope: 1, shift: lowGap }, 1)).toBeLessThan(1e-5);
      expect(highGap === 1 ? 0 : missed({ slope: 1, shift: highGap }, -1)).toBeLessThan(1e-5);
    }),
  );
});

test("pooled evidence is the smallest over all rates, as golden section finds it", () => {
  fc.assert(
    fc.property(
      anyTotal,
      anyTotal,
      fc.double({ min: 0.1, max: 5, noNaN: true }),
      fc.constantFrom(1 as const, -1 as const),
      (a, b, slope, sign) => {
        const found = pooledEvidence(a, b, { slope, shift: 0 }, sign);
        const searched = goldenSection((pb) => logM(a, slope * pb, sign) + logM(b, pb, sign === 1 ? -1 : 1), 0, Math.min(1, 1 / slope));
        expect(Math.abs(found - searched)).toBeLessThan(1e-8 * Math.max(1, Math.abs(searched)));
      },
    ),
  );
});
/** The letters of sequential-tests §10. */
function logM({ n, k }: { n: number; k: number }, p: number, sign: 1 | -1): number {
  const terms = Array.from({ length: 16 }, (_, i) => 4 * 2 ** -i).map(
    (tilt) => sign * tilt * k - n * Math.log1p(p * Math.expm1(sign * tilt)),
  );
  const high = Math.max(...terms);
  return high + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - high), 0) / 16);
}
function goldenSection(f: (x: number) => number, from: number, to: number): number {
  const share = (Math.sqrt(5) - 1) / 2;
  let [low, high] = [from, to];
  for (let i = 0; i < 70; i++) {
    const [x, y] = [high - share * (high - low), low + share * (high - low)];
    if (f(x) < f(y)) high = y;
    else low = x;
  }
  return Math.min(f(from), f(to), f((low + high) / 2));
}
