/** What is counted of one column among the rows of one group. Parts of groups that have no row in common add up. */
import { DistinctSketch, type ValueHash } from "./distinct-sketch.ts";
import { Moments } from "./moments.ts";
import type { ValueCodes } from "./value-codes.ts";

export class ColumnPart {
  rows = 0;
  empty = 0;
  /** By the value's code, while values have some. */
  counts = new Float64Array();
  /** Of numbers whose values have no code, and once there are too many values: of all. */
  readonly moments = new Moments();
  /** As `moments`. */
  distinct: DistinctSketch | undefined;

  /** Counts by code become moments, in order of the values, and a sketch: from then on values have no code. */
  foldCodes(codes: ValueCodes, isNumeric: boolean, hash: ValueHash): void {
    if (isNumeric) this.moments.addCounts(codes.numbers, this.counts);
    for (const [code, count] of this.counts.entries()) {
      if (count === 0) continue;
      codes.hash(code, hash);
      this.distinct ??= new DistinctSketch();
      this.distinct.add(hash.high, hash.low);
    }
    this.counts = new Float64Array();
  }

  /** @param other - of other rows of the column; left as it is */
  merge(other: ColumnPart): void {
    this.rows += other.rows;
    this.empty += other.empty;
    if (other.counts.length > this.counts.length) this.#widen(other.counts.length);
    for (const [code, count] of other.counts.entries()) if (count > 0) this.counts[code] = (this.counts[code] ?? 0) + count;
    this.moments.merge(other.moments);
    if (!other.distinct) return;
    this.distinct ??= new DistinctSketch();
    this.distinct.merge(other.distinct);
  }

  #widen(codes: number): void {
    const wider = new Float64Array(Math.max(codes, this.counts.length * 2));
    wider.set(this.counts);
    this.counts = wider;
  }
}
