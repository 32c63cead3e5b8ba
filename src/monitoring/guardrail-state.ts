/** How a test stands, for people: estimate and band, evidence against what is needed, and a word. Pure. */
import { unreachable } from "../std.ts";
import { differenceBand, rateBand, ratioBand, type Band, type Total } from "./confidence-sequence.ts";
import { decisionsToProof, meterOf, oddsText, thresholdOf, watchedFrom } from "./evidence.ts";
import { isDifferenceBelow, isRateAbove, isRatioBelow, ratioOf } from "./exact.ts";
import { likeForLike } from "./intervals.ts";
import { metricOf, type MetricName } from "./metrics.ts";
import { ebh, holm } from "./multiplicity.ts";
import type { Group } from "./plan.ts";
import type { Breach, RunningTest } from "./test-record.ts";

/**
 * - `no-data`: too few decisions to say anything; neither good nor bad.
 * - `not-comparable`: enough decisions, but no ratio: nobody of the reference got a favourable answer.
 * - `ok`: enough, and little evidence against it.
 * - `watched`: evidence past the square root of what is needed.
 * - `breached`: proven, latched.
 * - `paused`: its counts can't be trusted; a person has to look.
 */
export type GuardrailWord = "no-data" | "not-comparable" | "ok" | "watched" | "breached" | "paused";

/** One test as a page shows it. `guardrailState` takes some 0.4 ms, most of it for the band. */
export interface GuardrailState {
  readonly guardrail: string;
  readonly metric: MetricName;
  readonly action: RunningTest["plan"]["action"];
  readonly groupLabel: string;
  readonly group: Group;
  /** `rest`, or the value that the group is compared with; null for a metric that compares with nothing. */
  readonly reference: string | null;
  readonly limit: number;
  readonly word: GuardrailWord;
  /** Counted decisions of the group and of its reference, and favourable ones; what is counted by other metrics: `Breach`. */
  readonly groupN: number;
  readonly groupK: number;
  readonly referenceN: number;
  readonly referenceK: number;
  /** Pooled since the release began; null where it can't be computed. Shown, never decided by. */
  readonly estimate: number | null;
  /** Whether the estimate is on the wrong side of the limit, told by integers; null where there is none. */
  readonly isBeyondLimit: boolean | null;
  /** For all times together (α = 0.05); null ends are infinite. */
  readonly band: readonly [low: number, high: number | null];
  /** The ratio of people compared with people of the same block; null where there is none or the metric is no ratio. */
  readonly likeForLike: number | null;
  /** Its ordinary 95 % interval, as of one look. */
  readonly likeForLikeInterval: readonly [low: number, high: number | null] | null;
  /** The two ratios are more than 0.05 apart: the group applies more when fewer, or more, people are approved. */
  readonly mixDiffers: boolean;
  readonly logE: number;
  readonly maxLogE: number;
  readonly threshold: number;
  /** This test's share of the error budget. */
  readonly alpha: number;
  /** Evidence on its way to proof, 0 to 1, and in words. */
  readonly meter: number;
  readonly odds: string;
  readonly blocks: number;
  /** Decisions still needed if evidence goes on growing as in the last blocks; null where it doesn't grow. */
  readonly forecastDecisions: number | null;
  readonly provenAtMs: number | null;
  readonly paused: string | null;
}

/** Decisions of all sides together below which only "too early to say" is shown (sequential-tests §12). */
export const DECISIONS_TO_SAY = 30;
const BAND_ALPHA = 0.05;
const MIX_DIFFERS = 0.05;

/** How one test stands, by the counts of its last closed block. */
export function guardrailState(test: RunningTest): GuardrailState {
  const { plan, state, breach, paused } = test;
  const { groupN, groupK, referenceN, referenceK } = countsOf(test);
  const seen = figures(plan.definition, { n: groupN, k: groupK }, { n: referenceN, k: referenceK });
  const alike = plan.definition.kind === "ratio_min" ? likeForLike(state.likeForLike) : null;
  return {
    guardrail: plan.guardrail,
    metric: plan.metric,
    action: plan.action,
    groupLabel: plan.groupLabel,
    group: plan.group,
    reference: plan.reference,
    limit: plan.definition.limit,
    word: wordOf(test, groupN + referenceN, seen.estimate),
    groupN,
    groupK,
    referenceN,
    referenceK,
    estimate: seen.estimate,
    isBeyondLimit: seen.isBeyondLimit,
    band: finite(seen.band()),
    likeForLike: alike?.ratio ?? null,
    likeForLikeInterval: alike && finite(alike.interval),
    mixDiffers: alike !== null && seen.estimate !== null && Math.abs(alike.ratio - seen.estimate) > MIX_DIFFERS,
    logE: state.test.logE,
    maxLogE: state.test.maxLogE,
    threshold: thresholdOf(plan.alpha),
    alpha: plan.alpha,
    meter: meterOf(state.test.logE, plan.alpha),
    odds: oddsText(state.test.logE, plan.alpha),
    blocks: state.test.blocks,
    forecastDecisions: breach ? null : (decisionsToProof(state.recent, plan.alpha) ?? null),
    provenAtMs: breach && breach.provenAtMs,
    paused,
  };
}

