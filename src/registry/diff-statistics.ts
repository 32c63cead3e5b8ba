/**
 * Two samples of counts against each other. Chances are those of independent samples: of two versions that share rows they are too
 * large, so what is told by them is rather too little than too much.
 */

type Counts = ArrayLike<number>;

const sumOf = (counts: Counts): number => {
  let sum = 0;
  for (let i = 0; i < counts.length; i++) sum += counts[i] ?? 0;
  return sum;
};

/** Population stability index, with half a count more in every bin, so that an empty one doesn't make it infinite. 0 where there are no rows. */
export function psi(a: Counts, b: Counts): number {
  const [n, m] = [sumOf(a), sumOf(b)];
  if (n === 0 || m === 0) return 0;
  // Bins that neither has say nothing, and would only add to the half counts.
  const used = Array.from({ length: a.length }, (_, i) => i).filter((i) => (a[i] ?? 0) + (b[i] ?? 0) > 0);
  const share = (count: number, of: number) => (count + 0.5) / (of + used.length / 2);
  return used.reduce((sum, i) => {
    const [p, q] = [share(a[i] ?? 0, n), share(b[i] ?? 0, m)];
    return sum + (p - q) * Math.log(p / q);
  }, 0);
}

/** Half the sum of the differences of shares: the share of rows that would have to move. 0 where one has no rows. */
export function totalVariation(a: Counts, b: Counts): number {
  const [n, m] = [sumOf(a), sumOf(b)];
  if (n === 0 || m === 0) return 0;
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs((a[i] ?? 0) / n - (b[i] ?? 0) / m);
  return sum / 2;
}

/** Kolmogorov and Smirnov's distance at the edges of ordered bins: never more than that of the values themselves. */
export function ksDistance(a: Counts, b: Counts): number {
  const [n, m] = [sumOf(a), sumOf(b)];
  if (n === 0 || m === 0) return 0;
  let [belowA, belowB, distance] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    belowA += a[i] ?? 0;
    belowB += b[i] ?? 0;
    distance = Math.max(distance, Math.abs(belowA / n - belowB / m));
  }
  return distance;
}

/** Chance of such a distance or a larger one between samples of one continuous distribution (Stephens 1970). */
export function ksChance(distance: number, n: number, m: number): number {
  if (n === 0 || m === 0) return 1;
  const size = Math.sqrt((n * m) / (n + m));
  return kolmogorovTail((size + 0.12 + 0.11 / size) * distance);
}

export function kolmogorovTail(lambda: number): number {
  if (lambda < 0.2) return 1;
  let sum = 0;
  for (let k = 1; k <= 100; k++) {
    const term = Math.exp(-2 * k * k * lambda * lambda);
    sum += k % 2 === 1 ? term : -term;
    if (term < 1e-16) break;
  }
  return Math.min(1, Math.max(0, 2 * sum));
}

/** Of fewer rows in both together, bins are tested as one: the approximation needs some in each. */
const BIN_ROWS_MIN = 10;

/** Pearson's test that two samples have the same shares. */
export function homogeneity(a: Counts, b: Counts): { readonly statistic: number; readonly freedom: number; readonly chance: number } {
  const [n, m] = [sumOf(a), sumOf(b)];
  const bins: [number, number][] = [];
  const rare: [number, number] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] ?? 0, b[i] ?? 0];
    if (x + y >= BIN_ROWS_MIN) bins.push([x, y]);
    else {
      rare[0] += x;
      rare[1] += y;
    }
  }
  if (rare[0] + rare[1] > 0) bins.push(rare);
  const freedom = bins.length - 1;
  if (n === 0 || m === 0 || freedom < 1) return { statistic: 0, freedom: Math.max(0, freedom), chance: 1 };
  const [ofA, ofB] = [Math.sqrt(m / n), Math.sqrt(n / m)];
  const statistic = bins.reduce((sum, [x, y]) => sum + (ofA * x - ofB * y) ** 2 / (x + y), 0);
  return { statistic, freedom, chance: chiSquareTail(statistic, freedom) };
}

/** Chance that a chi-squared variable exceeds `x`. */
export const chiSquareTail = (x: number, freedom: number): number => (x <= 0 ? 1 : gammaTail(freedom / 2, x / 2));

/** The same chance in standard errors of a normal variable, nearly (Wilson and Hilferty 1931); right also where the chance itself is 0 in doubles. */
export function chiSquareZ(x: number, freedom: number): number {
  if (freedom < 1) return 0;
  const variance = 2 / (9 * freedom);
  return (Math.cbrt(x / freedom) - (1 - variance)) / Math.sqrt(variance);
}

/** Chance of a difference of two rates as large or larger, by the pooled standard error. */
export function ratesChance(
  a: { readonly count: number; readonly of: number },
  b: { readonly count: number; readonly of: number },
): number {
  if (a.of === 0 || b.of === 0) return 1;
  const pooled = (a.count + b.count) / (a.of + b.of);
  const variance = pooled * (1 - pooled) * (1 / a.of + 1 / b.of);
  return variance > 0 ? chiSquareTail((a.count / a.of - b.count / b.of) ** 2 / variance, 1) : 1;
}

/** Chances corrected for their number, so that one below α is a false alarm with a chance of at most α over all (Holm 1979). */
export function holm(chances: readonly number[]): number[] {
  const order = chances.map((chance, i) => ({ chance, i })).toSorted((x, y) => x.chance - y.chance);
  const adjusted = new Float64Array(chances.length).fill(1);
  let highest = 0;
  for (const [rank, { chance, i }] of order.entries()) {
    highest = Math.max(highest, Math.min(1, chance * (chances.length - rank)));
    adjusted[i] = highest;
  }
  return [...adjusted];
}

/** Regularised upper incomplete gamma function, by its series below the bulk and its continued fraction above. */
function gammaTail(a: number, x: number): number {
  const scale = Math.exp(a * Math.log(x) - x - logGamma(a));
  if (x < a + 1) {
    let [term, sum] = [1 / a, 1 / a];
    for (let k = 1; k < 1000 && term > sum * 1e-16; k++) {
      term *= x / (a + k);
      sum += term;
    }
    return Math.max(0, 1 - scale * sum);
  }
  // Lentz's way, from the front.
  const tiny = 1e-300;
  let b = x + 1 - a;
  let c = 1 / tiny;
  let d = 1 / b;
  let fraction = d;
  for (let k = 1; k < 1000; k++) {
    const numerator = -k * (k - a);
    b += 2;
    d = 1 / nonZero(numerator * d + b, tiny);
    c = nonZero(b + numerator / c, tiny);
    fraction *= d * c;
    if (Math.abs(d * c - 1) < 1e-15) break;
  }
  return Math.min(1, scale * fraction);
}

const nonZero = (value: number, tiny: number) => (Math.abs(value) < tiny ? tiny : value);

/** Stirling's series after shifting the argument up; right to some 1e-12. */
function logGamma(value: number): number {
  let [x, shift] = [value, 0];
  for (; x < 10; x++) shift += Math.log(x);
  const square = 1 / (x * x);
  const series = (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680))) / x;
  return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + series - shift;
}
