/** What differs between two tables, and whom it concerns. Reads each once or twice, holds neither in memory. */
import { setImmediate } from "node:timers/promises";
import { attributeName, type DatasetSpec } from "./dataset-spec.ts";
import { CellTally, type CellChanges } from "./diff-cells.ts";
import { GroupTally, type Contrast, type Group, type GroupChange, type LabelFlip } from "./diff-groups.ts";
import { binsOf } from "./diff-bins.ts";
import { differentialsOf, type Differential } from "./diff-differentials.ts";
import { distributionsOf, type BinnedColumn, type Distribution } from "./diff-distributions.ts";
import { joinParts } from "./diff-join.ts";
import type { RenamedColumn } from "./diff-look.ts";
import { keyPlaces, prepare, type DiffKey, type DiffQuestion, type Prepared } from "./diff-prepare.ts";
import { cellText, findCells } from "./diff-row.ts";
import { scanBoth, type DiffTable, type ScannedTable, type ScanPlan } from "./diff-scan.ts";
import { PARTS, RECORD, type Part } from "./diff-spill.ts";

export interface RowChanges {
  /** null: by content. Then a changed row is one that is missing and one that is new. */
  readonly key: DiffKey | null;
  readonly before: number;
  readonly after: number;
  readonly missing: number;
  readonly added: number;
  readonly changed: number;
  readonly unchanged: number;
  readonly duplicates: DuplicateKeys;
}

/** Keys that more than one row of a version has. */
export interface DuplicateKeys {
  readonly keys: number;
  /** The first hundred, in no order that means something. */
  readonly listed: readonly { readonly key: readonly (string | null)[]; readonly before: number; readonly after: number }[];
}

/** What happened to a column in rows that both versions have. */
export interface ColumnChange extends CellChanges {
  /** As the version before calls it. */
  readonly column: string;
  /** Where changed cells are more frequent than in all other rows, most telling first. Protected. */
  readonly groups: readonly { readonly group: Group; readonly count: number; readonly of: number; readonly againstRest: Contrast }[];
}

export interface TableDiff {
  /** Whether the same rows come in the same order. Says something only where no row is missing, new or changed. */
  readonly sameOrder: boolean;
  readonly renamed: readonly RenamedColumn[];
  readonly rows: RowChanges;
  /** Of columns with a changed cell, those with most first. None where rows are compared by content. */
  readonly cells: readonly ColumnChange[];
  /** Most telling first. */
  readonly groups: readonly GroupChange[];
  readonly flips: readonly LabelFlip[];
  /** Of every column that both have, those that moved most first. */
  readonly distributions: readonly Distribution[];
  /** What moved in a group and not for all others, most telling first. */
  readonly differentials: readonly Differential[];
}

const LISTED_MAX = 100;

/**
 * @pre both tables have the columns of `key`
 * @throws TableProblem
 */
export async function diffTables(a: DiffTable, b: DiffTable, question: DiffQuestion): Promise<TableDiff> {
  const prepared = await prepare(a, b, question);
  const diff = await compared(a, b, { prepared, question });
  // It was proposed from a sample. Where it doesn't name a row after all, nothing does.
  const isKept = diff.rows.duplicates.keys === 0 || prepared.key?.source !== "proposed";
  return isKept ? diff : compared(a, b, { prepared: { ...prepared, key: null }, question });
}

