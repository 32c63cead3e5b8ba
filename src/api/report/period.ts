/** The days that a report is about. */
import { iso } from "../iso.ts";

/** Whole days since 1970 (UTC), half open. */
export interface ReportPeriod {
  readonly fromDay: number;
  readonly toDay: number;
}

export const DAY_MS = 86_400_000;
export const dayText = (day: number): string => iso(day * DAY_MS).slice(0, 10);
