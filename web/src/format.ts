/** Numbers and times as they are written on the pages. Pure: the present comes in as `nowMs`, from the server. */

const LOCALE = "en-GB";
const THIN_SPACE = "\u202f";
const SPACE = "\u00a0";
const MINUS = "\u2212";
const DAY_MS = 24 * 3600 * 1000;

const whole = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 });
const fixed = [0, 1, 2, 3, 4, 5, 6].map(
  (digits) => new Intl.NumberFormat(LOCALE, { minimumFractionDigits: digits, maximumFractionDigits: digits }),
);

/** `value` with exactly `digits` decimals and a true minus; never `−0`. */
export function decimals(value: number, digits: number): string {
  const text = (fixed[digits] ?? whole).format(value).replace("-", MINUS);
  return /[1-9]/.test(text) ? text : text.replace(MINUS, "");
}

/** `1,192` */
export const count = (value: number): string => whole.format(value).replace("-", MINUS);

/** `1 person`, `56 people` */
export const people = (value: number): string => counted(value, "person", "people");
export const counted = (value: number, one: string, many: string): string => `${count(value)} ${value === 1 ? one : many}`;

/** `73.4 %`, `<0.1 %`, `0 %` */
export function rate(value: number): string {
  if (value === 0) return `0${THIN_SPACE}%`;
  if (Math.abs(value) < 0.001) return `<0.1${THIN_SPACE}%`;
  return `${decimals(value * 100, 1)}${THIN_SPACE}%`;
}

/** A share that somebody has set: `5 %`, `12.5 %`. */
export const share = (value: number): string =>
  `${decimals(value * 100, Number.isInteger(Math.round(value * 1e4) / 100) ? 0 : 1)}${THIN_SPACE}%`;

/** A difference of rates in points, always with its sign: `+1.4`, `−32.3`, `0.0`. */
export function points(value: number): string {
  const text = decimals(value * 100, 1);
  return value > 0 && /[1-9]/.test(text) ? `+${text}` : text;
}

/**
 * `0.84`; with a third decimal within 0.01 of the limit, and with as many more as it takes to be on its own side of it: rounding must
 * never contradict the verdict (0.7996 under a limit of 0.80 is written `0.7996`, not `0.800`).
 */
export function ratio(value: number, limit?: number): string {
  if (limit === undefined || Math.abs(value - limit) > 0.01) return decimals(value, 2);
  for (const digits of [3, 4, 5])
    if (value === limit || decimals(value, digits) !== decimals(limit, digits)) return decimals(value, digits);
  return decimals(value, 6);
}

/** `<0.01`, `0.08`, `14.3`, `31`, `203`, `over 1,000,000` */
export function evidence(value: number): string {
  if (value < 0.01) return "<0.01";
  if (value > 1_000_000) return "over 1,000,000";
  return decimals(value, value < 10 ? 2 : value < 100 ? 1 : 0).replace(/(\d\d)\.0$/, "$1");
}

/** `31 of 240` */
export const evidenceOf = (value: number, threshold: number): string => `${evidence(value)} of ${count(threshold)}`;

/** `0.648` */
export const score = (value: number): string => decimals(value, 3);

/** `38.1`; whole numbers, and all from 1,000 on, without decimals: `38`, `3,973` */
export const perMinute = (value: number): string => decimals(value, Number.isInteger(value) || value >= 1000 ? 0 : 1);

/** `<0.1 ms`, `3.8 ms`, `18 ms`, `1.16 s`, `64 s`, `9 min`, `26 h` */
export function duration(us: number): string {
  const ms = us / 1000;
  if (ms < 0.1 && us > 0) return `<0.1${SPACE}ms`;
  if (ms < 9.95) return `${decimals(ms, 1)}${SPACE}ms`;
  if (ms < 999.5) return `${count(ms)}${SPACE}ms`;
  if (ms < 9_995) return `${decimals(ms / 1000, 2)}${SPACE}s`;
  if (ms < 99_500) return `${count(ms / 1000)}${SPACE}s`;
  if (ms < 100 * 60_000) return `${count(ms / 60_000)}${SPACE}min`;
  return `${count(ms / 3_600_000)}${SPACE}h`;
}

/** Distance from the proof: `0`, `+18 ms`, `−9 min`. */
export function distance(us: number): string {
  if (us === 0) return "0";
  return `${us > 0 ? "+" : MINUS}${duration(Math.abs(us))}`;
}

/** The times of one page: all in the zone of the server, seen from `nowMs`. */
export interface Times {
  /** `10:49:16` */
  clock(ms: number): string;
  /** `10:49:16.089` */
  millis(ms: number): string;
  /** Same day `10:49:16`, this year `18 Nov 10:49`, else `18 Nov 2026`. */
  moment(ms: number): string;
  /** Same day `10:49`, this year `18 Nov`, else `18 Nov 2026`: for columns. */
  short(ms: number): string;
  /** `UTC` */
  readonly zone: string;
}

export function timesOf({ nowMs, zone }: { readonly nowMs: number; readonly zone: string }): Times {
  const { day, year, hour, second, milli, name } = formatsOf(zone);
  const isSameDay = (ms: number) => Math.abs(ms - nowMs) < DAY_MS && day.format(ms) === day.format(nowMs);
  const isThisYear = (ms: number) => year.format(ms).slice(-4) === year.format(nowMs).slice(-4);
  return {
    clock: (ms) => second.format(ms),
    millis: (ms) => milli.format(ms),
    moment: (ms) => (isSameDay(ms) ? second.format(ms) : isThisYear(ms) ? `${day.format(ms)} ${hour.format(ms)}` : year.format(ms)),
    short: (ms) => (isSameDay(ms) ? hour.format(ms) : isThisYear(ms) ? day.format(ms) : year.format(ms)),
    zone: name,
  };
}

/** ISO 8601, for titles and `<time>`. */
export const iso = (ms: number): string => new Date(ms).toISOString();

interface Formats {
  readonly day: Intl.DateTimeFormat;
  readonly year: Intl.DateTimeFormat;
  readonly hour: Intl.DateTimeFormat;
  readonly second: Intl.DateTimeFormat;
  readonly milli: Intl.DateTimeFormat;
  readonly name: string;
}

/** Making a format costs more than a thousand uses of it. */
const formatsByZone = new Map<string, Formats>();

function formatsOf(zone: string): Formats {
  const known = formatsByZone.get(zone);
  if (known) return known;
  const format = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat(LOCALE, { timeZone: zone, hourCycle: "h23", ...options });
  const time = { hour: "2-digit", minute: "2-digit", second: "2-digit" } as const;
  const named = format({ timeZoneName: "short" }).formatToParts(0);
  const made: Formats = {
    day: format({ day: "numeric", month: "short" }),
    year: format({ day: "numeric", month: "short", year: "numeric" }),
    hour: format({ hour: "2-digit", minute: "2-digit" }),
    second: format(time),
    milli: format({ ...time, fractionalSecondDigits: 3 }),
    name: named.find(({ type }) => type === "timeZoneName")?.value ?? zone,
  };
  formatsByZone.set(zone, made);
  return made;
}
