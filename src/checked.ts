/** From `unknown` to a type, once, at the border: TypeBox schemas with errors that a person can act on. */
import { Type, type Static, type TProperties, type TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { err, ok, type Issue, type Result } from "./std.ts";

/** A schema, or null. */
export const orNull = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()]);
/** A whole number that no database and no other language rounds. */
export const wholeNumber = (options: { readonly minimum?: number; readonly description?: string } = {}) =>
  Type.Integer({ minimum: Number.MIN_SAFE_INTEGER, ...options, maximum: Number.MAX_SAFE_INTEGER });
/** An object with these properties and no others. */
export const object = <P extends TProperties>(properties: P) => Type.Object(properties, { additionalProperties: false });

/** Checks a value against a schema; nothing is coerced, filled in or dropped. Compiled once: keep it. */
export function checked<S extends TSchema>(schema: S): (value: unknown) => Result<Static<S>, readonly Issue[]> {
  const validator = Compile(schema);
  return (value) => (validator.Check(value) ? ok(value) : err(issuesOf(schema, value, validator.Errors(value))));
}

interface SchemaError {
  readonly keyword: string;
  readonly instancePath: string;
  readonly params: object;
  readonly message: string;
}

function issuesOf(schema: TSchema, value: unknown, errors: readonly SchemaError[]): Issue[] {
  const issues = new Map<string, Issue>();
  const alternatives = new Map<string, string[]>();
  const add = (issue: Issue) => {
    if (!issues.has(issue.path) && issues.size < 20) issues.set(issue.path, issue);
  };
  for (const error of errors) {
    const at = error.instancePath;
    const params: Readonly<Record<string, unknown>> = { ...error.params };
    switch (error.keyword) {
      case "additionalProperties": {
        const known = propertiesAt(schema, at);
        for (const key of asTexts(params["additionalProperties"])) {
          const near = nearest(key, known);
          const hint = near ? { hint: `did you mean "${near}"?` } : {};
          add({ path: `${at}/${escapePointer(key)}`, expected: `one of ${listed(known)}`, got: "an unknown field", ...hint });
        }
        break;
      }
      case "required":
        for (const key of asTexts(params["requiredProperties"]))
          add({ path: `${at}/${escapePointer(key)}`, expected: "a value", got: "nothing" });
        break;
      case "const":
        alternatives.set(at, [...(alternatives.get(at) ?? []), JSON.stringify(params["allowedValue"])]);
        break;
      case "enum": {
        const allowed = asTexts(params["allowedValues"]);
        const given = valueAt(value, at);
        const near = typeof given === "string" ? nearest(given, allowed) : undefined;
        add({
          path: at,
          expected: `one of ${allowed.join(", ")}`,
          got: shown(given),
          ...(near ? { hint: `did you mean "${near}"?` } : {}),
        });
        break;
      }
      case "anyOf": {
        const choices = alternatives.get(at);
        if (choices) add({ path: at, expected: `one of ${choices.join(", ")}`, got: shown(valueAt(value, at)) });
        else if (![...issues.keys()].some((path) => path.startsWith(at)))
          add({ path: at, expected: "one of the documented forms", got: shown(valueAt(value, at)) });
        break;
      }
      case "boolean":
        break; // the other half of additionalProperties
      default:
        add({
          path: at,
          expected: error.message
            .replace(/^must not have (fewer|more) than/, (_all, which: string) => (which === "fewer" ? "at least" : "at most"))
            .replace(/^must (be|have|match) ?/, (_all, verb: string) => (verb === "be" ? "" : `${verb} `)),
          got: shown(valueAt(value, at)),
        });
    }
  }
  for (const [at, choices] of alternatives) add({ path: at, expected: `one of ${choices.join(", ")}`, got: shown(valueAt(value, at)) });
  return [...issues.values()];
}

const asTexts = (value: unknown): string[] => (Array.isArray(value) ? value.filter((item) => typeof item === "string") : []);
const escapePointer = (key: string) => key.replaceAll("~", "~0").replaceAll("/", "~1");
const unescapePointer = (key: string) => key.replaceAll("~1", "/").replaceAll("~0", "~");
const listed = (names: readonly string[]) =>
  names.length > 12 ? `${names.slice(0, 12).join(", ")}, … (${names.length})` : names.join(", ") || "no field at all";
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === "object" && value !== null;

/** A value as an error message shows it: short, and by kind where it is not a plain one. */
export function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (isObject(value)) return "an object";
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

/** The value that a JSON pointer names, or undefined. */
export function valueAt(value: unknown, pointer: string): unknown {
  let at = value;
  for (const part of pointer.split("/").slice(1)) at = isObject(at) ? at[unescapePointer(part)] : undefined;
  return at;
}

/** Fields that an object there may have; in a union, those of all its forms. */
function propertiesAt(schema: unknown, pointer: string): string[] {
  let forms = formsOf(schema);
  for (const part of pointer.split("/").slice(1).map(unescapePointer)) forms = forms.flatMap((form) => formsOf(memberOf(form, part)));
  return [...new Set(forms.flatMap((form) => (isObject(form["properties"]) ? Object.keys(form["properties"]) : [])))];
}

function formsOf(schema: unknown): Readonly<Record<string, unknown>>[] {
  if (!isObject(schema)) return [];
  return Array.isArray(schema["anyOf"]) ? schema["anyOf"].flatMap(formsOf) : [schema];
}

function memberOf({ properties, items, patternProperties, additionalProperties }: Readonly<Record<string, unknown>>, key: string): unknown {
  if (isObject(properties) && Object.hasOwn(properties, key)) return properties[key];
  return [items, ...(isObject(patternProperties) ? Object.values(patternProperties) : []), additionalProperties].find(isObject);
}

/** The known name that a person most likely meant, if one is near enough (Levenshtein distance up to a third of its length). */
export function nearest(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      bestDistance = distance;
      best = candidate;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
