/**
 * Parquet: flat columns, read one row group at a time. Every count that the file states is checked before memory is taken for it, and
 * whatever the decoder stumbles over is a problem of the file.
 */
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib";
import {
  parquetMetadataAsync,
  parquetRead,
  type AsyncBuffer,
  type ColumnChunk,
  type ColumnMetaData,
  type Compressors,
  type FileMetaData,
  type RowGroup,
} from "hyparquet";
import type { Cell, CsvSink } from "./csv-parser.ts";
import { TableProblem, checkedNames } from "./csv-text.ts";
import { parquetColumn, type ParquetColumn } from "./parquet-cells.ts";
import { checkDescription, checkPages } from "./parquet-pages.ts";
import type { TableFile } from "./table-file.ts";

/** A row group is held in memory as a whole: about eight bytes a value, and its bytes as they are unpacked. */
const GROUP_VALUES_MAX = 64_000_000;
const GROUP_BYTES_MAX = 1 << 30;
const FOOTER_BYTES_MAX = 64 << 20;
const PAGE_BYTES_MAX = 256 << 20;

/** @throws TableProblem */
export async function readParquet(file: TableFile, sink: CsvSink): Promise<void> {
  const buffer = new ChunkBuffer(file);
  const metadata = await attempt("", () => footerOf(file, buffer));
  const [root, ...elements] = metadata.schema;
  if (!root || elements.length !== root.num_children) {
    const nested = elements.find(({ num_children: children }) => (children ?? 0) > 0);
    if (nested) parquetColumn(nested);
    throw damaged("a schema that contradicts itself");
  }
  const columns = elements.map(parquetColumn);
  const bare = { ...metadata, schema: [root, ...columns.map(({ raw }) => raw)] };
  for (const [at, group] of metadata.row_groups.entries()) checkGroup(group, { at, columns, file });
  const rows = metadata.row_groups.reduce((sum, { num_rows: count }) => sum + Number(count), 0);
  if (rows !== Number(metadata.num_rows)) throw damaged(`${metadata.num_rows} rows in all, and ${rows} in its row groups`);
  if (rows === 0) throw new TableProblem({ expected: "at least one row", got: "none" });
  sink.header(checkedNames(columns.map(({ name }) => name)));
  let from = 0;
  for (const group of metadata.row_groups) {
    const count = Number(group.num_rows);
    const values: (readonly (string | null)[])[] = [];
    for (const [i, column] of columns.entries()) {
      const read = async () => {
        checkPages(await buffer.hold(group.columns[i]), { rows: count, column: column.name });
        return columnOf(buffer, bare, column, from, count);
      };
      values.push(count === 0 ? [] : await attempt(column.name, read));
    }
    emit(values, { from, count }, sink);
    from += count;
  }
}

/** Hands the decoder slices of the file; those of the column that is being read come from memory, as they were looked over. */
class ChunkBuffer implements AsyncBuffer {
  readonly byteLength: number;
  readonly #file: TableFile;
  #held = { from: 0, bytes: Buffer.alloc(0) };

  constructor(file: TableFile) {
    this.#file = file;
    this.byteLength = file.bytes;
  }

  async hold(chunk: ColumnChunk | undefined): Promise<Buffer> {
    if (!chunk?.meta_data) throw damaged("a row group without one of its columns");
    const { from, to } = placeOf(chunk.meta_data);
    this.#held = { from, bytes: Buffer.from(await this.#file.slice(from, to)) };
    return this.#held.bytes;
  }

