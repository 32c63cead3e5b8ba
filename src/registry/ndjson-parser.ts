/**
 * NDJSON: one flat JSON object a line. The first names the columns; later ones may leave some out, have them in another order, and have
 * no others. Numbers keep the digits they were written with, so that none is rounded.
 */
import type { Cell, CsvSink } from "./csv-parser.ts";
import { checkedNames, TableProblem } from "./csv-text.ts";

const LINE_CHARS_MAX = 16 * 1024 * 1024;
const QUOTE = 34;
const numberForm = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const words: readonly (readonly [string, Cell])[] = [
  ["null", null],
  ["true", "true"],
  ["false", "false"],
];

export class NdjsonParser {
  readonly #sink: CsvSink;
  #text = "";
  #line = 1;
  #names: string[] = [];
  #placeOf = new Map<string, number>();
  #cells: Cell[] = [];
  /** In which row each column was last seen, so that one that comes twice is noticed. */
  #seenIn: number[] = [];
  #hasEnded = false;

  constructor(sink: CsvSink) {
    this.#sink = sink;
  }

  /** @throws TableProblem */
  push(text: string): void {
    const all = this.#text === "" ? text : this.#text + text;
    let at = 0;
    for (let end = all.indexOf("\n"); end >= 0; end = all.indexOf("\n", at)) {
      this.#record(all.slice(at, end > at && all.charCodeAt(end - 1) === 13 ? end - 1 : end));
      at = end + 1;
    }
    this.#text = all.slice(at);
    if (this.#text.length > LINE_CHARS_MAX) {
      throw this.#problem(
        { expected: "a line of at most 16 MiB", got: "a longer one", hint: "is this NDJSON, with one object a line?" },
        0,
      );
    }
  }

  /** @throws TableProblem also for a table without rows */
  end(): void {
    if (this.#text !== "") this.#record(this.#text);
    if (this.#line === 1) throw new TableProblem({ expected: "rows", got: "an empty file" });
  }

  #record(line: string): void {
    if (line.length > LINE_CHARS_MAX) throw this.#problem({ expected: "a line of at most 16 MiB", got: "a longer one" }, 0);
    const isFirst = this.#line === 1;
    const first: string[] = [];
    this.#cells.fill(null);
    this.#hasEnded = false;
    let at = skipSpace(line, 0);
    if (line.charAt(at) !== "{")
      throw this.#problem({ expected: "a JSON object", got: at === line.length ? "an empty line" : shown(line, at) }, at);
    at = skipSpace(line, at + 1);
    if (line.charAt(at) === "}") at++;
    else {
      for (let member = 0; !this.#hasEnded; member++) at = this.#member(line, at, member, isFirst ? first : undefined);
    }
    const rest = skipSpace(line, at);
    if (rest < line.length) throw this.#problem({ expected: "the end of the line after the object", got: shown(line, rest) }, rest);
    if (isFirst) this.#sink.header(this.#names);
    this.#sink.row(this.#cells, this.#line++);
  }

  /** Reads `"name": value` and the comma or brace behind it. @returns where the next member begins */
  #member(line: string, start: number, member: number, first: string[] | undefined): number {
    let at = start;
    // Writers keep the order of keys, so the next column is nearly always the one that stands here.
    const guess = this.#names[member];
    let place = member;
    if (
      first === undefined &&
      guess !== undefined &&
      line.startsWith(guess, at + 1) &&
      line.charCodeAt(at) === QUOTE &&
      line.charCodeAt(at + 1 + guess.length) === QUOTE
    ) {
      at += guess.length + 2;
    } else {
      const key = this.#string(line, at, "a key in quotes");
      place = this.#placeFor(key.value, at, first);
      at = key.end;
    }
    if (this.#seenIn[place] === this.#line)
      throw this.#problem({ expected: "keys that differ", got: `"${this.#names[place]}" twice` }, start);
    this.#seenIn[place] = this.#line;
    at = skipSpace(line, at);
    if (line.charAt(at) !== ":") throw this.#problem({ expected: "a colon after the key", got: shown(line, at) }, at);
    at = this.#value(line, skipSpace(line, at + 1), place);
    at = skipSpace(line, at);
    const after = line.charAt(at);
    this.#hasEnded = after === "}";
    if (!this.#hasEnded && after !== ",") throw this.#problem({ expected: "a comma or the end of the object", got: shown(line, at) }, at);
    return this.#hasEnded ? at + 1 : skipSpace(line, at + 1);
  }

  #placeFor(name: string, at: number, first: string[] | undefined): number {
    const known = this.#placeOf.get(name);
    if (known !== undefined) return known;
    if (!first) {
      const hint = "give the first line every key, with null where it has no value";
      throw this.#problem({ expected: "a key that the first line has too", got: JSON.stringify(name), hint }, at);
    }
    first.push(name);
    checkedNames([name], this.#names.length);
    this.#placeOf.set(name, this.#names.length);
    this.#cells.push(null);
    return this.#names.push(name) - 1;
  }

  #value(line: string, at: number, place: number): number {
    const char = line.charCodeAt(at);
    if (char === QUOTE) {
      const { value, end } = this.#string(line, at, "a text");
      this.#cells[place] = value;
      return end;
    }
    numberForm.lastIndex = at;
    const number = numberForm.exec(line)?.[0];
    if (number !== undefined) {
      this.#cells[place] = number;
      return at + number.length;
    }
    const word = words.find(([text]) => line.startsWith(text, at));
    if (word) {
      this.#cells[place] = word[1];
      return at + word[0].length;
    }
    const nested = char === 123 ? "an object" : char === 91 ? "a list" : undefined;
    const hint = nested ? "give each value a column of its own" : undefined;
    throw this.#problem(
      { expected: "a text, a number, true, false or null", got: nested ?? shown(line, at), ...(hint ? { hint } : {}) },
      at,
    );
  }

  #string(line: string, at: number, expected: string): { readonly value: string; readonly end: number } {
    if (line.charCodeAt(at) !== QUOTE) throw this.#problem({ expected, got: shown(line, at) }, at);
    let close = line.indexOf('"', at + 1);
    while (close >= 0 && isEscaped(line, close)) close = line.indexOf('"', close + 1);
    if (close < 0) throw this.#problem({ expected: "a closing quote", got: "the end of the line" }, at);
    const inside = line.slice(at + 1, close);
    return { value: isPlain(inside) ? inside : this.#unescaped(line.slice(at, close + 1), at), end: close + 1 };
  }

  #unescaped(quoted: string, at: number): string {
    let value: unknown;
    try {
      value = JSON.parse(quoted);
    } catch {
      throw this.#problem({ expected: "a text in JSON", got: "a control character, or an escape that is none" }, at);
    }
    if (typeof value !== "string" || value.includes("\0") || !value.isWellFormed())
      throw this.#problem({ expected: "text", got: "a NUL character or half of a surrogate pair" }, at);
    return value;
  }

  #problem(issue: { readonly expected: string; readonly got?: string; readonly hint?: string }, at: number): TableProblem {
    return new TableProblem({ ...issue, line: this.#line, column: at + 1 });
  }
}

/** Whether a quote is escaped: an odd number of backslashes stands before it. */
function isEscaped(line: string, quote: number): boolean {
  let at = quote;
  while (line.charCodeAt(at - 1) === 92) at--;
  return (quote - at) % 2 === 1;
}

function isPlain(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char < 32 || char === 92) return false;
  }
  return true;
}

function skipSpace(line: string, from: number): number {
  let at = from;
  for (let char = line.charCodeAt(at); char === 32 || char === 9 || char === 13; char = line.charCodeAt(at)) at++;
  return at;
}

const shown = (line: string, at: number): string => (at >= line.length ? "the end of the line" : JSON.stringify(line.slice(at, at + 20)));
