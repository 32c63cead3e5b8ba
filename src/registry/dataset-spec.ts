/** What people declare about a dataset: which columns name a row, hold the outcome, and are protected. */
import { Type, type Static } from "typebox";
import { checked } from "../checked.ts";
import { err, type Issue, type Result } from "../std.ts";

const ColumnName = Type.String({ minLength: 1, maxLength: 250 });
const Words = Type.Record(Type.String({ maxLength: 250 }), Type.String({ minLength: 1, maxLength: 250 }), {
  description: "A word for each code in the column; `*` for all other codes",
});

const ProtectedColumn = Type.Object(
  {
    column: ColumnName,
    name: Type.Optional(Type.String({ minLength: 1, maxLength: 250, description: "Name of the attribute; the column's when left out" })),
    words: Type.Optional(Words),
    bands: Type.Optional(
      Type.Array(Type.Number(), {
        minItems: 1,
        maxItems: 50,
        description: "Lower edges, rising: [26, 40] makes the groups <26, 26-39 and 40+",
      }),
    ),
  },
  { additionalProperties: false },
);
export type ProtectedColumn = Static<typeof ProtectedColumn>;

export const DatasetSpec = Type.Object(
  {
    key: Type.Optional(Type.Array(ColumnName, { minItems: 1, maxItems: 20, description: "Columns that together name a row" })),
    label: Type.Optional(
      Type.Object(
        { column: ColumnName, words: Type.Optional(Words) },
        { additionalProperties: false, description: "What is to be foretold" },
      ),
    ),
    types: Type.Optional(
      Type.Record(ColumnName, Type.Enum(["boolean", "integer", "number", "date", "timestamp", "string"]), {
        description: "Of columns that have always one: a cell that isn't of it is refused with its line",
      }),
    ),
    protected: Type.Optional(Type.Array(ProtectedColumn, { maxItems: 10, description: "Columns whose groups are watched" })),
  },
  { title: "DatasetSpec", additionalProperties: false },
);
export type DatasetSpec = Static<typeof DatasetSpec>;

const parse = checked(DatasetSpec);

export function parseDatasetSpec(value: unknown): Result<DatasetSpec, readonly Issue[]> {
  const parsed = parse(value);
  if (!parsed.ok) return parsed;
  const issues: Issue[] = [];
  const names = new Set<string>();
  for (const [i, attribute] of (parsed.value.protected ?? []).entries()) {
    const path = `/protected/${i}`;
    const { bands = [], words } = attribute;
    const name = attributeName(attribute);
    if (names.has(name)) issues.push({ path, expected: "attributes that differ", got: name });
    names.add(name);
    if (bands.length > 0 && words) issues.push({ path, expected: "words or bands, not both" });
    if (bands.some((edge, at) => at > 0 && edge <= (bands[at - 1] ?? edge)))
      issues.push({ path: `${path}/bands`, expected: "edges that rise" });
  }
  return issues.length > 0 ? err(issues) : parsed;
}

export const attributeName = ({ column, name }: ProtectedColumn): string => name ?? column;

/** Columns that the declaration speaks of and the table doesn't have. */
export function missingColumns(spec: DatasetSpec, columns: readonly string[]): { readonly path: string; readonly column: string }[] {
  const spoken = [
    ...(spec.key ?? []).map((column, i) => ({ path: `/key/${i}`, column })),
    ...Object.keys(spec.types ?? {}).map((column) => ({ path: `/types/${column}`, column })),
    ...(spec.label ? [{ path: "/label/column", column: spec.label.column }] : []),
    ...(spec.protected ?? []).map(({ column }, i) => ({ path: `/protected/${i}/column`, column })),
  ];
  return spoken.filter(({ column }) => !columns.includes(column));
}

function wordFor(words: Readonly<Record<string, string>> | undefined, code: string): string {
  if (!words) return code;
  return Object.hasOwn(words, code) ? (words[code] ?? code) : (words["*"] ?? code);
}

/** The group of a value. @param code - plain text; null for an empty cell */
export function groupOf(attribute: ProtectedColumn, code: string | null): string {
  if (code === null) return "missing";
  const { bands } = attribute;
  if (!bands) return wordFor(attribute.words, code);
  const value = Number(code);
  if (!Number.isFinite(value)) return code;
  const above = bands.findLastIndex((edge) => value >= edge);
  const [from, to] = [bands[above], bands[above + 1]];
  if (from === undefined) return `<${to}`;
  if (to === undefined) return `${from}+`;
  return bands.every(Number.isInteger) ? `${from}-${to - 1}` : `${from} to <${to}`;
}

/** A label as a sentence says it: its word, or `rows with default = 1`. */
export function labelWord(spec: DatasetSpec, code: string): string {
  const { label } = spec;
  if (!label) return "rows";
  const word = wordFor(label.words, code);
  return label.words && word !== code ? word : `rows with ${label.column} = ${code}`;
}
