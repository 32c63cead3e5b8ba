/** What is known of a table's columns and groups after its rows are gone: counts, moments, quantiles, frequent values. */
import { Type, type Static } from "typebox";
import type { Column, TypeGuess } from "./cell-types.ts";
import type { ColumnPart } from "./column-part.ts";
import { finite, momentsOf, mostFrequentCodes, quantilesOf, sketchOf, type TableSketches } from "./column-sketch.ts";
import { ColumnTally, NO_VALUE } from "./column-tally.ts";
import type { Cell } from "./csv-parser.ts";
import { GroupSlots } from "./group-slots.ts";
import { RawEncoder, type RawRow } from "./raw-row.ts";
import { BLOCK_ROWS, RowBlock } from "./row-block.ts";
import { RowHasher, type RowBytes } from "./row-hash.ts";
import { RowSample, type Sampled } from "./row-sample.ts";

const Numbers = Type.Object({
  min: Type.Number(),
  max: Type.Number(),
  mean: Type.Number(),
  variance: Type.Number({ description: "Of the sample, with n - 1; 0 for one value" }),
  quantiles: Type.Record(Type.String(), Type.Number(), { description: "By their share, `0.25` for example; nearest rank" }),
  isExact: Type.Boolean({
    description: "false: quantiles are of a sample of at least 32,768 rows, fewer in tables of more than 60 columns",
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
  distinctAbout: Type.Optional(Type.Integer({ description: "Where there are more than 1,000: an estimate, within some 5 %" })),
  numbers: Type.Union([Numbers, Type.Null()], { description: "null for what isn't numeric or has no value" }),
  top: Type.Array(Type.Object({ value: Type.String(), count: Type.Integer() }), {
    description: "The twenty most frequent values, where there are at most 1,000",
  }),
});
export type ColumnProfile = Static<typeof ColumnProfile>;

const TOP = 20;
const SHARES = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99];
/** Up to twice as many rows are kept for quantiles: a rank is within some 0.3 % of where it is among all rows. */
const SAMPLE_MIN = 32_768;
/** Up to so many of each group, fewer where attributes are many: within some 1 %. */
const GROUP_SAMPLE = 4096;
const GROUPS_SAMPLE = 32_768;
/** Fewer where a table is wide. */
const SAMPLE_CELLS_MAX = 4_000_000;
/** Columns times combinations of groups, or groups: some kilobytes each. */
const PARTS_MAX = 5000;
/** Longer texts are no frequent values. */
const TEXT_BYTES_MAX = 64;
const WHOLE_STEPS = 100;
const GROUP_STEPS = 20;
const NO_GROUPS: readonly number[] = [];

export interface ProfileOptions {
  /** Rows that are kept for quantiles at least, where there are so many. */
  readonly sampleMin?: number;
  /** Where the types were found from some of the cells. */
  readonly guesses?: readonly TypeGuess[] | undefined;
  /** Whose groups are told apart. */
  readonly attributes?: readonly string[];
  /** Where rows are written; emptied by whoever gives it, after each block. */
  readonly bytes?: RowBytes;
}

/** Takes every row once. Rows are sampled by a hash, so that what is found doesn't depend on their order. */
export class ColumnProfiler {
  readonly columns: readonly ColumnTally[];
  /** What was read and isn't counted yet. */
  readonly block: RowBlock;
  /** Fewer in a wide table, or its blocks wouldn't fit near memory themselves. */
  readonly #blockRows: number;
  readonly #placesByCell: Int32Array[] = [];
  readonly #numeric: readonly ColumnTally[];
  readonly #texts: readonly { readonly column: ColumnTally; readonly place: number }[];
  readonly #slots: GroupSlots;
  readonly #sample: RowSample;
  /** What the columns' parts are. */
  #parts: "cells" | "groups" | "everybody" = "cells";
  /** Of the row that is sampled. */
  readonly #numbersOf: Float64Array;
  readonly #textsOf: (string | null)[] = [];
  #encoder: RawEncoder | undefined;

  constructor(columns: readonly Column[], options: ProfileOptions = {}) {
    const { sampleMin = SAMPLE_MIN, guesses, attributes = [], bytes = new RowHasher() } = options;
    this.#blockRows = Math.max(16, Math.min(BLOCK_ROWS, Math.floor(8192 / Math.max(1, columns.length))));
    const block = new RowBlock(bytes, columns.length, this.#blockRows);
    this.block = block;
    this.columns = columns.map((column, i) => new ColumnTally(column, i, block, guesses?.[i]));
    this.#numeric = this.columns.filter(({ isNumeric }) => isNumeric);
    this.#texts = this.columns.flatMap((column, place) => (column.isNumeric ? [] : [{ column, place }]));
    this.#numbersOf = new Float64Array(this.#numeric.length);
    this.#slots = new GroupSlots(attributes);
    const limit = Math.min(sampleMin * 2, Math.ceil(SAMPLE_CELLS_MAX / (1 + columns.length)));
    const ofGroups = Math.min(GROUP_SAMPLE, Math.floor(GROUPS_SAMPLE / Math.max(1, attributes.length)), Math.ceil(limit / 16));
    this.#sample = new RowSample({
      numbers: this.#numeric.length,
      texts: this.#texts.length,
      attributes: attributes.length,
      limit,
      groupLimit: ofGroups,
    });
  }

  /** A row that comes as text. @param hash - of the row, spread evenly over 0…1 */
  add(cells: readonly Cell[], hash: number): void {
    this.#encoder ??= new RawEncoder(this.columns.length);
    const { block } = this;
    if (block.rows === 0) block.bytes.length = 0;
    block.hashes[block.rows] = hash;
    this.read(this.#encoder.encode(cells));
    if (this.endRow(0, NO_GROUPS)) this.endBlock();
  }

  /** Writes a row's cells to the block's bytes. @param codes - of their values, where they have some @throws OtherType */
  read(row: RawRow, codes?: Int32Array): void {
    const { block, columns } = this;
    const into = block.bytes;
    block.mark(-1, into.length);
    for (let i = 0; i < columns.length; i++) {
      const code = columns[i]?.add(row, into) ?? NO_VALUE;
      if (codes) codes[i] = code;
      block.mark(i, into.length);
    }
  }

  /**
   * The row that was read is to count.
   * @param cell - number of its combination of groups @param groups - of each attribute, the number of its group
   * @returns whether the block is full, and must end before another row
   */
  endRow(cell: number, groups: ArrayLike<number>): boolean {
    const slots = this.#slots.of(cell, groups);
    const { block } = this;
    block.end(cell, this.#placesByCell[cell] ?? this.#newPlaces(cell, slots));
    return block.rows === this.#blockRows;
  }

  /** Counts the rows of the block, whose hashes are there by now. */
  endBlock(): void {
    const { rows, hashes, cells } = this.block;
    for (let row = 0; row < rows; row++) {
      const slots = this.#slots.cells[cells[row] ?? 0];
      const hash = hashes[row] ?? 0;
      if (slots && this.#sample.takes(hash, slots)) this.#keep(hash, row, slots);
    }
    for (const column of this.columns) column.endBlock();
    this.block.clear();
    this.#divide();
  }

  profiles(): ColumnProfile[] {
    this.endBlock();
    return this.columns.map((column) => {
      const sampled = column.isNumeric ? this.#sample.numbers(this.#numeric.indexOf(column)) : undefined;
      return profileOf(column, column.sum(this.#everybody()), sampled);
    });
  }

  /** @param namesOf - an attribute's groups, by their numbers */
  sketches(namesOf: (attribute: number) => readonly string[]): TableSketches {
    this.endBlock();
    const isByGroup = this.#parts !== "everybody" && this.#fits(this.#slots.count);
    const groups = isByGroup ? this.#slots.named(namesOf) : [];
    const columns = this.columns.map((column, place) => ({
      ...column.column,
      all: sketchOf(column, column.sum(this.#everybody()), this.#sampled(column, place, undefined), WHOLE_STEPS),
      groups: groups.map(({ slot, attribute, group }) => ({
        attribute,
        group,
        sketch: sketchOf(column, column.sum(this.#placesOf(slot)), this.#sampled(column, place, slot), GROUP_STEPS),
      })),
    }));
    return { isByGroup: groups.length > 0, columns };
  }

  /** Columns are counted by combination of groups while those are few; by group, where they aren't; by neither, where even groups are many. */
  #divide(): void {
    if (this.#parts === "cells" && !this.#fits(this.#slots.cells.length)) {
      const places = Array.from({ length: this.#slots.count }, (_, slot) => this.#placesOf(slot));
      this.#regroup("groups", places);
    }
    if (this.#parts === "groups" && !this.#fits(this.#slots.count)) this.#regroup("everybody", [this.#everybody()]);
  }

  #regroup(parts: "groups" | "everybody", of: readonly (readonly number[])[]): void {
    for (const column of this.columns) column.regroup(of);
    this.#parts = parts;
    this.#placesByCell.length = 0;
    this.block.parts = of.length;
  }

  /** Where rows of a combination count. */
  #newPlaces(cell: number, slots: Int32Array): Int32Array {
    const places = this.#parts === "cells" ? Int32Array.of(cell) : this.#parts === "groups" ? slots : Int32Array.of(0);
    this.#placesByCell[cell] = places;
    this.block.parts = Math.max(this.block.parts, ...places.map((place) => place + 1));
    return places;
  }

  #fits(parts: number): boolean {
    return parts <= 1 || parts * this.columns.length <= PARTS_MAX;
  }

  /** Parts of the columns that have every row once between them. */
  #everybody(): readonly number[] {
    switch (this.#parts) {
      case "cells":
        return [...this.#slots.cells.keys()];
      case "groups":
        return this.#slots.everybody;
      case "everybody":
        return [0];
    }
  }

  /** Parts of the columns that a group is made of. */
  #placesOf(slot: number): readonly number[] {
    if (this.#parts === "groups") return [slot];
    return [...this.#slots.cells.keys()].filter((cell) => this.#slots.cells[cell]?.includes(slot));
  }

  #keep(hash: number, row: number, slots: Int32Array): void {
    for (let i = 0; i < this.#numeric.length; i++) this.#numbersOf[i] = this.#numeric[i]?.numberAt(row) ?? Number.NaN;
    for (let i = 0; i < this.#texts.length; i++) {
      const text = this.#texts[i];
      if (text) this.#textsOf[i] = text.column.textAt(row, TEXT_BYTES_MAX);
    }
    this.#sample.add(hash, slots, this.#numbersOf, this.#textsOf);
  }

  #sampled(column: ColumnTally, place: number, slot: number | undefined): Sampled<number | string> {
    // What is counted needs no sample.
    if (column.codes) return { values: [], rows: 0, isWhole: true };
    if (column.isNumeric) return this.#sample.numbers(this.#numeric.indexOf(column), slot);
    return this.#sample.texts(
      this.#texts.findIndex((text) => text.place === place),
      slot,
    );
  }
}

function profileOf(tally: ColumnTally, part: ColumnPart, sampled: Sampled<number> | undefined): ColumnProfile {
  const { column, codes } = tally;
  const { count, min, max, mean, variance, notFinite } = momentsOf(tally, part);
  const sorted = Float64Array.from(sampled?.values ?? []).sort();
  const quantiles = quantilesOf(sorted, SHARES);
  const isExact = sampled?.isWhole ?? true;
  return {
    ...column,
    empty: part.empty,
    distinct: codes?.count ?? null,
    ...(codes ? {} : { distinctAbout: part.distinct?.estimate() ?? 0 }),
    numbers:
      count === 0 || !sampled
        ? null
        : {
            min,
            max,
            mean,
            variance: finite(variance),
            quantiles: Object.fromEntries(SHARES.map((share, i) => [String(share), quantiles[i] ?? 0])),
            isExact,
            notFinite,
          },
    top: codes ? mostFrequentCodes(codes, part.counts, TOP) : [],
  };
}
