/** Some rows of a dataset version, spread evenly over it, in the words that its declaration has for groups. */
import type { Blobs } from "../store/index.ts";
import { apart } from "./apart.ts";
import { isEmpty, plainText, type ColumnType } from "./cell-types.ts";
import { attributeName, groupOf, type DatasetSpec, type ProtectedColumn } from "./dataset-spec.ts";
import type { DatasetVersion } from "./dataset-version.ts";
import { storedTable } from "./stored-table.ts";
import { readRows } from "./table-rows.ts";

/** Plain text of some columns; null for an empty cell. */
export type RowInWords = Readonly<Record<string, string | null>>;

/** Below that a thread takes longer to start than to read. */
const APART_BYTES = 256 * 1024;

/** What a thread is to read, as plain data. */
export interface RowsAsked {
  readonly version: Pick<DatasetVersion, "blob" | "format" | "layout" | "rows">;
  readonly wanted: readonly {
    readonly name: string;
    readonly column: string;
    readonly type: ColumnType;
    readonly attribute: ProtectedColumn | undefined;
  }[];
  readonly most: number;
}
export interface RowsOrder {
  /** Of the blob store. */
  readonly folder: string;
  readonly asked: RowsAsked;
}

/**
 * Large tables are read by a thread of its own, while decisions go on.
 * @param names - columns, or protected attributes: of those the group. What isn't there is in no row
 * @param most - rows at most
 * @throws StorageError, BlobError; Error where reading takes too long or too much memory
 */
export async function rowsInWords(
  blobs: Blobs,
  version: DatasetVersion,
  { spec, names, most }: { readonly spec: DatasetSpec; readonly names: readonly string[]; readonly most: number },
): Promise<readonly RowInWords[]> {
  if (version.format === "none") return [];
  const attributes = new Map((spec.protected ?? []).map((one) => [attributeName(one), one]));
  const typeOf = new Map(version.profile.columns.map(({ name, type }) => [name, type]));
  const wanted = names.flatMap((name) => {
    const attribute = attributes.get(name);
    const column = attribute?.column ?? name;
    const type = typeOf.get(column);
    return type ? [{ name, column, type, attribute }] : [];
  });
  const { blob, format, layout, rows, bytes } = version;
  const asked: RowsAsked = { version: { blob, format, layout, rows }, wanted, most };
  if (bytes <= APART_BYTES) return readRowsInWords(blobs, asked);
  const order: RowsOrder = { folder: blobs.folder, asked };
  const done = await apart<readonly RowInWords[]>({ module: "./rows-thread", name: "rows", order, bytes, of: "a table" });
  if (!done.ok) throw new Error(done.error.map(({ expected, got }) => `expected ${expected}, got ${got}`).join("; "));
  return done.value;
}

export async function readRowsInWords(blobs: Blobs, { version, wanted, most }: RowsAsked): Promise<readonly RowInWords[]> {
  const step = Math.ceil(version.rows / most);
  const rows: RowInWords[] = [];
  let places: readonly number[] = [];
  let row = 0;
  await readRows(await storedTable(blobs, version), {
    header: (header) => {
      places = wanted.map(({ column }) => header.indexOf(column));
    },
    row: (cells) => {
      if (row++ % step !== 0) return;
      rows.push(
        Object.fromEntries(
          wanted.map(({ name, type, attribute }, i) => {
            const cell = cells[places[i] ?? -1] ?? null;
            const text = isEmpty(type, cell) ? null : plainText(type, cell);
            return [name, attribute && text !== null ? groupOf(attribute, text) : text];
          }),
        ),
      );
    },
  });
  return rows;
}
