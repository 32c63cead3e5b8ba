/**
 * What is counted of one column, in all parts of its rows. Numbers of all parts lie side by side, since a block of rows touches most of them; what
 * comes of it is the same as if `Moments` had been given each number.
 */
import { ColumnPart } from "./column-part.ts";
import { DistinctSketch, type ValueHash } from "./distinct-sketch.ts";
import type { ValueCodes } from "./value-codes.ts";

/** Of a part: count, mean, squares, least, greatest, and how many aren't finite. */
const MOMENTS = 6;
const NO_COUNTS = new Float64Array();

export class ColumnCounts {
  readonly #isNumeric: boolean;
  /** Parts that there is room for. */
  #room = 0;
  #rows = new Float64Array();
  #empty = new Float64Array();
  #moments = new Float64Array();
  /** By part, then by code. */
  readonly #counts: Float64Array<ArrayBuffer>[] = [];
  readonly #distinct: (DistinctSketch | undefined)[] = [];

  constructor(isNumeric: boolean) {
    this.#isNumeric = isNumeric;
  }

  /** Makes room for parts with lower numbers. */
  reserve(parts: number): void {
    if (parts <= this.#room) return;
    const from = this.#room;
    this.#room = Math.max(parts, from === 0 ? 1 : from * 2);
    this.#rows = widened(this.#rows, this.#room);
    this.#empty = widened(this.#empty, this.#room);
    if (this.#isNumeric) {
      this.#moments = widened(this.#moments, this.#room * MOMENTS);
      for (let place = from; place < this.#room; place++) {
        this.#moments[place * MOMENTS + 3] = Number.POSITIVE_INFINITY;
        this.#moments[place * MOMENTS + 4] = Number.NEGATIVE_INFINITY;
      }
    }
    while (this.#counts.length < this.#room) this.#counts.push(NO_COUNTS);
  }

  /** A row without a value. @pre there is room for the part, as for all that is added */
  addEmpty(place: number): void {
    this.#rows[place] = (this.#rows[place] ?? 0) + 1;
    this.#empty[place] = (this.#empty[place] ?? 0) + 1;
  }

  /** A row whose value has a code. */
  addCode(place: number, code: number): void {
    this.#rows[place] = (this.#rows[place] ?? 0) + 1;
    let counts = this.#counts[place] ?? NO_COUNTS;
    if (code >= counts.length) this.#counts[place] = counts = widened(counts, Math.max(4, code + 1, counts.length * 2));
    counts[code] = (counts[code] ?? 0) + 1;
  }

  /** A row whose value has none. */
  addHash(place: number, high: number, low: number): void {
    this.#rows[place] = (this.#rows[place] ?? 0) + 1;
    (this.#distinct[place] ??= new DistinctSketch()).add(high, low);
  }

  /** Its number, in a numeric column. */
  addNumber(place: number, value: number): void {
    const moments = this.#moments;
    const at = place * MOMENTS;
    if (value - value !== 0) {
      moments[at + 5] = (moments[at + 5] ?? 0) + 1;
      return;
    }
    const count = (moments[at] ?? 0) + 1;
    const before = moments[at + 1] ?? 0;
    const delta = value - before;
    const mean = before + delta / count;
    moments[at] = count;
    moments[at + 1] = mean;
    moments[at + 2] = (moments[at + 2] ?? 0) + delta * (value - mean);
    if (value < (moments[at + 3] ?? 0)) moments[at + 3] = value;
    if (value > (moments[at + 4] ?? 0)) moments[at + 4] = value;
  }

  /** From now on no value has a code. */
  foldCodes(codes: ValueCodes, hash: ValueHash): void {
    for (let place = 0; place < this.#room; place++) {
      if ((this.#rows[place] ?? 0) === 0) continue;
      const part = this.#partAt(place);
      part.foldCodes(codes, this.#isNumeric, hash);
      this.#take(place, part);
    }
  }

  /** What was counted in several parts that have no row in common. */
  sum(places: readonly number[]): ColumnPart {
    const sum = new ColumnPart();
    for (const place of places) if ((this.#rows[place] ?? 0) > 0) sum.merge(this.#partAt(place));
    return sum;
  }

  /** From now on there are other parts. @param of - for each of them, which of the present ones it is made of */
  regroup(of: readonly (readonly number[])[]): void {
    const parts = of.map((places) => this.sum(places));
    this.#room = 0;
    [this.#rows, this.#empty, this.#moments] = [new Float64Array(), new Float64Array(), new Float64Array()];
    this.#counts.length = 0;
    this.#distinct.length = 0;
    this.reserve(parts.length);
    for (const [place, part] of parts.entries()) this.#take(place, part);
  }

  #partAt(place: number): ColumnPart {
    const part = new ColumnPart();
    part.rows = this.#rows[place] ?? 0;
    part.empty = this.#empty[place] ?? 0;
    part.counts = (this.#counts[place] ?? NO_COUNTS).slice();
    part.distinct = this.#distinct[place];
    if (!this.#isNumeric) return part;
    const [count = 0, mean = 0, squares = 0, min = 0, max = 0, notFinite = 0] = this.#moments.subarray(place * MOMENTS);
    Object.assign(part.moments, { count, mean, squares, min, max, notFinite });
    return part;
  }

  #take(place: number, { rows, empty, counts, distinct, moments }: ColumnPart): void {
    this.#rows[place] = rows;
    this.#empty[place] = empty;
    this.#counts[place] = counts;
    this.#distinct[place] = distinct;
    if (!this.#isNumeric) return;
    const { count, mean, squares, min, max, notFinite } = moments;
    this.#moments.set([count, mean, squares, min, max, notFinite], place * MOMENTS);
  }
}

function widened(old: Float64Array<ArrayBuffer>, size: number): Float64Array<ArrayBuffer> {
  const wider = new Float64Array(size);
  wider.set(old);
  return wider;
}
