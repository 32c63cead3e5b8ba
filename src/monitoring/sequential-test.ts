/**
 * The sequential test, version 1: a bet against the release, block by block (sequential-tests §3 and §4, whose letters are used here).
 * With budget α the chance that a fair release is ever called unfair is at most α, however often one looks. Pure.
 */
import { assert, unreachable } from "../std.ts";
import { differencePivot, ratioPivot, type CellMemory } from "./pivots.ts";

/** What "fair" means, by the sign and size of `limit` (§5). Cells are in the order given there. */
export const TEST_KINDS = ["rate_min", "rate_max", "ratio_min", "diff_min", "did_min"] as const;
export type TestKind = (typeof TEST_KINDS)[number];

export interface TestDefinition {
  readonly kind: TestKind;
  readonly limit: number;
  /** Decisions that may be correlated come in clusters of at most this many; 1 when they are independent. Costs that factor in speed. */
  readonly dependence: number;
  /** Rates of an earlier release to start the memory from, one a cell; null to start from 0.5. Better ones make the start faster. */
  readonly prior: readonly number[] | null;
  /** How many decisions the prior weighs. */
  readonly priorN: number;
}

/** Version of the constants and formulas; a state of another version is not continued. */
export const TEST_VERSION = 1;

/** All that a test remembers. Serialisable; the same blocks give the same bytes. */
export interface TestState {
  readonly v: typeof TEST_VERSION;
  /** Per bettor: log of the wealth already at stake. */
  readonly logR: readonly number[];
  /** Per bettor: information spent, the clock of late starts. */
  readonly info: readonly number[];
  readonly memory: readonly CellMemory[];
  readonly blocks: number;
  readonly logE: number;
  readonly maxLogE: number;
}

/** New decisions per cell and how many of them were favourable; fractional only where a mean is tested (§9). */
export interface Block {
  readonly n: readonly number[];
  readonly k: readonly number[];
}

const WEIGHTS = [1, 1, 2, 4, 8, 8, 5, 3].map((share) => share / 32);
const LOG_WEIGHTS = WEIGHTS.map((weight) => Math.log(weight));
const CAP = 0.95;
const W0 = 0.5;
const EPS = 0.1;
const HALF_LIFE = 1000;
const LEARN = 200;
const RATE_STEPS = [1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4];
const RATIO_STEPS = [1 / 128, 1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 7 / 8];
const DIFFERENCE_STEPS = [0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32];

/** `c` and `d` of "fair means Σ c_g p_g >= d" (§5). */
export function boundaryOf({ kind, limit }: Pick<TestDefinition, "kind" | "limit">): { readonly c: readonly number[]; readonly d: number } {
  switch (kind) {
    case "rate_min":
      return { c: [1], d: limit };
    case "rate_max":
      return { c: [-1], d: -limit };
    case "ratio_min":
      return { c: [1, -limit], d: 0 };
    case "diff_min":
      return { c: [1, -1], d: -limit };
    case "did_min":
      return { c: [1, -1, -1, 1], d: -limit };
    default:
      return unreachable(kind);
  }
}

/** Number of cells that a kind of test compares. */
export const cellsOf = (kind: TestKind): number => boundaryOf({ kind, limit: 0.5 }).c.length;

/** What is wrong with a limit, in words, or undefined. */
export function limitTrouble(kind: TestKind, limit: number): string | undefined {
  switch (kind) {
    case "rate_min":
    case "rate_max":
      return limit > 0 && limit < 1 ? undefined : "a rate between 0 and 1, both excluded";
    case "ratio_min":
      return limit > 0 && Number.isFinite(limit) ? undefined : "a ratio above 0";
    case "diff_min":
    case "did_min":
      return limit > -1 && limit < 1 ? undefined : "a difference between -1 and 1, both excluded";
    default:
      return unreachable(kind);
  }
}

export function startTest(definition: TestDefinition): TestState {
  const { c } = boundaryOf(definition);
  assert(!definition.prior || definition.prior.length === c.length, "a prior for every cell");
  return {
    v: TEST_VERSION,
    logR: WEIGHTS.map(() => Math.log(W0)),
    info: WEIGHTS.map(() => 0),
    memory: c.map((_, g) => ({ n: definition.priorN, k: definition.priorN * (definition.prior?.[g] ?? 0.5) })),
    blocks: 0,
    logE: 0,
    maxLogE: 0,
  };
}

/** The pivot that the next block will use. */
export function nextPivot(definition: TestDefinition, state: TestState): readonly number[] {
  const { kind, limit } = definition;
  const [a, b] = state.memory;
  switch (kind) {
    case "rate_min":
    case "rate_max":
      return [limit];
    case "ratio_min":
      assert(a && b, "two cells");
      return ratioPivot(a, b, limit);
    case "diff_min":
    case "did_min": {
      const { c, d } = boundaryOf(definition);
      return differencePivot(state.memory, c, d);
    }
    default:
      return unreachable(kind);
  }
}

/** How much harm each bettor looks for (`gap_j` of §5). */
function gapsOf({ kind, limit }: TestDefinition, pivot: readonly number[]): readonly number[] {
  switch (kind) {
    case "rate_min":
      return RATE_STEPS.map((h) => limit - expit(logit(limit) - h));
    case "rate_max":
      return RATE_STEPS.map((h) => expit(logit(limit) + h) - limit);
    case "ratio_min":
      return RATIO_STEPS.map((share) => share * limit * (pivot[1] ?? 0));
    case "diff_min":
    case "did_min":
      return DIFFERENCE_STEPS;
    default:
      return unreachable(kind);
  }
}

