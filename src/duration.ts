/** How long something lasts, as people write it. */
import { Type } from "typebox";

export const Duration = Type.String({ pattern: "^\\d{1,6}(s|m|h|d)$", description: "30s, 10m, 2h or 1d" });

const UNITS_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** @param duration - one that `Duration` allows */
export function millisecondsOf(duration: string): number {
  const unit = duration.slice(-1);
  return Number(duration.slice(0, -1)) * (unit === "s" || unit === "m" || unit === "h" || unit === "d" ? UNITS_MS[unit] : 0);
}
