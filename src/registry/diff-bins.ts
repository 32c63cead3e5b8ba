/** Puts the cells of a column into bins that are the same for both tables, and counts them by combination of groups. */
import { isEmpty, plainText, type ColumnType } from "./cell-types.ts";
import type { ColumnProfile } from "./column-profile.ts";
import type { Cell } from "./csv-parser.ts";

/** The last bin is that of empty cells; before it, of numbers, that of those that aren't finite, of categories, that of all others. */
export type ColumnBins =
  /** One bin up to each edge, rising; nothing is above the last. */
  | { readonly kind: "numbers"; readonly type: ColumnType; readonly edges: readonly number[]; readonly size: number }
  | { readonly kind: "categories"; readonly type: ColumnType; readonly values: readonly string[]; readonly size: number };

/** From both profiles, so that a comparison there and one back have the same bins. */
export function binsOf(before: ColumnProfile, after: ColumnProfile, type: ColumnType): ColumnBins {
  if ((type === "integer" || type === "number") && (before.numbers ?? after.numbers)) {
    const edges = [before, after].flatMap(({ numbers, top }) => [
      ...(numbers ? [numbers.min, numbers.max, ...Object.values(numbers.quantiles)] : []),
      ...top.map(({ value }) => Number(value)),
    ]);
    const rising = [...new Set(edges.filter(Number.isFinite))].toSorted((x, y) => x - y);
    return { kind: "numbers", type, edges: rising, size: rising.length + 2 };
  }
  const values = [...new Set([before, after].flatMap(({ top }) => top.map(({ value }) => value)))].toSorted();
  return { kind: "categories", type, values, size: values.length + 2 };
}

/** What the bins of values are called, without that of empty cells. */
export function binLabels(bins: ColumnBins): string[] {
  return bins.kind === "numbers" ? [...bins.edges.map(String), "not finite"] : [...bins.values, "others"];
}

/** Combinations times bins; with more, everybody is counted as one. */
const COUNTS_MAX = 16_000_000;
/** Values are remembered with their bin, so many of a column. */
const KNOWN_MAX = 5000;

interface Counted {
  readonly bins: ColumnBins;
  /** Where its bins begin among those of a combination. */
  readonly start: number;
  readonly binOfCell: Map<string, number>;
  readonly binOfValue: ReadonlyMap<string, number>;
}

/** Counts of every bin of every column, by the number of the combination of groups. */
export class Histograms {
  readonly #columns: readonly Counted[];
  readonly #width: number;
  #counts: Uint32Array;
  #isByCell = true;

  constructor(bins: readonly ColumnBins[]) {
    let start = 0;
    this.#columns = bins.map((each) => {
      const values = each.kind === "categories" ? each.values : [];
      const counted = { bins: each, start, binOfCell: new Map(), binOfValue: new Map(values.map((value, i) => [value, i])) };
      start += each.size;
      return counted;
    });
    this.#width = start;
    this.#counts = new Uint32Array(start);
  }

  /** @param group - number of the row's combination */
  add(group: number, cells: readonly Cell[]): void {
    let at = (this.#isByCell ? group : 0) * this.#width;
    if (at + this.#width > this.#counts.length) at = this.#grow(group);
    for (let i = 0; i < this.#columns.length; i++) {
      const column = this.#columns[i];
      if (!column) continue;
      const place = at + column.start + binOf(column, cells[i] ?? null);
      this.#counts[place] = (this.#counts[place] ?? 0) + 1;
    }
  }

  /** Counts of a column's bins in these combinations together; undefined where combinations were too many to be told apart. */
  of(column: number, groups: Iterable<number> | "everybody"): Float64Array | undefined {
    const { start = 0, bins } = this.#columns[column] ?? {};
    const sums = new Float64Array(bins?.size ?? 0);
    if (groups !== "everybody" && !this.#isByCell) return undefined;
    const all = groups === "everybody" ? Array.from({ length: this.#counts.length / Math.max(1, this.#width) }, (_, i) => i) : groups;
    for (const group of all)
      for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] ?? 0) + (this.#counts[group * this.#width + start + i] ?? 0);
    return sums;
  }

  #grow(group: number): number {
    if ((group + 1) * this.#width <= COUNTS_MAX) {
      const larger = new Uint32Array(Math.min(COUNTS_MAX, Math.max(this.#counts.length * 2, (group + 1) * this.#width)));
      larger.set(this.#counts);
      this.#counts = larger.subarray(0, Math.floor(larger.length / this.#width) * this.#width);
      return group * this.#width;
    }
    const sums = new Uint32Array(this.#width);
    for (const [i, count] of this.#counts.entries()) sums[i % this.#width] = (sums[i % this.#width] ?? 0) + count;
    this.#counts = sums;
    this.#isByCell = false;
    return 0;
  }
}

function binOf(column: Counted, cell: Cell): number {
  const { bins, binOfCell } = column;
  if (isEmpty(bins.type, cell)) return bins.size - 1;
  const known = binOfCell.get(cell);
  if (known !== undefined) return known;
  const bin =
    bins.kind === "numbers" ? binOfNumber(bins, Number(cell)) : (column.binOfValue.get(plainText(bins.type, cell)) ?? bins.size - 2);
  if (binOfCell.size < KNOWN_MAX) binOfCell.set(cell, bin);
  return bin;
}

function binOfNumber({ edges, size }: ColumnBins & { readonly kind: "numbers" }, value: number): number {
  if (!Number.isFinite(value)) return size - 2;
  let [low, high] = [0, edges.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (value <= (edges[middle] ?? 0)) high = middle;
    else low = middle + 1;
  }
  return low;
}
