/** A share of the harm with its 95 % interval, from two sources of chance: who applied, and the luck of training. Pure. */

export interface Estimate {
  /** In units of the harm: 0.476 is 47.6 points of selection rate. */
  readonly share: number;
  readonly low: number;
  readonly high: number;
}

/**
 * @param bySeed - the share as measured with each seed, over the same people
 * @param byDraw - the share in each bootstrap draw of the people, the mean of all seeds
 * @returns the mean of the seeds, with an interval from both variances; its degrees of freedom are Satterthwaite's, so that few
 *   seeds give a wide one. From one seed the luck of training can't be seen: the interval is then that of people only
 */
export function estimate(bySeed: readonly number[], byDraw: ArrayLike<number>): Estimate {
  const seeds = momentsOf(bySeed);
  const draws = momentsOf(Array.from(byDraw).filter((value) => !Number.isNaN(value)));
  const ofSeeds = seeds.n > 1 ? seeds.variance / seeds.n : 0;
  const ofPeople = draws.n > 1 ? draws.variance : Number.NaN;
  const variance = ofSeeds + ofPeople;
  const share = seeds.mean;
  // Equal in every draw and with every seed: nothing to be unsure of.
  if (variance === 0) return { share, low: share, high: share };
  const freedom = variance ** 2 / (ofSeeds ** 2 / Math.max(1, seeds.n - 1) + ofPeople ** 2 / Math.max(1, draws.n - 1));
  const half = studentQuantile(freedom) * Math.sqrt(variance);
  return { share, low: share - half, high: share + half };
}

/** Where 95 % of further values are expected, given these: mean ± t·s·√(1 + 1/n). Undefined for fewer than two. */
export function predictionInterval(values: readonly number[]): { readonly low: number; readonly high: number } | undefined {
  const { n, mean, variance } = momentsOf(values);
  if (n < 2) return undefined;
  const half = studentQuantile(n - 1) * Math.sqrt(variance * (1 + 1 / n));
  return { low: mean - half, high: mean + half };
}

function momentsOf(values: readonly number[]): { readonly n: number; readonly mean: number; readonly variance: number } {
  const n = values.length;
  const first = values[0] ?? Number.NaN;
  // Around the first value, so that equal values have a variance of exactly 0.
  let sum = 0;
  for (const value of values) sum += value - first;
  const mean = first + sum / n;
  let squares = 0;
  for (const value of values) squares += (value - mean) ** 2;
  return { n, mean, variance: n > 1 ? squares / (n - 1) : 0 };
}

/** Two-sided 95 % quantiles of Student's t by degrees of freedom. */
const QUANTILES: readonly (readonly [number, number])[] = [
  [1, 12.7062],
  [2, 4.3027],
  [3, 3.1824],
  [4, 2.7764],
  [5, 2.5706],
  [6, 2.4469],
  [8, 2.306],
  [10, 2.2281],
  [15, 2.1314],
  [20, 2.086],
  [30, 2.0423],
  [60, 2.0003],
  [120, 1.9799],
  [Infinity, 1.96],
];

/** Between the table's rows linear in 1/freedom, which is right to three digits from 2 degrees on. */
export function studentQuantile(freedom: number): number {
  let [below, at] = [0, Infinity];
  for (const [degrees, quantile] of QUANTILES) {
    if (degrees >= freedom) {
      if (below === 0) return quantile;
      const part = (1 / below - 1 / freedom) / (1 / below - 1 / degrees);
      return at + part * (quantile - at);
    }
    [below, at] = [degrees, quantile];
  }
  return at;
}
