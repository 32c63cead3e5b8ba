/**
 * The Owen value: Shapley's, when some players belong together as a block. The players of a block join one after another with nobody
 * between them, so a block's parts sum to what the block as a whole is worth. Splitting a block finer never contradicts what was
 * said before. Pure. G. Owen, "Values of games with a priori unions", 1977.
 */
import { assert } from "../std.ts";
import { bitCount, orderWeight, playersOf, share, subsetsOf, PLAYERS_MAX, type Marginals } from "../shapley.ts";

/** @param blockOf - for each player, the block that it belongs to; any numbers. Blocks of one player each give the Shapley value */
export function owenMarginals(blockOf: readonly number[]): Marginals {
  assert(blockOf.length <= PLAYERS_MAX, `at most ${PLAYERS_MAX} players`);
  const masks = new Map<number, number>();
  for (const [player, block] of blockOf.entries()) masks.set(block, (masks.get(block) ?? 0) | (1 << player));
  return blockOf.map((block, player) => {
    const own = masks.get(block) ?? 0;
    const others = [...masks].filter(([other]) => other !== block).map(([, mask]) => mask);
    const coalitions: number[] = [];
    const weights: number[] = [];
    for (const outside of subsetsOf((1 << others.length) - 1)) {
      const joined = others.reduce((mask, other, i) => (outside & (1 << i) ? mask | other : mask), 0);
      for (const inside of subsetsOf(own & ~(1 << player))) {
        coalitions.push(joined | inside);
        weights.push(orderWeight(bitCount(outside), masks.size) * orderWeight(bitCount(inside), bitCount(own)));
      }
    }
    return { coalitions: Uint16Array.from(coalitions), weights: Float64Array.from(weights) };
  });
}

/** The Owen value of a game, exactly. Parts sum to `values[all] - values[none]`, those of a block to the block's Shapley value. */
export function owen(values: ArrayLike<number>, blockOf: readonly number[]): Float64Array {
  assert(playersOf(values) === blockOf.length, "a block for each player");
  return share(values, owenMarginals(blockOf));
}
