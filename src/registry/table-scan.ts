/** A table is read twice: first for what its columns are, here, then for what its rows are (`table-facts.ts`). */
import { TypeGuess, type Column } from "./cell-types.ts";
import { readRows, type Table } from "./table-rows.ts";

/** First reading: the type of every column, from all its cells. @throws TableProblem */
export async function inspectTable(table: Table): Promise<readonly Column[]> {
  let names: readonly string[] = [];
  let guesses: TypeGuess[] = [];
  await readRows(table, {
    header(header) {
      names = header;
      guesses = header.map(() => new TypeGuess());
    },
    row(cells) {
      for (let i = 0; i < guesses.length; i++) guesses[i]?.add(cells[i] ?? null);
    },
  });
  return names.map((name, i) => ({ name, type: guesses[i]?.type() ?? "string" }));
}
