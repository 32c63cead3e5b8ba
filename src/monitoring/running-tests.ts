/** The tests of one life of a release: which go on, which start, which end. Pure. */
import { anyBlockSince, closeAny, isMean, startAny } from "./any-test.ts";
import type { Cumulative } from "./blocks.ts";
import { withProgress, thresholdOf } from "./evidence.ts";
import { addLikeForLike, noLikeForLike, type LikeForLikeSums } from "./intervals.ts";
import { reserveShare } from "./multiplicity.ts";
import type { PlannedTest } from "./plan.ts";
import type { Block } from "./sequential-test.ts";
import { claimOf, readTestId, testId, type Obstacle, type RunningTest, type TestOwner } from "./test-record.ts";

/** Counts as a look finds them. */
export interface Reading {
  readonly counts: Cumulative;
  /** Only counts of the same context can be compared; null: with none. */
  readonly context: string | null;
  /** Why nothing can be said of them for now, if so. */
  readonly obstacle?: Obstacle | null;
}

/** What is planned for a release now. */
export interface Planned {
  readonly owner: TestOwner;
  readonly plans: readonly PlannedTest[];
  readonly favourable: ReadonlySet<string>;
  readonly budget: number;
  /** The release is seen for the first time: what it has answered so far, nobody has looked at. */
  readonly isFirstSight: boolean;
  readonly nowMs: number;
  /** Tests of this life of which nothing can be read any more: each may have spent a part of the reserve. */
  readonly unreadable?: number;
  /** Those of all tests whose state was lost: they may have bet, though they look as if they hadn't. */
  readonly lost?: readonly RunningTest[];
  /** Rates of the release before, one a cell of the plan, to start the memory from; null where there are none to trust. */
  readonly priorOf?: (plan: PlannedTest) => readonly number[] | null;
}

/** What a prior weighs: better than no memory, and soon outweighed (sequential-tests §4). */
const PRIOR_N = 50;

/**
 * Brings the tests of a release in line with what is planned. The first plan has nine tenths of the budget. Each later change that adds
 * tests is one addition, and its part of the reserve is split as the plan would (sequential-tests §6). What is added by somebody who could
 * have seen the counts counts from then on (§12).
 * @param ever - every test that this life of the release ever had
 * @param reading - the counts of a planned test now
 * @returns the tests to run, in the order of the plans, and what of all tests has changed by this: begun, ended, or told to act otherwise
 */
export function reconcile(
  ever: readonly RunningTest[],
  { owner, plans, favourable, budget, isFirstSight, nowMs, unreadable = 0, lost = [], priorOf }: Planned,
  reading: (plan: PlannedTest) => Reading,
): { readonly running: readonly RunningTest[]; readonly changed: readonly RunningTest[] } {
  const newest = new Map<string, RunningTest>();
  for (const test of ever) {
    const { claim, restart } = readTestId(test.id);
    const known = newest.get(claim);
    if (!known || readTestId(known.id).restart < restart) newest.set(claim, test);
  }
  const planned = plans.map((plan) => {
    const claim = claimOf(owner, plan, favourable);
    const known = newest.get(claim);
    return { plan, claim, known, goesOn: known !== undefined && !known.state.hasEnded };
  });
  // What ended before it had bet anything has spent nothing.
  const goingOn = new Set(planned.flatMap(({ known, goesOn }) => (known && goesOn ? [known] : [])));
  const spent = ever.filter((test) => test.state.test.blocks > 0 || goingOn.has(test) || lost.includes(test));
  const isFirst = spent.length === 0 && unreadable === 0;
  const addition = isFirst ? 0 : 1 + unreadable + Math.max(0, ...spent.map(({ state }) => state.addition));
  const added = planned.filter(({ goesOn }) => !goesOn);
  const addedShare = added.reduce((sum, { plan }) => sum + plan.alpha, 0);
  const alphaOf = (plan: PlannedTest) => (isFirst ? plan.alpha : (reserveShare(budget, addition) * plan.alpha) / addedShare);

  const running = planned.map(({ plan, claim, known, goesOn }): RunningTest => {
    // What to do on a breach may have changed; the share of the budget never does.
    if (known && goesOn) return known.plan.action === plan.action ? known : { ...known, plan: { ...known.plan, action: plan.action } };
    const now = reading(plan);
    const startsAtZero = isFirst && isFirstSight && owner.epoch === 0 && now.context === "";
    const prior = isMean(plan.definition) ? null : (priorOf?.(plan) ?? null);
    const definition = isMean(plan.definition) || prior === null ? plan.definition : { ...plan.definition, prior, priorN: PRIOR_N };
    return {
      id: testId(claim, known ? readTestId(known.id).restart + 1 : 0),
      release: owner.release,
      armClass: owner.armClass,
      epoch: owner.epoch,
      plan: { ...plan, definition, alpha: alphaOf(plan) },
      state: {
        addition,
        hasEnded: false,
        context: now.context,
        sinceMs: startsAtZero ? 0 : nowMs,
        test: startAny(definition),
        likeForLike: noLikeForLike,
        recent: [],
      },
      consumed: startsAtZero ? { n: now.counts.n.map(() => 0), k: now.counts.k.map(() => 0) } : now.counts,
      breach: null,
      paused: null,
    };
  });
  const claimed = new Set(planned.map(({ claim }) => claim));
  const ended = [...newest]
    .filter(([claim, { state }]) => !claimed.has(claim) && !state.hasEnded)
    .map(([, test]): RunningTest => ({ ...test, state: { ...test.state, hasEnded: true } }));
  const known = new Set(ever);
  return { running, changed: [...running.filter((test) => !known.has(test)), ...ended] };
}

