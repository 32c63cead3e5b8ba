/** Counting answers: pure, so that the same code keeps the tallies, recounts the log and simulates years. */
import type { CellKey } from "../std.ts";
import type { Arm } from "./decision-record.ts";

/** One person's further answers by the same release within this time are repeats, not evidence. */
export const REPEAT_WITHIN_MS = 24 * 60 * 60 * 1000;
const MINUTE_MS = 60_000;
const MINUTES_A_DAY = 24 * 60;

/** Whole minutes since 1970 (UTC). */
export const minuteOf = (atMs: number): number => Math.floor(atMs / MINUTE_MS);

/** What a tally needs to know of one recorded answer. */
export interface CountedAnswer {
  readonly endpoint: string;
  readonly release: string;
  readonly arm: Arm;
  readonly cell: string;
  readonly source: string;
  readonly action: string;
  readonly atMs: number;
  readonly counted: boolean;
  /** Somebody else than the planned release answered. */
  readonly isFallback: boolean;
  readonly score: number | null;
  readonly latencyUs: number;
  /** One character an input of the release's input profile; null where nothing is counted. */
  readonly inputBins: string | null;
}

/** Integer counts that only grow and add up over any of their keys. */
export interface Counts {
  /** Answers recorded. */
  readonly decisions: number;
  /** Answers that are evidence: the first of a person for the release in 24 hours. `decisions - counted` are repeats. */
  readonly counted: number;
  /** Answers that somebody else than the planned release gave. */
  readonly fallback: number;
  /** Answers with a score. */
  readonly scored: number;
  /** Sum of round(score · 10⁶): a mean that doesn't depend on the order of adding. */
  readonly scoreSumU6: number;
  readonly latencySumUs: number;
}

