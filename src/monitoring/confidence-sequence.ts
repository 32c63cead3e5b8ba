/**
 * Bands that hold at all times together: with probability 1 - α the true value never leaves them (sequential-tests §10).
 * For looking only; guardrails decide by `sequential-test.ts`. Pure, about pooled totals.
 */

/** Total decisions and favourable ones. */
export interface Total {
  readonly n: number;
  readonly k: number;
}
/** Where the true value is, both ends included; without enough data an end is that of everything possible. */
export type Band = readonly [low: number, high: number];

/** A boundary `p_a = slope · p_b + shift`. */
export interface Line {
  readonly slope: number;
  readonly shift: number;
}
/** 1: above the boundary; -1: below it. */
export type Sign = 1 | -1;

/** A function's value, first and second derivative at a point. */
interface Curve {
  readonly value: number;
  readonly slope: number;
  readonly bend: number;
}

const TILTS = Array.from({ length: 16 }, (_, i) => 4 * 2 ** -i);
const EXPM1: Readonly<Record<Sign, readonly number[]>> = {
  1: TILTS.map((tilt) => Math.expm1(tilt)),
  [-1]: TILTS.map((tilt) => Math.expm1(-tilt)),
};

/** Log evidence that the rate is above (`sign` 1) or below (-1) p: the logarithm of a mean of 16 bets. Convex in p. */
function evidence({ n, k }: Total, p: number, sign: Sign): Curve {
  const e = EXPM1[sign];
  let high = Number.NEGATIVE_INFINITY;
  const terms = TILTS.map((tilt, i) => {
    const term = sign * tilt * k - n * Math.log1p(p * (e[i] ?? 0));
    if (term > high) high = term;
    return term;
  });
  let [total, slope, square] = [0, 0, 0];
  for (let i = 0; i < terms.length; i++) {
    const weight = Math.exp((terms[i] ?? 0) - high);
    const steep = (e[i] ?? 0) / (1 + p * (e[i] ?? 0));
    total += weight;
    slope -= weight * n * steep;
    square += weight * (n * steep) * (n * steep) + weight * n * steep * steep;
  }
  slope /= total;
  return { value: high + Math.log(total / TILTS.length), slope, bend: square / total - slope * slope };
}

/** The band of one rate. Without decisions it is all of [0, 1]. */
export function rateBand(total: Total, alpha: number): Band {
  const { n, k } = total;
  if (n === 0) return [0, 1];
  const enough = Math.log(2 / alpha);
  const excess = (sign: Sign) => (p: number) => {
    const { value, slope } = evidence(total, p, sign);
    return { value: value - enough, slope };
  };
  return [crossing(excess(1), k / n, 0) ?? 0, crossing(excess(-1), k / n, 1) ?? 1];
}

/** Evidence that a is above or below a line, whatever p_b is: the smallest over p_b. */
export const pooledEvidence = (a: Total, b: Total, line: Line, sign: Sign): number => pooled(a, b, line, sign).value;

interface Pooled {
  readonly value: number;
  /** Derivatives by the line's shift, and by the logarithm of its slope. */
  readonly byShift: number;
  readonly byLogSlope: number;
}

function pooled(a: Total, b: Total, { slope, shift }: Line, sign: Sign): Pooled {
  const other = sign === 1 ? -1 : 1;
  const at = (pb: number) => {
    const ofA = evidence(a, slope * pb + shift, sign);
    const ofB = evidence(b, pb, other);
    return {
      value: ofA.value + ofB.value,
      slope: slope * ofA.slope + ofB.slope,
      bend: slope * slope * ofA.bend + ofB.bend,
      ofA,
      ofB,
    };
  };
  const low = Math.max(0, -shift / slope);
  const high = Math.min(1, (1 - shift) / slope);
  const likely = (a.k + b.k) / (slope * a.n + b.n);
  const { x: pb, curve } = minimum(at, low, high, likely);
  // When the line moves, the lowest point stays where it is (its own derivative is 0), or at an end: at that of p_b likewise, at that
  // of p_a it moves so that p_a stays.
  const isAtEndOfA = (pb === high && high < 1) || (pb === low && low > 0);
  const byPa = isAtEndOfA ? -curve.ofB.slope / slope : curve.ofA.slope;
  return { value: curve.value, byShift: byPa, byLogSlope: byPa * pb * slope };
}

