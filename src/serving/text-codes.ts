/**
 * Texts in rows of numbers. A row stays a `Float32Array` for every model; the slot of a text holds its code, and whoever hands the row to
 * a model that takes texts turns codes back. So nothing but the two ends knows of texts.
 */
import { ScorerError } from "./scorer.ts";

/** Undeclared texts with a code at least; with the generation before them twice as many. Their number is the callers' choice. */
const GENERATION = 16_384;
/** Whole numbers up to here are exact in 32-bit floats. */
const LAST_CODE = 2 ** 24 - 1;
/** No text at all: 0 and NaN. */
const NOTHING = "";

/** The codes of one feature's texts. */
export class TextCodes {
  readonly #declared: ReadonlyMap<string, number>;
  readonly #values: readonly string[];
  #fresh = new Map<string, number>();
  #freshTexts = new Map<number, string>();
  #olderTexts: ReadonlyMap<number, string> = new Map();
  #next: number;

  /** @param values - texts whose codes hold for ever: those that the endpoint declares */
  constructor(values: readonly string[] = []) {
    this.#values = values;
    this.#declared = new Map(values.map((text, i) => [text, i + 1]));
    this.#next = values.length + 1;
  }

  /** The code of a text. Of an undeclared one it holds until 16,384 further undeclared texts have come. */
  codeOf(text: string): number {
    return this.#declared.get(text) ?? this.#fresh.get(text) ?? this.#add(text);
  }

  /** @throws ScorerError for a code that has been given up: never another text */
  textOf(code: number): string {
    if (code === 0 || Number.isNaN(code)) return NOTHING;
    const text = this.#values[code - 1] ?? this.#freshTexts.get(code) ?? this.#olderTexts.get(code);
    if (text === undefined) throw new ScorerError("failed", "too many different texts came meanwhile: this one is no longer known");
    return text;
  }

  #add(text: string): number {
    if (this.#fresh.size >= GENERATION) {
      this.#olderTexts = this.#freshTexts;
      this.#fresh = new Map();
      this.#freshTexts = new Map();
    }
    const code = this.#next;
    this.#next = code === LAST_CODE ? this.#values.length + 1 : code + 1;
    this.#fresh.set(text, code);
    this.#freshTexts.set(code, text);
    return code;
  }
}

/** By the place of the feature in the row. */
export type TextColumns = ReadonlyMap<number, TextCodes>;

/** Bytes of the texts of so many rows at most, as `encodeTexts` writes them: an input's text has 1,000 characters. */
export const textBytesOf = (columns: number, rows: number): number => columns * rows * 6100;

/** The texts that rows speak of, for a process that knows none: for each column its place, then codes and texts in turn. */
export function encodeTexts(rows: Float32Array, width: number, columns: TextColumns): Uint8Array {
  const said = [...columns].map(([column, codes]) => {
    const known = new Set<number>();
    for (let at = column; at < rows.length; at += width) known.add(rows[at] ?? 0);
    return [column, ...[...known].flatMap((code) => (code > 0 ? [code, codes.textOf(code)] : []))];
  });
  return Buffer.from(JSON.stringify(said));
}

/** What turns the code in a column back. */
export type TextOf = (column: number, code: number) => string;

/** @throws Error when these aren't the texts of `encodeTexts` */
export function decodeTexts(bytes: Uint8Array): TextOf {
  const columns = new Map<number, ReadonlyMap<number, string>>();
  for (const [column, ...said] of asTexts(JSON.parse(Buffer.from(bytes).toString()))) {
    const texts = new Map<number, string>();
    for (let i = 0; i < said.length; i += 2) texts.set(Number(said[i]), String(said[i + 1]));
    columns.set(Number(column), texts);
  }
  return (column, code) => columns.get(column)?.get(code) ?? NOTHING;
}
/** Written by `encodeTexts` of the same version. */
const asTexts = (value: unknown) => value as readonly (readonly (number | string)[])[];
