/**
 * CSV by RFC 4180 and no looser: commas, quotes doubled inside quotes, lines that end in LF or CRLF, one header, every row as wide as it.
 * What doesn't fit is told with line and column, since whoever guesses at a table guesses about people.
 */
import { TableProblem, checkedNames } from "./csv-text.ts";

/** null is an empty cell, `""` one that was written as two quotes. */
export type Cell = string | null;

export interface CsvSink {
  header(names: readonly string[]): void;
  /** @param cells - reused for the next row @param line - where the row begins, from 1 */
  row(cells: readonly Cell[], line: number): void;
}

const COMMA = 44;
const LF = 10;
const CR = 13;
const QUOTE = 34;
const RECORD_CHARS_MAX = 16 * 1024 * 1024;

export class CsvParser {
  readonly #sink: CsvSink;
  readonly #cells: Cell[] = [];
  #text = "";
  /** Of the record that begins at the beginning of `#text`. */
  #line = 1;
  /** 0 before the header. */
  #width = 0;
  #rows = 0;

  constructor(sink: CsvSink) {
    this.#sink = sink;
  }

  /** @throws TableProblem */
  push(text: string): void {
    this.#text = this.#text === "" ? text : this.#text + text;
    this.#parse(false);
    if (this.#text.length > RECORD_CHARS_MAX) {
      const hint = this.#text.startsWith('"') || this.#text.includes(',"') ? "perhaps a quote is never closed" : "is this a CSV file?";
      throw new TableProblem({ expected: "a row of at most 16 MiB", got: "a longer one", hint, line: this.#line, column: 1 });
    }
  }

  /** @throws TableProblem also for a table without header or rows */
  end(): void {
    this.#parse(true);
    if (this.#width === 0) throw new TableProblem({ expected: "a header line and rows", got: "an empty file" });
    if (this.#rows === 0) throw new TableProblem({ expected: "at least one row after the header", got: "none" });
  }

  #parse(isLast: boolean): void {
    const text = this.#text;
    let at = 0;
    while (at < text.length) {
      const next = this.#record(text, at, isLast);
      if (next < 0) break;
      at = next;
    }
    this.#text = text.slice(at);
  }

  /** Reads one record from `start`. @returns where the next begins; -1 when the text ends within this one and more may come */
  #record(text: string, start: number, isLast: boolean): number {
    const cells = this.#cells;
    cells.length = 0;
    let line = this.#line;
    let lineStart = start;
    let at = start;
    for (;;) {
      if (this.#width > 0 && cells.length === this.#width) throw this.#tooWide(line, at - lineStart + 1);
      let end: number;
      if (text.charCodeAt(at) === QUOTE) {
        const close = closingQuote(text, at + 1);
        if (close < 0 || (close + 1 === text.length && !isLast)) {
          if (!isLast) return -1;
          throw new TableProblem({ expected: "a closing quote", got: "the end of the file", line, column: at - lineStart + 1 });
        }
        const inside = text.slice(at + 1, close);
        if (inside.includes("\0")) throw nulProblem(line, at - lineStart + 1);
        cells.push(inside.includes('"') ? inside.replaceAll('""', '"') : inside);
        for (let newline = text.indexOf("\n", at); newline >= 0 && newline < close; newline = text.indexOf("\n", newline + 1)) {
          line++;
          lineStart = newline + 1;
        }
        end = close + 1;
      } else {
        end = endOfPlain(text, at);
        if (end === text.length && !isLast) return -1;
        if (text.charCodeAt(end) === QUOTE) throw strayQuote(line, end - lineStart + 1);
        if (text.charCodeAt(end) === 0) throw nulProblem(line, end - lineStart + 1);
        cells.push(end === at ? null : text.slice(at, end));
      }
      const after = text.charCodeAt(end);
      if (after === COMMA) {
        at = end + 1;
        if (at === text.length && !isLast) return -1;
        continue;
      }
      const isCrLf = after === CR && text.charCodeAt(end + 1) === LF;
      if (after === CR && end + 1 === text.length && !isLast) return -1;
      if (end < text.length && after !== LF && !isCrLf) throw afterCell(text.charAt(end), line, end - lineStart + 1);
      this.#emit(cells, line, end - lineStart + 1);
      this.#line = line + 1;
      return end + (isCrLf ? 2 : 1);
    }
  }

  #emit(cells: readonly Cell[], lastLine: number, column: number): void {
    if (this.#width === 0) {
      this.#sink.header(checkedNames(cells));
      this.#width = cells.length;
      return;
    }
    if (cells.length < this.#width) {
      const got = cells.length === 1 && cells[0] === null ? "an empty line" : `${cells.length}`;
      throw new TableProblem({ expected: `${this.#width} cells, as in the header`, got, line: lastLine, column });
    }
    this.#rows++;
    this.#sink.row(cells, this.#line);
  }

  #tooWide(line: number, column: number): TableProblem {
    return new TableProblem({
      expected: `${this.#width} cells, as in the header`,
      got: "more",
      hint: "a comma within a cell needs quotes around the cell",
      line,
      column,
    });
  }
}

/** The quote that ends a quoted cell; -1 where the text ends before. */
function closingQuote(text: string, from: number): number {
  let close = text.indexOf('"', from);
  while (close >= 0 && text.charCodeAt(close + 1) === QUOTE) close = text.indexOf('"', close + 2);
  return close;
}

function endOfPlain(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === COMMA || char === LF || char === CR || char === QUOTE || char === 0) return at;
  }
  return text.length;
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

function afterCell(char: string, line: number, column: number): TableProblem {
  if (char === "\r") return new TableProblem({ expected: "lines that end in LF or CRLF", got: "a carriage return alone", line, column });
  return new TableProblem({
    expected: "a comma or the end of the line after the closing quote",
    got: JSON.stringify(char),
    hint: "write quotes within a quoted cell twice",
    line,
    column,
  });
}
