/** How long things took, counted in buckets that add up: over processes, over minutes, over releases. */

/**
 * Upper bounds in seconds, ascending: 2^(i/2) from 0.24 ms to 2.8 s, beyond which nobody is answered. A quantile read from them is off
 * by a fifth at most, mostly by far less. Every fourth bound of the tallies' finer buckets is one of these.
 */
export const DURATION_BOUNDS: readonly number[] = Array.from({ length: 28 }, (_, i) => 2 ** (i / 2 - 12));

const FIRST = 2 * Math.log2(DURATION_BOUNDS[0] ?? 1);

/** What was counted until now. */
export interface DurationCounts {
  /** One more than there are bounds: the last counts what took longer. Not cumulative. */
  readonly buckets: readonly number[];
  readonly sumSeconds: number;
}

export class Durations {
  readonly #buckets = [...DURATION_BOUNDS, Number.POSITIVE_INFINITY].map(() => 0);
  #sumUs = 0;

  /** A clock that was set back makes nothing negative. */
  add(durationUs: number): void {
    const us = Math.max(0, durationUs);
    const at = bucketOf(us / 1e6);
    this.#buckets[at] = (this.#buckets[at] ?? 0) + 1;
    this.#sumUs += us;
  }

  counts(): DurationCounts {
    return { buckets: [...this.#buckets], sumSeconds: this.#sumUs / 1e6 };
  }
}

/** The sum of both. */
export const addDurations = (a: DurationCounts, b: DurationCounts): DurationCounts => ({
  buckets: a.buckets.map((count, i) => count + (b.buckets[i] ?? 0)),
  sumSeconds: a.sumSeconds + b.sumSeconds,
});

/** The first bucket whose bound isn't exceeded; the logarithm may be off by one at a bound, which decides then. */
function bucketOf(seconds: number): number {
  const guess = Math.min(DURATION_BOUNDS.length, Math.max(0, Math.ceil(2 * Math.log2(seconds) - FIRST)));
  if (guess > 0 && seconds <= (DURATION_BOUNDS[guess - 1] ?? 0)) return guess - 1;
  return seconds > (DURATION_BOUNDS[guess] ?? Number.POSITIVE_INFINITY) ? guess + 1 : guess;
}
