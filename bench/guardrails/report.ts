/** What the simulation says: a row for each scenario, and the bars that the rows must reach. */
import { quantileOf } from "../../src/monitoring/index.ts";
import type { Cost } from "./costs.ts";
import { fairScenarios } from "./fair.ts";
import { BUDGETS, harmGrid, lateGrid } from "./harm.ts";
import { harmBounds, lateBounds, type JobEnd } from "./jobs.ts";
import { FAIR_BUDGETS, MANY_GROUPS } from "./lives.ts";
import { RIVALS } from "./rivals.ts";

export interface Bar {
  readonly what: string;
  readonly value: number;
  readonly bar: string;
  readonly isReached: boolean;
}
export interface FairRow {
  readonly what: string;
  readonly lives: number;
  readonly decisions: number;
  /** Share of lives ever rolled back, by budget, and by the rivals (null where they can't be asked). */
  readonly everRolledBack: readonly { readonly budget: number; readonly share: number }[];
  readonly rivals: readonly (number | null)[];
  readonly expected: "holds" | "broken";
}
export interface DelayRow {
  readonly what: string;
  readonly budget: string;
  readonly lives: number;
  readonly bound: number;
  readonly median: number;
  readonly p90: number;
  readonly medianOverBound: number;
  readonly p90OverBound: number;
  /** Lives without proof after twenty times the bound, and (late harm) with one before there was harm. */
  readonly unproven: number;
  readonly tooEarly: number;
}
export interface Report {
  readonly seed: number;
  readonly lives: number;
  readonly decisions: number;
  readonly threads: number;
  readonly node: string;
  readonly rivals: readonly string[];
  readonly fair: readonly FairRow[];
  readonly harm: readonly DelayRow[];
  readonly late: readonly DelayRow[];
  readonly attacks: readonly Bar[];
  readonly costs: readonly Cost[];
  readonly bars: readonly Bar[];
  readonly seconds: number;
}

const share = (values: readonly number[]): number => values.filter(Number.isFinite).length / values.length;
const column = (ends: readonly JobEnd[], i: number): number[] => ends.map(({ proven }) => proven[i] ?? Number.NaN);

export function fairRow(index: number, ends: readonly JobEnd[], decisions: number): FairRow {
  const scenario = fairScenarios[index];
  return rowOf(scenario?.what ?? "", scenario?.expected ?? "holds", ends, decisions);
}

function rowOf(what: string, expected: FairRow["expected"], ends: readonly JobEnd[], decisions: number): FairRow {
  return {
    what,
    lives: ends.length,
    decisions,
    everRolledBack: FAIR_BUDGETS.map((budget, i) => ({ budget, share: share(column(ends, i)) })),
    rivals: RIVALS.map((_, i) => (ends[0]?.rivals ? share(ends.map(({ rivals }) => rivals?.[i] ?? Number.NaN)) : null)),
    expected,
  };
}

/** The groups together with their split budget, and what would be without the split. */
export function groupRows(ends: readonly JobEnd[], decisions: number): readonly FairRow[] {
  const what = `${MANY_GROUPS.groups} groups at the limit, one budget`;
  const unsplit = ends.map((end): JobEnd => ({ proven: end.unsplit ?? [], rivals: end.rivals }));
  return [rowOf(what, "holds", ends, decisions), rowOf(`${MANY_GROUPS.groups} groups, the budget not split`, "broken", unsplit, decisions)];
}

function delayRow(what: string, budget: string, delays: readonly number[], bound: number): DelayRow {
  const known = delays.filter((delay) => !Number.isNaN(delay)).toSorted((a, b) => a - b);
  const [median, p90] = [quantileOf(known, 0.5), quantileOf(known, 0.9)];
  return {
    what,
    budget,
    lives: known.length,
    bound,
    median,
    p90,
    medianOverBound: median / bound,
    p90OverBound: p90 / bound,
    unproven: known.filter((delay) => !Number.isFinite(delay)).length,
    tooEarly: delays.length - known.length,
  };
}

