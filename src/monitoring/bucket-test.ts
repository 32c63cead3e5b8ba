/** The sequential test of a mean of bounded values, fed with counts and sums per bucket (sequential-tests §9). Pure. */
import { TEST_VERSION, settle, type TestState } from "./sequential-test.ts";

export interface BucketTestDefinition {
  /** Ascending; values are clamped into the first and last when tallied. */
  readonly edges: readonly number[];
  /** The mean that is still fair. */
  readonly limit: number;
  /** Which side of the limit is harm. */
  readonly harm: "up" | "down";
  /** As of counts (`TestDefinition`); 1 where left out. */
  readonly dependence?: number;
}
export interface BucketTestState extends Omit<TestState, "memory"> {
  /** Decaying count, and decaying sum of squared distances to the limit. */
  readonly n: number;
  readonly q: number;
}
/** Per bucket: how many values, and their sum. */
export interface BucketBlock {
  readonly count: readonly number[];
  readonly sum: readonly number[];
}

const CAP = 0.95;
const HALF_LIFE = 1000;
const STEPS = [1 / 128, 1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 7 / 8];

const roomOf = ({ edges, limit, harm }: BucketTestDefinition) => (harm === "up" ? limit - (edges[0] ?? 0) : (edges.at(-1) ?? 0) - limit);

export function startBucketTest(definition: BucketTestDefinition): BucketTestState {
  return {
    v: TEST_VERSION,
    logR: STEPS.map(() => Math.log(0.5)),
    info: STEPS.map(() => 0),
    blocks: 0,
    logE: 0,
    maxLogE: 0,
    n: 2,
    q: 2 * (roomOf(definition) / 2) ** 2,
  };
}

/** The state after one block. The evidence is a lower bound: a logarithm lies above its chord in every bucket, and meets it at the edges. */
export function closeBucketBlock(definition: BucketTestDefinition, state: BucketTestState, { count, sum }: BucketBlock): BucketTestState {
  const { edges, limit, harm, dependence = 1 } = definition;
  const sign = harm === "up" ? 1 : -1;
  const room = roomOf(definition);
  const span = (edges.at(-1) ?? 0) - (edges[0] ?? 0);
  const variance = Math.max(state.q / state.n, 1e-12 * span * span);
  const total = count.reduce((all, one) => all + one, 0);
  const bets = STEPS.map((step) => {
    const gap = step * room;
    const stake = Math.min(gap / variance, CAP / room);
    const gain = (x: number) => Math.log1p(sign * stake * (x - limit));
    let logE = 0;
    for (let b = 0; b + 1 < edges.length; b++) {
      const low = edges[b] ?? 0;
      const high = edges[b + 1] ?? 0;
      const c = count[b] ?? 0;
      const s = sum[b] ?? 0;
      if (c === 0) continue;
      logE += ((high * c - s) * gain(low) + (s - low * c) * gain(high)) / (high - low);
    }
    return { logE: logE / dependence, info: (total * (stake * gap - (stake * stake * variance) / 2)) / dependence };
  });
  const fade = 2 ** (-total / HALF_LIFE);
  let spread = 0;
  for (let b = 0; b < count.length; b++) {
    const c = count[b] ?? 0;
    if (c > 0) spread += c * ((sum[b] ?? 0) / c - limit) ** 2;
  }
  return { ...settle(state, bets), n: state.n * fade + total, q: state.q * fade + spread };
}
