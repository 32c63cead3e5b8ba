/**
 * The one way to read a table: header and rows, whatever its format and however many files it has. Cells are text in every format, so
 * that the same rows are the same rows: types are found from the text of all cells of a column, as `cell-types.ts` says.
 */
import { CsvParser, type Cell } from "./csv-parser.ts";
import { TableProblem, decodedText } from "./csv-text.ts";
import { NdjsonParser } from "./ndjson-parser.ts";
import { readParquet } from "./parquet-rows.ts";
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

/** Reads all rows into a sink. @throws TableProblem with file, line and column of what is wrong */
export async function readRows({ format, files }: Table, sink: RowSink): Promise<void> {
  let names: readonly string[] | undefined;
  for (const [at, file] of files.entries()) {
    /** Where each column of the first file is in this one; undefined where they stand alike. */
    let places: readonly number[] | undefined;
    const cells: Cell[] = [];
    const header = (own: readonly string[]) => {
      if (!names) sink.header((names = own));
      else places = placesOf(names, own, files[0]?.name ?? "");
    };
    const row = (own: readonly Cell[], line: number) => {
      if (!places) return sink.row(own, line, at);
      for (const [i, place] of places.entries()) cells[i] = own[place] ?? null;
      sink.row(cells, line, at);
    };
    try {
      await readFile(format, file, { header, row });
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

async function readFile(
  format: TableFormat,
  file: TableFile,
  sink: Omit<RowSink, "row"> & { row(cells: readonly Cell[], line: number): void },
) {
  switch (format) {
    case "csv":
      return pushText(file, "a CSV file", new CsvParser(sink));
    case "ndjson":
      return pushText(file, "an NDJSON file", new NdjsonParser(sink));
    case "parquet":
      return readParquet(file, sink);
    default:
      return unreachable(format);
  }
}

async function pushText(file: TableFile, what: string, parser: { push(text: string): void; end(): void }): Promise<void> {
  for await (const text of decodedText(file.stream(), what)) parser.push(text);
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
