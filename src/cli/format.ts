/** How numbers and times read on a terminal. */

/** 0.8042 → `0.80`; null → `–`. */
export const ratio = (value: number | null, digits = 2): string => (value === null ? "–" : value.toFixed(digits));
/** 0.304 → `30.4 points`. */
export const points = (value: number): string => `${(value * 100).toFixed(1)} points`;
/** 0.1 → `10 %`. */
export const percent = (value: number): string => `${Number((value * 100).toFixed(1))} %`;
/** Evidence grows by powers of ten; beyond a million only its size matters. */
export const evidence = (value: number): string =>
  value >= 1e6 ? value.toExponential(1) : value >= 10 ? Math.round(value).toLocaleString("en") : value.toFixed(2);
/** 12.3456 → `12.3 ms`. */
export const milliseconds = (value: number): string => `${value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en")} ms`;
/** `2026-11-25T10:47:31.204Z` → `2026-11-25 10:47:31`. */
export const moment = (iso: string): string => iso.slice(0, 19).replace("T", " ");
export const plural = (count: number, one: string, many = `${one}s`): string => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
