import { decimals } from "../format.ts";

/** A number of unknown size: as many digits as tell it from its neighbours. Pure. */
export function metricText(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return decimals(value, 0);
  const size = Math.abs(value);
  return size >= 0.001 && size < 1e6 ? decimals(value, 4) : value.toExponential(3);
}
