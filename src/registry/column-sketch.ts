/** How the values of a column are spread, in the whole table and in each group: what is left to compare when the rows are gone. */
import { Type, type Static } from "typebox";
import type { Sampled } from "./row-sample.ts";
import type { ColumnPart } from "./column-part.ts";
import type { ColumnTally } from "./column-tally.ts";
import { Moments } from "./moments.ts";
import type { ValueCodes } from "./value-codes.ts";

const Spread = Type.Object({
  min: Type.Number(),
  max: Type.Number(),
  mean: Type.Number(),
  variance: Type.Number({ description: "Of the sample, with n - 1; 0 for one value" }),
  notFinite: Type.Integer({ description: "NaN and infinities, left out of all else here" }),
  quantiles: Type.Array(Type.Number(), { description: "At equal shares from 0 to 1; nearest rank. Of the whole table 101, of a group 21" }),
});

export const ColumnSketch = Type.Object({
  rows: Type.Integer(),
  empty: Type.Integer(),
  distinct: Type.Integer({ description: "How many different values" }),
  isCounted: Type.Boolean({ description: "false: `distinct` is an estimate with a standard error of 2.3 %" }),
  isWhole: Type.Boolean({ description: "false: quantiles and frequent values are of a sample of the rows" }),
  numbers: Type.Union([Spread, Type.Null()], { description: "null for what isn't numeric or has no value" }),
  frequent: Type.Array(Type.Object({ value: Type.String(), count: Type.Integer() }), {
    description: "The twenty most frequent values; of a sample, those of at least 0.1 % of it, and about how often they come in all rows",
  }),
});
export type ColumnSketch = Static<typeof ColumnSketch>;

export const TableSketches = Type.Object({
  isByGroup: Type.Boolean({ description: "false: no attribute is protected, or its groups are too many for the columns" }),
  columns: Type.Array(
    Type.Object({
      name: Type.String(),
      type: Type.String(),
      all: ColumnSketch,
      groups: Type.Array(Type.Object({ attribute: Type.String(), group: Type.String(), sketch: ColumnSketch }), {
        description: "Of each group of each protected attribute",
      }),
    }),
  ),
});
export type TableSketches = Static<typeof TableSketches>;

const FREQUENT = 20;
/** A value that is rarer in a sample may be there by chance. */
const SAMPLED_MIN = 10;
const SAMPLED_SHARE_MIN = 0.001;

export interface ValueCount {
  readonly value: string;
  readonly count: number;
}

/** Most frequent first; of equals, in the order of their texts. */
function mostFrequent(values: readonly ValueCount[], most: number): ValueCount[] {
  return values.toSorted((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1)).slice(0, most);
}

/** Of values with codes. Texts are made of few: of those that come as often as the last one that is told, or more often. */
export function mostFrequentCodes(codes: ValueCodes, counts: ArrayLike<number>, most: number): ValueCount[] {
  const least = leastOf(
    Float64Array.from({ length: codes.count }, (_, code) => counts[code] ?? 0),
    most,
  );
  const values: ValueCount[] = [];
  for (let code = 0; code < codes.count; code++) {
    const count = counts[code] ?? 0;
    if (count >= least) values.push({ value: codes.textOf(code), count });
  }
  return mostFrequent(values, most);
}

/** What the last of the greatest counts is; at least 1. */
const leastOf = (counts: Float64Array, most: number): number => Math.max(1, counts.toSorted().at(-most) ?? 1);

/** Moments of a part, whether its values have codes or not. */
export function momentsOf({ codes, isNumeric }: ColumnTally, part: ColumnPart): Moments {
  const moments = new Moments();
  moments.merge(part.moments);
  if (codes && isNumeric) moments.addCounts(codes.numbers, part.counts);
  return moments;
}

