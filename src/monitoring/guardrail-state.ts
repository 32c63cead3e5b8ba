/** How a test stands, for people: estimate and band, evidence against what is needed, and a word. Pure. */
import { differenceBand, ratioBand, type Band } from "./confidence-sequence.ts";
import { METRICS } from "./guardrail.ts";
import { likeForLike } from "./intervals.ts";
import type { RunningTest } from "./test-record.ts";

/**
 * - `no-data`: too few decisions to say anything; neither good nor bad.
 * - `ok`: enough, and little evidence against it.
 * - `watched`: evidence past the square root of what is needed.
 * - `breached`: proven, latched.
 * - `paused`: its counts can't be trusted; a person has to look.
 */
export type GuardrailWord = "no-data" | "ok" | "watched" | "breached" | "paused";

export interface GuardrailState {
  readonly guardrail: string;
  readonly metric: string;
  readonly action: RunningTest["plan"]["action"];
  readonly groupLabel: string;
  readonly group: Readonly<Record<string, string>>;
  readonly reference: string;
  readonly limit: number;
  readonly word: GuardrailWord;
  /** Counted decisions of the group and of its reference, and favourable ones. */
  readonly groupN: number;
  readonly groupK: number;
  readonly referenceN: number;
  readonly referenceK: number;
  /** Pooled since the release began; null where it can't be computed. */
  readonly estimate: number | null;
  /** For all times together (α = 0.05); null ends are infinite. */
  readonly band: readonly [number, number | null];
  /** People compared with people of the same block; null before it can be computed. */
  readonly likeForLike: number | null;
  readonly logE: number;
  readonly threshold: number;
  /** Decisions still needed if evidence goes on growing as in the last blocks; null where it doesn't grow. */
  readonly forecastDecisions: number | null;
  readonly paused: string | null;
}

/** Decisions of both sides together below which only "too early to say" is shown (sequential-tests §12). */
const TOO_EARLY = 30;
const BAND_ALPHA = 0.05;

export function guardrailState(test: RunningTest): GuardrailState {
  const { plan, state, consumed } = test;
  const [groupN = 0, referenceN = 0] = consumed.n;
  const [groupK = 0, referenceK = 0] = consumed.k;
  const a = { n: groupN, k: groupK };
  const b = { n: referenceN, k: referenceK };
  const isRatio = METRICS[plan.metric].kind === "ratio_min";
  const [low, high]: Band = isRatio ? ratioBand(a, b, BAND_ALPHA) : differenceBand(a, b, BAND_ALPHA);
  const isKnown = groupN > 0 && referenceN > 0 && (!isRatio || referenceK > 0);
  const estimate = !isKnown ? null : isRatio ? (groupK * referenceN) / (groupN * referenceK) : groupK / groupN - referenceK / referenceN;
  const threshold = Math.log(1 / plan.alpha);
  return {
    guardrail: plan.guardrail,
    metric: plan.metric,
    action: plan.action,
    groupLabel: plan.groupLabel,
    group: plan.group,
    reference: plan.reference,
    limit: plan.definition.limit,
    word: wordOf(test, groupN + referenceN, threshold),
    groupN,
    groupK,
    referenceN,
    referenceK,
    estimate,
    band: [low, Number.isFinite(high) ? high : null],
    likeForLike: isRatio ? (likeForLike(state.likeForLike)?.ratio ?? null) : null,
    logE: state.test.logE,
    threshold,
    forecastDecisions: test.breach ? null : forecast(test, threshold),
    paused: test.paused,
  };
}

function wordOf({ breach, paused, state }: RunningTest, decisions: number, threshold: number): GuardrailWord {
  if (breach) return "breached";
  if (paused !== null) return "paused";
  if (decisions < TOO_EARLY) return "no-data";
  return state.test.logE >= threshold / 2 ? "watched" : "ok";
}

function forecast({ state }: RunningTest, threshold: number): number | null {
  const first = state.recent[0];
  const last = state.recent.at(-1);
  if (!first || !last || state.recent.length < 2) return null;
  const decisions = state.recent.slice(1).reduce((sum, block) => sum + block.decisions, 0);
  const growth = (last.logE - first.logE) / decisions;
  return growth > 0 ? Math.ceil((threshold - last.logE) / growth) : null;
}
