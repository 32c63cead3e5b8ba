/** When a container that ended is started again. Pure. */

/** What is remembered of a container's ends. */
export interface Ends {
  /** In a row, without five good minutes between. */
  readonly row: number;
  /** Of the last ones, oldest first. */
  readonly atMs: readonly number[];
}

export const NO_ENDS: Ends = { row: 0, atMs: [] };

const WINDOW_MS = 5 * 60_000;
const MOST_MS = 60_000;
const TROUBLE = 5;

export interface Restart {
  readonly ends: Ends;
  /** At once for the first time, then 1, 2, 4 … 60 seconds. */
  readonly delayMs: number;
  /** Every fifth time, when five were within five minutes: a person should know. */
  readonly isTrouble: boolean;
}

/** It has ended. @param upMs - how long it had been ready before */
export function afterEnd(ends: Ends, nowMs: number, upMs: number): Restart {
  const row = upMs >= WINDOW_MS ? 1 : ends.row + 1;
  const atMs = [...ends.atMs.filter((at) => at > nowMs - WINDOW_MS), nowMs].slice(-TROUBLE);
  return {
    ends: { row, atMs },
    delayMs: row === 1 ? 0 : Math.min(MOST_MS, 1000 * 2 ** Math.min(row - 2, 10)),
    isTrouble: row % TROUBLE === 0 && atMs.length === TROUBLE,
  };
}
