/** Which cells changed in rows that both tables have: by column, with what was done to them, and by combination of groups. */
import { cellText, findCells, isEmptyCell } from "./diff-row.ts";
import { PatternFinder, type CellPattern } from "./diff-patterns.ts";
import { RECORD, type Part } from "./diff-spill.ts";

export interface CellChanges {
  /** Cells whose value is another one now. */
  readonly changed: number;
  /** Of these: now empty, and empty before. */
  readonly emptied: number;
  readonly filled: number;
  readonly patterns: readonly CellPattern[];
}

/** In rows where more cells have changed, no swapped columns are looked for: every pair would have to be. */
const SWAPS_MAX = 64;

interface ColumnTally {
  changed: number;
  emptied: number;
  filled: number;
  readonly finder: PatternFinder;
  /** By the number of the combination of groups in the version before. */
  readonly byCell: Map<number, number>;
}

export class CellTally {
  readonly #columns: readonly ColumnTally[];
  readonly #a: Uint32Array;
  readonly #b: Uint32Array;
  readonly #changed: number[] = [];

  constructor(columns: number) {
    this.#columns = Array.from({ length: columns }, () => ({
      changed: 0,
      emptied: 0,
      filled: 0,
      finder: new PatternFinder(),
      byCell: new Map(),
    }));
    this.#a = new Uint32Array(columns + 1);
    this.#b = new Uint32Array(columns + 1);
  }

  /** Two rows with one key and different content. */
  add(a: Part, x: number, b: Part, y: number): void {
    const [spansA, spansB, changed] = [this.#a, this.#b, this.#changed];
    findCells(a.bytes, (x + RECORD.head) * 4, spansA);
    findCells(b.bytes, (y + RECORD.head) * 4, spansB);
    const isEqual = (i: number, j: number) => a.bytes.compare(b.bytes, spansB[j], spansB[j + 1], spansA[i], spansA[i + 1]) === 0;
    changed.length = 0;
    for (const [i, column] of this.#columns.entries()) {
      if (isEqual(i, i)) continue;
      changed.push(i);
      column.changed++;
      const cell = a.words[x + RECORD.cell] ?? 0;
      column.byCell.set(cell, (column.byCell.get(cell) ?? 0) + 1);
      const [before, after] = [cellText(a.bytes, spansA[i] ?? 0), cellText(b.bytes, spansB[i] ?? 0)];
      if (after === null) column.emptied++;
      else if (before === null) column.filled++;
      else column.finder.add(before, after);
    }
    if (changed.length > SWAPS_MAX) return;
    for (const [at, i] of changed.entries()) {
      for (const j of changed.slice(at + 1)) {
        if (!isEqual(i, j) || !isEqual(j, i) || isEmptyCell(a.bytes, spansA[i] ?? 0)) continue;
        this.#columns[i]?.finder.addSwap(j);
        this.#columns[j]?.finder.addSwap(i);
      }
    }
  }

  changes(names: readonly string[]): CellChanges[] {
    return this.#columns.map(({ changed, emptied, filled, finder }) => ({ changed, emptied, filled, patterns: finder.patterns(names) }));
  }

  /** Changed cells of a column by the number of the combination of groups in the version before. */
  byCell(column: number): ReadonlyMap<number, number> {
    return this.#columns[column]?.byCell ?? new Map();
  }
}
