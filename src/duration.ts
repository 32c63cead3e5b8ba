/** Spans of time as people write them. */
import { Type } from "typebox";

export const Duration = Type.String({ pattern: "^\\d{1,6}(s|m|h|d)$", description: "30s, 10m, 2h or 1d" });
/** Of an answer: shorter ones than other durations. */
export const Latency = Type.String({ pattern: "^[1-9]\\d{0,5}(ms|s)$", description: "Of `slow_rate`: 300ms or 2s" });

const MINUTE_MS = 60_000;
const UNITS_MS = { ms: 1, s: 1000, m: MINUTE_MS, h: 60 * MINUTE_MS, d: 24 * 60 * MINUTE_MS } as const;

/** @param duration - one that `Duration` or `Latency` allows */
export function millisecondsOf(duration: string): number {
  const [, count, unit] = /^(\d+)(ms|s|m|h|d)$/.exec(duration) ?? [];
  if (unit !== "ms" && unit !== "s" && unit !== "m" && unit !== "h" && unit !== "d") throw new Error(`${duration} is no duration`);
  return Number(count) * UNITS_MS[unit];
}
