/**
 * Which changes were needed for the harm, and which were enough. Pure. Coalitions are bit masks over the players, as in shapley.ts.
 */
import { bitCount, playersOf } from "../shapley.ts";

export interface MinimalSets {
  /** Smallest sets of changes that, taken back, end the breach; all of that size. Empty: no set does, or there is no breach. */
  readonly restoring: readonly number[];
  /** Smallest sets of changes that make the breach by themselves; all of that size. Empty: no set does. */
  readonly inducing: readonly number[];
}

/**
 * @param breaches - for every coalition of changes made, whether the limit is broken
 * @returns ties are all listed. Where the release breaks no limit with all its changes, or breaks it with none of them, there is
 *   nothing that a set of changes could restore or induce: both lists are empty
 */
export function minimalSets(breaches: ArrayLike<boolean>): MinimalSets {
  const all = breaches.length - 1;
  if (!breaches[all] || breaches[0]) return { restoring: [], inducing: [] };
  return {
    restoring: smallest(breaches.length, (taken) => !breaches[all & ~taken]),
    inducing: smallest(breaches.length, (made) => breaches[made] === true),
  };
}

function smallest(coalitions: number, holds: (coalition: number) => boolean): number[] {
  let size = Infinity;
  let found: number[] = [];
  for (let coalition = 0; coalition < coalitions; coalition++) {
    const bits = bitCount(coalition);
    if (bits > size || !holds(coalition)) continue;
    if (bits < size) found = [];
    size = bits;
    found.push(coalition);
  }
  return found;
}

/**
 * Harsanyi dividends: what a coalition adds that none of its parts has. `dividends[pair]` is how much two changes together do
 * beyond the sum of what each does alone; the dividends of all subsets of a coalition sum to its value.
 */
export function dividends(values: ArrayLike<number>): Float64Array {
  const result = Float64Array.from(values);
  for (let player = 0; player < playersOf(values); player++) {
    const bit = 1 << player;
    for (let coalition = 0; coalition < result.length; coalition++) {
      if (coalition & bit) result[coalition] = (result[coalition] ?? 0) - (result[coalition & ~bit] ?? 0);
    }
  }
  return result;
}
