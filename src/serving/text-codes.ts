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
