/** Columns of numbers as small whole numbers, so that a tree finds its cuts by counting instead of sorting. */
import type { Matrix } from "./matrix.ts";

/** All columns, binned. A row is in bin b of a column when its value is above `cuts[b - 1]` and at most `cuts[b]`. */
export interface Binned {
  /** Per column: the bin of every row. */
  readonly bins: readonly Uint8Array[];
  /** Per column: where it may be cut, rising; one fewer than it has bins. */
  readonly cuts: readonly Float32Array[];
}

export const BINS_MAX = 64;

/** Bins every column; cuts are halfway between two values that occur, at quantiles where there are too many values. */
export function binColumns({ x, labels, names }: Matrix): Binned {
  const rows = labels.length;
  const width = names.length;
  const columns = names.map((_, f) => Float32Array.from({ length: rows }, (_row, i) => x[i * width + f] ?? 0));
  const cuts = columns.map((column) => cutsOf(column.toSorted()));
  return { cuts, bins: columns.map((column, f) => Uint8Array.from(column, (value) => binOf(value, cuts[f] ?? new Float32Array()))) };
}

function cutsOf(sorted: Float32Array): Float32Array {
  const distinct = sorted.filter((value, i) => i === 0 || value !== sorted[i - 1]);
  const lowers = distinct.length <= BINS_MAX ? distinct : quantiles(sorted);
  const cuts: number[] = [];
  let at = 0;
  for (const lower of lowers) {
    while (at < distinct.length && (distinct[at] ?? 0) <= lower) at++;
    const upper = distinct[at];
    if (upper === undefined) break;
    const cut = Math.fround((lower + upper) / 2);
    if (cut !== cuts.at(-1)) cuts.push(cut);
  }
  return Float32Array.from(cuts);
}

function quantiles(sorted: Float32Array): number[] {
  return Array.from({ length: BINS_MAX - 1 }, (_, b) => sorted[Math.floor(((b + 1) * sorted.length) / BINS_MAX)] ?? 0);
}

/** The first bin whose cut is not below the value. */
function binOf(value: number, cuts: Float32Array): number {
  let low = 0;
  let high = cuts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (value <= (cuts[middle] ?? 0)) high = middle;
    else low = middle + 1;
  }
  return low;
}
