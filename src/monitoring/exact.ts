/** Comparing rates with limits without dividing: 0.6 / 0.75 is below 0.8 in doubles, though it is exactly four fifths. Pure. */
import { assert } from "../std.ts";
import type { Total } from "./confidence-sequence.ts";

interface Fraction {
  readonly over: bigint;
  readonly under: bigint;
}

/** A number as people wrote it: 0.8 is 8/10, not the double next to it. */
function fractionOf(limit: number): Fraction {
  assert(Number.isFinite(limit), "a limit is a number");
  const [digits = "0", exponent = "0"] = String(limit).split("e");
  const [whole = "0", decimals = ""] = digits.split(".");
  const shift = decimals.length - Number(exponent);
  const over = BigInt(whole + decimals);
  return shift >= 0 ? { over, under: 10n ** BigInt(shift) } : { over: over * 10n ** BigInt(-shift), under: 1n };
}

/** Whether a's rate is below `limit` times b's. Undefined where there is no such ratio: an empty side, or nobody favoured in b. */
export function isRatioBelow(a: Total, b: Total, limit: number): boolean | undefined {
  if (a.n === 0 || b.n === 0 || b.k === 0) return undefined;
  const { over, under } = fractionOf(limit);
  return under * BigInt(a.k) * BigInt(b.n) < over * BigInt(a.n) * BigInt(b.k);
}

/** Whether a's rate is below b's by more than `limit`. Undefined where a side is empty. */
export function isDifferenceBelow(a: Total, b: Total, limit: number): boolean | undefined {
  if (a.n === 0 || b.n === 0) return undefined;
  const { over, under } = fractionOf(limit);
  const [an, ak, bn, bk] = [BigInt(a.n), BigInt(a.k), BigInt(b.n), BigInt(b.k)];
  return under * (ak * bn - bk * an) < -over * an * bn;
}

/** Whether a rate is above `limit`. Undefined without decisions. */
export function isRateAbove({ n, k }: Total, limit: number): boolean | undefined {
  if (n === 0) return undefined;
  const { over, under } = fractionOf(limit);
  return under * BigInt(k) > over * BigInt(n);
}

/** The adverse impact ratio of counts: one division, so that 48/80 to 60/80 is 0.8 and not a neighbour. Undefined as `isRatioBelow`. */
export function ratioOf(a: Total, b: Total): number | undefined {
  return a.n === 0 || b.n === 0 || b.k === 0 ? undefined : (a.k * b.n) / (a.n * b.k);
}
