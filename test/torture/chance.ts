/** Random numbers that the same seed gives again. */
export interface Chance {
  /** From 0 (included) to 1 (excluded). */
  next(): number;
  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number;
}

/** The generator mulberry32: good enough to choose moments, and nothing else. */
export function chance(seed: number): Chance {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 15), z | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
  return { next, between: (low, high) => low + Math.floor(next() * (high - low + 1)) };
}

/** `count` of `items`, spread evenly over all of them from a random start, in their order; all of them where there are no more. */
export function spread<T>(items: readonly T[], count: number, random: Chance): readonly T[] {
  if (count >= items.length) return items;
  const step = items.length / count;
  const from = random.next() * step;
  return Array.from({ length: count }, (_, i) => items[Math.floor(from + i * step)]).filter((item) => item !== undefined);
}

/** The value below which `share` of the values lie; undefined without values. */
export function quantile(values: readonly number[], share: number): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}
