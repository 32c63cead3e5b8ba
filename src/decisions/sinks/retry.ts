/** When a target that failed is tried again. Pure. */

const FIRST_MS = 500;
const CAP_MS = 60_000;
/** Longer than this nobody's `Retry-After` is believed. */
const ASKED_AT_MOST_MS = 3_600_000;

/**
 * Doubles with each failure in a row up to a minute, of which half is by chance, so that sinks which lost one target together don't come
 * back together.
 * @param failures - in a row, from 1
 * @param chance - in [0, 1)
 * @param askedMs - what the target itself asked to be spared for
 */
export function retryDelayMs(failures: number, chance: number, askedMs = 0): number {
  const full = Math.min(CAP_MS, FIRST_MS * 2 ** Math.min(failures - 1, 20));
  return Math.max(full / 2 + (full / 2) * chance, Math.min(askedMs, ASKED_AT_MOST_MS));
}

/** What a `Retry-After` asks for, in milliseconds: seconds, or an HTTP date (RFC 9110 §10.2.3). 0 where it says nothing to go by. */
export function retryAfterMs(header: string | undefined, nowMs: number): number {
  if (header === undefined) return 0;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isFinite(at) ? Math.max(0, at - nowMs) : 0;
}