  async slice(start: number, end = this.byteLength): Promise<ArrayBuffer> {
    const [from, to] = [Math.max(0, start), Math.min(end, this.byteLength)];
    const { from: heldFrom, bytes } = this.#held;
    if (from >= heldFrom && to <= heldFrom + bytes.length) return new Uint8Array(bytes.subarray(from - heldFrom, to - heldFrom)).buffer;
    return new Uint8Array(await this.#file.slice(from, to)).buffer;
  }
}

function placeOf(meta: ColumnMetaData): { readonly from: number; readonly to: number } {
  const from = Number(meta.dictionary_page_offset || meta.data_page_offset);
  return { from, to: from + Number(meta.total_compressed_size) };
}

async function footerOf(file: TableFile, buffer: AsyncBuffer): Promise<FileMetaData> {
  const tail = Buffer.from(await file.slice(Math.max(0, file.bytes - 8), file.bytes));
  if (file.bytes < 12 || tail.subarray(4).toString("latin1") !== "PAR1") {
    const got = tail.subarray(4).toString("latin1") === "PARE" ? "an encrypted one" : "one whose end is missing";
    throw new TableProblem({ expected: "a whole Parquet file", got, hint: "was it copied to its end?" });
  }
  const footerBytes = tail.readUInt32LE(0);
  if (footerBytes > file.bytes - 12 || footerBytes > FOOTER_BYTES_MAX) throw damaged(`a description of ${footerBytes} bytes`);
  const footerAt = file.bytes - 8 - footerBytes;
  checkDescription(Buffer.from(await file.slice(footerAt, file.bytes - 8)));
  return parquetMetadataAsync(buffer, { geoparquet: false });
}

function checkGroup(
  group: RowGroup,
  { at, columns, file }: { readonly at: number; readonly columns: readonly ParquetColumn[]; readonly file: TableFile },
): void {
  const rows = Number(group.num_rows);
  let bytes = 0;
  const paths = group.columns.map(({ meta_data: meta, file_path: elsewhere }) => {
    if (!meta || elsewhere) throw damaged(`a row group ${at + 1} whose values are elsewhere`);
    const { from, to } = placeOf(meta);
    const isWithin = from >= 4 && from <= to && to <= file.bytes - 8;
    if (!isWithin || Number(meta.num_values) !== rows)
      throw damaged(`a row group ${at + 1} that states other places or counts than it can have`);
    bytes += Number(meta.total_uncompressed_size);
    return meta.path_in_schema.join(".");
  });
  if (rows < 0 || paths.length !== columns.length || paths.some((path, i) => path !== columns[i]?.name))
    throw damaged(`a row group ${at + 1} with other columns than the schema's`);
  if (rows * columns.length > GROUP_VALUES_MAX || bytes > GROUP_BYTES_MAX) {
    throw new TableProblem({
      expected: `row groups of at most ${GROUP_VALUES_MAX.toLocaleString("en")} values and 1 GiB`,
      got: `one of ${rows.toLocaleString("en")} rows`,
      hint: "write it with smaller ones: row_group_size=100_000",
    });
  }
}

async function columnOf(
  file: AsyncBuffer,
  metadata: FileMetaData,
  column: ParquetColumn,
  from: number,
  count: number,
): Promise<(string | null)[]> {
  const values: (string | null)[] = [];
  await parquetRead({
    file,
    metadata,
    columns: [column.name],
    rowStart: from,
    rowEnd: from + count,
    compressors,
    // INT96 comes as nanoseconds since 1970.
    parsers: { stringFromBytes: column.ofBytes, timestampFromNanoseconds: (nanos) => nanos },
    onPage({ columnData }) {
      for (const value of columnData) values.push(value === undefined || value === null ? null : column.text(value));
      if (values.length > count) throw damaged(`more than ${count} values in the column "${column.name}"`);
    },
  });
  if (values.length !== count) throw damaged(`${values.length} values instead of ${count} in the column "${column.name}"`);
  return values;
}

function emit(
  values: readonly (readonly Cell[])[],
  { from, count }: { readonly from: number; readonly count: number },
  sink: CsvSink,
): void {
  const cells: Cell[] = values.map(() => null);
  for (let row = 0; row < count; row++) {
    for (let i = 0; i < cells.length; i++) cells[i] = values[i]?.[row] ?? null;
    sink.row(cells, from + row + 1);
  }
}

const limited = (bytes: number) => ({ maxOutputLength: Math.max(1, Math.min(bytes, PAGE_BYTES_MAX)) });
/** Snappy is the decoder's own; LZ4 has no decoder in Node. */
const compressors: Compressors = {
  GZIP: (input, bytes) => gunzipSync(input, limited(bytes)),
  BROTLI: (input, bytes) => brotliDecompressSync(input, limited(bytes)),
  ZSTD: (input, bytes) => zstdDecompressSync(input, limited(bytes)),
};

/** Whatever the decoder throws is about the file: it has no other input. Storage's own errors go through. */
async function attempt<T>(column: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (
      error instanceof TableProblem ||
      !(error instanceof Error) ||
      error.name === "BlobError" ||
      ("errno" in error && "syscall" in error)
    )
      throw error;
    throw damaged(`${error.message}${column === "" ? "" : ` in the column "${column}"`}`);
  }
}

const damaged = (got: string): TableProblem => new TableProblem({ expected: "a Parquet file that can be read", got });
