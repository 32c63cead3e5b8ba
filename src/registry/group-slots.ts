/** Numbers the groups of all attributes from 0, and knows which of them each combination of groups is in. */

export interface NamedSlot {
  readonly attribute: string;
  readonly group: string;
  readonly slot: number;
}

export class GroupSlots {
  readonly #attributes: readonly string[];
  /** By attribute, then by the number of its group: the slot. */
  readonly #slotOf: readonly number[][];
  readonly #ofCell: Int32Array[] = [];
  #count = 0;

  constructor(attributes: readonly string[]) {
    this.#attributes = attributes;
    this.#slotOf = attributes.map(() => []);
  }

  /** How many groups there are. */
  get count(): number {
    return this.#count;
  }

  /** For each combination its slots, one of each attribute. */
  get cells(): readonly Int32Array[] {
    return this.#ofCell;
  }

  /** Slots that have every row once between them: the groups of the first attribute. */
  get everybody(): readonly number[] {
    return Object.values(this.#slotOf[0] ?? []);
  }

  /** The slots of a combination. @param cell - its number @param groups - of each attribute, the number of its group */
  of(cell: number, groups: ArrayLike<number>): Int32Array {
    return this.#ofCell[cell] ?? this.#add(cell, groups);
  }

  /** @param namesOf - an attribute's groups, by their numbers */
  named(namesOf: (attribute: number) => readonly string[]): readonly NamedSlot[] {
    return this.#slotOf.flatMap((slots, i) => {
      const names = namesOf(i);
      return slots.map((slot, group) => ({ attribute: this.#attributes[i] ?? "", group: names[group] ?? "", slot }));
    });
  }

  #add(cell: number, groups: ArrayLike<number>): Int32Array {
    const slots = Int32Array.from(this.#slotOf, (known, i) => (known[groups[i] ?? 0] ??= this.#count++));
    this.#ofCell[cell] = slots;
    return slots;
  }
}
