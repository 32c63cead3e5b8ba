/**
 * Sharing the value of a game among its players. A coalition is a bit mask (bit i: player i is in), a game the values of all 2^k
 * coalitions in that order. Pure.
 */
import { assert } from "./std.ts";

/** More players than this would need more than 256 evaluations. */
export const PLAYERS_MAX = 8;

/** For each player: the coalitions without it that it is added to, each with the weight of that step. Weights of a player sum to 1. */
export type Marginals = readonly { readonly coalitions: Uint16Array; readonly weights: Float64Array }[];

/** Every order in which `players` can join is equally likely: the Shapley value. */
export function shapleyMarginals(players: number): Marginals {
  assert(players <= PLAYERS_MAX, `at most ${PLAYERS_MAX} players`);
  return Array.from({ length: players }, (_, player) => {
    const coalitions = subsetsOf(((1 << players) - 1) & ~(1 << player));
    return {
      coalitions: Uint16Array.from(coalitions),
      weights: Float64Array.from(coalitions, (coalition) => orderWeight(bitCount(coalition), players)),
    };
  });
}

/**
 * What each player is worth in a game: the weighted mean of what it adds. A player that never changes a value gets exactly 0, since
 * its additions are subtracted before they are weighted.
 */
export function share(values: ArrayLike<number>, marginals: Marginals): Float64Array {
  return Float64Array.from(marginals, ({ coalitions, weights }, player) => {
    let sum = 0;
    for (let i = 0; i < coalitions.length; i++) {
      const without = coalitions[i] ?? 0;
      sum += (weights[i] ?? 0) * ((values[without | (1 << player)] ?? Number.NaN) - (values[without] ?? Number.NaN));
    }
    return sum;
  });
}

/** The Shapley value of a game of up to 8 players, exactly. Parts sum to `values[all] - values[none]`. */
export function shapley(values: ArrayLike<number>): Float64Array {
  return share(values, shapleyMarginals(playersOf(values)));
}

/** How likely a player is the next one after `before` others, each order of `players` being equally likely and the others given. */
export function orderWeight(before: number, players: number): number {
  return 1 / (players * binomial(players - 1, before));
}

/** All coalitions within `mask`, the empty one first. */
export function subsetsOf(mask: number): number[] {
  const subsets = [0];
  for (let subset = (0 - mask) & mask; subset !== 0; subset = (subset - mask) & mask) subsets.push(subset);
  return subsets;
}

export function bitCount(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++;
  return count;
}

/** How many players a game has. */
export function playersOf(values: ArrayLike<number>): number {
  const players = Math.log2(values.length);
  assert(Number.isInteger(players) && players <= PLAYERS_MAX, `the values of all 2^k coalitions, k up to ${PLAYERS_MAX}`);
  return players;
}

function binomial(n: number, k: number): number {
  let value = 1;
  for (let i = 1; i <= k; i++) value = (value * (n - k + i)) / i;
  return value;
}
