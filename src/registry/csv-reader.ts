/**
 * CSV by RFC 4180 and no looser: commas, quotes doubled inside quotes, lines that end in LF or CRLF, one header, every row as wide as it.
 * What doesn't fit is told with line and column, since whoever guesses at a table guesses about people.
 *
 * It reads bytes, since a table is a gigabyte of them and text of each cell would take longer than all else that is done with it.
 */
import { isAscii } from "node:buffer";
import { COLUMNS_MAX, TableProblem, checkedNames, notText, textEnd } from "./csv-text.ts";
import { viewOf, type RawSink } from "./raw-row.ts";

const COMMA = 44;
const LF = 10;
const CR = 13;
const QUOTE = 34;
const RECORD_BYTES_MAX = 16 * 1024 * 1024;

export class CsvReader {
  readonly #sink: RawSink;
  /** The record that is read, and what came after it. Cells with doubled quotes are made plain in place. */
  readonly #row = { ...emptyRow(4096), starts: new Int32Array(16), ends: new Int32Array(16), isAscii: true };
  /** Where the record begins that comes next. */
  #start = 0;
  /** Up to where bytes are there. */
  #end = 0;
  /** Up to where they are whole characters. */
  #checked = 0;
  #lastPiece = { bytes: 0, isAscii: true };
  /** Of the record that comes next. */
  #line = 1;
  /** 0 before the header. */
  #width = 0;
  #rows = 0;
  /** Of the record that is read: the line that is read now, and where it begins. */
  #lastLine = 1;
  #lineStart = 0;
  /** Its cells with doubled quotes. */
  readonly #doubled: number[] = [];

  constructor(sink: RawSink) {
    this.#sink = sink;
  }

