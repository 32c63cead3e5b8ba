/** Seeded randomness of the example: the same seed gives the same split, the same trees and the same bytes. */

/** The generator mulberry32: 32 bits of state, uniform numbers in [0, 1). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A copy in random order (Fisher and Yates). */
export function shuffled<T>(items: readonly T[], seed: number): T[] {
  const random = seeded(seed);
  const copy = [...items];
  for (let i = copy.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const [a, b] = [copy[i], copy[j]];
    if (a !== undefined && b !== undefined) {
      copy[i] = b;
      copy[j] = a;
    }
  }
  return copy;
}

/** 32 bits that depend on both numbers and look random (the mixing steps of MurmurHash3, once for each). */
export function hash32(key: number, seed: number): number {
  return mixed(mixed((seed + 0x7f4a7c15) >>> 0) ^ Math.imul(key ^ 0x9e3779b9, 0x85ebca6b));
}

function mixed(bits: number): number {
  let h = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** A number in [0, 1) that depends only on `key` and `seed`: the same row draws the same in every version of a table. */
export function drawFor(key: number, seed: number): number {
  return hash32(key, seed) / 2 ** 32;
}