export interface TallyKey {
  readonly endpoint: string;
  readonly release: string;
  readonly arm: Arm;
  readonly cell: string;
  readonly source: string;
  readonly action: string;
}
/** What a batch of answers adds to one row of `tally`. */
export interface TallyIncrement extends TallyKey, Counts {
  readonly minute: number;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Adds answers up by endpoint, release, arm, cell, source, action and minute. */
export function tallyUp(answers: Iterable<CountedAnswer>): readonly TallyIncrement[] {
  const byKey = new Map<string, Mutable<TallyIncrement>>();
  for (const answer of answers) {
    const { endpoint, release, arm, cell, source, action } = answer;
    const minute = minuteOf(answer.atMs);
    const key = `${minute}\0${release}\0${cell}\0${action}\0${arm}\0${endpoint}\0${source}`;
    let row = byKey.get(key);
    if (row === undefined) {
      row = { endpoint, release, arm, cell, source, action, minute, ...nothing };
      byKey.set(key, row);
    }
    row.decisions++;
    if (answer.counted) row.counted++;
    if (answer.isFallback) row.fallback++;
    if (answer.score !== null) {
      row.scored++;
      row.scoreSumU6 += Math.round(answer.score * 1e6);
    }
    row.latencySumUs += answer.latencyUs;
  }
  return [...byKey.values()];
}

const nothing: Counts = { decisions: 0, counted: 0, fallback: 0, scored: 0, scoreSumU6: 0, latencySumUs: 0 };

/** The same increments over all minutes: what a batch adds to `tally_total`. Most batches lie within one minute and cost nothing here. */
export function overMinutes(increments: readonly TallyIncrement[]): readonly TallyIncrement[] {
  const first = increments[0]?.minute;
  if (increments.every((row) => row.minute === first)) return increments;
  const byKey = new Map<string, Mutable<TallyIncrement>>();
  for (const row of increments) {
    const key = `${row.release}\0${row.cell}\0${row.action}\0${row.arm}\0${row.endpoint}\0${row.source}`;
    const sum = byKey.get(key);
    if (sum === undefined) {
      byKey.set(key, { ...row });
      continue;
    }
    sum.decisions += row.decisions;
    sum.counted += row.counted;
    sum.fallback += row.fallback;
    sum.scored += row.scored;
    sum.scoreSumU6 += row.scoreSumU6;
    sum.latencySumUs += row.latencySumUs;
  }
  return [...byKey.values()];
}

/** What a batch of answers adds to one row of `tally_day`. */
export interface DayIncrement {
  readonly endpoint: string;
  readonly release: string;
  readonly arm: Arm;
  /** Whole days since 1970 (UTC). */
  readonly day: number;
  /** Answers that the release itself gave: of a shadow's, those that didn't fail. */
  readonly decisions: number;
}

/** The same increments by release, arm and day. */
export function overDays(increments: readonly TallyIncrement[]): readonly DayIncrement[] {
  const byKey = new Map<string, Mutable<DayIncrement>>();
  for (const { endpoint, release, arm, minute, decisions, fallback } of increments) {
    const own = arm === "shadow" ? decisions - fallback : decisions;
    if (own === 0) continue;
    const day = Math.floor(minute / MINUTES_A_DAY);
    const key = `${day}\0${release}\0${arm}\0${endpoint}`;
    const row = byKey.get(key);
    if (row === undefined) byKey.set(key, { endpoint, release, arm, day, decisions: own });
    else row.decisions += own;
  }
  return [...byKey.values()];
}

/** One counted person whom the live release and a shadow answered. */
export interface Flip {
  readonly endpoint: string;
  readonly liveRelease: string;
  readonly shadowRelease: string;
  readonly cell: string;
  readonly liveAction: string;
  readonly shadowAction: string;
}
export interface FlipIncrement extends Flip {
  readonly counted: number;
}

/** Adds pairs of answers up; equal answers are pairs too. */
export function flipsUp(flips: Iterable<Flip>): readonly FlipIncrement[] {
  const byKey = new Map<string, Mutable<FlipIncrement>>();
  for (const flip of flips) {
    const key = `${flip.shadowRelease}\0${flip.cell}\0${flip.liveAction}\0${flip.shadowAction}\0${flip.liveRelease}\0${flip.endpoint}`;
    const row = byKey.get(key);
    if (row === undefined) byKey.set(key, { ...flip, counted: 1 });
    else row.counted++;
  }
  return [...byKey.values()];
}

/** Stands in a cell for a group that nobody told. */
export const UNKNOWN_GROUP = "unknown";

/**
 * The cell of a person: every attribute of the endpoint, sorted by name, `unknown` where the group isn't told.
 * @param groups - values that the endpoint declares; what isn't in `attributes` is left out
 * @param attributes - names of all attributes that the endpoint declares
 */
export function cellKey(groups: Readonly<Record<string, string>>, attributes: readonly string[]): CellKey {
  let key = "";
  for (const attribute of inOrder(attributes)) {
    if (key !== "") key += ",";
    const value = Object.hasOwn(groups, attribute) ? groups[attribute] : undefined;
    key += `${escaped(attribute)}=${escaped(value ?? UNKNOWN_GROUP)}`;
  }
  return asCellKey(key);
}

/** The groups that a cell stands for: the reverse of `cellKey`. */
export function groupsOf(cell: string): Readonly<Record<string, string>> {
  const groups: [string, string][] = [];
  for (const part of cell === "" ? [] : cell.split(",")) {
    const at = part.indexOf("=");
    groups.push([decodeURIComponent(part.slice(0, at)), decodeURIComponent(part.slice(at + 1))]);
  }
  return Object.fromEntries(groups);
}

/** Made of attribute names and values alone, escaped, in their one order. */
const asCellKey = (key: string): CellKey => key as CellKey;

function inOrder(names: readonly string[]): readonly string[] {
  for (let at = 1; at < names.length; at++) if ((names[at - 1] ?? "") > (names[at] ?? "")) return names.toSorted();
  return names;
}

/** Only what would be read as structure is escaped, so that cells stay legible. */
const escaped = (text: string): string => (/[%,=]/.test(text) ? text.replace(/[%,=]/g, encodeURIComponent) : text);
