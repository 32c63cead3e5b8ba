/** From tallies to the cumulative counts of a test's cells. Pure; integers only, so the order of rows and writers doesn't matter. */
import {
  SCORE_BINS,
  UNKNOWN_GROUP,
  groupsOf,
  type FlipRow,
  type LatencyRow,
  type MaturedRow,
  type ScoreRow,
  type TotalRow,
} from "../decisions/index.ts";
import { assert, type ReleaseId } from "../std.ts";
import { isMean } from "./any-test.ts";
import type { Cumulative } from "./blocks.ts";
import type { Total } from "./confidence-sequence.ts";
import { PREVIOUS, REST } from "./guardrail.ts";
import type { OutcomePart } from "./metrics.ts";
import { isTurned, sideOf, type PlannedTest, type Side } from "./plan.ts";
import { cellsOf } from "./sequential-test.ts";

/** Counts by the cell of the people that they are about. */
export type CellCounts = ReadonlyMap<string, Total>;
/** Values by bucket, with their sums, by the cell of the people that they are about. */
export type CellValues = ReadonlyMap<string, { readonly count: readonly number[]; readonly sum: readonly number[] }>;
/** What a look has counted of one thing. */
export type Tallied = { readonly kind: "totals"; readonly cells: CellCounts } | { readonly kind: "values"; readonly cells: CellValues };

/** Counted people, and those of them who got a favourable answer. */
export function selections(rows: readonly TotalRow[], favourable: ReadonlySet<string>): CellCounts {
  const counts = new Counter();
  for (const row of rows) counts.add(row.cell, row.counted, favourable.has(row.action) ? row.counted : 0);
  return counts.byCell;
}

/** Counted people whose two answers differ in being favourable, and those of them whom the shadow answers worse. */
export function flips(rows: readonly FlipRow[], favourable: ReadonlySet<string>): CellCounts {
  const counts = new Counter();
  for (const row of rows) {
    const [live, shadow] = [favourable.has(row.liveAction), favourable.has(row.shadowAction)];
    if (live !== shadow) counts.add(row.cell, row.counted, live ? row.counted : 0);
  }
  return counts.byCell;
}

/** Counted people, and those of them who got an answer with one of these actions. */
export const actionsAmong = (rows: readonly TotalRow[], actions: readonly string[]): CellCounts => selections(rows, new Set(actions));

/** All counted pairs of answers: better -1, alike 0, worse 1 (sequential-tests §9: in buckets -1 | 0 | 1 nothing is lost). */
export function netFlips(rows: readonly FlipRow[], favourable: ReadonlySet<string>): CellValues {
  const cells = new Map<string, { count: [number, number]; sum: [number, number] }>();
  for (const row of rows) {
    const cell = cells.get(row.cell) ?? { count: [0, 0], sum: [0, 0] };
    const [live, shadow] = [favourable.has(row.liveAction), favourable.has(row.shadowAction)];
    if (live === shadow || shadow) cell.count[0] += row.counted;
    else cell.count[1] += row.counted;
    if (shadow && !live) cell.sum[0] -= row.counted;
    if (live && !shadow) cell.sum[1] += row.counted;
    cells.set(row.cell, cell);
  }
  return cells;
}

/**
 * Answers, and those that surely took longer than so many milliseconds: buckets are 9 % wide, and those of the one in which the limit
 * lies are given the benefit of the doubt. Of everybody: latencies aren't counted by cell.
 */
export function slowAmong(rows: readonly LatencyRow[], slowerThanMs: number): CellCounts {
  const counts = new Counter();
  for (const { bucket, count } of rows) counts.add("", count, 2 ** ((bucket - 1) / 8) * 1000 >= slowerThanMs ? count : 0);
  return counts.byCell;
}

/** Scores by cell, in buckets of `edges`. */
export function scoresOf(rows: readonly ScoreRow[], edges: readonly number[]): CellValues {
  const buckets = edges.length - 1;
  const cells = new Map<string, { count: number[]; sum: number[] }>();
  for (const { cell, bin, count, sumU6 } of rows) {
    let values = cells.get(cell);
    if (!values)
      cells.set(cell, (values = { count: Array.from({ length: buckets }, () => 0), sum: Array.from({ length: buckets }, () => 0) }));
    const bucket = Math.floor((bin * buckets) / SCORE_BINS);
    values.count[bucket] = (values.count[bucket] ?? 0) + count;
    values.sum[bucket] = (values.sum[bucket] ?? 0) + sumU6 / 1e6;
  }
  return cells;
}

/** What became of decisions at their declared age (sequential-tests §8); those without an outcome are in no count. */
export function matured(rows: readonly MaturedRow[], part: OutcomePart, favourable: ReadonlySet<string>): CellCounts {
  const counts = new Counter();
  for (const { cell, action, state, count } of rows) {
    if (state === "missing") continue;
    const [isGood, isFavoured] = [state === "good", favourable.has(action)];
    const enters = part === "wrong" || (part === "approved" ? isFavoured : isGood === (part === "positives"));
    if (!enters) continue;
    const isHit = part === "wrong" ? isGood !== isFavoured : part === "approved" ? isGood : isFavoured;
    counts.add(cell, count, isHit ? count : 0);
  }
  return counts.byCell;
}

