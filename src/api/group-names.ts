/** How groups are called for a reader: by their values for those who may see them, by letters, the same everywhere, for others. */
import { PREVIOUS, REST, type Group } from "../monitoring/index.ts";

/** Fewer people than this in a cell can be told apart: only those who may see groups get the number. */
export const SMALL_CELL = 10;

export class GroupNames {
  readonly areVisible: boolean;
  readonly #letters = new Map<string, string>();

  /** @param groups - values by attribute, as the endpoint declares them */
  constructor(groups: Readonly<Record<string, readonly string[]>>, areVisible: boolean) {
    this.areVisible = areVisible;
    // Sorted, so that a letter stays with its group wherever it is shown and however the declaration was written.
    for (const attribute of Object.keys(groups).toSorted()) {
      for (const value of [...(groups[attribute] ?? [])].toSorted())
        this.#letters.set(`${attribute}\0${value}`, letter(this.#letters.size));
    }
  }

  /** `education=high_school`, or `C`. */
  label(group: Group): string {
    const parts = Object.entries(group).map(([attribute, value]) =>
      this.areVisible ? `${attribute}=${value}` : this.letterOf(attribute, value),
    );
    return parts.join(this.areVisible ? "," : "×") || "everybody";
  }

  /** `high school`, `male, high school`, or `C`; null for everybody together. */
  inWords(group: Group): string | null {
    const parts = Object.entries(group).map(([attribute, value]) => this.word(attribute, value));
    return parts.join(this.areVisible ? ", " : "×") || null;
  }

  /** `high school`, or `C`. */
  word(attribute: string, value: string): string {
    return this.areVisible ? value.replaceAll("_", " ") : this.letterOf(attribute, value);
  }

  /** `applicants with education high school`, or `applicants of group C`. */
  people(group: Group): string {
    const entries = Object.entries(group);
    if (entries.length === 0) return "applicants";
    if (!this.areVisible) return `applicants of group ${entries.map(([attribute, value]) => this.letterOf(attribute, value)).join("×")}`;
    return `applicants with ${entries.map(([attribute, value]) => `${attribute.replaceAll("_", " ")} ${value.replaceAll("_", " ")}`).join(" and ")}`;
  }

  /** Whom a group is compared with: nobody, `rest`, or another value of the same attribute. */
  reference(group: Group, reference: string | null): string {
    if (reference === null) return "nobody";
    if (reference === REST || reference === PREVIOUS) return reference;
    const [attribute] = Object.keys(group);
    return attribute === undefined ? reference : this.word(attribute, reference);
  }

  letterOf(attribute: string, value: string): string {
    return this.#letters.get(`${attribute}\0${value}`) ?? "?";
  }
}

const letter = (index: number): string =>
  index < 26 ? String.fromCharCode(65 + index) : `${letter(Math.floor(index / 26) - 1)}${letter(index % 26)}`;
