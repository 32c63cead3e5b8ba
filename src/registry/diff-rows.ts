/** The rows in which two tables differ, as CSV: what is missing and new, and of what changed, how it was and how it is. */
import { setImmediate } from "node:timers/promises";
import { joinParts, type JoinSink } from "./diff-join.ts";
import { keyPlaces, prepare, type DiffQuestion, type Prepared } from "./diff-prepare.ts";
import { cellText, findCells } from "./diff-row.ts";
import { scanBoth, type DiffTable, type ScannedTable } from "./diff-scan.ts";
import { PARTS, RECORD, type Part } from "./diff-spill.ts";

export interface DiffRows {
  /** Lines after the header. */
  readonly count: number;
  /** Must be read to its end or returned from: it holds what the rows are kept in. */
  readonly pieces: AsyncIterableIterator<string>;
}

type Change = "missing" | "new" | "before" | "after";
/** Told of no row. */
const silent: JoinSink = { pair: () => undefined, missing: () => undefined, added: () => undefined, duplicated: () => undefined };

/** @param question - `hidden`: columns that are left out @throws TableProblem */
export async function diffRows(
  a: DiffTable,
  b: DiffTable,
  question: DiffQuestion & { readonly hidden: readonly string[] },
): Promise<DiffRows> {
  const prepared = await prepare(a, b, question);
  const scanned = await scannedBy(prepared, a, b, question);
  const counted = await countOf(scanned);
  if (prepared.key?.source !== "proposed" || counted.keys === 0)
    return { count: counted.rows, pieces: piecesOf(scanned, prepared, question.hidden) };
  scanned.close();
  // As in the difference: what was proposed doesn't name a row after all.
  const nameless: Prepared = { ...prepared, key: null };
  const again = await scannedBy(nameless, a, b, question);
  return { count: (await countOf(again)).rows, pieces: piecesOf(again, nameless, question.hidden) };
}

interface Scanned {
  readonly before: ScannedTable;
  readonly after: ScannedTable;
  readonly close: () => void;
}

function scannedBy(prepared: Prepared, a: DiffTable, b: DiffTable, { space }: DiffQuestion): Promise<Scanned> {
  const { columns } = prepared;
  return scanBoth(a, b, { columns, key: keyPlaces(prepared), bins: [], spec: {}, keepsCells: true }, space);
}

/** @returns lines that differ, and keys that name more than one row */
async function countOf({ before, after, close }: Scanned): Promise<{ readonly rows: number; readonly keys: number }> {
  let [rows, keys] = [0, 0];
  try {
    for (let number = 0; number < PARTS; number++) {
      joinParts(before.spill.part(number), after.spill.part(number), {
        pair: (_a, _b, isSame) => (rows += isSame ? 0 : 2),
        missing: () => rows++,
        added: () => rows++,
        duplicated: () => keys++,
      });
      await setImmediate();
    }
  } catch (error) {
    close();
    throw error;
  }
  return { rows, keys };
}

function piecesOf(scanned: Scanned, prepared: Prepared, hidden: readonly string[]): AsyncIterableIterator<string> {
  const pieces = generated(scanned, prepared, hidden);
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next: () => pieces.next(),
    // A generator that nobody has begun to read doesn't come to its `finally`.
    async return() {
      scanned.close();
      await pieces.return();
      return { done: true, value: undefined };
    },
  };
}

async function* generated(
  { before, after, close }: Scanned,
  { columns }: Prepared,
  hidden: readonly string[],
): AsyncGenerator<string, void> {
  const shown = columns.flatMap(({ name, after: other }, place) =>
    hidden.includes(name) || hidden.includes(other) ? [] : [{ name, place }],
  );
  const spans = new Uint32Array(columns.length + 1);
  const line = (change: Change, { bytes }: Part, at: number) => {
    findCells(bytes, (at + RECORD.head) * 4, spans);
    return `${[change, ...shown.map(({ place }) => csvCell(cellText(bytes, spans[place] ?? 0)))].join(",")}\n`;
  };
  try {
    yield `${["change", ...shown.map(({ name }) => csvCell(name))].join(",")}\n`;
    for (let number = 0; number < PARTS; number++) {
      const [a, b] = [before.spill.part(number), after.spill.part(number)];
      const lines: string[] = [];
      joinParts(a, b, {
        ...silent,
        pair: (x, y, isSame) => {
          if (!isSame) lines.push(line("before", a, x), line("after", b, y));
        },
        missing: (x) => lines.push(line("missing", a, x)),
        added: (y) => lines.push(line("new", b, y)),
      });
      yield lines.join("");
      await setImmediate();
    }
  } finally {
    close();
  }
}

/** As the strict reader takes it again: an empty text is two quotes, an empty cell nothing. */
function csvCell(cell: string | null): string {
  if (cell === null) return "";
  return cell === "" || /[",\n\r]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
