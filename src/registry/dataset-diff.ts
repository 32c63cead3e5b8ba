/** What differs between two tables, and whom it concerns. Reads each once or twice, holds neither in memory. */
import { setImmediate } from "node:timers/promises";
import { commonType } from "./cell-types.ts";
import { attributeName, type DatasetSpec } from "./dataset-spec.ts";
import { CellTally, type CellChanges } from "./diff-cells.ts";
import { GroupTally, type Contrast, type Group, type GroupChange, type LabelFlip } from "./diff-groups.ts";
import { binsOf } from "./diff-bins.ts";
import { differentialsOf, type Differential } from "./diff-differentials.ts";
import { distributionsOf, type BinnedColumn, type Distribution } from "./diff-distributions.ts";
import { joinParts } from "./diff-join.ts";
import { proposedKey, renamedColumns, type RenamedColumn } from "./diff-look.ts";
import { cellText, findCells } from "./diff-row.ts";
import { scanTable, type DiffTable, type ScannedTable, type ScanPlan, type SharedColumn } from "./diff-scan.ts";
import { PARTS, RECORD, type Part } from "./diff-spill.ts";

/** What names a row: as the dataset declares it, as somebody asked, or a column that is different in every row of both versions. */
export interface DiffKey {
  readonly columns: readonly string[];
  readonly source: "declared" | "asked" | "proposed";
}

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

export interface DiffQuestion {
  readonly spec: DatasetSpec;
  /** The attributes to look at; all when left out. */
  readonly by?: readonly string[];
  /** Columns that name a row, instead of the declared ones. */
  readonly key?: readonly string[];
  /** For rows that don't fit in memory. `name` is one that nobody else uses at the time. */
  readonly space: { readonly folder: string; readonly name: string; readonly memoryBytes?: number };
}

const LISTED_MAX = 100;

/**
 * @pre both tables have the columns of `key`
 * @throws TableProblem
 */
export async function diffTables(a: DiffTable, b: DiffTable, question: DiffQuestion): Promise<TableDiff> {
  const alike = sharedColumns(a, b, []);
  const named = question.key ?? question.spec.key;
  const known = named && columnsNamed(alike, named);
  const proposed = named ? undefined : await proposedKey(a, b, alike);
  const renamed = await renamedColumns(a, b, known ?? (proposed ? [proposed] : []));
  const columns = sharedColumns(a, b, renamed);
  const spec = specOfBoth(question.spec, columns);
  const key =
    named && columnsNamed(columns, named)
      ? ({ columns: named, source: question.key ? "asked" : "declared" } as const)
      : proposedAs(proposed ?? (named && (await proposedKey(a, b, columns))));
  const asked = { ...question, spec };
  const diff = await compared(a, b, { question: asked, columns, key });
  // It was proposed from a sample. Where it doesn't name a row after all, nothing does.
  const isKept = diff.rows.duplicates.keys === 0 || key?.source !== "proposed";
  return { renamed, ...(isKept ? diff : await compared(a, b, { question: asked, columns, key: null })) };
}

const proposedAs = (column: SharedColumn | undefined): DiffKey | null => (column ? { columns: [column.name], source: "proposed" } : null);

/** undefined where one of them isn't in both tables. */
function columnsNamed(columns: readonly SharedColumn[], names: readonly string[]): readonly SharedColumn[] | undefined {
  const found = names.flatMap((name) => columns.find((column) => column.name === name) ?? []);
  return found.length === names.length ? found : undefined;
}

/** What is declared of columns that only one of the tables has can't be compared. */
function specOfBoth({ label, protected: attributes = [] }: DatasetSpec, columns: readonly SharedColumn[]): DatasetSpec {
  const isShared = (name: string) => columns.some((column) => column.name === name);
  return {
    ...(label && isShared(label.column) ? { label } : {}),
    protected: attributes.filter(({ column }) => isShared(column)),
  };
}

function sharedColumns(a: DiffTable, b: DiffTable, renamed: readonly RenamedColumn[]): SharedColumn[] {
  return a.columns.flatMap(({ name, type }) => {
    const after = renamed.find(({ from }) => from === name)?.to ?? name;
    const other = b.columns.find((column) => column.name === after);
    return other ? [{ name, after, type: commonType(type, other.type) }] : [];
  });
}

async function compared(
  a: DiffTable,
  b: DiffTable,
  { question, columns, key }: { readonly question: DiffQuestion; readonly columns: readonly SharedColumn[]; readonly key: DiffKey | null },
): Promise<Omit<TableDiff, "renamed">> {
  const { spec, space } = question;
  const places = (key?.columns ?? []).map((name) => columns.findIndex((column) => column.name === name));
  const binned = columns.flatMap(({ name, after, type }): BinnedColumn[] => {
    const [before, other] = [a.columns.find((column) => column.name === name), b.columns.find((column) => column.name === after)];
    return before && other ? [{ before, after: other, bins: binsOf(before, other, type) }] : [];
  });
  const plan: ScanPlan = { columns, key: places, bins: binned.map(({ bins }) => bins), spec };
  const before = await scanTable(a, plan, { side: "before", space: { ...space, name: `${space.name}-a` } });
  try {
    const after = await scanTable(b, plan, { side: "after", space: { ...space, name: `${space.name}-b` } });
    try {
      const by = attributesOf(question);
      const diff = await joined({ before, after, plan, key, by });
      const histograms = { a: before.histograms, b: after.histograms };
      return {
        ...diff,
        distributions: distributionsOf(binned, histograms.a, histograms.b),
        differentials: differentialsOf({
          a: before,
          b: after,
          by,
          changes: diff.groups,
          label: spec.label?.column ?? null,
          columns: binned,
          histograms,
        }),
      };
    } finally {
      after.spill.close();
    }
  } finally {
    before.spill.close();
  }
}

function attributesOf({ spec, by }: DiffQuestion): string[] {
  const names = (spec.protected ?? []).map(attributeName);
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
