/** How scores are spread, in twenty bins of equal width: enough to see them move. */

/** Upper bounds, ascending; the last is 1. */
export const SCORE_BOUNDS: readonly number[] = Array.from({ length: 20 }, (_, i) => (i + 1) / 20);

export interface ScoreCounts {
  /** One for each bound. */
  readonly bins: readonly number[];
  readonly sum: number;
}

export class Scores {
  readonly #bins = SCORE_BOUNDS.map(() => 0);
  #sum = 0;

  /** @param score - from 0 to 1 */
  add(score: number): void {
    const guess = Math.min(SCORE_BOUNDS.length - 1, Math.max(0, Math.ceil(score * SCORE_BOUNDS.length) - 1));
    // 0.15 × 20 is a little more than 3 in doubles: the bounds themselves decide.
    const at = guess > 0 && score <= (SCORE_BOUNDS[guess - 1] ?? 0) ? guess - 1 : guess;
    this.#bins[at] = (this.#bins[at] ?? 0) + 1;
    this.#sum += score;
  }

  counts(): ScoreCounts {
    return { bins: [...this.#bins], sum: this.#sum };
  }
}

/** The sum of both. */
export const addScores = (a: ScoreCounts, b: ScoreCounts): ScoreCounts => ({
  bins: a.bins.map((count, i) => count + (b.bins[i] ?? 0)),
  sum: a.sum + b.sum,
});
