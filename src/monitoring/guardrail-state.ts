/** How a test stands, for people: estimate and band, evidence against what is needed, and a word. Pure. */
import type { Band } from "./confidence-sequence.ts";
import { decisionsToProof, meterOf, oddsText, thresholdOf, watchedFrom } from "./evidence.ts";
import { BAND_ALPHA, figuresOf, sidesOf } from "./figures.ts";
import { differenceBand, rateBand, ratioBand } from "./confidence-sequence.ts";
import { PREVIOUS } from "./guardrail.ts";
import { likeForLike } from "./intervals.ts";
import { kindOf, type Direction, type MetricName } from "./metrics.ts";
import { ebh, holm } from "./multiplicity.ts";
import { isTurned, type Group } from "./plan.ts";
import type { Breach, RunningTest } from "./test-record.ts";

/**
 * - `no-data`: too few decisions to say anything; neither good nor bad.
 * - `not-comparable`: enough decisions, but no ratio: nobody of the reference got a favourable answer; or outcomes of one side are missing
 *   more often than of the other.
 * - `not-identifiable`: outcomes exist for the favoured only, and the metric needs everybody's (selective labels).
 * - `ok`: enough, and little evidence against it.
 * - `watched`: evidence past the square root of what is needed.
 * - `breached`: proven, latched.
 * - `paused`: its counts can't be trusted; a person has to look.
 */
export type GuardrailWord = "no-data" | "not-comparable" | "not-identifiable" | "ok" | "watched" | "breached" | "paused";

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
  readonly direction: Direction;
  readonly word: GuardrailWord;
  /** Why nothing can be said for now, where the word is that it can't be compared or identified. */
  readonly why: string | null;
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
const MIX_DIFFERS = 0.05;

/** How one test stands, by the counts of its last closed block. */
export function guardrailState(test: RunningTest): GuardrailState {
  const { plan, state, breach, paused, consumed } = test;
  const { group, reference } = sidesOf(plan, consumed);
  const seen = figuresOf(plan, consumed);
  const alike = plan.definition.kind === "ratio_min" ? likeForLikeOf(test) : null;
  return {
    guardrail: plan.guardrail,
    metric: plan.metric,
    action: plan.action,
    groupLabel: plan.groupLabel,
    group: plan.group,
    reference: plan.reference,
    limit: plan.limit,
    direction: plan.direction,
    word: wordOf(test, group.n + reference.n, seen.estimate),
    why: breach || paused !== null ? null : isAlone(test) ? "no other release answers beside it" : (state.obstacle?.why ?? null),
    groupN: group.n,
    groupK: group.k,
    referenceN: reference.n,
    referenceK: reference.k,
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

/** Group over reference, also where the test has them the other way round. */
function likeForLikeOf({ plan, state }: RunningTest): { readonly ratio: number; readonly interval: Band } | null {
  const found = likeForLike(state.likeForLike);
  if (!found || !isTurned(plan)) return found;
  if (found.ratio === 0) return null;
  const [low, high] = found.interval;
  return { ratio: 1 / found.ratio, interval: [1 / high, low === 0 ? Number.POSITIVE_INFINITY : 1 / low] };
}

/** How one test stands in a word alone, without its band. */
export function guardrailWord(test: RunningTest): GuardrailWord {
  const { group, reference } = sidesOf(test.plan, test.consumed);
  return wordOf(test, group.n + reference.n, figuresOf(test.plan, test.consumed).estimate);
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
export function breachFigures({ metric, direction, groupN, groupK, referenceN, referenceK, figures }: Breach): {
  readonly estimate: number | null;
  readonly band: { readonly low: number; readonly high: number | null };
} {
  if (figures) return figures;
  // Proven by an earlier version, which had these kinds only.
  const [a, b] = [
    { n: groupN, k: groupK },
    { n: referenceN, k: referenceK },
  ];
  const kind = kindOf(metric, direction);
  const band =
    kind === "ratio_min" ? ratioBand(a, b, BAND_ALPHA) : kind === "diff_min" ? differenceBand(a, b, BAND_ALPHA) : rateBand(a, BAND_ALPHA);
  const isPair = kind === "ratio_min" || kind === "diff_min";
  const none = a.n === 0 || (isPair && (b.n === 0 || (kind === "ratio_min" && b.k === 0)));
  const [low, high] = finite(band);
  const estimate = none ? null : kind === "ratio_min" ? (a.k * b.n) / (a.n * b.k) : kind === "diff_min" ? a.k / a.n - b.k / b.n : a.k / a.n;
  return { estimate, band: { low, high } };
}

/** Compared with a release beside, while there is none. */
const isAlone = ({ plan, state }: RunningTest): boolean => plan.reference === PREVIOUS && state.context === null;

function wordOf(test: RunningTest, decisions: number, estimate: number | null): GuardrailWord {
  const { breach, paused, state, plan } = test;
  if (breach) return "breached";
  if (paused !== null) return "paused";
  if (isAlone(test)) return "no-data";
  if (state.obstacle) return state.obstacle.word;
  if (decisions < DECISIONS_TO_SAY) return "no-data";
  if (state.test.logE >= watchedFrom(plan.alpha)) return "watched";
  return estimate === null ? "not-comparable" : "ok";
}

const finite = ([low, high]: Band): readonly [number, number | null] => [low, Number.isFinite(high) ? high : null];