/** A test after a look: the very same where nothing closed. */
export function advance(test: RunningTest, { counts, context, obstacle = null }: Reading): RunningTest {
  if (test.paused !== null) return test;
  if (obstacle !== null || (test.state.obstacle ?? null) !== null) return blocked(test, counts, context, obstacle);
  if (context === null || context !== test.state.context) {
    // What the counts are about has changed: what came in between belongs to nobody.
    const isKnown = context === test.state.context && isSame(counts, test.consumed);
    return isKnown ? test : { ...test, consumed: counts, state: { ...test.state, context } };
  }
  const { definition } = test.plan;
  const verdict = anyBlockSince(definition, counts, test.consumed);
  if (verdict.kind === "open") return test;
  if (verdict.kind === "broken") return { ...test, paused: verdict.why };
  const { block } = verdict;
  const state = closeAny(definition, test.state.test, block);
  const { likeForLike, recent } = test.state;
  const decisions = (recent.at(-1)?.decisions ?? 0) + block.n.reduce((sum, n) => sum + n, 0);
  return {
    ...test,
    consumed: counts,
    state: {
      ...test.state,
      test: state,
      likeForLike: definition.kind === "ratio_min" ? withBlock(likeForLike, block) : likeForLike,
      recent: withProgress(recent, { decisions, logE: state.logE }),
    },
  };
}

/** What comes in while nothing can be said of it belongs to nobody; nor does what comes with the look that ends it. */
function blocked(test: RunningTest, counts: Cumulative, context: string | null, obstacle: Obstacle | null): RunningTest {
  const before = test.state.obstacle ?? null;
  const isAlike = before?.word === obstacle?.word && before?.why === obstacle?.why;
  if (isAlike && context === test.state.context && isSame(counts, test.consumed)) return test;
  return { ...test, consumed: counts, state: { ...test.state, context, obstacle } };
}

/** Whether a test that isn't latched yet has its proof. */
export const isProven = ({ breach, state, plan }: RunningTest): boolean => breach === null && state.test.logE >= thresholdOf(plan.alpha);

const isSame = (a: Cumulative, b: Cumulative): boolean => [...a.n, ...a.k].every((count, i) => count === [...b.n, ...b.k][i]);

function withBlock(sums: LikeForLikeSums, { n, k }: Block): LikeForLikeSums {
  const [na, nb] = n;
  const [ka, kb] = k;
  if (n.length !== 2 || na === undefined || nb === undefined || ka === undefined || kb === undefined) return sums;
  return addLikeForLike(sums, { n: na, k: ka }, { n: nb, k: kb });
}
