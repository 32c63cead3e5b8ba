/** CSV whose cells are wanted as text. */
import { CsvReader } from "./csv-reader.ts";
import { cellsOf, type Cell } from "./raw-row.ts";

export type { Cell } from "./raw-row.ts";

export interface CsvSink {
  header(names: readonly string[]): void;
  /** @param cells - reused for the next row @param line - where the row begins, from 1 */
  row(cells: readonly Cell[], line: number): void;
}

export class CsvParser {
  readonly #reader: CsvReader;

  constructor(sink: CsvSink) {
    const cells: Cell[] = [];
    let width = 0;
    this.#reader = new CsvReader({
      header(names) {
        width = names.length;
        sink.header(names);
      },
      row(row, line) {
        cellsOf(row, width, cells);
        sink.row(cells, line);
      },
    });
  }

  /** @throws TableProblem */
  push(piece: string | Uint8Array): void {
    this.#reader.push(typeof piece === "string" ? Buffer.from(piece) : piece);
  }

  /** @throws TableProblem also for a table without header or rows */
  end(): void {
    this.#reader.end();
  }
}
