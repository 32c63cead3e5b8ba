/** Derives the rows of a feature set for every row of a table, as a stream from file to file. */
import { closeSync, openSync, writeSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { csvValue } from "../api/index.ts";
import { TableProblem, fileOnDisk, formatOf, readRows } from "../registry/index.ts";
import type { FeatureRows, InputsSpec } from "../serving/index.ts";
import type { Issue } from "../std.ts";
import { FileError } from "./files.ts";
import { issueLine } from "./io.ts";

export interface Derivation {
  readonly rows: FeatureRows;
  readonly inputs: InputsSpec;
  /** A table: CSV, NDJSON or Parquet, told by its first bytes. */
  readonly data: string;
  /** How the user calls it. */
  readonly dataName: string;
  /** `.csv` or `.ndjson`; complete or not there at all. */
  readonly out: string;
  /** Columns that are no inputs and go along, before the features: the row's key, the label. */
  readonly keep: readonly string[];
  readonly onProgress: (rows: number) => void;
}
export interface Derived {
  readonly rows: number;
  /** Columns of the table that are neither inputs nor kept. */
  readonly leftOut: readonly string[];
}

const FLUSH_CHARACTERS = 1 << 20;
const PROGRESS_ROWS = 10_000;

/** @throws FileError with the line of the first row that an endpoint would refuse; no file is left then */
export async function deriveFile({ rows, inputs, data, dataName, out, keep, onProgress }: Derivation): Promise<Derived> {
  const format = /\.csv$/i.test(out) ? CSV : NDJSON;
  const partial = `${out}.partial`;
  await mkdir(dirname(out), { recursive: true });
  const file = openSync(partial, "w");
  const table = new DerivedTable({ rows, inputs, keep, format, write: (text) => void writeSync(file, text), onProgress });
  try {
    const source = await fileOnDisk(data);
    await readRows({ format: await formatOf(source), files: [source] }, table);
    table.flush();
    closeSync(file);
    await rename(partial, out);
    return { rows: table.count, leftOut: table.leftOut };
  } catch (error) {
    closeQuietly(file);
    await rm(partial, { force: true });
    if (error instanceof TableProblem)
      throw new FileError([`${dataName} can't be read:`, issueLine(error.issue)].join("\n"), { cause: error });
    if (error instanceof BadRow) throw new FileError(error.textFor(dataName), { cause: error });
    throw error;
  }
}

function closeQuietly(file: number): void {
  try {
    closeSync(file);
  } catch {
    // It was closed before the name was given to it.
  }
}

class BadRow extends Error {
  readonly #line: number;
  readonly #issues: readonly Issue[];
  constructor(line: number, issues: readonly Issue[]) {
    super("a row that can't be derived");
    this.#line = line;
    this.#issues = issues;
  }
  textFor(name: string): string {
    return [`${name}:${this.#line}: an endpoint would refuse this row:`, ...this.#issues.map(issueLine)].join("\n");
  }
}

interface TableParts extends Pick<Derivation, "rows" | "inputs" | "keep" | "onProgress"> {
  readonly format: Format;
  readonly write: (text: string) => void;
}

class DerivedTable {
  readonly #parts: TableParts;
  #inputs: readonly { readonly name: string; readonly at: number; readonly type: InputsSpec[string]["type"] }[] = [];
  #kept: readonly number[] = [];
  #waiting = "";
  count = 0;
  leftOut: readonly string[] = [];

  constructor(parts: TableParts) {
    this.#parts = parts;
  }

  header(names: readonly string[]): void {
    const { inputs, keep, rows, format } = this.#parts;
    const missing = [...Object.keys(inputs).filter((name) => inputs[name]?.optional !== true), ...keep].find(
      (name) => !names.includes(name),
    );
    if (missing !== undefined)
      throw new TableProblem({ expected: `a column "${missing}"`, got: `${names.slice(0, 12).join(", ")}`, line: 1 });
    const twice = keep.find((name) => rows.names.includes(name));
    if (twice !== undefined) throw new FileError(`--keep ${twice}: a feature has this name already`);
    this.#inputs = names.flatMap((name, at) => {
      const input = Object.hasOwn(inputs, name) ? inputs[name] : undefined;
      return input ? [{ name, at, type: input.type }] : [];
    });
    this.#kept = keep.map((name) => names.indexOf(name));
    this.leftOut = names.filter((name) => !Object.hasOwn(inputs, name) && !keep.includes(name));
    this.#waiting += format.header([...keep, ...rows.names]);
  }

  row(cells: readonly (string | null)[], line: number): void {
    const { rows, keep, format, onProgress } = this.#parts;
    const body: Record<string, unknown> = {};
    for (const { name, at, type } of this.#inputs) body[name] = csvValue(cells[at] ?? null, type);
    const derived = rows.derive(body);
    if (!derived.ok) throw new BadRow(line, derived.error);
    const kept = this.#kept.map((at) => cells[at] ?? null);
    this.#waiting += format.row([...keep, ...rows.names], [...kept, ...derived.value.values]);
    if (this.#waiting.length > FLUSH_CHARACTERS) this.flush();
    if (++this.count % PROGRESS_ROWS === 0) onProgress(this.count);
  }

  flush(): void {
    this.#parts.write(this.#waiting);
    this.#waiting = "";
  }
}

type Value = number | string | null;
interface Format {
  header(names: readonly string[]): string;
  row(names: readonly string[], values: readonly Value[]): string;
}

const quoted = (text: string) => (text === "" || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
/** So many digits that reading them gives the very same 32-bit number. */
const digits = (value: number) => (Object.is(value, -0) ? "-0" : String(value));

/** Missing is nothing between the commas, and an empty text is `""`. */
const CSV: Format = {
  header: (names) => `${names.map(quoted).join(",")}\n`,
  row: (_names, values) =>
    `${values.map((value) => (value === null || Number.isNaN(value) ? "" : typeof value === "number" ? digits(value) : quoted(value))).join(",")}\n`,
};

/** JSON has no infinity; 1e999 is read as one. */
const jsonNumber = (value: number) =>
  Number.isNaN(value) ? "null" : Number.isFinite(value) ? digits(value) : value > 0 ? "1e999" : "-1e999";
const NDJSON: Format = {
  header: () => "",
  row: (names, values) =>
    `{${values.map((value, i) => `${JSON.stringify(names[i] ?? "")}:${typeof value === "number" ? jsonNumber(value) : JSON.stringify(value)}`).join(",")}}\n`,
};
