/** MLflow's search filters (`metrics.auc > 0.8 AND tags.team = 'risk'`), read into comparisons. What isn't known is refused with its place. Pure. */
import { err, ok, type Result } from "../std.ts";

export type FilterEntity = "attribute" | "metric" | "param" | "tag" | "dataset";
export const OPERATORS = ["=", "!=", ">", ">=", "<", "<=", "LIKE", "ILIKE", "IN", "NOT IN", "IS NULL", "IS NOT NULL"] as const;
export type FilterOperator = (typeof OPERATORS)[number];

export interface Comparison {
  readonly entity: FilterEntity;
  readonly key: string;
  readonly operator: FilterOperator;
  /** null beside `IS NULL` and `IS NOT NULL`. */
  readonly value: string | number | readonly string[] | null;
}

export interface AttributeRule {
  readonly kind: "text" | "number";
  readonly operators: readonly FilterOperator[];
  /** A number that may stand in quotes. */
  readonly isQuotable?: true;
}

/** One field that results are sorted by. */
export interface Order {
  readonly entity: FilterEntity;
  readonly key: string;
  readonly isDescending: boolean;
}

/** What may be asked of one kind of thing. */
export interface FilterGrammar {
  /** By what people write before the dot. */
  readonly entities: Readonly<Record<string, FilterEntity>>;
  /** By name; another name for the same thing is in `aliases`. */
  readonly attributes: Readonly<Record<string, AttributeRule>>;
  readonly aliases?: Readonly<Record<string, string>>;
  /** Keys of `dataset.`. */
  readonly datasetKeys?: readonly string[];
}

/** @returns why not, with the place: characters are counted from 1 */
export function parseFilter(text: string, grammar: FilterGrammar): Result<readonly Comparison[], string> {
  if (text.length > MAX_LENGTH) return err(`A filter can have at most ${MAX_LENGTH} characters. Got ${text.length}.`);
  const reader = new FilterReader(text, grammar);
  try {
    return ok(reader.read());
  } catch (error) {
    if (error instanceof FilterError) return err(error.message);
    throw error;
  }
}

/** Reads one item of `order_by`: `metrics.auc DESC`. */
export function parseOrder(text: string, grammar: FilterGrammar): Result<Order, string> {
  try {
    return ok(new FilterReader(text, grammar).readOrder());
  } catch (error) {
    if (error instanceof FilterError) return err(error.message);
    throw error;
  }
}

class FilterError extends Error {
  override readonly name = "FilterError";
}

export const NUMBER_OPERATORS: readonly FilterOperator[] = ["=", "!=", ">", ">=", "<", "<="];
export const TEXT_OPERATORS: readonly FilterOperator[] = ["=", "!=", "LIKE", "ILIKE"];
export const LIST_OPERATORS: readonly FilterOperator[] = ["IN", "NOT IN"];
export const NULL_OPERATORS: readonly FilterOperator[] = ["IS NULL", "IS NOT NULL"];
const TAGGED: readonly FilterOperator[] = [...TEXT_OPERATORS, ...NULL_OPERATORS];

/** What a database takes in one statement has its bounds. */
const MAX_LENGTH = 32_000;
const MAX_COMPARISONS = 100;
const MAX_LISTED = 1000;

