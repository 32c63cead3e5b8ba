/** What cells are, read from their bytes: numbers by their digits, days and moments by their places; text is made of nothing that is common. */
import { DATE, INTEGER, NUMBER, TIMESTAMP, kindsOf, microsecondsOf } from "./cell-types.ts";

const MINUS = 45;
const DOT = 46;
const ZERO = 48;
const NINE = 57;
/** So many digits a double holds, whatever they are. */
export const DIGITS_MAX = 15;
const POWERS = Float64Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));
const DAYS_BEFORE = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334] as const;

/** As `kindsOf` of the text. @pre the cell isn't empty */
export function kindsOfBytes(bytes: Buffer, start: number, end: number): number {
  const form = numberForm(bytes, start, end);
  if (form === INTEGER_FORM) {
    if (end - start <= DIGITS_MAX) return INTEGER | NUMBER;
  } else if (form === DECIMAL_FORM) return NUMBER;
  else if (end - start === 10 && !Number.isNaN(dayOf(bytes, start))) return DATE;
  else if (!Number.isNaN(momentMs(bytes, start, end))) return TIMESTAMP;
  else {
    // Whatever begins otherwise is text, or the word for a boolean or number.
    const first = bytes[start] ?? 0;
    if (first > NINE && first !== 0x4e && first !== 0x49 && end - start !== 4 && end - start !== 5) return 0;
  }
  return kindsOf(bytes.toString("utf8", start, end));
}

export const INTEGER_FORM = 1;
const DECIMAL_FORM = 2;

/** Whether the bytes are digits, or digits with a point: 0 for all else, and for what needs a closer look. */
export function numberForm(bytes: Buffer, start: number, end: number): number {
  const first = bytes[start] === MINUS ? start + 1 : start;
  let at = first;
  while (at < end && isDigit(bytes[at] ?? 0)) at++;
  const whole = at - first;
  if (whole === 0 || (whole > 1 && bytes[first] === ZERO)) return 0;
  if (at === end) return INTEGER_FORM;
  if (bytes[at] !== DOT) return 0;
  for (at++; at < end; at++) if (!isDigit(bytes[at] ?? 0)) return 0;
  return DECIMAL_FORM;
}

const isDigit = (byte: number): boolean => byte >= ZERO && byte <= NINE;

/**
 * The double that is nearest to digits with or without a point, as `Number` has it. Up to 15 digits and a power of ten are both exact, so that
 * one division rounds once.
 * @pre `numberForm` isn't 0
 */
export function decimalOf(bytes: Buffer, start: number, end: number): number {
  if (end - start > DIGITS_MAX) return Number(bytes.toString("latin1", start, end));
  const isNegative = bytes[start] === MINUS;
  let digits = 0;
  let point = end;
  for (let at = isNegative ? start + 1 : start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === DOT) point = at + 1;
    else digits = digits * 10 + (byte - ZERO);
  }
  const value = digits / (POWERS[end - point] ?? 1);
  return isNegative ? -value : value;
}

/** Two digits; NaN for anything else. */
function twoAt(bytes: Buffer, at: number): number {
  const tens = bytes[at] ?? 0;
  const ones = bytes[at + 1] ?? 0;
  return isDigit(tens) && isDigit(ones) ? (tens - ZERO) * 10 + (ones - ZERO) : Number.NaN;
}

/** Days since 1970 of `2026-02-28`; NaN where there is no such day. */
export function dayOf(bytes: Buffer, at: number): number {
  if (bytes[at + 4] !== MINUS || bytes[at + 7] !== MINUS) return Number.NaN;
  const year = twoAt(bytes, at) * 100 + twoAt(bytes, at + 2);
  const month = twoAt(bytes, at + 5);
  const day = twoAt(bytes, at + 8);
  if (!(year >= 0 && month >= 1 && month <= 12 && day >= 1)) return Number.NaN;
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = month === 2 ? (isLeap ? 29 : 28) : month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
  if (day > days) return Number.NaN;
  const before = year - 1;
  const leaps = Math.floor(before / 4) - Math.floor(before / 100) + Math.floor(before / 400);
  return before * 365 + leaps - 719_162 + (DAYS_BEFORE[month - 1] ?? 0) + (isLeap && month > 2 ? 1 : 0) + day - 1;
}

/** Milliseconds since 1970, without fraction, of a moment as most programs write it; NaN for what needs a closer look. */
function momentMs(bytes: Buffer, start: number, end: number): number {
  const separator = bytes[start + 10];
  if (end - start < 20 || (separator !== 0x54 && separator !== 0x20)) return Number.NaN;
  const hour = twoAt(bytes, start + 11);
  const minute = twoAt(bytes, start + 14);
  const second = twoAt(bytes, start + 17);
  if (bytes[start + 13] !== 58 || bytes[start + 16] !== 58 || !(hour < 24 && minute < 60 && second < 60)) return Number.NaN;
  const zoneAt = zoneStart(bytes, start, end);
  const offset = zoneAt === end - 1 && bytes[zoneAt] === 0x5a ? 0 : offsetMinutes(bytes, zoneAt, end);
  return dayOf(bytes, start) * 86_400_000 + (hour * 60 + minute - offset) * 60_000 + second * 1000;
}

/** Behind the seconds and their fraction; -1 where that has none or too many digits. */
function zoneStart(bytes: Buffer, start: number, end: number): number {
  let at = start + 19;
  if (bytes[at] !== DOT) return at;
  for (at++; at < end && isDigit(bytes[at] ?? 0);) at++;
  const digits = at - start - 20;
  return digits >= 1 && digits <= 6 ? at : -1;
}

/** Of `+01:00` or `-0530`; NaN for all else. */
function offsetMinutes(bytes: Buffer, at: number, end: number): number {
  const sign = bytes[at];
  const hasColon = end - at === 6 && bytes[at + 3] === 58;
  if (at < 0 || (sign !== 43 && sign !== MINUS) || (!hasColon && end - at !== 5)) return Number.NaN;
  const hours = twoAt(bytes, at + 1);
  const minutes = twoAt(bytes, at + (hasColon ? 4 : 3));
  if (!(hours < 24 && minutes < 60)) return Number.NaN;
  return (sign === MINUS ? -1 : 1) * (hours * 60 + minutes);
}

/** As `microsecondsOf` of the text. */
export function microsecondsOfBytes(bytes: Buffer, start: number, end: number): bigint | undefined {
  const ms = momentMs(bytes, start, end);
  if (Number.isNaN(ms)) return microsecondsOf(bytes.toString("utf8", start, end));
  let fraction = 0;
  const zoneAt = zoneStart(bytes, start, end);
  for (let at = start + 20; at < start + 26; at++) fraction = fraction * 10 + (at < zoneAt ? (bytes[at] ?? 0) - ZERO : 0);
  return BigInt(ms) * 1000n + BigInt(fraction);
}
