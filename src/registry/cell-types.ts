/** What the cells of a column are, found from all of them, and the one spelling in which equal cells are equal. */
import type { Cell } from "./csv-parser.ts";

/**
 * `integer` has any number of digits, `number` is a double, `date` a day, `timestamp` a moment with its offset from UTC. All else is
 * `string`, numbers with leading zeros too, since those are names of something.
 */
export type ColumnType = "boolean" | "integer" | "number" | "date" | "timestamp" | "string";

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
}

/** What a cell can be, as bits. */
export const BOOLEAN = 1;
export const INTEGER = 2;
export const NUMBER = 4;
export const DATE = 8;
export const TIMESTAMP = 16;
const ALL = 31;

const integerForm = /^-?(?:0|[1-9]\d*)$/;
const numberForm = /^(?:-?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|NaN|-?Infinity)$/;
const booleanForm = /^(?:true|false|True|False|TRUE|FALSE)$/;
const dateForm = /^\d{4}-\d\d-\d\d$/;
const timestampForm = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(Z|[+-]\d\d:?\d\d)$/;

/** Narrows down what a column can be, cell by cell. An empty cell fits everything. */
export class TypeGuess {
  #fits = ALL;
  #hasValue = false;

  add(cell: Cell): void {
    if (cell === null || cell === "" || this.#fits === 0) return;
    this.narrow(kindsOf(cell));
  }

  /** @param kinds - of a cell that isn't empty */
  narrow(kinds: number): void {
    this.#hasValue = true;
    this.#fits &= kinds;
  }

  /** Whether no cell can change the type any more. */
  get isText(): boolean {
    return this.#fits === 0;
  }

  type(): ColumnType {
    if (!this.#hasValue) return "string";
    if (this.#fits & BOOLEAN) return "boolean";
    if (this.#fits & INTEGER) return "integer";
    if (this.#fits & NUMBER) return "number";
    if (this.#fits & DATE) return "date";
    return this.#fits & TIMESTAMP ? "timestamp" : "string";
  }
}

/** @param text - of a cell that isn't empty */
export function kindsOf(text: string): number {
  const first = text.charCodeAt(0);
  const isDigit = first >= 48 && first <= 57;
  if (isDigit || first === 45 || first === 46 || first === 78 || first === 73) {
    // A whole number that a double can't hold is no `number`: rounding would make two different ones equal.
    if (integerForm.test(text)) return text.length < 16 || String(Number(text)) === text ? INTEGER | NUMBER : INTEGER;
    if (numberForm.test(text)) return NUMBER;
    if (isDigit && dateForm.test(text)) return isDay(text) ? DATE : 0;
    return isDigit && microsecondsOf(text) !== undefined ? TIMESTAMP : 0;
  }
  return booleanForm.test(text) ? BOOLEAN : 0;
}

/** The type in which two columns can be compared. */
export function commonType(a: ColumnType, b: ColumnType): ColumnType {
  if (a === b) return a;
  const isNumeric = (type: ColumnType) => type === "integer" || type === "number";
  return isNumeric(a) && isNumeric(b) ? "number" : "string";
}

/** Whether a cell holds nothing: in all but strings, two quotes are as empty as none. */
export function isEmpty(type: ColumnType, cell: Cell): cell is null | "" {
  return cell === null || (cell === "" && type !== "string");
}

/** The one spelling of a value, as people read it: `1.0` in a column of numbers is `1`. */
export function plainText(type: ColumnType, cell: string): string {
  switch (type) {
    case "integer":
      return cell === "-0" ? "0" : cell;
    case "number":
      return String(Number(cell) + 0);
    case "boolean":
      return cell.toLowerCase();
    case "date":
    case "timestamp":
    case "string":
      return cell;
  }
}

/** Microseconds since 1970 of an ISO 8601 moment with offset; undefined where there is no such moment. */
export function microsecondsOf(text: string): bigint | undefined {
  const [, day = "", time = "", fraction = "", zone = ""] = timestampForm.exec(text) ?? [];
  if (!isDay(day)) return undefined;
  const offset = zone === "Z" || zone.includes(":") ? zone : `${zone.slice(0, 3)}:${zone.slice(3)}`;
  const ms = Date.parse(`${day}T${time}${offset}`);
  return Number.isNaN(ms) ? undefined : BigInt(ms) * 1000n + BigInt(fraction.padEnd(6, "0"));
}

function isDay(text: string): boolean {
  if (!dateForm.test(text)) return false;
  const [year, month, day] = [Number(text.slice(0, 4)), Number(text.slice(5, 7)), Number(text.slice(8))];
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = month === 2 ? (isLeap ? 29 : 28) : month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
  return month >= 1 && month <= 12 && day >= 1 && day <= days;
}
