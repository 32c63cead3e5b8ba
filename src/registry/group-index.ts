/** Finds for each row of a table its combination of groups, and its label. */
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
  readonly next: Map<number, Step>;
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
  readonly #first: Step = { next: new Map(), cell: -1 };
  readonly #labels = new Map<string, number>();
  #hasClasses: boolean;

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
    let step = this.#first;
    for (const attribute of this.#attributes) {
      const raw = cells[attribute.place] ?? null;
      const group = attribute.groupByCell.get(raw) ?? this.#group(attribute, raw, line);
      let next = step.next.get(group);
      if (!next) step.next.set(group, (next = { next: new Map(), cell: -1 }));
      step = next;
    }
    if (step.cell < 0) step.cell = this.#newCell(cells, line);
    const label = this.#hasClasses ? this.#label(cells[this.#labelPlace] ?? null) : -1;
    const count = this.#cells[step.cell];
    if (count) {
      count.rows++;
      if (label >= 0) count.labels[label] = (count.labels[label] ?? 0) + 1;
    }
    return { cell: step.cell, label };
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

  #newCell(cells: readonly Cell[], line: number): number {
    if (this.#cells.length === CELLS_MAX) {
      throw new TableProblem({ expected: `at most ${CELLS_MAX} combinations of groups`, got: "more", hint: "protect fewer columns", line });
    }
    const groups = this.#attributes.map(({ name, column, place, groupOf: find }) => [name, find(codeOf(column, cells[place] ?? null))]);
    return this.#cells.push({ groups: Object.fromEntries(groups), rows: 0, labels: [] }) - 1;
  }

  #label(raw: Cell): number {
    const code = codeOf(this.#columns[this.#labelPlace], raw);
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