/** Where a convex function is lowest: Newton's steps to its derivative's zero, halving wherever steps gain little. */
function minimum<C extends Curve>(
  at: (x: number) => C,
  from: number,
  to: number,
  start: number,
): { readonly x: number; readonly curve: C } {
  let [low, high] = [from, to];
  let x = Math.min(Math.max(start, low), high);
  let curve = at(x);
  let width = high - low;
  const untriedEnds = new Set([from, to]);
  for (let step = 0; step < 100 && curve.slope !== 0; step++) {
    if (curve.slope < 0) low = x;
    else high = x;
    if (low === high) break;
    const newton = x - curve.slope / curve.bend;
    // So short a step can't lower the value by more than rounding does.
    if (Math.abs(newton - x) * Math.abs(curve.slope) < 1e-13) break;
    const isSlow = step % 3 === 2 && high - low > width / 2;
    if (step % 3 === 2) width = high - low;
    const end = newton >= to ? to : from;
    if ((newton >= to || newton <= from) && untriedEnds.delete(end)) x = end;
    else x = newton > low && newton < high && !isSlow ? newton : (low + high) / 2;
    curve = at(x);
    if ((x === to && curve.slope <= 0) || (x === from && curve.slope >= 0)) break;
  }
  return { x, curve };
}

/** The band of p_a / p_b. An empty cell leaves everything possible: [0, ∞). */
export function ratioBand(a: Total, b: Total, alpha: number): Band {
  if (a.n === 0 || b.n === 0) return [0, Number.POSITIVE_INFINITY];
  const enough = Math.log(2 / alpha);
  const raw = Math.log(((a.k || 0.5) / a.n) * (b.n / (b.k || 0.5)));
  const excess = (sign: Sign) => (logSlope: number) => {
    const slope = Math.exp(logSlope);
    const { value, byLogSlope } = pooled(a, b, { slope, shift: 0 }, sign);
    return { value: value - enough, slope: byLogSlope };
  };
  const [low, high] = [crossing(excess(1), raw, -10), crossing(excess(-1), raw, 10)];
  return [low === undefined ? 0 : Math.exp(low), high === undefined ? Number.POSITIVE_INFINITY : Math.exp(high)];
}

/** The band of p_a - p_b. An empty cell leaves everything possible: [-1, 1]. */
export function differenceBand(a: Total, b: Total, alpha: number): Band {
  if (a.n === 0 || b.n === 0) return [-1, 1];
  const enough = Math.log(2 / alpha);
  const raw = a.k / a.n - b.k / b.n;
  const excess = (sign: Sign) => (shift: number) => {
    const { value, byShift } = pooled(a, b, { slope: 1, shift }, sign);
    return { value: value - enough, slope: byShift };
  };
  return [crossing(excess(1), raw, -1) ?? -1, crossing(excess(-1), raw, 1) ?? 1];
}

/**
 * Where a function that is below zero at `inside` crosses it on the way to `outside`; undefined where it doesn't. Newton's steps, halving
 * wherever one leaves the bracket or gains little.
 */
function crossing(
  f: (x: number) => { readonly value: number; readonly slope: number },
  inside: number,
  outside: number,
): number | undefined {
  let [a, b] = [inside, outside];
  let point = f(b);
  if (point.value < 0) return undefined;
  let x = b;
  let width = Math.abs(b - a);
  for (let step = 0; step < 100 && Math.abs(b - a) > 1e-12 * Math.max(1, Math.abs(b)); step++) {
    const newton = x - point.value / point.slope;
    const isInside = newton > Math.min(a, b) && newton < Math.max(a, b);
    if (isInside && Math.abs(newton - x) < 1e-12) return newton;
    const isSlow = step % 3 === 2 && Math.abs(b - a) > width / 2;
    if (step % 3 === 2) width = Math.abs(b - a);
    x = isInside && !isSlow ? newton : (a + b) / 2;
    point = f(x);
    if (point.value < 0) a = x;
    else b = x;
  }
  return b;
}