/** @param sampled - values of the column in the sample of the part's rows @param steps - one fewer than quantiles */
export function sketchOf(tally: ColumnTally, part: ColumnPart, sampled: Sampled<number | string>, steps: number): ColumnSketch {
  const { codes, isNumeric } = tally;
  const moments = momentsOf(tally, part);
  const counted = codes && countedNumbers(codes, part);
  const shares = Array.from({ length: steps + 1 }, (_, i) => i / steps);
  const { min, max, mean, variance, notFinite } = moments;
  const rising = isNumeric && !counted ? numbersOf(sampled) : undefined;
  const quantiles = () => (counted ? countedQuantiles(counted, shares) : quantilesOf(rising ?? [], shares));
  return {
    rows: part.rows,
    empty: part.empty,
    distinct: counted?.length ?? part.distinct?.estimate() ?? 0,
    isCounted: counted !== undefined || part.distinct === undefined,
    isWhole: counted !== undefined || sampled.isWhole,
    numbers: isNumeric && moments.count > 0 ? { min, max, mean, variance: finite(variance), notFinite, quantiles: quantiles() } : null,
    frequent: codes ? mostFrequentCodes(codes, part.counts, FREQUENT) : mostFrequent(sampledCounts(sampled, rising, part.rows), FREQUENT),
  };
}

/** Squares of numbers beyond 1e154 are too large for a double; JSON has no infinity. */
export const finite = (value: number): number => Math.min(value, Number.MAX_VALUE);

interface NumberCount {
  readonly number: number;
  readonly count: number;
}

/** Each value of a part; not a number in columns that aren't numeric. */
function countedNumbers(codes: ValueCodes, { counts }: ColumnPart): NumberCount[] {
  const counted: NumberCount[] = [];
  for (const [code, number] of codes.numbers.entries()) {
    const count = counts[code] ?? 0;
    if (count > 0) counted.push({ number, count });
  }
  return counted;
}

/** @param numbers - the values, rising, in a numeric column */
function sampledCounts({ values, rows, isWhole }: Sampled<number | string>, numbers: Float64Array | undefined, all: number): ValueCount[] {
  const counts = numbers ? numberCounts(numbers) : textCounts(values);
  const scale = isWhole ? 1 : all / Math.max(1, rows);
  const enough = isWhole ? 1 : Math.max(SAMPLED_MIN, rows * SAMPLED_SHARE_MIN);
  const least = Math.max(
    enough,
    leastOf(
      Float64Array.from(counts, ([, count]) => count),
      FREQUENT,
    ),
  );
  return counts.flatMap(([value, count]) => (count >= least ? [{ value: String(value), count: Math.round(count * scale) }] : []));
}

function textCounts(values: readonly (number | string)[]): (readonly [number | string, number])[] {
  const counts = new Map<number | string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts];
}

function numberCounts(rising: Float64Array): (readonly [number, number])[] {
  const counts: (readonly [number, number])[] = [];
  for (let from = 0, to = 0; from < rising.length; from = to) {
    const value = rising[from] ?? 0;
    while (to < rising.length && rising[to] === value) to++;
    counts.push([value, to - from]);
  }
  return counts;
}

const numbersOf = ({ values }: Sampled<number | string>): Float64Array =>
  Float64Array.from(values.filter((value) => typeof value === "number")).sort();

/** From 1. A share of a count that should be whole may be a bit above it. */
const rankOf = (share: number, count: number): number => Math.max(1, Math.ceil(share * count - 1e-9));

/** Nearest rank. @param sorted - rising; 0 for none */
export function quantilesOf(sorted: ArrayLike<number>, shares: readonly number[]): number[] {
  return shares.map((share) => sorted[rankOf(share, sorted.length) - 1] ?? 0);
}

/** The same of numbers that come so many times. */
export function countedQuantiles(values: readonly NumberCount[], shares: readonly number[]): number[] {
  const rising = values.filter(({ number }) => Number.isFinite(number)).toSorted((a, b) => a.number - b.number);
  const total = rising.reduce((sum, { count }) => sum + count, 0);
  let [at, upTo] = [0, rising[0]?.count ?? 0];
  return shares.map((share) => {
    const rank = rankOf(share, total);
    while (upTo < rank && at + 1 < rising.length) upTo += rising[++at]?.count ?? 0;
    return rising[at]?.number ?? 0;
  });
}
