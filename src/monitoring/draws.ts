/** Simulated answers: a stream of random numbers that a seed gives again, and how many of n people are favoured. Pure. */

/** Numbers in [0, 1). */
export type Uniform = () => number;

/**
 * A stream for each (seed, stream): sfc32, whose streams don't run into each other in the thousands of millions of numbers that a
 * simulation of a thousand lives needs. (`seededDraws` of serving has 2³² numbers in all.)
 */
export function uniformStream(seed: number, stream: number): Uniform {
  let [a, b, c, counter] = [seed | 0, stream | 0, 0x9e3779b9 | 0, 1];
  const next = () => {
    const t = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return (t >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < 20; i++) next();
  return next;
}

/** Below this mean, walking up from 0 takes fewer steps than a rejection costs. */
const WALKS_BELOW = 10;

/** A binomial number, exact up to rounding: by inversion for small means, else by transformed rejection (Hörmann 1993, BTRS). */
export function binomial(n: number, p: number, next: Uniform): number {
  if (n <= 0 || p <= 0) return 0;
  if (p >= 1) return n;
  if (p > 0.5) return n - binomial(n, 1 - p, next);
  return n * p < WALKS_BELOW ? inverted(n, p, next) : rejected(n, p, next);
}

function inverted(n: number, p: number, next: Uniform): number {
  const odds = p / (1 - p);
  for (;;) {
    let chance = (1 - p) ** n;
    let left = next();
    for (let k = 0; k <= n; k++) {
      if (left < chance) return k;
      left -= chance;
      chance *= (odds * (n - k)) / (k + 1);
    }
    // Rounding left a rest beyond the last one: drawn anew.
  }
}

function rejected(n: number, p: number, next: Uniform): number {
  const odds = p / (1 - p);
  const spread = Math.sqrt(n * p * (1 - p));
  const b = 1.15 + 2.53 * spread;
  const a = -0.0873 + 0.0248 * b + 0.01 * p;
  const centre = n * p + 0.5;
  const squeeze = 0.92 - 4.2 / b;
  const alpha = (2.83 + 5.1 / b) * spread;
  const mode = Math.floor((n + 1) * p);
  const atMode = stirlingTail(mode) + stirlingTail(n - mode);
  for (;;) {
    const u = next() - 0.5;
    const v = next();
    const us = 0.5 - Math.abs(u);
    const k = Math.floor(((2 * a) / us + b) * u + centre);
    if (us >= 0.07 && v <= squeeze) return k;
    if (k < 0 || k > n) continue;
    const height = Math.log((v * alpha) / (a / (us * us) + b));
    const most =
      (mode + 0.5) * Math.log((mode + 1) / (odds * (n - mode + 1))) +
      (n + 1) * Math.log((n - mode + 1) / (n - k + 1)) +
      (k + 0.5) * Math.log((odds * (n - k + 1)) / (k + 1)) +
      atMode -
      stirlingTail(k) -
      stirlingTail(n - k);
    if (height <= most) return k;
  }
}

/** ln k! less Stirling's formula at k + 1. */
function stirlingTail(k: number): number {
  const known = STIRLING_TAILS[k];
  if (known !== undefined) return known;
  const square = (k + 1) * (k + 1);
  return (1 / 12 - (1 / 360 - 1 / 1260 / square) / square) / (k + 1);
}
const STIRLING_TAILS = [
  0.08106146679532726, 0.0413406959554093, 0.02767792568499834, 0.02079067210376509, 0.01664469118982119, 0.01387612882307075,
  0.01189670994589177, 0.01041126526197209, 0.00925546218273271, 0.00833056343336287,
];
