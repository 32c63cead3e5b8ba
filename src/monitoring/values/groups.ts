/** From tallies of cells to counts of groups: a group is the sum of its cells, so singles and intersections agree always. Pure. */
import {
  SCORE_BINS,
  UNKNOWN_GROUP,
  groupsOf,
  type OutcomeTotalRow,
  type ScoreOutcomeRow,
  type ScoreRow,
  type TotalRow,
} from "../../decisions/index.ts";
import type { DeclaredGroups } from "../guardrail.ts";
import type { GroupValues } from "./answer.ts";

/** Counts that add up, of a cell, a group or everybody. */
export interface GroupCounts {
  /** Decisions; not people: who applies three times counts three times. */
  n: number;
  /** Those with a favourable action. */
  x: number;
  fallback: number;
  latencySumUs: number;
  readonly actions: Map<string, number>;
  /** Decisions with a score, and the sum of round(score · 10⁶). */
  scored: number;
  scoreSumU6: number;
  /** Known outcomes by what was decided and what came of it, corrections included. Good is positive. */
  tp: number;
  fp: number;
  fn: number;
  tn: number;
  /** Of the scored, those with a favourable action. */
  scoredX: number;
  scoreSumXU6: number;
  /** Scores by bin; null where they weren't read. */
  bins: ScoreBins | null;
}

/** Scores in bins, and known outcomes by the score that their decisions had. */
export interface ScoreBins {
  readonly n: Float64Array;
  readonly sumU6: Float64Array;
  readonly pos: Float64Array;
  readonly neg: Float64Array;
  /** Of those with a known outcome. */
  readonly labelledSumU6: Float64Array;
  posSumU6: number;
  labelledSumsqU6: number;
}

export const noBins = (): ScoreBins => ({
  n: new Float64Array(SCORE_BINS),
  sumU6: new Float64Array(SCORE_BINS),
  pos: new Float64Array(SCORE_BINS),
  neg: new Float64Array(SCORE_BINS),
  labelledSumU6: new Float64Array(SCORE_BINS),
  posSumU6: 0,
  labelledSumsqU6: 0,
});

function addBins(to: ScoreBins, from: ScoreBins): void {
  for (const name of ["n", "sumU6", "pos", "neg", "labelledSumU6"] as const)
    for (const [i, value] of from[name].entries()) to[name][i] = (to[name][i] ?? 0) + value;
  to.posSumU6 += from.posSumU6;
  to.labelledSumsqU6 += from.labelledSumsqU6;
}

export const noCounts = (): GroupCounts => ({
  n: 0,
  x: 0,
  fallback: 0,
  latencySumUs: 0,
  actions: new Map(),
  scored: 0,
  scoreSumU6: 0,
  tp: 0,
  fp: 0,
  fn: 0,
  tn: 0,
  scoredX: 0,
  scoreSumXU6: 0,
  bins: null,
});

function add(to: GroupCounts, from: GroupCounts): void {
  to.n += from.n;
  to.x += from.x;
  to.fallback += from.fallback;
  to.latencySumUs += from.latencySumUs;
  for (const [action, count] of from.actions) to.actions.set(action, (to.actions.get(action) ?? 0) + count);
  to.scored += from.scored;
  to.scoreSumU6 += from.scoreSumU6;
  to.tp += from.tp;
  to.fp += from.fp;
  to.fn += from.fn;
  to.tn += from.tn;
  to.scoredX += from.scoredX;
  to.scoreSumXU6 += from.scoreSumXU6;
  if (from.bins) addBins((to.bins ??= noBins()), from.bins);
}

/** Counts by the finest that is counted. */
export interface CellCounts {
  /** As tallies call it. */
  readonly cell: string;
  readonly groups: GroupValues;
  readonly counts: GroupCounts;
}

/**
 * Counts by cell.
 * @param rows - of as many releases and arms as are asked for together
 * @param favourable - actions that are good for the person
 */
export function countCells(
  rows: readonly TotalRow[],
  outcomes: readonly OutcomeTotalRow[],
  favourable: ReadonlySet<string>,
): readonly CellCounts[] {
  const cells = new Map<string, CellCounts>();
  const of = (cell: string): GroupCounts => {
    let known = cells.get(cell);
    if (!known) cells.set(cell, (known = { cell, groups: groupsOf(cell), counts: noCounts() }));
    return known.counts;
  };
  for (const row of rows) {
    const counts = of(row.cell);
    counts.n += row.decisions;
    if (favourable.has(row.action)) counts.x += row.decisions;
    counts.fallback += row.fallback;
    counts.latencySumUs += row.latencySumUs;
    counts.actions.set(row.action, (counts.actions.get(row.action) ?? 0) + row.decisions);
    counts.scored += row.scored;
    counts.scoreSumU6 += row.scoreSumU6;
    if (!favourable.has(row.action)) continue;
    counts.scoredX += row.scored;
    counts.scoreSumXU6 += row.scoreSumU6;
  }
  for (const row of outcomes) {
    const counts = of(row.cell);
    const known = row.count + row.corrections;
    if (favourable.has(row.action)) counts[row.good ? "tp" : "fp"] += known;
    else counts[row.good ? "fn" : "tn"] += known;
  }
  return [...cells.values()];
}

