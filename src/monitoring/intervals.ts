/** Ordinary 95 % intervals, for reports on a closed period that are looked at once (sequential-tests §10), and the like-for-like ratio. Pure. */
import type { Band, Total } from "./confidence-sequence.ts";

const Z = 1.959963984540054;

/** Wilson (1927): one rate; all of [0, 1] without decisions. */
export function wilson({ n, k }: Total): Band {
  if (n === 0) return [0, 1];
  const p = k / n;
  const z2 = Z * Z;
  const centre = p + z2 / (2 * n);
  const spread = Z * Math.sqrt((p * (1 - p)) / n + z2 / (4 * n * n));
  const scale = 1 + z2 / n;
  return [k === 0 ? 0 : (centre - spread) / scale, k === n ? 1 : (centre + spread) / scale];
}

/** Newcombe (1998), hybrid score: difference of two rates; all of [-1, 1] where a side is empty. */
export function newcombe(a: Total, b: Total): Band {
  if (a.n === 0 || b.n === 0) return [-1, 1];
  const pa = a.k / a.n;
  const pb = b.k / b.n;
  const [la, ua] = wilson(a);
  const [lb, ub] = wilson(b);
  const d = pa - pb;
  return [d - Math.sqrt((pa - la) ** 2 + (ub - pb) ** 2), d + Math.sqrt((ua - pa) ** 2 + (pb - lb) ** 2)];
}

/** MOVER with Wilson limits (Donner and Zou 2012): ratio of two rates; all of [0, ∞) where a side is empty. */
export function moverRatio(a: Total, b: Total): Band {
  if (a.n === 0 || b.n === 0) return [0, Number.POSITIVE_INFINITY];
  const pa = a.k / a.n;
  const pb = b.k / b.n;
  const [la, ua] = wilson(a);
  const [lb, ub] = wilson(b);
  const x = pa * pb;
  const low = a.k === 0 ? 0 : (x - Math.sqrt(Math.max(0, x * x - la * ub * (2 * pa - la) * (2 * pb - ub)))) / (ub * (2 * pb - ub));
  const high =
    b.k === 0
      ? Number.POSITIVE_INFINITY
      : (x + Math.sqrt(Math.max(0, x * x - ua * lb * (2 * pa - ua) * (2 * pb - lb)))) / (lb * (2 * pb - lb));
  return [low, high];
}

/** Three running sums that a like-for-like ratio needs; they add up over blocks. */
export interface LikeForLikeSums {
  readonly r: number;
  readonly s: number;
  readonly p: number;
}
export const noLikeForLike: LikeForLikeSums = { r: 0, s: 0, p: 0 };

/** Adds a block (Mantel and Haenszel 1959; variance after Greenland and Robins 1985). Blocks without both groups say nothing. */
export function addLikeForLike(sums: LikeForLikeSums, a: Total, b: Total): LikeForLikeSums {
  const n = a.n + b.n;
  if (a.n === 0 || b.n === 0) return sums;
  return {
    r: sums.r + (a.k * b.n) / n,
    s: sums.s + (b.k * a.n) / n,
    p: sums.p + (a.n * b.n * (a.k + b.k) - a.k * b.k * n) / (n * n),
  };
}

/** The ratio with people compared to people of the same block, and its ordinary 95 % interval; null before it can be computed. */
export function likeForLike({ r, s, p }: LikeForLikeSums): { readonly ratio: number; readonly interval: Band } | null {
  if (!(s > 0)) return null;
  const ratio = r / s;
  if (!(r > 0)) return { ratio, interval: [0, Number.POSITIVE_INFINITY] };
  const spread = Math.exp(Z * Math.sqrt(p / (r * s)));
  return { ratio, interval: [ratio / spread, ratio * spread] };
}
