/** How the values of each column are distributed in two tables. */
import type { ColumnType } from "./cell-types.ts";
import type { ColumnProfile } from "./column-profile.ts";
import { binLabels, type ColumnBins, type Histograms } from "./diff-bins.ts";
import { holm, homogeneity, ksChance, ksDistance, psi, ratesChance, totalVariation } from "./diff-statistics.ts";

export interface ColumnSummary {
  readonly rows: number;
  readonly empty: number;
  /** null for what isn't numeric or has no value. */
  readonly mean: number | null;
  readonly deviation: number | null;
  /** By their share, `0.5` for example; empty for what isn't numeric. */
  readonly quantiles: Readonly<Record<string, number>>;
}

export interface Distribution {
  /** As the version before calls it. */
  readonly column: string;
  readonly type: ColumnType;
  readonly before: ColumnSummary;
  readonly after: ColumnSummary;
  /** Population stability index of the values. */
  readonly psi: number;
  /** Kolmogorov and Smirnov's of numbers; of others, the total variation. */
  readonly distance: { readonly kind: "ks" | "total-variation"; readonly value: number };
  /** Chance of such a difference of values or of empty cells between samples of one population; corrected for the number of columns (Holm). */
  readonly chance: number;
  /** Not by chance, and large enough to matter. */
  readonly isShifted: boolean;
  /** Values that no row had before, and that none has now; null where there are too many different ones. */
  readonly newValues: readonly string[] | null;
  readonly goneValues: readonly string[] | null;
  readonly bins: readonly { readonly label: string; readonly before: number; readonly after: number }[];
}

export interface BinnedColumn {
  readonly before: ColumnProfile;
  readonly after: ColumnProfile;
  readonly bins: ColumnBins;
}

export const CHANCE_MAX = 0.01;
/** From here on people who watch scores speak of a shift; below, of many rows the slightest difference is beyond chance. */
export const PSI_MIN = 0.1;
const DISTANCE_MIN = 0.1;
const EMPTY_MIN = 0.02;
/** Whole numbers with more different values are amounts, not codes. */
const CODES_MAX = 20;

/** Those that moved most first. */
export function distributionsOf(columns: readonly BinnedColumn[], a: Histograms, b: Histograms): Distribution[] {
  const measured = columns.map((column, i) => {
    const [inA, inB] = [a.of(i, "everybody") ?? new Float64Array(), b.of(i, "everybody") ?? new Float64Array()];
    return { ...column, ...measure(column.bins, inA, inB), inA, inB };
  });
  const chances = holm(measured.map(({ chance }) => chance));
  const found = measured.map(({ before, after, bins, inA, inB, emptyChange, ...rest }, i): Distribution => {
    const chance = chances[i] ?? 1;
    const isLarge = rest.psi >= PSI_MIN || rest.distance.value >= DISTANCE_MIN || emptyChange >= EMPTY_MIN;
    return {
      column: before.name,
      type: bins.type,
      before: summary(before, inA),
      after: summary(after, inB),
      psi: rest.psi,
      distance: rest.distance,
      chance,
      isShifted: chance < CHANCE_MAX && isLarge,
      newValues: onlyIn(after, before),
      goneValues: onlyIn(before, after),
      bins: binLabels(bins).flatMap((label, at) => {
        const [x, y] = [inA[at] ?? 0, inB[at] ?? 0];
        return x + y > 0 ? [{ label, before: x, after: y }] : [];
      }),
    };
  });
  return found.toSorted((x, y) => y.psi - x.psi || y.distance.value - x.distance.value);
}

function measure(bins: ColumnBins, inA: Float64Array, inB: Float64Array) {
  const [a, b] = [inA.subarray(0, -1), inB.subarray(0, -1)];
  const [emptyA, emptyB] = [inA.at(-1) ?? 0, inB.at(-1) ?? 0];
  const [n, m] = [sum(a), sum(b)];
  const isOrdered = bins.kind === "numbers";
  const distance = isOrdered
    ? ({ kind: "ks", value: ksDistance(a, b) } as const)
    : ({ kind: "total-variation", value: totalVariation(a, b) } as const);
  const ofValues = isOrdered ? ksChance(distance.value, n, m) : homogeneity(a, b).chance;
  const ofEmpty = ratesChance({ count: emptyA, of: n + emptyA }, { count: emptyB, of: m + emptyB });
  return {
    psi: psi(a, b),
    distance,
    // Two tests of one column.
    chance: Math.min(1, 2 * Math.min(ofValues, ofEmpty)),
    emptyChange: Math.abs(emptyA / Math.max(1, n + emptyA) - emptyB / Math.max(1, m + emptyB)),
  };
}

function summary({ numbers, empty }: ColumnProfile, counts: Float64Array): ColumnSummary {
  return {
    rows: sum(counts),
    empty,
    mean: numbers?.mean ?? null,
    deviation: numbers ? Math.sqrt(numbers.variance) : null,
    quantiles: numbers?.quantiles ?? {},
  };
}

/** Values of one that the other hasn't; null where one has too many to be told one by one. */
function onlyIn(one: ColumnProfile, other: ColumnProfile): string[] | null {
  const isTold = ({ distinct, top }: ColumnProfile) => distinct !== null && distinct <= CODES_MAX && distinct === top.length;
  if (!isTold(one) || !isTold(other)) return null;
  const known = new Set(other.top.map(({ value }) => value));
  return one.top
    .map(({ value }) => value)
    .filter((value) => !known.has(value))
    .toSorted();
}

const sum = (counts: Float64Array) => counts.reduce((total, count) => total + count, 0);