/** How one test stands in a word alone, without its band. */
export function guardrailWord(test: RunningTest): GuardrailWord {
  const { groupN, groupK, referenceN, referenceK } = countsOf(test);
  const { estimate } = figures(test.plan.definition, { n: groupN, k: groupK }, { n: referenceN, k: referenceK });
  return wordOf(test, groupN + referenceN, estimate);
}

/** What a test has consumed, by the side of its comparison. */
function countsOf({ consumed }: RunningTest) {
  const [groupN = 0, referenceN = 0] = consumed.n;
  const [groupK = 0, referenceK = 0] = consumed.k;
  return { groupN, groupK, referenceN, referenceK };
}

/** A test's state among the others of its release. */
export interface RankedState extends GuardrailState {
  /** Proven together with those that breached, at the budget of all (Holm): to be named with them. */
  readonly isNamed: boolean;
  /** Worth a warning; among the warned, one in ten is wrong at most (e-BH on what the evidence is now). */
  readonly isWarned: boolean;
}

const FALSE_WARNINGS = 0.1;

/** The states of all tests of one life of a release, told apart by what can be said of them together (sequential-tests §6). */
export function guardrailStates(tests: readonly RunningTest[]): readonly RankedState[] {
  const named = new Set(
    holm(
      tests.map(({ state }) => state.test.maxLogE),
      tests.map(({ plan }) => plan.alpha),
    ),
  );
  const warned = new Set(
    ebh(
      tests.map(({ state }) => state.test.logE),
      FALSE_WARNINGS,
    ),
  );
  return tests.map((test, i) => ({ ...guardrailState(test), isNamed: named.has(i), isWarned: warned.has(i) }));
}

/** What a guardrail had in hand when it had its proof: the pooled estimate, and its band for all times (α = 0.05). */
export function breachFigures({ metric, limit, groupN, groupK, referenceN, referenceK }: Breach): {
  readonly estimate: number | null;
  readonly band: { readonly low: number; readonly high: number | null };
} {
  const seen = figures({ kind: metricOf(metric).kind, limit }, { n: groupN, k: groupK }, { n: referenceN, k: referenceK });
  const [low, high] = finite(seen.band());
  return { estimate: seen.estimate, band: { low, high } };
}

interface Figures {
  readonly estimate: number | null;
  readonly isBeyondLimit: boolean | null;
  /** Most of what a state costs: made only where it is shown. */
  readonly band: () => Band;
}

function figures({ kind, limit }: Pick<RunningTest["plan"]["definition"], "kind" | "limit">, a: Total, b: Total): Figures {
  switch (kind) {
    case "ratio_min":
      return { estimate: ratioOf(a, b) ?? null, isBeyondLimit: isRatioBelow(a, b, limit) ?? null, band: () => ratioBand(a, b, BAND_ALPHA) };
    case "diff_min":
      return {
        estimate: a.n === 0 || b.n === 0 ? null : a.k / a.n - b.k / b.n,
        isBeyondLimit: isDifferenceBelow(a, b, limit) ?? null,
        band: () => differenceBand(a, b, BAND_ALPHA),
      };
    case "rate_max":
      return { estimate: a.n === 0 ? null : a.k / a.n, isBeyondLimit: isRateAbove(a, limit) ?? null, band: () => rateBand(a, BAND_ALPHA) };
    case "rate_min":
      return {
        estimate: a.n === 0 ? null : a.k / a.n,
        isBeyondLimit: isRatioBelow(a, { n: 1, k: 1 }, limit) ?? null,
        band: () => rateBand(a, BAND_ALPHA),
      };
    case "did_min":
      throw new Error("no metric compares four cells");
    default:
      return unreachable(kind);
  }
}

function wordOf({ breach, paused, state, plan }: RunningTest, decisions: number, estimate: number | null): GuardrailWord {
  if (breach) return "breached";
  if (paused !== null) return "paused";
  if (decisions < DECISIONS_TO_SAY) return "no-data";
  if (state.test.logE >= watchedFrom(plan.alpha)) return "watched";
  return estimate === null ? "not-comparable" : "ok";
}

const finite = ([low, high]: Band): readonly [number, number | null] => [low, Number.isFinite(high) ? high : null];
