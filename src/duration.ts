/** Spans of time as people write them. */
import { Type } from "typebox";

export const Duration = Type.String({ pattern: "^\\d{1,6}(s|m|h|d)$", description: "30s, 10m, 2h or 1d" });

const MINUTE_MS = 60_000;
const UNITS_MS = { s: 1000, m: MINUTE_MS, h: 60 * MINUTE_MS, d: 24 * 60 * MINUTE_MS } as const;

/** @param duration - one that `Duration` allows */
export function millisecondsOf(duration: string): number {
  const [, count, unit] = /^(\d+)(s|m|h|d)$/.exec(duration) ?? [];
  if (unit !== "s" && unit !== "m" && unit !== "h" && unit !== "d") throw new Error(`${duration} is no duration`);
  return Number(count) * UNITS_MS[unit];
}