/** Requests that a shadow was asked, and those that it failed to answer. */
export function shadowFailures(rows: readonly TotalRow[]): CellCounts {
  const counts = new Counter();
  for (const row of rows) counts.add(row.cell, row.decisions, row.fallback);
  return counts.byCell;
}

/** Who is asked first in a route table. */
export interface ServedRoute {
  readonly live: ReleaseId;
  /** The canary, or the arms of an A/B test beside live. */
  readonly beside: readonly ReleaseId[];
  /** When it came into force. */
  readonly sinceMs: number;
  /** Who was live before. */
  readonly previous?: ReleaseId;
}

/** The gateway refuses answers that come later than two seconds; those under a table that was replaced are in by then. */
const SETTLING_MS = 3000;

/**
 * Requests that a serving release was asked, and those that somebody else answered in its stead. A tally names who answered, not who
 * was planned, so the route tells them apart: live answers in a stead only when the release beside it failed; others only when live did.
 * Where several stand beside live, nothing tells which of them failed.
 * What it counts can therefore be compared only while `context` stays the same; null can be compared with nothing.
 * @param rows - of everybody who answers people under the route, by release
 */
export function substitutions(
  release: ReleaseId,
  route: ServedRoute,
  rows: ReadonlyMap<ReleaseId, readonly TotalRow[]>,
  nowMs: number,
): { readonly cells: CellCounts; readonly context: string | null } {
  const counts = new Counter();
  const isBeside = route.beside.includes(release);
  if (isBeside ? route.beside.length > 1 : release !== route.live) return { cells: counts.byCell, context: null };
  for (const row of [...rows.values()].flat()) {
    const isInStead = row.arm === "fallback";
    if (isInStead && (row.release === route.live) === isBeside) counts.add(row.cell, row.decisions, row.decisions);
    else if (!isInStead && row.release === release) counts.add(row.cell, row.decisions, 0);
  }
  // Answers under the table before may still come in.
  if (nowMs - route.sinceMs < SETTLING_MS) return { cells: counts.byCell, context: null };
  const beside = route.beside.length > 0 ? route.beside : ["none"];
  return { cells: counts.byCell, context: [route.live, ...beside, ...[...rows.keys()].toSorted()].join(" ") };
}

class Counter {
  readonly byCell = new Map<string, { n: number; k: number }>();
  add(cell: string, n: number, k: number): void {
    const total = this.byCell.get(cell);
    if (!total) this.byCell.set(cell, { n, k });
    else {
      total.n += n;
      total.k += k;
    }
  }
}

/** Counts of the people whose values of some attributes are known, by these values. */
interface ByValues {
  readonly all: Total;
  readonly of: ReadonlyMap<string, Total>;
}
/** A group as what is looked up: its attributes, and its values of them. */
interface Lookup {
  readonly attributes: readonly string[];
  readonly attributesKey: string;
  readonly valuesKey: string;
}
const NOBODY: Total = { n: 0, k: 0 };

/** Remembers on which side of which test a cell is, and adds cells up once for all tests of the same attributes. */
export class CellSides {
  readonly #groups = new Map<string, Readonly<Record<string, string>>>();
  /** Every plan has a group of its own, which its running test keeps. */
  readonly #sides = new WeakMap<PlannedTest["group"], Map<string, Side>>();
  readonly #lookups = new WeakMap<PlannedTest["group"], Lookup>();
  readonly #byValues = new WeakMap<CellCounts, Map<string, ByValues>>();

