/** One simulated life of a release, watched by the product's own test and, on the same stream, by the rivals. */
import { closeBlock, startTest, uniformStream, type TestDefinition, type TestState, type Uniform } from "../../src/monitoring/index.ts";
import { MIN_CELL, arrivals, binomial } from "../../src/monitoring/index.ts";
import type { FairScenario, Look, Stream } from "./fair.ts";
import { BUDGETS, FOUR_FIFTHS, LATE, type HarmScenario, type LateScenario } from "./harm.ts";
import { RIVALS, Rivals } from "./rivals.ts";

/** Decisions after which something happened; Infinity: never. */
export interface LifeEnd {
  /** In the order of the budgets asked for. */
  readonly proven: readonly number[];
  /** In the order of `RIVALS`; null where they can't be asked. */
  readonly rivals: readonly number[] | null;
}

export const FAIR_BUDGETS = [0.05, 0.01] as const;

/** A number for each (scenario, life), so that no two of them share their luck. */
const streamNumber = (scenario: number, life: number): number =>
  (Math.imul(scenario + 1, 0x9e3779b1) ^ Math.imul(life + 1, 0x85ebca6b)) | 0;
export const luckOf = (seed: number, scenario: number, life: number): Uniform => uniformStream(seed, streamNumber(scenario, life));

/** Feeds a test with looks; a block stays open until every cell has enough, whatever was answered. */
class Watched {
  readonly #definition: TestDefinition;
  #open: Look = { n: [], k: [] };
  #isOpen = false;
  state: TestState;

  constructor(definition: TestDefinition) {
    this.#definition = definition;
    this.state = startTest(definition);
  }

  see(look: Look): void {
    const block = this.#isOpen ? this.#withOpen(look) : look;
    for (const count of block.n)
      if (count < MIN_CELL) {
        this.#open = { n: [...block.n], k: [...block.k] };
        this.#isOpen = true;
        return;
      }
    this.state = closeBlock(this.#definition, this.state, block);
    this.#isOpen = false;
  }

  #withOpen({ n, k }: Look): Look {
    const open = this.#open;
    return { n: n.map((count, g) => count + (open.n[g] ?? 0)), k: k.map((count, g) => count + (open.k[g] ?? 0)) };
  }
}

export function fairLife(scenario: FairScenario, decisions: number, next: Uniform): LifeEnd {
  const { kind, limit, dependence = 1 } = scenario;
  const watched = new Watched({ kind, limit, dependence, prior: null, priorN: 2 });
  return run(scenario.stream(next), decisions, watched, kind === "ratio_min" ? new Rivals(limit) : null, FAIR_BUDGETS);
}

function run(stream: Stream, decisions: number, watched: Watched, rivals: Rivals | null, budgets: readonly number[]): LifeEnd {
  const proven = budgets.map(() => Number.POSITIVE_INFINITY);
  const needed = budgets.map((alpha) => -Math.log(alpha));
  for (let seen = 0; seen < decisions;) {
    const look = stream();
    for (const n of look.n) seen += n;
    // Outcomes that aren't known yet: the stream goes on, and so does time.
    if (look.n.every((n) => n === 0)) {
      seen++;
      continue;
    }
    watched.see(look);
    rivals?.see(look);
    for (let i = 0; i < needed.length; i++)
      if (watched.state.logE >= (needed[i] ?? 0) && proven[i] === Number.POSITIVE_INFINITY) proven[i] = seen;
    if (proven.every(Number.isFinite) && (rivals === null || rivals.firedAt.every(Number.isFinite))) break;
  }
  return { proven, rivals: rivals && rivals.firedAt };
}

/** How long harm that is there from the start goes on; rivals have until the slowest proof. */
export function harmLife({ share, rate, ratio }: HarmScenario, look: number, decisions: number, next: Uniform): LifeEnd {
  const rates = [ratio * rate, rate];
  const watched = new Watched(FOUR_FIFTHS);
  const rivals = new Rivals(FOUR_FIFTHS.limit);
  const proven: number[] = BUDGETS.map(() => Number.POSITIVE_INFINITY);
  for (let seen = look; seen <= decisions && !proven.every(Number.isFinite); seen += look) {
    const one = answered(rates, [share, 1 - share], look, next);
    watched.see(one);
    rivals.see(one);
    for (const [i, { alpha }] of BUDGETS.entries())
      if (watched.state.maxLogE >= -Math.log(alpha)) proven[i] = Math.min(proven[i] ?? 0, seen);
  }
  return { proven, rivals: rivals.firedAt };
}

/** How long harm goes on that begins late. A life that is rolled back before it is left out: NaN. */
export function lateLife({ after, ratio }: LateScenario, decisions: number, next: Uniform): LifeEnd {
  const { look, rate, share, fairRatio } = LATE;
  const shares = [share, 1 - share];
  const watched = new Watched(FOUR_FIFTHS);
  for (let seen = 0; seen < after; seen += look) watched.see(answered([fairRatio * rate, rate], shares, look, next));
  const budgets = FAIR_BUDGETS.map((alpha) => -Math.log(alpha));
  const proven = budgets.map((enough) => (watched.state.maxLogE >= enough ? Number.NaN : Number.POSITIVE_INFINITY));
  for (let seen = look; seen <= decisions && proven.some((delay) => delay === Number.POSITIVE_INFINITY); seen += look) {
    watched.see(answered([ratio * rate, rate], shares, look, next));
    for (const [i, enough] of budgets.entries())
      if (watched.state.logE >= enough && proven[i] === Number.POSITIVE_INFINITY) proven[i] = seen;
  }
  return { proven, rivals: null };
}

export const MANY_GROUPS = { groups: 40, share: 0.5, rate: 0.6, look: 1000 } as const;

/** Forty groups, each exactly at the limit beside the same reference, with one budget. */
export function groupsLife(decisions: number, next: Uniform): LifeEnd & { readonly unsplit: readonly number[] } {
  const { groups, share, rate, look } = MANY_GROUPS;
  const shares = [1 - share, ...Array.from({ length: groups }, () => share / groups)];
  const watched = Array.from({ length: groups }, () => new Watched(FOUR_FIFTHS));
  const rivals = watched.map(() => new Rivals(FOUR_FIFTHS.limit));
  for (let seen = 0; seen < decisions; seen += look) {
    const n = arrivals(look, shares, next);
    const k = n.map((count, g) => binomial(count, g === 0 ? rate : FOUR_FIFTHS.limit * rate, next));
    for (const [g, test] of watched.entries()) {
      const one = { n: [n[g + 1] ?? 0, n[0] ?? 0], k: [k[g + 1] ?? 0, k[0] ?? 0] };
      test.see(one);
      rivals[g]?.see(one);
    }
  }
  const most = Math.max(...watched.map(({ state }) => state.maxLogE));
  const ever = (enough: number) => (most >= enough ? decisions : Number.POSITIVE_INFINITY);
  return {
    proven: FAIR_BUDGETS.map((alpha) => ever(Math.log(groups / alpha))),
    unsplit: FAIR_BUDGETS.map((alpha) => ever(Math.log(1 / alpha))),
    rivals: RIVALS.map((_, i) => Math.min(...rivals.map(({ firedAt }) => firedAt[i] ?? Number.POSITIVE_INFINITY))),
  };
}

function answered(rates: readonly number[], shares: readonly number[], look: number, next: Uniform): Look {
  const n = arrivals(look, shares, next);
  return { n, k: n.map((count, g) => binomial(count, rates[g] ?? 0, next)) };
}