/** One bet of one size on one block: log evidence, and what it would gain on average if the harm were as big as looked for (Steps 3, 4). */
export interface Bet {
  readonly logE: number;
  readonly info: number;
}

/** The bets of all bettors on a block against a given pivot. */
export function betsOn(definition: TestDefinition, pivot: readonly number[], { n, k }: Block): readonly Bet[] {
  const { c } = boundaryOf(definition);
  let top = 0;
  for (let g = 0; g < c.length; g++) top = Math.max(top, Math.abs(c[g] ?? 0) / (n[g] ?? 0));
  const omega: number[] = [];
  let d = 0;
  let stakeMax = Number.POSITIVE_INFINITY;
  for (let g = 0; g < c.length; g++) {
    const p = pivot[g] ?? 0;
    const o = (c[g] ?? 0) / (n[g] ?? 0) / top;
    omega.push(o);
    d += (c[g] ?? 0) * o * p * (1 - p);
    stakeMax = Math.min(stakeMax, o > 0 ? 1 / (o * (1 - p)) : 1 / (-o * p));
  }
  const bets: Bet[] = [];
  for (const gap of gapsOf(definition, pivot)) {
    const stake = Math.min(gap / d, CAP * stakeMax);
    let logE = 0;
    let info = 0;
    for (let g = 0; g < c.length; g++) {
      const p = pivot[g] ?? 0;
      const tilt = stake * (omega[g] ?? 0);
      const ng = n[g] ?? 0;
      const kg = k[g] ?? 0;
      const win = Math.log1p(-tilt * (1 - p));
      const lose = Math.log1p(tilt * p);
      const q = p - tilt * p * (1 - p);
      logE += kg * win + (ng - kg) * lose;
      info += ng * (q * win + (1 - q) * lose);
    }
    bets.push({ logE: logE / definition.dependence, info: info / definition.dependence });
  }
  return bets;
}

/**
 * The state after one block.
 * @param block - every n above 0, 0 <= k <= n; anything else is a fault of the caller (`blocks.ts` refuses it before)
 */
export function closeBlock(definition: TestDefinition, state: TestState, block: Block): TestState {
  const { n, k } = block;
  assert(
    n.length === state.memory.length && n.every((ng, g) => ng > 0 && Number.isFinite(ng) && (k[g] ?? -1) >= 0 && (k[g] ?? 0) <= ng),
    "a block has decisions in every cell and no more favourable ones than decisions",
  );
  const pivot = nextPivot(definition, state);
  // A big first block against a pivot that knows nothing would waste the first stake: it only teaches.
  const onlyTeaches = n.length > 1 && !definition.prior && state.blocks === 0 && sum(n) > LEARN;
  const bets = onlyTeaches ? WEIGHTS.map(() => ({ logE: 0, info: 0 })) : betsOn(definition, pivot, block);
  return {
    ...settle(state, bets),
    memory: state.memory.map((cell, g) => {
      const fade = 2 ** (-(n[g] ?? 0) / HALF_LIFE);
      return { n: cell.n * fade + (n[g] ?? 0), k: cell.k * fade + (k[g] ?? 0) };
    }),
  };
}

/** Wealth after the bettors' results, with the part of their coin that starts late (Steps 5 and 6). Shared with the bucket test. */
export function settle<S extends Omit<TestState, "memory">>(state: S, bets: readonly Bet[]): S {
  const logR: number[] = [];
  const info: number[] = [];
  // Of each bettor the logarithms of what is at stake and of what waits: added up by their exponentials, the largest taken out.
  const parts: number[] = [];
  let most = Number.NEGATIVE_INFINITY;
  for (let j = 0; j < WEIGHTS.length; j++) {
    const { logE: gain, info: spent } = bets[j] ?? NO_BET;
    const before = state.info[j] ?? 0;
    const waiting = (1 - W0) * (1 + before) ** -EPS;
    const freed = spent === 0 ? 0 : -waiting * Math.expm1(-EPS * Math.log1p(spent / (1 + before)));
    const staked = state.logR[j] ?? 0;
    const wealth = (freed > 0 ? logAddExp(staked, Math.log(freed)) : staked) + gain;
    const logWeight = LOG_WEIGHTS[j] ?? 0;
    const [atStake, aside] = [logWeight + wealth, logWeight + Math.log(waiting - freed)];
    most = Math.max(most, atStake, aside);
    parts.push(atStake, aside);
    logR.push(wealth);
    info.push(before + spent);
  }
  let total = 0;
  for (const part of parts) total += Math.exp(part - most);
  const logE = most + Math.log(total);
  return { ...state, logR, info, blocks: state.blocks + 1, logE, maxLogE: Math.max(state.maxLogE, logE) };
}

const NO_BET: Bet = { logE: 0, info: 0 };
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
const logit = (p: number) => Math.log(p / (1 - p));
const expit = (x: number) => 1 / (1 + Math.exp(-x));

/** ln(eᵃ + eᵇ) without overflow. */
export function logAddExp(a: number, b: number): number {
  const high = Math.max(a, b);
  return high === Number.NEGATIVE_INFINITY ? high : high + Math.log1p(Math.exp(Math.min(a, b) - high));
}