  of(plan: PlannedTest, cell: string): Side {
    let sides = this.#sides.get(plan.group);
    if (!sides) this.#sides.set(plan.group, (sides = new Map()));
    let side = sides.get(cell);
    if (side === undefined) sides.set(cell, (side = sideOf(plan, this.#groupsOf(cell))));
    return side;
  }

  /** The sums of a test's two sides. What is on no named side is the rest. */
  sums({ group, reference }: PlannedTest, counts: CellCounts): Sums {
    let lookup = this.#lookups.get(group);
    if (!lookup) this.#lookups.set(group, (lookup = lookupOf(group)));
    const { all, of } = this.#sumsBy(counts, lookup);
    const mine = of.get(lookup.valuesKey) ?? NOBODY;
    const isNamed = reference !== null && reference !== REST && reference !== PREVIOUS;
    const others = isNamed ? (of.get(reference) ?? NOBODY) : { n: all.n - mine.n, k: all.k - mine.k };
    return { group: mine, reference: others };
  }

  #sumsBy(counts: CellCounts, { attributes, attributesKey }: Lookup): ByValues {
    let byAttributes = this.#byValues.get(counts);
    if (!byAttributes) this.#byValues.set(counts, (byAttributes = new Map()));
    let found = byAttributes.get(attributesKey);
    if (!found) byAttributes.set(attributesKey, (found = this.#sumUp(counts, attributes)));
    return found;
  }

  #sumUp(counts: CellCounts, attributes: readonly string[]): ByValues {
    const all = new Counter();
    const of = new Counter();
    for (const [cell, { n, k }] of counts) {
      const groups = this.#groupsOf(cell);
      const values = attributes.map((attribute) => groups[attribute]);
      if (values.some((value) => value === undefined || value === UNKNOWN_GROUP)) continue;
      all.add("", n, k);
      of.add(values.join("\0"), n, k);
    }
    return { all: all.byCell.get("") ?? NOBODY, of: of.byCell };
  }

  #groupsOf(cell: string): Readonly<Record<string, string>> {
    let groups = this.#groups.get(cell);
    if (!groups) this.#groups.set(cell, (groups = groupsOf(cell)));
    return groups;
  }
}

function lookupOf(group: PlannedTest["group"]): Lookup {
  const attributes = Object.keys(group);
  return { attributes, attributesKey: attributes.join("\0"), valuesKey: Object.values(group).join("\0") };
}

/**
 * The counts of a test's cells, in its order: group and reference, the group alone, or its values by bucket.
 * @param other - counts of the release that answers beside it, for a test that compares with it
 */
export function cumulativeOf(plan: PlannedTest, own: Tallied, other: Tallied | null, sides: CellSides): Cumulative {
  if (isMean(plan.definition)) return valuesOf(plan, own, sides, plan.definition.edges.length - 1);
  assert(own.kind === "totals", "counts are totals where no mean is tested");
  const { group, reference } = sides.sums(plan, own.cells);
  const before = other?.kind === "totals" ? sides.sums(plan, other.cells) : null;
  const cells = cellsIn(plan, { group, reference }, before);
  return { n: cells.map(({ n }) => n), k: cells.map(({ k }) => k) };
}

interface Sums {
  readonly group: Total;
  readonly reference: Total;
}

function cellsIn(plan: PlannedTest, { group, reference }: Sums, before: Sums | null): readonly Total[] {
  const { kind } = plan.definition;
  if (kind === "did_min") return [group, reference, before?.group ?? NOBODY, before?.reference ?? NOBODY];
  if (isMean(plan.definition) || cellsOf(plan.definition.kind) === 1) return [group];
  const other = plan.reference === PREVIOUS ? (before?.group ?? NOBODY) : reference;
  return isTurned(plan) ? [other, group] : [group, other];
}

function valuesOf(plan: PlannedTest, own: Tallied, sides: CellSides, buckets: number): Cumulative {
  assert(own.kind === "values", "values are counted where a mean is tested");
  const [n, k] = [Array.from({ length: buckets }, () => 0), Array.from({ length: buckets }, () => 0)];
  for (const [cell, { count, sum }] of own.cells) {
    if (sides.of(plan, cell) !== "group") continue;
    for (let b = 0; b < buckets; b++) {
      n[b] = (n[b] ?? 0) + (count[b] ?? 0);
      k[b] = (k[b] ?? 0) + (sum[b] ?? 0);
    }
  }
  return { n, k };
}

/** How much of an attribute isn't known, by answer. */
export interface GroupCoverage {
  readonly decisions: number;
  readonly unknown: number;
  /** Share of unknown ones among favourable and among other answers; null without such answers. */
  readonly unknownOfFavourable: number | null;
  readonly unknownOfOthers: number | null;
  /** The two shares are more than five points apart: telling one's group may depend on the answer, and then counts are biased. */
  readonly dependsOnAnswer: boolean;
}

/** Who told their group, by attribute (sequential-tests §8 "Late groups"). @param rows - `readTotals` of one release and arm class */
export function groupCoverage(rows: readonly TotalRow[], favourable: ReadonlySet<string>, attribute: string): GroupCoverage {
  const isKnown: PlannedTest["group"] = { [attribute]: "" };
  const totals = { favourable: { n: 0, unknown: 0 }, others: { n: 0, unknown: 0 } };
  for (const row of rows) {
    const total = favourable.has(row.action) ? totals.favourable : totals.others;
    total.n += row.counted;
    if (sideOf({ group: isKnown, reference: null }, groupsOf(row.cell)) === "neither") total.unknown += row.counted;
  }
  const share = ({ n, unknown }: { n: number; unknown: number }) => (n === 0 ? null : unknown / n);
  const [ofFavourable, ofOthers] = [share(totals.favourable), share(totals.others)];
  return {
    decisions: totals.favourable.n + totals.others.n,
    unknown: totals.favourable.unknown + totals.others.unknown,
    unknownOfFavourable: ofFavourable,
    unknownOfOthers: ofOthers,
    dependsOnAnswer: ofFavourable !== null && ofOthers !== null && Math.abs(ofFavourable - ofOthers) > 0.05,
  };
}
