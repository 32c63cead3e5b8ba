/** Fields of a request, read as leniently as MLflow reads them and refused in its words. */
import { invalid } from "./errors.ts";

type Values = Readonly<Record<string, unknown>>;

const HINT = "See the API docs for more information about request parameters.";
const missing = (name: string) => invalid(`Missing value for required parameter '${name}'. ${HINT}`);

/** As Python calls the types of JSON. */
function pythonType(value: unknown): string {
  if (Array.isArray(value)) return "list";
  if (typeof value === "string") return "str";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "float";
  return "dict";
}

const jsonText = (value: unknown): string => (JSON.stringify(value) ?? "nothing").slice(0, 200);

export class Fields {
  readonly #values: Values;
  readonly #at: string;

  /** @param at - what stands before the names in messages: `metrics[0].` */
  constructor(values: Values, at = "") {
    this.#values = values;
    this.#at = at;
  }

  has(name: string): boolean {
    return this.#raw(name) !== undefined;
  }

  /** How the field is called in messages. */
  nameOf(name: string): string {
    return `${this.#at}${name}`;
  }

  text(name: string): string | undefined {
    const value = this.#raw(name);
    if (value === undefined || typeof value === "string") return value;
    throw this.#wrong(name, value);
  }

  /** There, and not empty. */
  requiredText(name: string): string {
    const value = this.text(name);
    if (value === undefined || value === "") throw missing(this.nameOf(name));
    return value;
  }

  /** A run's id goes by its old name too. */
  runId(): string {
    const value = this.text("run_id") || this.text("run_uuid");
    if (!value) throw missing(this.nameOf("run_id"));
    return value;
  }

  integer(name: string): number | undefined {
    const value = this.#raw(name);
    if (value === undefined) return undefined;
    const number = typeof value === "string" && /^[+-]?\d{1,19}(\.0*)?$/.test(value) ? Number(value) : value;
    if (typeof number !== "number" || !Number.isInteger(number)) throw this.#wrong(name, value);
    if (!Number.isSafeInteger(number))
      throw invalid(`Invalid value ${jsonText(value)} for parameter '${this.nameOf(name)}' supplied: expected a whole number below 2^53`);
    return number;
  }

  /** NaN and the infinities come as texts. */
  number(name: string): number | undefined {
    const value = this.#raw(name);
    if (value === undefined) return undefined;
    if (typeof value === "number") return value;
    if (typeof value === "string") {
      const named = SPECIAL[value.toLowerCase()];
      if (named !== undefined) return named;
      if (value.trim() !== "" && /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value.trim())) return Number(value);
    }
    throw this.#wrong(name, value);
  }

  flag(name: string): boolean | undefined {
    const value = this.#raw(name);
    if (value === undefined || typeof value === "boolean") return value;
    if (value === "true" || value === "True") return true;
    if (value === "false" || value === "False") return false;
    throw this.#wrong(name, value);
  }

  /** By name, or by its number. */
  choice<T extends string>(name: string, choices: Readonly<Record<T, number>>): T | undefined {
    const value = this.#raw(name);
    if (value === undefined) return undefined;
    const all = Object.keys(choices).filter((each): each is T => Object.hasOwn(choices, each));
    const found = all.find((each) => each === value || choices[each] === Number(value));
    if (found !== undefined) return found;
    throw invalid(`Invalid value ${jsonText(value)} for parameter '${this.nameOf(name)}' supplied: expected one of ${all.join(", ")}`);
  }

  texts(name: string): readonly string[] {
    const value = this.#raw(name);
    if (value === undefined) return [];
    const all: readonly unknown[] = Array.isArray(value) ? value : [value];
    if (typeof value !== "string" && !Array.isArray(value)) throw this.#wrong(name, value);
    return all.map((each, i) => {
      if (typeof each === "string") return each;
      if (typeof each === "number") return String(each);
      throw this.#wrong(`${name}[${i}]`, each);
    });
  }

  list(name: string): readonly Fields[] {
    const value = this.#raw(name);
    if (value === undefined) return [];
    if (!Array.isArray(value)) throw this.#wrong(name, value);
    const all: readonly unknown[] = value;
    return all.map((each, i) => {
      if (!isObject(each)) throw this.#wrong(`${name}[${i}]`, each);
      return new Fields(each, `${this.#at}${name}[${i}].`);
    });
  }

  object(name: string): Fields | undefined {
    const value = this.#raw(name);
    if (value === undefined) return undefined;
    if (!isObject(value)) throw this.#wrong(name, value);
    return new Fields(value, `${this.#at}${name}.`);
  }

  /** A list that has to be there. */
  required(name: string): this {
    if (!this.has(name)) throw missing(this.nameOf(name));
    return this;
  }

  /** A field under its name, or as JavaScript would write it; null is nothing. */
  #raw(name: string): unknown {
    const value = this.#own(name);
    if (value !== undefined || !name.includes("_") || !this.#mayBeCamel()) return value;
    return this.#own(name.replaceAll(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase()));
  }

  /** Thousands of points are asked for fields that they don't have; none of their names has a capital. */
  #mayBeCamel(): boolean {
    for (const name in this.#values) if (/[A-Z]/.test(name)) return true;
    return false;
  }

  #own(name: string): unknown {
    const value = Object.hasOwn(this.#values, name) ? this.#values[name] : undefined;
    return value === null ? undefined : value;
  }

  #wrong(name: string, value: unknown) {
    return invalid(
      `Invalid value ${jsonText(value)} for parameter '${this.nameOf(name)}' supplied:  Hint: Value was of type '${pythonType(value)}'. ${HINT}`,
    );
  }
}