async function compared(
  a: DiffTable,
  b: DiffTable,
  { prepared, question }: { readonly prepared: Prepared; readonly question: DiffQuestion },
): Promise<TableDiff> {
  const { columns, spec, key, renamed } = prepared;
  const binned = columns.flatMap(({ name, after, type }): BinnedColumn[] => {
    const [before, other] = [a.columns.find((column) => column.name === name), b.columns.find((column) => column.name === after)];
    return before && other ? [{ before, after: other, bins: binsOf(before, other, type) }] : [];
  });
  const plan: ScanPlan = { columns, key: keyPlaces(prepared), bins: binned.map(({ bins }) => bins), spec, keepsCells: key !== null };
  const { before, after, close } = await scanBoth(a, b, plan, question.space);
  try {
    const by = attributesOf(spec, question.by);
    const diff = await joined({ before, after, plan, key, by });
    const histograms = { a: before.histograms, b: after.histograms };
    const label = spec.label?.column ?? null;
    return {
      ...diff,
      renamed,
      distributions: distributionsOf(binned, histograms.a, histograms.b),
      differentials: differentialsOf({ a: before, b: after, by, changes: diff.groups, label, columns: binned, histograms }),
    };
  } finally {
    close();
  }
}

function attributesOf({ protected: attributes = [] }: DatasetSpec, by: readonly string[] | undefined): string[] {
  const names = attributes.map(attributeName);
  return by ? by.filter((name) => names.includes(name)) : names;
}

async function joined({
  before,
  after,
  plan,
  key,
  by,
}: {
  readonly before: ScannedTable;
  readonly after: ScannedTable;
  readonly plan: ScanPlan;
  readonly key: DiffKey | null;
  readonly by: readonly string[];
}): Promise<Omit<TableDiff, "renamed" | "distributions" | "differentials">> {
  const names = plan.columns.map(({ name }) => name);
  const groups = new GroupTally(before, after, by);
  const cells = new CellTally(names.length);
  const counts = { missing: 0, added: 0, changed: 0, unchanged: 0 };
  const duplicates = { keys: 0, listed: new Array<DuplicateKeys["listed"][number]>() };
  for (let number = 0; number < PARTS; number++) {
    const [a, b] = [before.spill.part(number), after.spill.part(number)];
    joinParts(a, b, {
      pair(x, y, isSame) {
        counts[isSame ? "unchanged" : "changed"]++;
        groups.pair(placeOf(a, x), placeOf(b, y));
        if (!isSame) cells.add(a, x, b, y);
      },
      missing(x) {
        counts.missing++;
        const { cell, label } = placeOf(a, x);
        groups.missing(cell, label);
      },
      added(y) {
        counts.added++;
        const { cell, label } = placeOf(b, y);
        groups.added(cell, label);
      },
      duplicated(rows) {
        if (!key) return;
        duplicates.keys++;
        const [first, other] = [rows.a[0], rows.b[0]];
        if (duplicates.listed.length === LISTED_MAX) return;
        const named = first === undefined ? keyOf(b, other ?? 0, plan) : keyOf(a, first, plan);
        duplicates.listed.push({ key: named, before: rows.a.length, after: rows.b.length });
      },
    });
    // A server that compares tables goes on serving.
    await setImmediate();
  }
  const ofColumns = cells.changes(names).flatMap((change, i): ColumnChange[] => {
    if (change.changed === 0) return [];
    const telling = groups.ofKept(cells.byCell(i)).flatMap(({ againstRest, ...rest }) => (againstRest ? [{ ...rest, againstRest }] : []));
    return [{ column: names[i] ?? "", ...change, groups: telling.toSorted((x, y) => y.againstRest.z - x.againstRest.z) }];
  });
  return {
    sameOrder: before.order === after.order,
    rows: { key, before: before.rows, after: after.rows, ...counts, duplicates },
    cells: ofColumns.toSorted((x, y) => y.changed - x.changed),
    groups: groups.changes(),
    flips: groups.flips(),
  };
}

const placeOf = ({ words }: Part, at: number) => ({ cell: words[at + RECORD.cell] ?? 0, label: words[at + RECORD.label] ?? 0 });

function keyOf(part: Part, at: number, { columns, key }: ScanPlan): (string | null)[] {
  const spans = new Uint32Array(columns.length + 1);
  findCells(part.bytes, (at + RECORD.head) * 4, spans);
  return key.map((place) => cellText(part.bytes, spans[place] ?? 0));
}
