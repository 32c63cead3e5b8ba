/** Columns whose type is declared: the first cell that is of another one is told with its line, wherever in the table it is. */
import { BOOLEAN, DATE, INTEGER, NUMBER, TIMESTAMP, kindsOf, type Column, type ColumnType } from "./cell-types.ts";
import { TableProblem } from "./csv-text.ts";
import type { DatasetSpec } from "./dataset-spec.ts";
import { readRows, type Table } from "./table-rows.ts";

/** What a cell may be; text may be anything. */
const KINDS: Readonly<Record<Exclude<ColumnType, "string">, number>> = {
  boolean: BOOLEAN,
  integer: INTEGER,
  number: INTEGER | NUMBER,
  date: DATE,
  timestamp: TIMESTAMP,
};
const SHOWN = 60;

/**
 * @param columns - of the table, in the types that all its cells have: only where one isn't the declared one is the table read again
 * @throws TableProblem
 */
export async function checkTypes(table: Table, columns: readonly Column[], { types = {} }: DatasetSpec): Promise<void> {
  const doubtful = columns.flatMap(({ name, type }, place) => {
    const declared = Object.hasOwn(types, name) ? types[name] : undefined;
    if (declared === undefined || declared === "string" || declared === type) return [];
    return [{ name, place, declared, kinds: KINDS[declared] }];
  });
  if (doubtful.length === 0) return;
  let places: readonly number[] = [];
  await readRows(table, {
    header: (names) => void (places = doubtful.map(({ name }) => names.indexOf(name))),
    row: (cells, line, file) => {
      for (const [i, { name, declared, kinds }] of doubtful.entries()) {
        const cell = cells[places[i] ?? -1] ?? null;
        if (cell === null || cell === "" || (kindsOf(cell) & kinds) !== 0) continue;
        const got = cell.length > SHOWN ? `${cell.slice(0, SHOWN)}…` : cell;
        throw new TableProblem({ expected: `${aOr(declared)} in ${name}, as is declared`, got, line }, table.files[file]?.name ?? "");
      }
    },
  });
}

const aOr = (type: ColumnType) => (type === "integer" ? "an integer" : `a ${type}`);