/** The same cells with their scores. Cells of which only scores were counted have no decisions in this window. */
export function withScores(
  cells: readonly CellCounts[],
  scores: readonly ScoreRow[],
  outcomes: readonly ScoreOutcomeRow[],
): readonly CellCounts[] {
  const byCell = new Map<string, ScoreBins>();
  const of = (cell: string): ScoreBins => {
    let known = byCell.get(cell);
    if (!known) byCell.set(cell, (known = noBins()));
    return known;
  };
  const plus = (to: Float64Array, bin: number, value: number) => (to[bin] = (to[bin] ?? 0) + value);
  for (const { cell, bin, count, sumU6 } of scores) {
    plus(of(cell).n, bin, count);
    plus(of(cell).sumU6, bin, sumU6);
  }
  for (const { cell, bin, good, count, sumU6, sumsqU6 } of outcomes) {
    const bins = of(cell);
    plus(good ? bins.pos : bins.neg, bin, count);
    plus(bins.labelledSumU6, bin, sumU6);
    if (good) bins.posSumU6 += sumU6;
    bins.labelledSumsqU6 += sumsqU6;
  }
  const known = new Set(cells.map(({ cell }) => cell));
  const others = [...byCell].filter(([cell]) => !known.has(cell));
  return [
    ...cells.map(({ cell, groups, counts }) => ({ cell, groups, counts: { ...counts, bins: byCell.get(cell) ?? noBins() } })),
    ...others.map(([cell, bins]) => ({ cell, groups: groupsOf(cell), counts: { ...noCounts(), bins } })),
  ];
}

export interface GroupRow {
  readonly group: GroupValues;
  /** False for the last row, of those who told not all of the attributes: never a reference, in no comparison. */
  readonly isKnown: boolean;
  readonly counts: GroupCounts;
  /** The cells that it is the sum of, for comparisons within strata. */
  readonly cells: readonly CellCounts[];
}

/** All groups of some attributes taken together, in declared order, the unknown last. They add up to everybody. */
export interface GroupTable {
  readonly attributes: readonly string[];
  readonly rows: readonly GroupRow[];
  readonly all: GroupCounts;
}

/** @param attributes - declared ones; none: everybody is one group */
export function groupTable(cells: readonly CellCounts[], declared: DeclaredGroups, attributes: readonly string[]): GroupTable {
  const byKey = new Map<string, CellCounts[]>();
  const unknown: CellCounts[] = [];
  for (const cell of cells) {
    const values = attributes.map((attribute) => cell.groups[attribute] ?? UNKNOWN_GROUP);
    const list = values.includes(UNKNOWN_GROUP) ? unknown : listOf(byKey, JSON.stringify(values));
    list.push(cell);
  }
  const ordered = combinations(attributes.map((attribute) => declared[attribute] ?? []));
  const keys = new Set(ordered.map((values) => JSON.stringify(values)));
  // Values that the endpoint declared once: people were recorded under them, so they are shown.
  const former = [...byKey.keys()].filter((key) => !keys.has(key)).toSorted();
  const rows = [...keys, ...former].map((key) => rowOf(attributes, textsIn(key), byKey.get(key) ?? []));
  const total = sumOf(cells);
  if (attributes.length === 0) return { attributes, rows, all: total };
  const nobody = rowOf(
    attributes,
    attributes.map(() => UNKNOWN_GROUP),
    unknown,
  );
  return { attributes, rows: [...rows, { ...nobody, isKnown: false }], all: total };
}

function rowOf(attributes: readonly string[], values: readonly string[], cells: readonly CellCounts[]): GroupRow {
  const group = Object.fromEntries(attributes.map((attribute, i) => [attribute, values[i] ?? UNKNOWN_GROUP]));
  return { group, isKnown: true, cells, counts: sumOf(cells) };
}

export function sumOf(cells: readonly CellCounts[]): GroupCounts {
  const sum = noCounts();
  for (const { counts } of cells) add(sum, counts);
  return sum;
}

function combinations(values: readonly (readonly string[])[]): readonly (readonly string[])[] {
  return values.reduce<readonly (readonly string[])[]>(
    (made, each) => made.flatMap((start) => each.map((value) => [...start, value])),
    [[]],
  );
}

function listOf<V>(lists: Map<string, V[]>, key: string): V[] {
  let list = lists.get(key);
  if (!list) lists.set(key, (list = []));
  return list;
}

/** Keys were made of lists of texts. */
const textsIn = (key: string) => JSON.parse(key) as readonly string[];

/** Whether two groups have the same values of the same attributes. */
export const isSameGroup = (a: GroupValues, b: GroupValues): boolean =>
  Object.keys(a).length === Object.keys(b).length && Object.entries(a).every(([attribute, value]) => b[attribute] === value);