  /** @param piece - copied @throws TableProblem */
  push(piece: Uint8Array): void {
    this.#take(piece);
    const { bytes } = this.#row;
    const fresh = textEnd(bytes.subarray(this.#checked, this.#end));
    if (fresh === undefined) throw notText(bytes.subarray(this.#start, this.#end), { line: this.#line, column: 1 });
    this.#checked += fresh;
    this.#parse(false);
    if (this.#end - this.#start > RECORD_BYTES_MAX) {
      const isQuoted = bytes[this.#start] === QUOTE || bytes.subarray(this.#start, this.#end).includes(',"');
      const hint = isQuoted ? "perhaps a quote is never closed" : "is this a CSV file?";
      throw new TableProblem({ expected: "a row of at most 16 MiB", got: "a longer one", hint, line: this.#line, column: 1 });
    }
  }

  /** @throws TableProblem also for a table without header or rows */
  end(): void {
    if (this.#checked < this.#end) throw notText(this.#row.bytes.subarray(this.#start, this.#end), { line: this.#line, column: 1 });
    this.#parse(true);
    if (this.#width === 0) throw new TableProblem({ expected: "a header line and rows", got: "an empty file" });
    if (this.#rows === 0) throw new TableProblem({ expected: "at least one row after the header", got: "none" });
  }

  #take(piece: Uint8Array): void {
    const kept = this.#end - this.#start;
    const row = this.#row;
    if (kept + piece.length > row.bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(row.bytes.length * 2, kept + piece.length));
      row.bytes.copy(larger, 0, this.#start, this.#end);
      row.bytes = larger;
      row.view = viewOf(larger);
    } else row.bytes.copyWithin(0, this.#start, this.#end);
    row.bytes.set(piece, kept);
    // What is kept is the end of the piece before, or that and more.
    const last = this.#lastPiece;
    this.#lastPiece = { bytes: piece.length, isAscii: isAscii(piece) };
    row.isAscii = this.#lastPiece.isAscii && (kept <= last.bytes ? last.isAscii : row.isAscii);
    this.#checked -= this.#start;
    this.#start = 0;
    this.#end = kept + piece.length;
  }

  #parse(isLast: boolean): void {
    const end = this.#checked;
    while (this.#start < end && this.#record(end, isLast));
  }

  /** Reads the record that comes next. @returns whether it is there: false when the bytes end within it and more may come */
  #record(end: number, isLast: boolean): boolean {
    const from = this.#start;
    this.#lastLine = this.#line;
    this.#lineStart = from;
    const { bytes } = this.#row;
    let { starts, ends } = this.#row;
    const width = this.#width;
    let column = 0;
    let at = from;
    for (;;) {
      if (column === starts.length || (column === width && width > 0)) {
        ({ starts, ends } = this.#widened(column, at));
      }
      let stop = at;
      if (bytes[at] === QUOTE && at < end) {
        const close = this.#closingQuote(at, end, isLast, column);
        if (close < 0) return this.#again();
        starts[column] = at + 1;
        ends[column] = close;
        stop = close + 1;
      } else {
        for (; stop < end; stop++) {
          const byte = bytes[stop] ?? 0;
          if (byte <= COMMA && (byte === COMMA || byte === LF || byte === CR || byte === QUOTE || byte === 0)) break;
        }
        if (stop === end && !isLast) return this.#again();
        starts[column] = at;
        ends[column] = stop === at ? -1 : stop;
        if (stop < end && bytes[stop] === QUOTE) throw strayQuote(this.#lastLine, this.#columnAt(stop));
        if (stop < end && bytes[stop] === 0) throw nulProblem(this.#lastLine, this.#columnAt(stop));
      }
      column++;
      const after = stop < end ? bytes[stop] : LF;
      if (after === COMMA) {
        at = stop + 1;
        if (at === end && !isLast) return this.#again();
        continue;
      }
      if (after === LF) {
        this.#emit(column, stop);
        this.#start = Math.min(stop + 1, end);
        return true;
      }
      if (after === CR && stop + 1 === end && !isLast) return this.#again();
      if (after !== CR || stop + 1 >= end || bytes[stop + 1] !== LF) throw this.#afterCell(stop);
      this.#emit(column, stop);
      this.#start = stop + 2;
      return true;
    }
  }

  /** The record will be read from its beginning once more of it is there. */
  #again(): false {
    this.#doubled.length = 0;
    return false;
  }

  #emit(cells: number, end: number): void {
    if (this.#doubled.length > 0) this.#undouble();
    if (this.#width === 0) {
      const { bytes, starts, ends } = this.#row;
      const names = Array.from({ length: cells }, (_, i) => {
        const stop = ends[i] ?? -1;
        return stop < 0 ? null : bytes.toString("utf8", starts[i], stop);
      });
      this.#sink.header(checkedNames(names));
      this.#width = cells;
    } else {
      if (cells < this.#width) {
        const got = cells === 1 && (this.#row.ends[0] ?? -1) < 0 ? "an empty line" : `${cells}`;
        const [line, column] = [this.#lastLine, this.#columnAt(end)];
        throw new TableProblem({ expected: `${this.#width} cells, as in the header`, got, line, column });
      }
      this.#rows++;
      this.#sink.row(this.#row, this.#line);
    }
    this.#line = this.#lastLine + 1;
  }

  /** The quote that ends the cell that begins at `open`; -1 where more bytes must come before it is known. Counts lines. */
  #closingQuote(open: number, end: number, isLast: boolean, column: number): number {
    const { bytes } = this.#row;
    let lines = 0;
    let lineStart = this.#lineStart;
    let hasNul = false;
    let isDoubled = false;
    let at = open + 1;
    for (; at < end; at++) {
      const byte = bytes[at] ?? 0;
      if (byte > QUOTE) continue;
      if (byte === QUOTE) {
        if (at + 1 >= end || bytes[at + 1] !== QUOTE) break;
        isDoubled = true;
        at++;
      } else if (byte === LF) {
        lines++;
        lineStart = at + 1;
      } else if (byte === 0) hasNul = true;
    }
    // At the very end a quote may be the first of two.
    if (at >= end || (at + 1 === end && !isLast)) {
      if (!isLast) return -1;
      const [line, place] = [this.#lastLine, this.#columnAt(open)];
      throw new TableProblem({ expected: "a closing quote", got: "the end of the file", line, column: place });
    }
    if (hasNul) throw nulProblem(this.#lastLine, this.#columnAt(open));
    if (isDoubled) this.#doubled.push(column);
    this.#lastLine += lines;
    this.#lineStart = lineStart;
    return at;
  }

  /** Takes one of each two quotes out of cells. Those fill the rest, so that places in the line stay what they were. */
  #undouble(): void {
    const { bytes, starts, ends } = this.#row;
    for (const column of this.#doubled.splice(0)) {
      const end = ends[column] ?? 0;
      let to = starts[column] ?? 0;
      for (let at = to; at < end; at++) {
        const byte = bytes[at] ?? 0;
        bytes[to++] = byte;
        if (byte === QUOTE) at++;
      }
      bytes.fill(QUOTE, to, end);
      ends[column] = to;
    }
  }

  /** Room for more cells of a header. @throws TableProblem for a row that has more than the header, and a header with too many */
  #widened(column: number, at: number): { readonly starts: Int32Array<ArrayBuffer>; readonly ends: Int32Array<ArrayBuffer> } {
    if (this.#width > 0) {
      throw new TableProblem({
        expected: `${this.#width} cells, as in the header`,
        got: "more",
        hint: "a comma within a cell needs quotes around the cell",
        line: this.#lastLine,
        column: this.#columnAt(at),
      });
    }
    if (column > COLUMNS_MAX) throw new TableProblem({ expected: `at most ${COLUMNS_MAX} columns`, got: "more", line: 1 });
    const row = this.#row;
    const larger = (old: Int32Array) => {
      const made = new Int32Array(old.length * 2);
      made.set(old);
      return made;
    };
    row.starts = larger(row.starts);
    row.ends = larger(row.ends);
    return row;
  }

  /** As people count: characters, from 1. */
  #columnAt(at: number): number {
    return this.#row.bytes.toString("utf8", this.#lineStart, at).length + 1;
  }

  #afterCell(at: number): TableProblem {
    const [line, column] = [this.#lastLine, this.#columnAt(at)];
    const { bytes } = this.#row;
    if (bytes[at] === CR) {
      return new TableProblem({ expected: "lines that end in LF or CRLF", got: "a carriage return alone", line, column });
    }
    const char = bytes.toString("utf8", at, Math.min(at + 4, this.#checked)).charAt(0);
    return new TableProblem({
      expected: "a comma or the end of the line after the closing quote",
      got: JSON.stringify(char),
      hint: "write quotes within a quoted cell twice",
      line,
      column,
    });
  }
}

function emptyRow(size: number): { bytes: Buffer; view: DataView } {
  const bytes = Buffer.allocUnsafe(size);
  return { bytes, view: viewOf(bytes) };
}

function strayQuote(line: number, column: number): TableProblem {
  return new TableProblem({
    expected: "no quote within a cell that doesn't begin with one",
    hint: 'put quotes around the whole cell, and write quotes in it twice: "5"" pipe"',
    line,
    column,
  });
}

function nulProblem(line: number, column: number): TableProblem {
  return new TableProblem({ expected: "text", got: "a NUL character", hint: "is this a CSV file in UTF-8?", line, column });
}