const percent = (value: number) => `${Number((100 * value).toFixed(1))} %`;

export function harmRows(index: number, ends: readonly JobEnd[]): readonly DelayRow[] {
  const scenario = harmGrid[index];
  if (!scenario) return [];
  const what = `group ${percent(scenario.share)}, approval ${scenario.rate}, ratio ${scenario.ratio}`;
  const bounds = harmBounds(index);
  return [
    ...BUDGETS.map(({ name }, i) => delayRow(what, name, column(ends, i), bounds[i] ?? 0)),
    ...RIVALS.map((rival, i) =>
      delayRow(
        what,
        rival,
        ends.map(({ rivals }) => rivals?.[i] ?? Number.NaN),
        bounds[0] ?? 0,
      ),
    ),
  ];
}

export function lateRows(index: number, ends: readonly JobEnd[], decisions: number): readonly DelayRow[] {
  const scenario = lateGrid[index];
  if (!scenario) return [];
  const what = `ratio ${scenario.ratio} after ${Math.min(scenario.after, decisions).toLocaleString("en")} good decisions`;
  const bounds = lateBounds(index);
  return FAIR_BUDGETS.map((alpha, i) => delayRow(what, String(alpha), column(ends, i), bounds[i] ?? 0));
}

const atMost = (what: string, value: number, most: number): Bar => ({ what, value, bar: `at most ${most}`, isReached: value <= most });
const atLeast = (what: string, value: number, least: number): Bar => ({ what, value, bar: `at least ${least}`, isReached: value >= least });

/** Three standard deviations above what is promised: in a short run luck is larger than what is measured. */
const withLuck = (budget: number, lives: number): number => budget + 3 * Math.sqrt((budget * (1 - budget)) / lives);

/** @param isFull - enough lives that a bar needs no room for luck */
export function barsOf({ fair, harm, late, costs }: Pick<Report, "fair" | "harm" | "late" | "costs">, isFull: boolean): readonly Bar[] {
  const bars: Bar[] = [];
  for (const { what, everRolledBack, expected, lives } of fair)
    for (const { budget, share: ever } of everRolledBack) {
      if (expected === "holds")
        bars.push(atMost(`${what}: ever rolled back, budget ${budget}`, ever, isFull && lives >= 1000 ? budget : withLuck(budget, lives)));
      else if (budget === 0.05 && isFull) bars.push(atLeast(`${what}: must be seen to break it, budget ${budget}`, ever, budget));
    }
  const room = isFull ? 1 : 1.5;
  for (const row of harm) {
    const bar = BUDGETS.find(({ name }) => name === row.budget);
    if (bar) bars.push(...delayBars(row, { median: bar.median * room, p90: bar.p90 * room }));
  }
  for (const row of late) {
    const bar = BUDGETS.find(({ name }) => name === row.budget);
    if (bar) bars.push(...delayBars(row, { median: bar.median * room, p90: bar.p90 * room }));
  }
  const lateMedian = (ratio: number, after: number) =>
    late.find(({ what, budget }) => budget === "0.05" && what === `ratio ${ratio} after ${after.toLocaleString("en")} good decisions`)
      ?.median;
  for (const ratio of [0.7, 0.5]) {
    const [early, old] = [lateMedian(ratio, 0), lateMedian(ratio, 1_000_000)];
    if (early !== undefined && old !== undefined)
      bars.push(atMost(`ratio ${ratio}: delay after 1,000,000 good decisions over the delay from the start`, old / early, 5));
  }
  for (const { what, value, unit, most } of costs)
    bars.push({ ...atMost(`${what}, ${unit}`, value, most), bar: `at most ${most} ${unit}` });
  return bars;
}

function delayBars(
  { what, budget, medianOverBound, p90OverBound }: DelayRow,
  most: { readonly median: number; readonly p90: number },
): readonly Bar[] {
  return [
    atMost(`${what}, budget ${budget}: median over the bound`, medianOverBound, most.median),
    atMost(`${what}, budget ${budget}: 90 % point over the bound`, p90OverBound, most.p90),
  ];
}
