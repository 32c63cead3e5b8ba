/** When a target that failed is tried again. Pure. */

const FIRST_MS = 500;
const MINUTE_MS = 60_000;
/** Longer than this nobody's `Retry-After` is believed. */
const ASKED_AT_MOST_MS = 3_600_000;

/**
 * Doubles with each failure in a row up to a cap, of which half is by chance, so that those who lost one target together don't come
 * back together.
 * @param failures - in a row, from 1
 * @param chance - in [0, 1)
 * @param askedMs - what the target itself asked to be spared for
 * @param capMs - a minute by default
 */
export function retryDelayMs(failures: number, chance: number, askedMs = 0, capMs = MINUTE_MS): number {
  const full = Math.min(capMs, FIRST_MS * 2 ** Math.min(failures - 1, 20));
  return Math.max(full / 2 + (full / 2) * chance, Math.min(askedMs, ASKED_AT_MOST_MS));
}

/** What a `Retry-After` asks for, in milliseconds: seconds, or an HTTP date (RFC 9110 §10.2.3). 0 where it says nothing to go by. */
export function retryAfterMs(header: string | undefined, nowMs: number): number {
  if (header === undefined) return 0;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isFinite(at) ? Math.max(0, at - nowMs) : 0;
}
