/** What has to be settled before two tables are compared: which columns they share, and what names a row. */
import { commonType } from "./cell-types.ts";
import type { DatasetSpec } from "./dataset-spec.ts";
import { proposedKey, renamedColumns, type RenamedColumn } from "./diff-look.ts";
import type { DiffTable, SharedColumn } from "./diff-scan.ts";
import type { SpillSpace } from "./diff-spill.ts";

/** What names a row: as the dataset declares it, as somebody asked, or a column that is different in every row of both versions. */
export interface DiffKey {
  readonly columns: readonly string[];
  readonly source: "declared" | "asked" | "proposed";
}

export interface DiffQuestion {
  readonly spec: DatasetSpec;
  /** The attributes to look at; all when left out. */
  readonly by?: readonly string[];
  /** Columns that name a row, instead of the declared ones. */
  readonly key?: readonly string[];
  /** For rows that don't fit in memory. `name` is one that nobody else uses at the time. */
  readonly space: SpillSpace;
}

export interface Prepared {
  readonly columns: readonly SharedColumn[];
  /** What of the declaration speaks of columns that both have. */
  readonly spec: DatasetSpec;
  /** null where rows are compared by content. */
  readonly key: DiffKey | null;
  readonly renamed: readonly RenamedColumn[];
}

/** Reads the tables once or twice where a key has to be proposed, or a column may have been renamed. */
export async function prepare(a: DiffTable, b: DiffTable, question: DiffQuestion): Promise<Prepared> {
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
  return { columns, spec, key, renamed };
}

/** Places of the key's columns among the shared ones. */
export const keyPlaces = ({ columns, key }: Prepared): number[] =>
  (key?.columns ?? []).map((name) => columns.findIndex((column) => column.name === name));

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