const BARE = /[\p{L}\p{N}_\-./:]+/uy;
const SYMBOLS = /[=!<>]+/y;
const WORD = /\S+/y;
const NUMBER = /[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/y;
const WORD_OPERATOR = /(not\s+in|is\s+not\s+null|is\s+null|like|ilike|in)(?![\p{L}\p{N}_])/iuy;
const DIRECTION = /(?:asc|desc)(?![\p{L}\p{N}_])/iuy;
const AND = /and(?![\p{L}\p{N}_])/iuy;

class FilterReader {
  readonly #text: string;
  readonly #grammar: FilterGrammar;
  #at = 0;

  constructor(text: string, grammar: FilterGrammar) {
    this.#text = text;
    this.#grammar = grammar;
  }

  read(): readonly Comparison[] {
    const found: Comparison[] = [];
    this.#skip();
    while (this.#at < this.#text.length) {
      if (found.length === MAX_COMPARISONS) this.#fail(`A filter can have at most ${MAX_COMPARISONS} comparisons`);
      found.push(this.#comparison());
      this.#skip();
      if (this.#at >= this.#text.length) break;
      if (this.#take(AND) === undefined) this.#fail(`Invalid clause(s) in filter string: '${this.#peek()}'`);
      this.#skip(); // a dangling AND is let pass, as MLflow does
    }
    return found;
  }

  readOrder(): Order {
    this.#skip();
    const { entity, key } = this.#left();
    if (entity === "dataset") this.#fail(`Invalid order_by clause '${this.#text}'. Invalid identifier type 'dataset'`, 0);
    this.#skip();
    const direction = this.#take(DIRECTION);
    this.#skip();
    if (this.#at < this.#text.length) this.#fail(`Invalid order_by clause '${this.#text}'. Could not be parsed.`);
    return { entity, key, isDescending: direction?.toLowerCase() === "desc" };
  }

  #comparison(): Comparison {
    const startsAt = this.#at;
    const { entity, key } = this.#left();
    this.#skip();
    const operatorAt = this.#at;
    const operator = this.#operator();
    const allowed = this.#operatorsOf(entity, key, startsAt);
    this.#skip();
    const valueAt = this.#at;
    if (!allowed.includes(operator)) {
      const isList = LIST_OPERATORS.includes(operator) && entity === "attribute";
      this.#fail(
        isList
          ? "Only the 'run_id' attribute supports comparison with a list of quoted string values."
          : `Invalid comparator '${operator}' not one of '{${allowed.map((each) => `'${each}'`).join(", ")}}'`,
        operatorAt,
      );
    }
    if (operator === "IS NULL" || operator === "IS NOT NULL") return { entity, key, operator, value: null };
    if (LIST_OPERATORS.includes(operator)) return { entity, key, operator, value: this.#list() };
    const isNumber = entity === "metric" || (entity === "attribute" && this.#grammar.attributes[key]?.kind === "number");
    return { entity, key, operator, value: isNumber ? this.#number(entity, key, valueAt) : this.#quotedValue(entity, valueAt) };
  }

  #left(): { readonly entity: FilterEntity; readonly key: string } {
    const at = this.#at;
    const quoted = this.#quoted('`"');
    if (quoted !== undefined) return { entity: "attribute", key: this.#attribute(quoted, at) };
    const bare = this.#take(BARE);
    if (bare === undefined || /^[\d.:/-]/.test(bare))
      this.#fail(`Invalid comparison clause. Expected 'Identifier' found '${bare ?? this.#peek()}'`, at);
    const dot = bare.indexOf(".");
    if (dot < 0) return { entity: "attribute", key: this.#attribute(bare, at) };
    const name = bare.slice(0, dot).toLowerCase();
    const entity = Object.hasOwn(this.#grammar.entities, name) ? this.#grammar.entities[name] : undefined;
    if (entity === undefined) {
      const valid = [...new Set(Object.values(this.#grammar.entities))].map((each) => `'${each === "param" ? "parameter" : each}'`);
      this.#fail(`Invalid entity type '${bare.slice(0, dot)}'. Valid values are [${valid.join(", ")}]`, at);
    }
    const key = bare.slice(dot + 1) || this.#quoted('`"');
    if (key === undefined || key === "") this.#fail(`Invalid comparison clause. Expected a key after '${bare}'`, this.#at);
    if (entity === "attribute") return { entity, key: this.#attribute(key, at) };
    const { datasetKeys = [] } = this.#grammar;
    if (entity === "dataset" && !datasetKeys.includes(key))
      this.#fail(`Invalid dataset key '${key}' specified. Valid keys are '{${datasetKeys.map((each) => `'${each}'`).join(", ")}}'`, at);
    return { entity, key };
  }

  #attribute(name: string, at: number): string {
    const { attributes, aliases = {} } = this.#grammar;
    const key = Object.hasOwn(aliases, name) ? (aliases[name] ?? name) : name;
    if (Object.hasOwn(attributes, key)) return key;
    const valid = Object.keys(attributes).map((each) => `'${each}'`);
    return this.#fail(`Invalid attribute key '${name}' specified. Valid keys are '{${valid.join(", ")}}'`, at);
  }

  #operatorsOf(entity: FilterEntity, key: string, at: number): readonly FilterOperator[] {
    switch (entity) {
      case "metric":
        return NUMBER_OPERATORS;
      case "param":
      case "tag":
        return TAGGED;
      case "dataset":
        return [...TEXT_OPERATORS, ...LIST_OPERATORS];
      case "attribute":
        return this.#grammar.attributes[key]?.operators ?? this.#fail(`Invalid attribute key '${key}' specified.`, at);
    }
  }

  #operator(): FilterOperator {
    const at = this.#at;
    const written = this.#take(SYMBOLS) ?? this.#take(WORD_OPERATOR);
    const normal = written?.toUpperCase().replaceAll(/\s+/g, " ");
    const known = OPERATORS.find((each) => each === normal);
    if (known) return known;
    return this.#fail(
      `Invalid comparator '${written ?? this.#peek()}' not one of '{${OPERATORS.map((each) => `'${each}'`).join(", ")}}'`,
      at,
    );
  }

  #number(entity: FilterEntity, key: string, at: number): number {
    const isQuotable = entity === "attribute" && this.#grammar.attributes[key]?.isQuotable;
    const written = isQuotable ? (this.#quoted("'\"") ?? this.#take(NUMBER)) : this.#take(NUMBER);
    const value = written === undefined || written === "" ? Number.NaN : Number(written);
    if (Number.isFinite(value)) return value;
    const what = entity === "metric" ? "metric" : `numeric attribute: ${key}`;
    return this.#fail(`Expected numeric value type for ${what}. Found '${this.#peekValue(at)}'`, at);
  }

  #quotedValue(entity: FilterEntity, at: number): string {
    const value = this.#quoted("'\"");
    if (value !== undefined) return value;
    const what = entity === "param" ? "parameter" : entity;
    return this.#fail(`Expected a quoted string value for ${what} (e.g. 'my-value'). Got value ${this.#peek()}`, at);
  }

  #list(): readonly string[] {
    const at = this.#at;
    const wrong = (): never => this.#fail("Expected a list of quoted string values in parentheses (e.g. ('a', 'b'))", at);
    if (this.#text[this.#at] !== "(") wrong();
    this.#at++;
    const values: string[] = [];
    for (;;) {
      this.#skip();
      const value = this.#quoted("'\"");
      if (value === undefined) return wrong();
      values.push(value);
      if (values.length > MAX_LISTED) this.#fail(`A list can have at most ${MAX_LISTED} values`);
      this.#skip();
      const next = this.#text[this.#at++];
      if (next === ")") return values;
      if (next !== ",") wrong();
    }
  }

  /** Between two of the same of these quotes; undefined where none begins here. A quote twice is one that belongs to the text. */
  #quoted(quotes: string): string | undefined {
    const quote = this.#text[this.#at];
    if (quote === undefined || !quotes.includes(quote)) return undefined;
    const at = this.#at++;
    let read = "";
    for (;;) {
      const end = this.#text.indexOf(quote, this.#at);
      if (end < 0) this.#fail(`Invalid filter string: ${quote} is never closed`, at);
      read += this.#text.slice(this.#at, end);
      this.#at = end + 1;
      if (this.#text[this.#at] !== quote) return read;
      read += quote;
      this.#at++;
    }
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #skip(): void {
    while (this.#at < this.#text.length && /\s/.test(this.#text[this.#at] ?? "")) this.#at++;
  }

  #peek(): string {
    WORD.lastIndex = this.#at;
    return WORD.exec(this.#text)?.[0].slice(0, 60) ?? "";
  }

  #peekValue(at: number): string {
    this.#at = at;
    return this.#quoted("'\"") ?? this.#peek();
  }

  #fail(message: string, at = this.#at): never {
    throw new FilterError(`${message} (at character ${at + 1})`);
  }
}
