/** Finds for each row of a table its combination of groups, and its label. */
import { assert } from "../std.ts";
import { isEmpty, plainText, type Column } from "./cell-types.ts";
import type { Cell } from "./csv-parser.ts";
import { TableProblem } from "./csv-text.ts";
import { attributeName, groupOf, type DatasetSpec } from "./dataset-spec.ts";
import type { GroupCell } from "./group-counts.ts";

export interface TableGroups {
  readonly cells: readonly GroupCell[];
  /** Codes in the label's column; none where it has more than 50 and is an amount rather than a class. */
  readonly labels: readonly string[];
}

/** Where a row belongs. */
export interface RowGroup {
  /** Which of the table's `cells` it is in. */
  readonly cell: number;
  /** Which of its `labels` it has; -1 for none. */
  readonly label: number;
}

interface Attribute {
  readonly name: string;
  readonly column: Column | undefined;
  readonly place: number;
  readonly groups: Map<string, number>;
  readonly groupByCell: Map<Cell, number>;
  readonly groupOf: (code: string | null) => string;
}

/** One more attribute a step; at the last one is the number of the combination. */
interface Step {
  /** By the number of the group. */
  readonly next: (Step | undefined)[];
  cell: number;
}

interface CellCount {
  readonly groups: Readonly<Record<string, string>>;
  rows: number;
  readonly labels: number[];
}

const GROUPS_MAX = 50;
const LABELS_MAX = 50;
const CELLS_MAX = 5000;
const KNOWN_MAX = 10_000;

export class GroupIndex {
  readonly #attributes: readonly Attribute[];
  readonly #columns: readonly Column[];
  readonly #labelPlace: number;
  readonly #cells: CellCount[] = [];
  readonly #first: Step = { next: [], cell: -1 };
  readonly #labels = new Map<string, number>();
  #hasClasses: boolean;
  /** Of the row that is added. */
  readonly #groups: number[] = [];

  /** @param columns - as the cells of `add` come */
  constructor(columns: readonly Column[], spec: DatasetSpec) {
    const place = (name: string) => columns.findIndex((column) => column.name === name);
    this.#columns = columns;
    this.#attributes = (spec.protected ?? []).map((attribute) => ({
      name: attributeName(attribute),
      column: columns[place(attribute.column)],
      place: place(attribute.column),
      groups: new Map(),
      groupByCell: new Map(),
      groupOf: (code) => groupOf(attribute, code),
    }));
    this.#labelPlace = spec.label ? place(spec.label.column) : -1;
    this.#hasClasses = spec.label !== undefined;
  }

  /** @throws TableProblem for attributes that have a group for every value */
  add(cells: readonly Cell[], line: number): RowGroup {
    for (const [i, { place }] of this.#attributes.entries()) this.#groups[i] = this.groupOf(i, cells[place] ?? null, line);
    return this.count(this.#groups, this.labelOf(cells[this.#labelPlace] ?? null), line);
  }

  /** How many attributes are protected, and in which columns they are. */
  get places(): readonly number[] {
    return this.#attributes.map(({ place }) => place);
  }

  /** Of the label; -1 where there is none. */
  get labelPlace(): number {
    return this.#labelPlace;
  }

  /** The number of an attribute's group, from 0. @throws TableProblem for attributes that have a group for every value */
  groupOf(attribute: number, cell: Cell, line: number): number {
    const known = this.#attributes[attribute];
    assert(known, "there are as many attributes as places");
    return known.groupByCell.get(cell) ?? this.#group(known, cell, line);
  }

  /** Counts a row. @param groups - of each attribute, the number of its group @param label - by `labelOf` @throws TableProblem */
  count(groups: ArrayLike<number>, label: number, line: number): RowGroup {
    let step = this.#first;
    for (let i = 0; i < this.#attributes.length; i++) {
      const group = groups[i] ?? 0;
      step = step.next[group] ??= { next: [], cell: -1 };
    }
    if (step.cell < 0) step.cell = this.#newCell(groups, line);
    const count = this.#cells[step.cell];
    if (count) {
      count.rows++;
      if (label >= 0) count.labels[label] = (count.labels[label] ?? 0) + 1;
    }
    return { cell: step.cell, label };
  }

  /** Names of an attribute's groups, by their numbers. */
  groupsOf(attribute: number): readonly string[] {
    return [...(this.#attributes[attribute]?.groups.keys() ?? [])];
  }

  finish(): TableGroups {
    const labels = this.#hasClasses ? [...this.#labels.keys()] : [];
    const counts = (cell: CellCount) =>
      labels.flatMap((label, at) => (cell.labels[at] === undefined ? [] : [[label, cell.labels[at]] as const]));
    return {
      cells: this.#cells.map((cell) => ({ groups: cell.groups, rows: cell.rows, labels: Object.fromEntries(counts(cell)) })),
      labels,
    };
  }

  #group({ name, column, groups, groupByCell, groupOf: find }: Attribute, raw: Cell, line: number): number {
    const group = find(codeOf(column, raw));
    const known = groups.get(group) ?? groups.size;
    groups.set(group, known);
    if (groups.size > GROUPS_MAX) {
      const hint = `declare words or bands for ${name}`;
      throw new TableProblem({ expected: `at most ${GROUPS_MAX} groups of ${name}`, got: "more", hint, line });
    }
    // Bands of an amount have few groups and any number of values.
    if (groupByCell.size < KNOWN_MAX) groupByCell.set(raw, known);
    return known;
  }

  #newCell(numbers: ArrayLike<number>, line: number): number {
    if (this.#cells.length === CELLS_MAX) {
      throw new TableProblem({ expected: `at most ${CELLS_MAX} combinations of groups`, got: "more", hint: "protect fewer columns", line });
    }
    const groups = this.#attributes.map(({ name }, i) => [name, this.groupsOf(i)[numbers[i] ?? 0] ?? ""]);
    return this.#cells.push({ groups: Object.fromEntries(groups), rows: 0, labels: [] }) - 1;
  }

  /** The number of a row's label; -1 for none, and once there are too many for classes. */
  labelOf(cell: Cell): number {
    if (!this.#hasClasses) return -1;
    const code = codeOf(this.#columns[this.#labelPlace], cell);
    if (code === null) return -1;
    const known = this.#labels.get(code);
    if (known !== undefined) return known;
    const at = this.#labels.size;
    this.#labels.set(code, at);
    if (at < LABELS_MAX) return at;
    this.#hasClasses = false;
    return -1;
  }
}

function codeOf(column: Column | undefined, cell: Cell): string | null {
  return column === undefined || isEmpty(column.type, cell) ? null : plainText(column.type, cell);
}
