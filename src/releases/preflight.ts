/**
 * Would a rollback's target have done the same to the same applicants? Pure: answers that the harmful release and the target
 * give to the same recorded applications, compared person by person (sequential-tests.md §7 "Rollback target").
 * A full proof that the target is fair isn't possible on a few hundred decisions, and isn't needed: it is watched from its first one.
 */

import { ratioBand } from "../monitoring/index.ts";

/** One recorded application, answered by both releases. */
export interface ComparedAnswer {
  /** On which side of the guardrail's comparison the person is. */
  readonly side: "harmed" | "reference" | "other";
  /** Whether the harmful release's answer was favourable. */
  readonly before: boolean;
  /** Whether the target's is; null where it can't answer. */
  readonly after: boolean | null;
}

/** What one side of the comparison got from each of the two releases. */
export interface SideFigures {
  readonly n: number;
  readonly favourableBefore: number;
  readonly favourableAfter: number;
  /** Not favourable before, favourable after. */
  readonly better: number;
  /** Favourable before, not after. */
  readonly worse: number;
}
export interface PreflightFigures {
  readonly asked: number;
  readonly unanswered: number;
  readonly harmed: SideFigures;
  readonly reference: SideFigures;
  /** Ratio of the selection rates, harmed to reference; null where it can't be computed. */
  readonly ratioBefore: number | null;
  readonly ratioAfter: number | null;
}

/** Why a target isn't taken. */
export type PreflightFailure =
  /** There is no recorded application to ask about. */
  | "nothing-to-replay"
  | "does-not-answer-all"
  /** More flips to the worse than to the better in the harmed group. */
  | "worse-for-the-harmed"
  /** The target favours nobody on the other side, or nobody of it was asked: a ratio that can't be computed isn't proven good. */
  | "ratio-unknown"
  /** Its ratio isn't above the harmful release's. */
  | "ratio-not-better"
  | "ratio-below-limit";

export type PreflightVerdict =
  | { readonly passes: true; readonly figures: PreflightFigures }
  | { readonly passes: false; readonly why: PreflightFailure; readonly figures: PreflightFigures };

/** Fewer people than this on a side say too little about a limit; then only the comparison of the two releases counts. */
export const ENOUGH_FOR_LIMIT = 30;
const BAND_ALPHA = 0.05;

/** Why a target was passed over, as people read it. */
export const FAILURE_WORDS: Readonly<Record<PreflightFailure, string>> = {
  "nothing-to-replay": "there is no recent application to ask it about",
  "does-not-answer-all": "it doesn't answer every recent application",
  "worse-for-the-harmed": "it would turn down more of the people who are harmed",
  "ratio-unknown": "it approves nobody on the other side, so that nothing can be compared",
  "ratio-not-better": "it would do the same to the same people",
  "ratio-below-limit": "it is below the limit itself",
};

export interface PreflightDemand {
  /** The guardrail's limit for the ratio; null where the target needn't keep it, or the guardrail isn't about a ratio. */
  readonly ratioLimit: number | null;
  /** Whether the two releases are compared at all; else the target only has to answer. */
  readonly compare: boolean;
}

export function judgeTarget(answers: readonly ComparedAnswer[], demand: PreflightDemand): PreflightVerdict {
  const figures = figuresOf(answers);
  const why = failureOf(figures, demand);
  return why === null ? { passes: true, figures } : { passes: false, why, figures };
}

function failureOf(figures: PreflightFigures, { ratioLimit, compare }: PreflightDemand): PreflightFailure | null {
  const { harmed, reference } = figures;
  if (figures.unanswered > 0) return "does-not-answer-all";
  if (!compare) return null;
  if (figures.asked === 0 || harmed.n === 0) return "nothing-to-replay";
  if (harmed.better < harmed.worse) return "worse-for-the-harmed";
  if (reference.favourableAfter === 0) return "ratio-unknown";
  // a/n against b/m over the same people on both sides: the counts of people cancel.
  const before = harmed.favourableBefore * reference.favourableAfter;
  const after = harmed.favourableAfter * reference.favourableBefore;
  // Where the harmful release favoured nobody on the other side it has no ratio to beat.
  if (reference.favourableBefore > 0 && after <= before) return "ratio-not-better";
  if (ratioLimit !== null && harmed.n >= ENOUGH_FOR_LIMIT && reference.n >= ENOUGH_FOR_LIMIT && isBelow(figures, ratioLimit))
    return "ratio-below-limit";
  return null;
}

/** Proven, not estimated: over few people a fair ratio is often below the limit by luck, and a point estimate never decides. */
function isBelow({ harmed, reference }: PreflightFigures, limit: number): boolean {
  const [, high] = ratioBand({ n: harmed.n, k: harmed.favourableAfter }, { n: reference.n, k: reference.favourableAfter }, BAND_ALPHA);
  return high < limit;
}

function figuresOf(answers: readonly ComparedAnswer[]): PreflightFigures {
  const harmed = sideOf(answers, "harmed");
  const reference = sideOf(answers, "reference");
  return {
    asked: answers.length,
    unanswered: answers.filter(({ after }) => after === null).length,
    harmed,
    reference,
    ratioBefore: ratio(harmed.favourableBefore, harmed.n, reference.favourableBefore, reference.n),
    ratioAfter: ratio(harmed.favourableAfter, harmed.n, reference.favourableAfter, reference.n),
  };
}

function sideOf(answers: readonly ComparedAnswer[], side: ComparedAnswer["side"]): SideFigures {
  const mine = answers.filter((answer) => answer.side === side && answer.after !== null);
  const count = (which: (answer: ComparedAnswer) => boolean) => mine.filter(which).length;
  return {
    n: mine.length,
    favourableBefore: count(({ before }) => before),
    favourableAfter: count(({ after }) => after === true),
    better: count(({ before, after }) => !before && after === true),
    worse: count(({ before, after }) => before && after !== true),
  };
}

const ratio = (k: number, n: number, referenceK: number, referenceN: number): number | null =>
  n === 0 || referenceN === 0 || referenceK === 0 ? null : (k * referenceN) / (n * referenceK);
