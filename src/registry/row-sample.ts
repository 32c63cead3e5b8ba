/**
 * Rows by which quantiles and frequent values are estimated, of the table and of each of its groups: those whose hash is lowest, so that the
 * sample is the same in whatever order rows come. At most `limit` rows of the table are in it and `groupLimit` of each group, and half of
 * that at least; of fewer rows, all.
 */

interface Limit {
  /** Rows whose hash is below are in the sample. */
  below: number;
  rows: number;
}

export interface SampleShape {
  /** How many columns of numbers, and of texts. */
  readonly numbers: number;
  readonly texts: number;
  /** In how many groups a row is: one of each attribute. */
  readonly attributes: number;
  readonly limit: number;
  readonly groupLimit: number;
}

/** Values of one column in the sample. */
export interface Sampled<T> {
  readonly values: T[];
  /** Rows of the sample, with those that have no value. */
  readonly rows: number;
  /** Whether all rows are in the sample. */
  readonly isWhole: boolean;
}

/** Rows that are in no sample any more are dropped when the others are so many times as many. */
const PRUNE_AT = 1.25;

export class RowSample {
  readonly #shape: SampleShape;
  readonly #whole: Limit = { below: 1, rows: 0 };
  /** By slot, which is the number of a group. */
  readonly #groups: (Limit | undefined)[] = [];
  #rows = 0;
  #room = 0;
  #pruneAt: number;
  #hashes = new Float64Array();
  #numbers = new Float64Array();
  #slots = new Int32Array();
  #texts: (string | null)[] = [];
  /** Of a group, or the whole: its rows, once they were asked for. */
  readonly #rowsOf = new Map<number | undefined, readonly number[]>();

  constructor(shape: SampleShape) {
    this.#shape = shape;
    this.#pruneAt = Math.ceil(PRUNE_AT * shape.limit);
  }

  /** Whether a row belongs to the sample, as far as is known. @param hash - spread evenly over 0…1 @param slots - groups it is in */
  takes(hash: number, slots: Int32Array): boolean {
    return this.#isIn(hash, slots, 0, slots.length);
  }

  /** @param numbers - of each column of numbers; NaN for none @param texts - of each of texts @pre `takes` says so */
  add(hash: number, slots: Int32Array, numbers: Float64Array, texts: readonly (string | null)[]): void {
    const { attributes, limit, groupLimit } = this.#shape;
    if (this.#rows === this.#room) this.#grow();
    this.#rowsOf.clear();
    const row = this.#rows++;
    this.#hashes[row] = hash;
    this.#numbers.set(numbers, row * numbers.length);
    this.#slots.set(slots, row * attributes);
    for (let i = 0; i < texts.length; i++) this.#texts.push(texts[i] ?? null);
    if (hash < this.#whole.below && ++this.#whole.rows > limit) this.#lower(this.#whole, limit, undefined);
    for (let i = 0; i < slots.length; i++) {
      const slot = slots[i] ?? 0;
      const group = (this.#groups[slot] ??= { below: 1, rows: 0 });
      if (hash < group.below && ++group.rows > groupLimit) this.#lower(group, groupLimit, slot);
    }
    if (this.#rows > this.#pruneAt) this.#prune();
  }

  /** @param slot - of a group; the whole table for undefined */
  numbers(column: number, slot?: number): Sampled<number> {
    return this.#values(slot, (row) => {
      const value = this.#numbers[row * this.#shape.numbers + column] ?? Number.NaN;
      return Number.isFinite(value) ? value : null;
    });
  }

  texts(column: number, slot?: number): Sampled<string> {
    return this.#values(slot, (row) => this.#texts[row * this.#shape.texts + column] ?? null);
  }

  #values<T>(slot: number | undefined, of: (row: number) => T | null): Sampled<T> {
    const limit = slot === undefined ? this.#whole : (this.#groups[slot] ?? { below: 1, rows: 0 });
    const values: T[] = [];
    for (const row of this.#rowsIn(slot, limit)) {
      const value = of(row);
      if (value !== null) values.push(value);
    }
    return { values, rows: limit.rows, isWhole: limit.below === 1 };
  }

  #rowsIn(slot: number | undefined, { below }: Limit): readonly number[] {
    const known = this.#rowsOf.get(slot);
    if (known) return known;
    const rows: number[] = [];
    for (let row = 0; row < this.#rows; row++) if ((this.#hashes[row] ?? 1) < below && this.#has(row, slot)) rows.push(row);
    this.#rowsOf.set(slot, rows);
    return rows;
  }

  #has(row: number, slot: number | undefined): boolean {
    if (slot === undefined) return true;
    const { attributes } = this.#shape;
    for (let i = row * attributes; i < (row + 1) * attributes; i++) if (this.#slots[i] === slot) return true;
    return false;
  }

  #isIn(hash: number, slots: Int32Array, from: number, to: number): boolean {
    if (hash < this.#whole.below) return true;
    for (let i = from; i < to; i++) {
      const group = this.#groups[slots[i] ?? 0];
      if (group === undefined || hash < group.below) return true;
    }
    return false;
  }

  #lower(limit: Limit, most: number, slot: number | undefined): void {
    while (limit.rows > most && limit.below > Number.EPSILON) {
      limit.below /= 2;
      limit.rows = 0;
      for (let row = 0; row < this.#rows; row++) if ((this.#hashes[row] ?? 1) < limit.below && this.#has(row, slot)) limit.rows++;
    }
  }

  #prune(): void {
    const { numbers, texts, attributes, limit } = this.#shape;
    let kept = 0;
    for (let row = 0; row < this.#rows; row++) {
      if (!this.#isIn(this.#hashes[row] ?? 1, this.#slots, row * attributes, (row + 1) * attributes)) continue;
      this.#hashes.copyWithin(kept, row, row + 1);
      this.#numbers.copyWithin(kept * numbers, row * numbers, (row + 1) * numbers);
      this.#slots.copyWithin(kept * attributes, row * attributes, (row + 1) * attributes);
      this.#texts.copyWithin(kept * texts, row * texts, (row + 1) * texts);
      kept++;
    }
    this.#rows = kept;
    this.#texts.length = kept * texts;
    this.#pruneAt = Math.ceil(PRUNE_AT * Math.max(limit, kept));
  }

  #grow(): void {
    const { numbers, attributes } = this.#shape;
    this.#room = Math.min(Math.max(256, this.#room * 2), Math.max(this.#rows, this.#pruneAt) + 1);
    const grown = <T extends Float64Array | Int32Array>(old: T, larger: T): T => {
      larger.set(old);
      return larger;
    };
    this.#hashes = grown(this.#hashes, new Float64Array(this.#room));
    this.#numbers = grown(this.#numbers, new Float64Array(this.#room * numbers));
    this.#slots = grown(this.#slots, new Int32Array(this.#room * attributes));
  }
}
