/** Finds the groups and the label of rows that come as bytes; by the codes of their values, where those are few. */
import type { Column } from "./cell-types.ts";
import { NO_VALUE } from "./column-tally.ts";
import type { DatasetSpec } from "./dataset-spec.ts";
import type { GroupCell } from "./group-counts.ts";
import { GroupIndex } from "./group-index.ts";
import { cellOf, type RawRow } from "./raw-row.ts";
import { VALUES_MAX } from "./value-codes.ts";

const UNKNOWN = -2;
/** Of a row without a value, behind those of all codes. */
const MISSING = VALUES_MAX;

export class RowGroups {
  readonly #index: GroupIndex;
  readonly #places: readonly number[];
  readonly #labelPlace: number;
  /** By attribute, then by code: the number of the group. */
  readonly #groupOf: readonly Int32Array[];
  readonly #labelOf = new Int32Array(VALUES_MAX + 1).fill(UNKNOWN);
  /** Of the row that was added last, by attribute. */
  readonly groups: Int32Array;

  constructor(columns: readonly Column[], spec: DatasetSpec) {
    this.#index = new GroupIndex(columns, spec);
    this.#places = this.#index.places;
    this.#labelPlace = this.#index.labelPlace;
    this.#groupOf = this.#places.map(() => new Int32Array(VALUES_MAX + 1).fill(UNKNOWN));
    this.groups = new Int32Array(this.#places.length);
  }

  /** @param codes - of the row's values, by column @returns the number of its combination of groups @throws TableProblem for attributes that have a group for every value */
  add(row: RawRow, codes: Int32Array, line: number): number {
    for (let i = 0; i < this.#places.length; i++) {
      const place = this.#places[i] ?? 0;
      const code = codes[place] ?? NO_VALUE;
      const known = this.#groupOf[i];
      const at = code === NO_VALUE ? MISSING : code;
      let group = at < 0 ? UNKNOWN : (known?.[at] ?? UNKNOWN);
      if (group === UNKNOWN) {
        group = this.#index.groupOf(i, cellOf(row, place), line);
        if (known && at >= 0) known[at] = group;
      }
      this.groups[i] = group;
    }
    return this.#index.count(this.groups, this.#labelPlace < 0 ? NO_VALUE : this.#label(row, codes), line).cell;
  }

  /** An attribute's groups, by their numbers. */
  namesOf(attribute: number): readonly string[] {
    return this.#index.groupsOf(attribute);
  }

  cells(): readonly GroupCell[] {
    return this.#index.finish().cells;
  }

  #label(row: RawRow, codes: Int32Array): number {
    const code = codes[this.#labelPlace] ?? NO_VALUE;
    if (code === NO_VALUE) return NO_VALUE;
    let label = code < 0 ? UNKNOWN : (this.#labelOf[code] ?? UNKNOWN);
    if (label === UNKNOWN) {
      label = this.#index.labelOf(cellOf(row, this.#labelPlace));
      if (code >= 0) this.#labelOf[code] = label;
    }
    return label;
  }
}
