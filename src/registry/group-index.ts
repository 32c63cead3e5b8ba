/** Finds for each row of a table its combination of groups, and its label. */
import { isEmpty, plainText, type Column } from "./cell-types.ts";
import type { Cell } from "./csv-parser.ts";
import { TableProblem } from "./csv-text.ts";
import { attributeName, groupOf, type DatasetSpec } from "./dataset-spec.ts";
import type { GroupCell } from "./group-counts.ts";

export interface RowGroups {
  readonly cells: readonly GroupCell[];
  /** For each row, which of `cells` it is in. */
  readonly cellOfRow: readonly number[];
  /** Codes in the label's column; none where it has more than 50 and is an amount rather than a class. */
  readonly labels: readonly string[];
  /** For each row, which of `labels` it has; -1 for none. */
  readonly labelOfRow: readonly number[];
}

interface CellCount {
  readonly at: number;
  readonly groups: Readonly<Record<string, string>>;
  rows: number;
  readonly labels: Map<string, number>;
}

const GROUPS_MAX = 50;
const LABELS_MAX = 50;
const CELLS_MAX = 5000;

export class GroupIndex {
  readonly #attributes: readonly {
    readonly name: string;
    readonly place: number;
    readonly seen: Set<string>;
    readonly groupOf: (code: string | null) => string;
  }[];
  readonly #columns: readonly Column[];
  readonly #labelPlace: number;
  readonly #cells = new Map<string, CellCount>();
  readonly #labels = new Map<string, number>();
  readonly #cellOfRow: number[] = [];
  readonly #labelOfRow: number[] = [];
  #hasClasses: boolean;

  readonly #keepsRows: boolean;

  /**
   * @param columns - as the cells of `add` come
   * @param keepsRows - whether `finish` tells of each row, and not of their numbers only
   */
  constructor(columns: readonly Column[], spec: DatasetSpec, keepsRows = true) {
    this.#keepsRows = keepsRows;
    const place = (name: string) => columns.findIndex((column) => column.name === name);
    this.#columns = columns;
    this.#attributes = (spec.protected ?? []).map((attribute) => ({
      name: attributeName(attribute),
      place: place(attribute.column),
      seen: new Set(),
      groupOf: (code) => groupOf(attribute, code),
    }));
    this.#labelPlace = spec.label ? place(spec.label.column) : -1;
    this.#hasClasses = spec.label !== undefined;
  }

  /** @throws TableProblem for attributes that have a group for every value */
  add(cells: readonly Cell[], line: number): void {
    const cell = this.#cell(cells, line);
    const label = this.#hasClasses ? this.#code(cells, this.#labelPlace) : null;
    cell.rows++;
    const at = label === null ? -1 : this.#label(label);
    if (this.#keepsRows) {
      this.#cellOfRow.push(cell.at);
      this.#labelOfRow.push(at);
    }
    if (label !== null) cell.labels.set(label, (cell.labels.get(label) ?? 0) + 1);
  }

  finish(): RowGroups {
    const hasClasses = this.#hasClasses;
    return {
      cells: Array.from(this.#cells.values(), ({ groups, rows, labels }) => ({
        groups,
        rows,
        labels: hasClasses ? Object.fromEntries(labels) : {},
      })),
      cellOfRow: this.#cellOfRow,
      labels: hasClasses ? [...this.#labels.keys()] : [],
      labelOfRow: hasClasses ? this.#labelOfRow : this.#labelOfRow.fill(-1),
    };
  }

  #cell(cells: readonly Cell[], line: number): CellCount {
    const groups = this.#attributes.map(({ name, place, seen, groupOf: find }) => {
      const group = find(this.#code(cells, place));
      seen.add(group);
      if (seen.size > GROUPS_MAX) {
        const hint = `declare words or bands for ${name}`;
        throw new TableProblem({ expected: `at most ${GROUPS_MAX} groups of ${name}`, got: "more", hint, line });
      }
      return [name, group] as const;
    });
    const key = groups.map(([, group]) => group).join("\0");
    const known = this.#cells.get(key);
    if (known) return known;
    if (this.#cells.size === CELLS_MAX) {
      throw new TableProblem({ expected: `at most ${CELLS_MAX} combinations of groups`, got: "more", hint: "protect fewer columns", line });
    }
    const cell: CellCount = { at: this.#cells.size, groups: Object.fromEntries(groups), rows: 0, labels: new Map() };
    this.#cells.set(key, cell);
    return cell;
  }

  #label(code: string): number {
    const known = this.#labels.get(code);
    if (known !== undefined) return known;
    const at = this.#labels.size;
    this.#labels.set(code, at);
    if (at >= LABELS_MAX) this.#hasClasses = false;
    return at;
  }

  #code(cells: readonly Cell[], place: number): string | null {
    const [column, cell] = [this.#columns[place], cells[place] ?? null];
    return column === undefined || isEmpty(column.type, cell) ? null : plainText(column.type, cell);
  }
}