const SPECIAL: Readonly<Record<string, number>> = {
  nan: Number.NaN,
  infinity: Number.POSITIVE_INFINITY,
  inf: Number.POSITIVE_INFINITY,
  "-infinity": Number.NEGATIVE_INFINITY,
  "-inf": Number.NEGATIVE_INFINITY,
};

export const isObject = (value: unknown): value is Values => typeof value === "object" && value !== null && !Array.isArray(value);

/** @throws MlflowError for a text that is longer */
export function atMost(text: string, { name, length }: { readonly name: string; readonly length: number }): string {
  if (text.length <= length) return text;
  throw invalid(`'${name}' exceeds the maximum length of ${length} characters`);
}

/** Names of metrics, parameters and tags. @param name - of the field, in messages */
export function keyOf(text: string, { name, what }: { readonly name: string; readonly what: string }): string {
  if (!/^[\p{L}\p{N}_\-. :/]+$/u.test(text))
    throw invalid(
      `Invalid value "${text.slice(0, 300)}" for parameter '${name}' supplied: Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/).`,
    );
  const normal = normalPath(text);
  if (normal !== text || text === "." || normal.startsWith("..") || text.startsWith("/"))
    throw invalid(
      `Invalid value "${text.slice(0, 300)}" for parameter '${name}' supplied: Names may be treated as files in certain cases, and must not resolve to other names when treated as such. This name would resolve to '${normal.slice(0, 300)}'`,
    );
  return atMost(text, { name: what, length: 250 });
}

function normalPath(text: string): string {
  const kept: string[] = [];
  for (const segment of text.split("/")) {
    if (segment === "" || segment === ".") continue;
    if (segment === ".." && kept.length > 0 && kept.at(-1) !== "..") kept.pop();
    else if (segment !== ".." || !text.startsWith("/")) kept.push(segment);
  }
  return `${text.startsWith("/") ? "/" : ""}${kept.join("/")}` || ".";
}

/** `[{ key, value }]` as pairs, in their order. */
export const pairsOf = (fields: Fields, name: string): readonly { readonly key: string; readonly value: string; readonly at: string }[] =>
  fields.list(name).map((each) => ({ key: each.requiredText("key"), value: each.text("value") ?? "", at: each.nameOf("key") }));
