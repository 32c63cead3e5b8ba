/**
 * When to stop asking a server that fails, and when to try it again. Pure: times and randomness come in as arguments.
 *
 * Closed, all calls pass. It opens at 5 bad calls in a row, or when at least half of at least 20 calls within 10 seconds were bad. Open,
 * none pass, for 1 s at first, then 2 s, 4 s … 30 s. Then one call at a time is let through to find out: a bad one opens it again for
 * longer, three good ones close it.
 */
import { unreachable } from "../std.ts";

const WINDOW_SECONDS = 10;
const FEWEST_CALLS = 20;
const BAD_SHARE = 0.5;
const BAD_IN_A_ROW = 5;
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;
/** Servers of many gateways that opened together aren't all asked again in the same moment. */
const JITTER = 0.2;
const GOOD_PROBES = 3;

/** What happened within one second, so that remembering costs the same at any rate. */
interface Second {
  readonly second: number;
  readonly calls: number;
  readonly bad: number;
}

export type Breaker =
  | { readonly kind: "closed"; readonly seconds: readonly Second[]; readonly badInARow: number }
  /** `openings`: how often it has opened since it was closed last. */
  | { readonly kind: "open"; readonly untilMs: number; readonly openings: number }
  | { readonly kind: "half-open"; readonly openings: number; readonly good: number; readonly isProbing: boolean };

/** What a call that passed was let through as; given back with its result. */
export type Ticket = "ordinary" | "probe";

/** `none`: the call was never made, or nobody waited for its end. */
export type CallResult = "good" | "bad" | "none";

export const CLOSED: Breaker = { kind: "closed", seconds: [], badInARow: 0 };

/** Whether a call may be made now; null: not now. */
export function admit(breaker: Breaker, nowMs: number): { readonly breaker: Breaker; readonly ticket: Ticket | null } {
  switch (breaker.kind) {
    case "closed":
      return { breaker, ticket: "ordinary" };
    case "open":
      if (nowMs < breaker.untilMs) return { breaker, ticket: null };
      return { breaker: { kind: "half-open", openings: breaker.openings, good: 0, isProbing: true }, ticket: "probe" };
    case "half-open":
      if (breaker.isProbing) return { breaker, ticket: null };
      return { breaker: { ...breaker, isProbing: true }, ticket: "probe" };
    default:
      return unreachable(breaker);
  }
}

/**
 * What the end of an admitted call makes of it. Calls that were under way when it opened don't count any more.
 * @param jitter - in [0, 1)
 */
export function record(
  breaker: Breaker,
  {
    ticket,
    result,
    nowMs,
    jitter,
  }: { readonly ticket: Ticket; readonly result: CallResult; readonly nowMs: number; readonly jitter: number },
): Breaker {
  switch (breaker.kind) {
    case "closed": {
      if (result === "none") return breaker;
      const seconds = counted(breaker.seconds, Math.floor(nowMs / 1000), result);
      const badInARow = result === "bad" ? breaker.badInARow + 1 : 0;
      return isTooBad(seconds, badInARow) ? opened(0, nowMs, jitter) : { kind: "closed", seconds, badInARow };
    }
    case "open":
      return breaker;
    case "half-open": {
      if (ticket !== "probe") return breaker;
      if (result === "bad") return opened(breaker.openings, nowMs, jitter);
      const good = breaker.good + (result === "good" ? 1 : 0);
      return good >= GOOD_PROBES ? CLOSED : { ...breaker, good, isProbing: false };
    }
    default:
      return unreachable(breaker);
  }
}

function counted(seconds: readonly Second[], now: number, result: "good" | "bad"): readonly Second[] {
  const bad = result === "bad" ? 1 : 0;
  const last = seconds.at(-1);
  const before = seconds.filter(({ second }) => second > now - WINDOW_SECONDS && second !== last?.second);
  if (last === undefined || last.second <= now - WINDOW_SECONDS) return [{ second: now, calls: 1, bad }];
  if (last.second >= now) return [...before, { second: last.second, calls: last.calls + 1, bad: last.bad + bad }];
  return [...before, last, { second: now, calls: 1, bad }];
}

function isTooBad(seconds: readonly Second[], badInARow: number): boolean {
  if (badInARow >= BAD_IN_A_ROW) return true;
  const calls = seconds.reduce((sum, each) => sum + each.calls, 0);
  const bad = seconds.reduce((sum, each) => sum + each.bad, 0);
  return calls >= FEWEST_CALLS && bad >= BAD_SHARE * calls;
}

function opened(openings: number, nowMs: number, jitter: number): Breaker {
  const waitMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** openings) * (1 + JITTER * jitter);
  return { kind: "open", untilMs: nowMs + waitMs, openings: openings + 1 };
}
