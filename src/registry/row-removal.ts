/** A version's files without some of its rows: every other byte stays as it was, but for Parquet, which becomes CSV. */
import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Blobs } from "../store/index.ts";
import { plainText } from "./cell-types.ts";
import type { Cell } from "./csv-parser.ts";
import type { DatasetVersion } from "./dataset-version.ts";
import type { FolderEntry } from "./folder-listing.ts";
import { folderIn } from "./folder-manifest.ts";
import { storedTable } from "./stored-table.ts";
import { fileInStore } from "./table-file.ts";
import { readRows, type Table } from "./table-rows.ts";

/** Lines from one up to another; undefined for the end of the file. */
interface Span {
  readonly from: number;
  to: number | undefined;
}

export interface FoundRows {
  readonly rows: number;
  /** By the table's files. */
  readonly files: readonly { readonly name: string; readonly spans: readonly Span[]; readonly rowsLeft: number }[];
}

/** The rows with a value in a column, however it is written there. */
export async function findRows(blobs: Blobs, version: DatasetVersion, column: string, value: string): Promise<FoundRows> {
  const table = await storedTable(blobs, version);
  const type = version.profile.columns.find(({ name }) => name === column)?.type ?? "string";
  const sought = plainText(type, value);
  const files = table.files.map(({ name }) => ({ name, spans: [] as Span[], rowsLeft: 0 }));
  let place = -1;
  let last: { readonly file: number; readonly span: Span } | undefined;
  let rows = 0;
  await readRows(table, {
    header(names) {
      place = names.indexOf(column);
    },
    row(cells, line, file) {
      if (last?.file === file) last.span.to = line;
      last = undefined;
      const cell = cells[place] ?? null;
      const found = files[file];
      if (!found) return;
      if (cell === null || (cell !== value && plainText(type, cell) !== sought)) {
        found.rowsLeft++;
        return;
      }
      rows++;
      last = { file, span: { from: line, to: undefined } };
      found.spans.push(last.span);
    },
  });
  return { rows, files };
}

/** Writes the version's files into a folder without the rows that were found. A table's file of which no row is left isn't written. */
export async function withoutRows(
  blobs: Blobs,
  version: DatasetVersion,
  found: FoundRows,
  folder: string,
): Promise<{ readonly path: string } | { readonly entries: readonly FolderEntry[] }> {
  const single = { path: "", blob: version.blob, mode: "file" as const };
  const files = version.layout === "folder" ? await folderIn(blobs, version.blob) : [single];
  const entries: FolderEntry[] = [];
  for (const { path, blob, mode } of files) {
    const ofTable = found.files.find(({ name }) => name === path);
    if (ofTable?.rowsLeft === 0) continue;
    const stored = await fileInStore(blobs, blob, path);
    const isParquet = ofTable !== undefined && version.format === "parquet";
    const name = isParquet ? path.replace(/\.(?:parquet|pq)$/i, ".csv") : path;
    const file = join(folder, String(entries.length));
    await mkdir(dirname(file), { recursive: true });
    if (isParquet) await writeCsv({ format: "parquet", files: [stored] }, new Set(ofTable.spans.map(({ from }) => from)), file);
    else await pipeline(withoutLines(stored.stream(), ofTable?.spans ?? []), createWriteStream(file, { mode: 0o600 }));
    entries.push({ path: name, file, mode });
  }
  return version.layout === "folder" ? { entries } : { path: join(folder, "0") };
}

const LF = 10;

/** The bytes without those lines. */
export async function* withoutLines(pieces: AsyncIterable<Uint8Array>, spans: readonly Span[]): AsyncGenerator<Uint8Array> {
  let line = 1;
  let next = 0;
  for await (const piece of pieces) {
    let at = 0;
    while (at < piece.length) {
      const span = spans[next];
      const isOut = span !== undefined && line >= span.from;
      const untilLine = isOut ? span.to : span?.from;
      let end = at;
      while (end < piece.length && line !== untilLine) {
        const newline = piece.indexOf(LF, end);
        end = newline < 0 ? piece.length : newline + 1;
        if (newline >= 0) line++;
      }
      if (!isOut && end > at) yield piece.subarray(at, end);
      else if (isOut && line === untilLine) next++;
      at = end;
    }
  }
}

async function writeCsv(table: Table, left: ReadonlySet<number>, file: string): Promise<void> {
  const lines: string[] = [];
  await readRows(table, {
    header: (names) => void lines.push(names.map(quoted).join(",")),
    row(cells, line) {
      if (!left.has(line)) lines.push(cells.map(quoted).join(","));
    },
  });
  await pipeline(
    async function* text() {
      for (const line of lines) yield `${line}\n`;
    },
    createWriteStream(file, { mode: 0o600 }),
  );
}

const quoted = (cell: Cell): string =>
  cell === null ? "" : cell === "" || /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
