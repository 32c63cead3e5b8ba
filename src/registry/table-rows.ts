/**
 * The one way to read a table: header and rows, whatever its format and however many files it has. Cells are text in every format, so
 * that the same rows are the same rows: types are found from the text of all cells of a column, as `cell-types.ts` says.
 */
import { CsvParser, type Cell, type CsvSink } from "./csv-parser.ts";
import { CsvReader } from "./csv-reader.ts";
import { TableProblem, decodedText, textBytes } from "./csv-text.ts";
import { NdjsonParser } from "./ndjson-parser.ts";
import { readParquet } from "./parquet-rows.ts";
import { RawEncoder, type RawRow, type RawSink } from "./raw-row.ts";
import type { TableFile } from "./table-file.ts";
import { unreachable } from "../std.ts";

export const tableFormats = ["csv", "ndjson", "parquet"] as const;
export type TableFormat = (typeof tableFormats)[number];

/** The rows of all files, one after the other. All have the same columns. */
export interface Table {
  readonly format: TableFormat;
  /** At least one. */
  readonly files: readonly TableFile[];
}

/** Takes a table row by row. What it throws ends the reading. */
export interface RowSink {
  /** Once, before all rows. */
  header(names: readonly string[]): void;
  /**
   * @param cells - one for each name of the header; reused for the next row
   * @param line - where the row begins in its file, from 1; for Parquet, which has no lines, the number of the row
   * @param file - which of the table's files
   */
  row(cells: readonly Cell[], line: number, file: number): void;
}

/** Takes a table row by row, as bytes. What it throws ends the reading. */
export interface RawRowSink {
  header(names: readonly string[]): void;
  /** As that of `RowSink`. */
  row(row: RawRow, line: number, file: number): void;
}

/** Reads all rows into a sink. @throws TableProblem with file, line and column of what is wrong */
export async function readRows(table: Table, sink: RowSink): Promise<void> {
  const cells: Cell[] = [];
  await readFiles(table, sink, async (file, at, placesFor) => {
    let places: readonly number[] | undefined;
    await readFile(table.format, file, {
      header: (own) => void (places = placesFor(own)),
      row(own, line) {
        if (!places) return sink.row(own, line, at);
        for (const [i, place] of places.entries()) cells[i] = own[place] ?? null;
        sink.row(cells, line, at);
      },
    });
  });
}

/** The same rows as bytes: for CSV, no text is made of a cell. @throws TableProblem */
export async function readRawRows(table: Table, sink: RawRowSink): Promise<void> {
  await readFiles(table, sink, async (file, at, placesFor) => {
    let places: readonly number[] | undefined;
    let [starts, ends] = [new Int32Array(), new Int32Array()];
    await readRawFile(table.format, file, {
      header(own) {
        places = placesFor(own);
        if (places) [starts, ends] = [new Int32Array(own.length), new Int32Array(own.length)];
      },
      row(own, line) {
        if (!places) return sink.row(own, line, at);
        for (const [i, place] of places.entries()) {
          starts[i] = own.starts[place] ?? 0;
          ends[i] = own.ends[place] ?? -1;
        }
        sink.row({ bytes: own.bytes, view: own.view, starts, ends, isAscii: own.isAscii }, line, at);
      },
    });
  });
}

/** Where each column of the first file is in one with this header; undefined where they stand alike. */
type PlacesFor = (names: readonly string[]) => readonly number[] | undefined;

async function readFiles(
  { files }: Table,
  sink: { header(names: readonly string[]): void },
  read: (file: TableFile, at: number, placesFor: PlacesFor) => Promise<void>,
): Promise<void> {
  let names: readonly string[] | undefined;
  const placesFor: PlacesFor = (own) => {
    if (names) return placesOf(names, own, files[0]?.name ?? "");
    sink.header((names = own));
    return undefined;
  };
  for (const [at, file] of files.entries()) {
    try {
      await read(file, at, placesFor);
    } catch (error) {
      throw error instanceof TableProblem && file.name !== "" ? error.within(file.name) : error;
    }
  }
}

/** What a file is, by its first bytes. @throws TableProblem for JSON that isn't one object a line */
export async function formatOf(file: TableFile): Promise<TableFormat> {
  const head = Buffer.from(await file.slice(0, Math.min(file.bytes, 1024))).toString("latin1");
  if (head.startsWith("PAR1")) return "parquet";
  const text = head.replace(/^ï»¿/, "").trimStart();
  if (text.startsWith("{")) return "ndjson";
  if (/^\[\s*[[{]/.test(text)) {
    throw new TableProblem({
      expected: "a JSON object on each line",
      got: "a JSON list",
      hint: "write one row a line, as jq -c '.[]' does",
      line: 1,
      column: 1,
    });
  }
  return "csv";
}

async function readFile(format: TableFormat, file: TableFile, sink: CsvSink): Promise<void> {
  switch (format) {
    case "csv":
      return pushBytes(file, new CsvParser(sink));
    case "ndjson":
      return pushText(file, new NdjsonParser(sink));
    case "parquet":
      return readParquet(file, sink);
    default:
      return unreachable(format);
  }
}

async function readRawFile(format: TableFormat, file: TableFile, sink: RawSink): Promise<void> {
  if (format === "csv") return pushBytes(file, new CsvReader(sink));
  let encoder = new RawEncoder(0);
  return readFile(format, file, {
    header(names) {
      encoder = new RawEncoder(names.length);
      sink.header(names);
    },
    row: (cells, line) => sink.row(encoder.encode(cells), line),
  });
}

async function pushBytes(file: TableFile, reader: { push(piece: Uint8Array): void; end(): void }): Promise<void> {
  for await (const piece of textBytes(file.stream(), "a CSV file")) reader.push(piece);
  reader.end();
}

async function pushText(file: TableFile, parser: NdjsonParser): Promise<void> {
  for await (const text of decodedText(file.stream(), "an NDJSON file")) parser.push(text);
  parser.end();
}

function placesOf(names: readonly string[], own: readonly string[], first: string): readonly number[] | undefined {
  const places = names.map((name) => own.indexOf(name));
  const missing = names[places.indexOf(-1)];
  const strange = own.find((name) => !names.includes(name));
  if (missing !== undefined) throw new TableProblem({ expected: `the columns of ${first}`, got: `none named "${missing}"`, line: 1 });
  if (strange !== undefined) throw new TableProblem({ expected: `the columns of ${first}`, got: `one named "${strange}"`, line: 1 });
  return places.every((place, i) => place === i) ? undefined : places;
}
