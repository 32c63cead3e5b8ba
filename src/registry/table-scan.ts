/** What the columns of a table are, from all its cells. */
import { TypeGuess, type Column } from "./cell-types.ts";
import { kindsOfBytes } from "./cell-bytes.ts";
import type { RawRow } from "./raw-row.ts";
import { readRawRows, type Table } from "./table-rows.ts";

/** Guesses the types of columns from the rows it is given. */
export class ColumnGuesses {
  readonly #names: readonly string[];
  readonly guesses: readonly TypeGuess[];

  constructor(names: readonly string[]) {
    this.#names = names;
    this.guesses = names.map(() => new TypeGuess());
  }

  add({ bytes, starts, ends }: RawRow): void {
    for (let i = 0; i < this.guesses.length; i++) {
      const [guess, start, end] = [this.guesses[i], starts[i] ?? 0, ends[i] ?? -1];
      if (guess && end > start && !guess.isText) guess.narrow(kindsOfBytes(bytes, start, end));
    }
  }

  get columns(): readonly Column[] {
    return this.#names.map((name, i) => ({ name, type: this.guesses[i]?.type() ?? "string" }));
  }
}

/** Reads all of a table for the types of its columns. @throws TableProblem */
export async function inspectTable(table: Table): Promise<readonly Column[]> {
  let guesses = new ColumnGuesses([]);
  await readRawRows(table, { header: (names) => void (guesses = new ColumnGuesses(names)), row: (row) => guesses.add(row) });
  return guesses.columns;
}
