/** What is known of a table's columns and groups after its rows are gone: counts, moments, quantiles, frequent values. */
import { Type, type Static } from "typebox";
import { isEmpty, plainText, type Column, type ColumnType } from "./cell-types.ts";
import type { Cell } from "./csv-parser.ts";

const Numbers = Type.Object({
  min: Type.Number(),
  max: Type.Number(),
  mean: Type.Number(),
  variance: Type.Number({ description: "Of the sample, with n - 1; 0 for one value" }),
  quantiles: Type.Record(Type.String(), Type.Number(), { description: "By their share, `0.25` for example; nearest rank" }),
  isExact: Type.Boolean({ description: "false: quantiles are of a sample of at least 65,536 rows" }),
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

const DISTINCT_MAX = 1000;
const TOP = 20;
const SHARES = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99];
/** Up to twice as many rows are kept for quantiles. */
const SAMPLE_MIN = 65_536;

const isNumeric = (type: ColumnType) => type === "integer" || type === "number";

/** Takes every row once. Rows are sampled by their hash, so that the profile doesn't depend on their order. */
export class ColumnProfiler {
  readonly #columns: readonly ColumnTally[];
  #sample: { readonly at: number; readonly values: readonly number[] }[] = [];
  readonly #limit: number;
  /** Rows whose hash is below are in the sample. */
  #below = 1;

  constructor(columns: readonly Column[], sampleMin = SAMPLE_MIN) {
    this.#columns = columns.map((column) => new ColumnTally(column));
    this.#limit = sampleMin * 2;
  }

  /** @param hash - of the row, spread evenly over 0…1 */
  add(cells: readonly Cell[], hash: number): void {
    const isSampled = hash < this.#below;
    const values: number[] = [];
    for (const [i, column] of this.#columns.entries()) {
      const value = column.add(cells[i] ?? null);
      if (isSampled && value !== undefined) values.push(value);
    }
    if (!isSampled) return;
    this.#sample.push({ at: hash, values });
    while (this.#sample.length > this.#limit && this.#below > Number.EPSILON) {
      this.#below /= 2;
      this.#sample = this.#sample.filter(({ at }) => at < this.#below);
    }
  }

  profiles(): ColumnProfile[] {
    let numeric = 0;
    return this.#columns.map((column) => {
      if (!isNumeric(column.type)) return column.profile([], true);
      const at = numeric++;
      const values = Float64Array.from(this.#sample, (row) => row.values[at] ?? Number.NaN).filter(Number.isFinite);
      return column.profile(values.toSorted(), this.#below === 1);
    });
  }
}

class ColumnTally {
  readonly type: ColumnType;
  readonly #name: string;
  #empty = 0;
  #finite = 0;
  #notFinite = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;
  #mean = 0;
  #squares = 0;
  /** null once there are too many. */
  #counts: Map<string, number> | null = new Map();

  constructor(column: Column) {
    this.type = column.type;
    this.#name = column.name;
  }

  /** @returns the number in a numeric column, NaN for none; undefined in others */
  add(cell: Cell): number | undefined {
    const numeric = isNumeric(this.type);
    if (isEmpty(this.type, cell)) {
      this.#empty++;
      return numeric ? Number.NaN : undefined;
    }
    if (this.#counts) {
      const text = plainText(this.type, cell);
      this.#counts.set(text, (this.#counts.get(text) ?? 0) + 1);
      if (this.#counts.size > DISTINCT_MAX) this.#counts = null;
    }
    if (!numeric) return undefined;
    const value = Number(cell);
    if (Number.isFinite(value)) this.#addNumber(value);
    else this.#notFinite++;
    return value;
  }

  profile(sorted: ArrayLike<number>, isExact: boolean): ColumnProfile {
    const top = [...(this.#counts ?? [])].toSorted(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).slice(0, TOP);
    const quantiles = SHARES.map((share) => [String(share), sorted[Math.ceil(share * sorted.length) - 1] ?? 0] as const);
    return {
      name: this.#name,
      type: this.type,
      empty: this.#empty,
      distinct: this.#counts?.size ?? null,
      numbers:
        this.#finite === 0
          ? null
          : {
              min: this.#min,
              max: this.#max,
              mean: this.#mean,
              variance: this.#finite > 1 ? this.#squares / (this.#finite - 1) : 0,
              quantiles: Object.fromEntries(quantiles),
              isExact,
              notFinite: this.#notFinite,
            },
      top: top.map(([value, count]) => ({ value, count })),
    };
  }

  /** Welford's update: no cancellation where the mean is far from 0. */
  #addNumber(value: number): void {
    this.#finite++;
    const delta = value - this.#mean;
    this.#mean += delta / this.#finite;
    this.#squares += delta * (value - this.#mean);
    if (value < this.#min) this.#min = value;
    if (value > this.#max) this.#max = value;
  }
}
