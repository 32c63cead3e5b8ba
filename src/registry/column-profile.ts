/** What is known of a table's columns and groups after its rows are gone: counts, moments, quantiles, frequent values. */
import { Type, type Static } from "typebox";
import type { Column, ColumnType, TypeGuess } from "./cell-types.ts";
import { ColumnTally } from "./column-tally.ts";
import type { Cell } from "./csv-parser.ts";
import { Moments } from "./moments.ts";
import { RawEncoder } from "./raw-row.ts";
import { RowHasher } from "./row-hash.ts";

const Numbers = Type.Object({
  min: Type.Number(),
  max: Type.Number(),
  mean: Type.Number(),
  variance: Type.Number({ description: "Of the sample, with n - 1; 0 for one value" }),
  quantiles: Type.Record(Type.String(), Type.Number(), { description: "By their share, `0.25` for example; nearest rank" }),
  isExact: Type.Boolean({
    description: "false: quantiles are of a sample of at least 65,536 rows, fewer in tables of more than 60 columns",
  }),
  notFinite: Type.Integer({ description: "NaN and infinities, left out of all else here" }),
});

export const ColumnProfile = Type.Object({
  name: Type.String(),
  type: Type.Union([
    Type.Literal("boolean"),
    Type.Literal("integer"),
    Type.Literal("number"),
    Type.Literal("date"),
    Type.Literal("timestamp"),
    Type.Literal("string"),
  ]),
  empty: Type.Integer(),
  distinct: Type.Union([Type.Integer(), Type.Null()], { description: "null where there are more than 1,000" }),
  numbers: Type.Union([Numbers, Type.Null()], { description: "null for what isn't numeric or has no value" }),
  top: Type.Array(Type.Object({ value: Type.String(), count: Type.Integer() }), {
    description: "The twenty most frequent values, where there are at most 1,000",
  }),
});
export type ColumnProfile = Static<typeof ColumnProfile>;

const TOP = 20;
const SHARES = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99];
/** Up to twice as many rows are kept for quantiles. */
const SAMPLE_MIN = 65_536;
/** Fewer where a table is wide. */
const SAMPLE_CELLS_MAX = 8_000_000;

const isNumeric = (type: ColumnType) => type === "integer" || type === "number";

/** Takes every row once. Rows are sampled by a hash, so that the profile doesn't depend on their order. */
export class ColumnProfiler {
  readonly #columns: readonly ColumnTally[];
  readonly #numeric: readonly ColumnTally[];
  readonly #limit: number;
  /** Rows whose hash is below are in the sample. */
  #below = 1;
  #sampled = 0;
  /** Of each row in the sample its hash, then the number of each numeric column. */
  #sample = new Float64Array(1024);
  #encoder: RawEncoder | undefined;
  readonly #unhashed = new RowHasher();

  /** @param guesses - where the types were found from some of the cells */
  constructor(columns: readonly Column[], sampleMin = SAMPLE_MIN, guesses?: readonly TypeGuess[]) {
    this.#columns = columns.map((column, i) => new ColumnTally(column, guesses?.[i]));
    this.#numeric = this.#columns.filter(({ column }) => isNumeric(column.type));
    this.#limit = Math.min(sampleMin * 2, Math.ceil(SAMPLE_CELLS_MAX / (1 + this.#numeric.length)));
  }

  /** A row that comes as text. @param hash - as that of `endRow` */
  add(cells: readonly Cell[], hash: number): void {
    this.#encoder ??= new RawEncoder(this.#columns.length);
    const { bytes, starts, ends } = this.#encoder.encode(cells);
    this.#unhashed.start();
    for (const [i, column] of this.#columns.entries()) column.add(bytes, starts[i] ?? 0, ends[i] ?? -1, this.#unhashed);
    this.endRow(hash);
  }

  get columns(): readonly ColumnTally[] {
    return this.#columns;
  }

  /** Ends a row whose cells were added to its columns. @param hash - of the row, spread evenly over 0…1 */
  endRow(hash: number): void {
    if (hash >= this.#below) return;
    const width = 1 + this.#numeric.length;
    let at = this.#sampled * width;
    if (at + width > this.#sample.length) {
      const larger = new Float64Array(this.#sample.length * 2 + width);
      larger.set(this.#sample);
      this.#sample = larger;
    }
    this.#sample[at++] = hash;
    for (const { number } of this.#numeric) this.#sample[at++] = number;
    this.#sampled++;
    while (this.#sampled > this.#limit && this.#below > Number.EPSILON) this.#halve(width);
  }

  profiles(): ColumnProfile[] {
    const width = 1 + this.#numeric.length;
    return this.#columns.map((column) => {
      const at = this.#numeric.indexOf(column);
      if (at < 0) return profileOf(column, new Float64Array(), true);
      const values = Float64Array.from({ length: this.#sampled }, (_, row) => this.#sample[row * width + 1 + at] ?? Number.NaN);
      return profileOf(column, values.filter(Number.isFinite).toSorted(), this.#below === 1);
    });
  }

  #halve(width: number): void {
    this.#below /= 2;
    let kept = 0;
    for (let row = 0; row < this.#sampled; row++) {
      if ((this.#sample[row * width] ?? 1) >= this.#below) continue;
      this.#sample.copyWithin(kept * width, row * width, (row + 1) * width);
      kept++;
    }
    this.#sampled = kept;
  }
}

function profileOf({ column, codes, empty, moments: running }: ColumnTally, sorted: Float64Array, isExact: boolean): ColumnProfile {
  const counted = codes?.texts.map((value, code) => ({ value, count: codes.counts[code] ?? 0 })) ?? [];
  const top = counted.toSorted((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1)).slice(0, TOP);
  const moments = new Moments();
  moments.merge(running);
  if (codes && isNumeric(column.type)) moments.addCounts(codes.numbers, codes.counts);
  const quantiles = SHARES.map((share) => [String(share), sorted[Math.ceil(share * sorted.length) - 1] ?? 0] as const);
  const { count, min, max, mean, variance, notFinite } = moments;
  return {
    ...column,
    empty,
    distinct: codes?.texts.length ?? null,
    numbers: count === 0 ? null : { min, max, mean, variance, quantiles: Object.fromEntries(quantiles), isExact, notFinite },
    top,
  };
}
