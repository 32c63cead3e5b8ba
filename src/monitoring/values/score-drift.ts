/** How far the scores of a release have moved (fairness-metrics §9.2), from their hundred bins. Pure. */
import { SCORE_BINS } from "../../decisions/index.ts";
import { noNumber, type MetricAnswer } from "./answer.ts";
import { driftAnswer, psiChance, type Compared, type DriftMeasure } from "./drift.ts";
import type { InputReference } from "./input-answers.ts";

type Bins = ArrayLike<number>;

export interface ScoreDrift {
  /** How often a score was in each of the `SCORE_BINS`. */
  readonly live: Bins;
  /** Null where there is none. */
  readonly reference: Bins | null;
  readonly against: InputReference;
}

/** Bars of an index: with a hundred of them chance alone would look like drift among fewer than 1,300 people. */
const BARS = 10;

export function scoreDrift(names: readonly DriftMeasure[], { live, reference, against }: ScoreDrift): readonly MetricAnswer[] {
  const about = { drift_of: "scores", against } as const;
  const reason = sumOf(live) === 0 ? "no_decisions" : reference === null || sumOf(reference) === 0 ? "no_profile" : null;
  if (reason !== null || reference === null) return names.map((name) => noNumber(name, reason ?? "no_profile", about));
  const ends = barsOf(reference);
  const compared = comparedOf(live, reference, ends);
  // Looked at alone, so there is nothing to correct its chance for.
  const q = psiChance(compared);
  const bins = compared.live.map((n, i) => ({ label: labelOf(ends, i), n, reference: compared.reference[i] ?? 0 }));
  return names.map((name) => ({ ...driftAnswer(name, compared, { q, bins }), ...about }));
}

const sumOf = (bins: Bins): number => Array.from(bins).reduce((sum, count) => sum + count, 0);

/**
 * Where bars end, so that each holds about a tenth of the reference: of it alone, since bars that follow both would move with what they
 * are to show. @returns the first bin behind each bar
 */
function barsOf(reference: Bins): readonly number[] {
  const total = sumOf(reference);
  const ends: number[] = [];
  let below = 0;
  for (let bin = 0; bin < SCORE_BINS - 1; bin++) {
    const before = Math.floor((below * BARS) / total);
    below += reference[bin] ?? 0;
    if (Math.floor((below * BARS) / total) > before && below < total) ends.push(bin + 1);
  }
  return [...ends, SCORE_BINS];
}

function comparedOf(live: Bins, reference: Bins, ends: readonly number[]): Compared {
  const barred = (bins: Bins) => ends.map((end, i) => sumOf(Array.from(bins).slice(ends[i - 1] ?? 0, end)));
  const middles = Array.from({ length: SCORE_BINS }, (_, bin) => (bin + 0.5) / SCORE_BINS);
  const n = sumOf(reference);
  const mean = middles.reduce((sum, middle, bin) => sum + middle * (reference[bin] ?? 0), 0) / n;
  const variance = middles.reduce((sum, middle, bin) => sum + (middle - mean) ** 2 * (reference[bin] ?? 0), 0) / n;
  return {
    live: barred(live),
    reference: barred(reference),
    // Curves and distances have no bars to choose: they are those of all hundred bins.
    numbers: { live: Array.from(live), reference: Array.from(reference), scale: { middles, sd: Math.sqrt(variance) } },
  };
}

const labelOf = (ends: readonly number[], i: number): string =>
  `${((ends[i - 1] ?? 0) / SCORE_BINS).toFixed(2)} to ${((ends[i] ?? SCORE_BINS) / SCORE_BINS).toFixed(2)}`;
