/**
 * Bands that hold at all times together: with probability 1 - α the true value never leaves them (sequential-tests §10).
 * For looking only; guardrails decide by `sequential-test.ts`. Pure, about pooled totals.
 */

const TILTS = Array.from({ length: 16 }, (_, i) => 4 * 2 ** -i);

/** Total decisions and favourable ones. */
export interface Total {
  readonly n: number;
  readonly k: number;
}
export type Band = readonly [low: number, high: number];

interface Evidence {
  readonly value: number;
  /** Derivative by p. */
  readonly slope: number;
}

/** Log evidence that the rate is above (`sign` 1) or below (-1) p, and its derivative. Convex in p. */
function evidence({ n, k }: Total, p: number, sign: 1 | -1): Evidence {
  const terms: number[] = [];
  const slopes: number[] = [];
  let high = Number.NEGATIVE_INFINITY;
  for (const tilt of TILTS) {
    const e = Math.expm1(sign * tilt);
    const term = sign * tilt * k - n * Math.log1p(p * e);
    terms.push(term);
    slopes.push((-n * e) / (1 + p * e));
    high = Math.max(high, term);
  }
  let total = 0;
  let slope = 0;
  for (let i = 0; i < terms.length; i++) {
    const weight = Math.exp((terms[i] ?? 0) - high);
    total += weight;
    slope += weight * (slopes[i] ?? 0);
  }
  return { value: high + Math.log(total / TILTS.length), slope: slope / total };
}

/** The band of one rate. Without decisions it is all of [0, 1]. */
export function rateBand(total: Total, alpha: number): Band {
  const { n, k } = total;
  if (n === 0) return [0, 1];
  const enough = Math.log(2 / alpha);
  const point = k / n;
  const excess = (sign: 1 | -1) => (p: number) => evidence(total, p, sign).value - enough;
  return [excess(1)(0) < 0 ? 0 : crossing(excess(1), point, 0), excess(-1)(1) < 0 ? 1 : crossing(excess(-1), point, 1)];
}

/**
 * Evidence against `p_a = slope · p_b + shift`, whatever p_b is: the smallest over p_b.
 * @param sign - -1: a is below that line; 1: above it
 */
export function pooledEvidence(a: Total, b: Total, line: { readonly slope: number; readonly shift: number }, sign: 1 | -1): number {
  const { slope, shift } = line;
  const low = Math.max(0, -shift / slope);
  const high = Math.min(1, (1 - shift) / slope);
  const at = (pb: number): Evidence => {
    const ofA = evidence(a, slope * pb + shift, sign);
    const ofB = evidence(b, pb, sign === 1 ? -1 : 1);
    return { value: ofA.value + ofB.value, slope: slope * ofA.slope + ofB.slope };
  };
  return smallest(at, low, high);
}

/** Lowest value of a convex function: its derivative's zero, by secant steps that are never worse than bisection. */
function smallest(at: (x: number) => Evidence, from: number, to: number): number {
  let low = from;
  let high = to;
  let left = at(low);
  let right = at(high);
  if (left.slope >= 0) return left.value;
  if (right.slope <= 0) return right.value;
  let best = Math.min(left.value, right.value);
  for (let step = 0; step < 100 && high - low > 1e-13; step++) {
    const secant = low + ((high - low) * -left.slope) / (right.slope - left.slope);
    const isUseful = step % 3 !== 2 && secant > low && secant < high;
    const x = isUseful ? secant : (low + high) / 2;
    const middle = at(x);
    best = Math.min(best, middle.value);
    if (middle.slope === 0) break;
    if (middle.slope < 0) {
      low = x;
      left = middle;
    } else {
      high = x;
      right = middle;
    }
  }
  return best;
}

/** The band of p_a / p_b. An empty cell leaves everything possible: [0, ∞). */
export function ratioBand(a: Total, b: Total, alpha: number): Band {
  if (a.n === 0 || b.n === 0) return [0, Number.POSITIVE_INFINITY];
  const enough = Math.log(2 / alpha);
  const raw = Math.log(((a.k || 0.5) / a.n) * (b.n / (b.k || 0.5)));
  const excess = (sign: 1 | -1) => (logSlope: number) => pooledEvidence(a, b, { slope: Math.exp(logSlope), shift: 0 }, sign) - enough;
  const high = excess(-1)(10) < 0 ? Number.POSITIVE_INFINITY : Math.exp(crossing(excess(-1), raw, 10));
  const low = excess(1)(-10) < 0 ? 0 : Math.exp(crossing(excess(1), raw, -10));
  return [low, high];
}

/** The band of p_a - p_b. An empty cell leaves everything possible: [-1, 1]. */
export function differenceBand(a: Total, b: Total, alpha: number): Band {
  if (a.n === 0 || b.n === 0) return [-1, 1];
  const enough = Math.log(2 / alpha);
  const raw = a.k / a.n - b.k / b.n;
  const excess = (sign: 1 | -1) => (shift: number) => pooledEvidence(a, b, { slope: 1, shift }, sign) - enough;
  const end = 1 - 1e-12;
  return [excess(1)(-end) < 0 ? -1 : crossing(excess(1), raw, -end), excess(-1)(end) < 0 ? 1 : crossing(excess(-1), raw, end)];
}

/** Where a function that is below zero at `inside` and above it at `outside` crosses (Illinois false position). */
function crossing(f: (x: number) => number, inside: number, outside: number): number {
  let a = inside;
  let b = outside;
  let fa = f(a);
  let fb = f(b);
  if (fa >= 0) return a;
  for (let step = 0; step < 100 && Math.abs(b - a) > 1e-11 * Math.max(1, Math.abs(a)); step++) {
    const guess = b - (fb * (b - a)) / (fb - fa);
    // Far from the crossing the function is steep and false position crawls; every third step halves.
    const x = step % 3 === 2 || !Number.isFinite(guess) ? (a + b) / 2 : guess;
    const fx = f(x);
    if (fx === 0) return x;
    if (fx < 0) {
      a = x;
      fa = fx;
      fb = step % 3 === 2 ? fb : fb / 2;
    } else {
      b = x;
      fb = fx;
      fa = step % 3 === 2 ? fa : fa / 2;
    }
  }
  return (a + b) / 2;
}
