/** From `unknown` to a type, once, at the border: TypeBox schemas with errors that a person can act on. */
import { Type, type Static, type TProperties, type TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { Errors } from "typebox/value";
import { nearest } from "./nearest.ts";
import { err, ok, type Issue, type Result } from "./std.ts";

export { nearest };

/** A schema, or null. */
export const orNull = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()]);
/** A whole number that no database and no other language rounds. */
export const wholeNumber = (options: { readonly minimum?: number; readonly description?: string } = {}) =>
  Type.Integer({ minimum: Number.MIN_SAFE_INTEGER, ...options, maximum: Number.MAX_SAFE_INTEGER });
/** An object with these properties and no others. */
export const object = <P extends TProperties>(properties: P) => Type.Object(properties, { additionalProperties: false });

/**
 * Checks a value against a schema; nothing is coerced, filled in or dropped. Compiled once, at the first value: keep it. A server has
 * hundreds and most are never asked.
 */
export function checked<S extends TSchema>(schema: S): (value: unknown) => Result<Static<S>, readonly Issue[]> {
  let compiled: ReturnType<typeof Compile<S>> | undefined;
  return (value) => {
    const validator = (compiled ??= Compile(schema));
    if (validator.Check(value)) return ok(value);
    // Of several forms only the one that is meant is held against the value: errors about all others would bury the one that counts.
    const meant = asSchema(narrowed(schema, value));
    const errors = Errors(meant, value);
    return err(issuesOf(meant, value, errors.length > 0 ? errors : validator.Errors(value)));
  };
}

/** Narrowing leaves schemas that are schemas. */
const asSchema = (schema: unknown) => schema as TSchema;

/** The schema with each union of objects replaced by the alternative that the value is most like. */
function narrowed(schema: unknown, value: unknown): unknown {
  if (!isObject(schema)) return schema;
  const { anyOf, properties, items, ...rest } = schema;
  if (Array.isArray(anyOf)) return alternative(schema, flattened(anyOf), value);
  // Each item is meant in its own way.
  if (isObject(items) && Array.isArray(items["anyOf"]) && Array.isArray(value))
    return { ...rest, prefixItems: value.map((item) => narrowed(items, item)) };
  if (!isObject(properties) || !isObject(value)) return schema;
  const inside = Object.entries(properties).map(([key, each]) => [key, Object.hasOwn(value, key) ? narrowed(each, value[key]) : each]);
  return { ...schema, properties: Object.fromEntries(inside) };
}

const flattened = (anyOf: readonly unknown[]): readonly unknown[] =>
  anyOf.flatMap((each: unknown) => (isObject(each) && Array.isArray(each["anyOf"]) ? flattened(each["anyOf"]) : [each]));

function alternative(union: Readonly<Record<string, unknown>>, all: readonly unknown[], value: unknown): unknown {
  let left = all.filter((each) => isObject(each) && isObject(each["properties"])).filter(isObject);
  if (left.length === 0 || !isObject(value) || Array.isArray(value)) return union;
  // What tells them apart: fields that have one fixed value in each, first `kind` for example, then `protocol`.
  const told = new Set<string>();
  for (;;) {
    const constants = (name: string) => left.map((each) => asObject(asObject(each["properties"])[name])["const"]);
    const name = Object.keys(asObject(left[0]?.["properties"])).find((each) => !told.has(each) && !constants(each).includes(undefined));
    if (left.length < 2 || name === undefined) break;
    const fixed = constants(name);
    const same = left.filter((_, i) => fixed[i] === value[name]);
    if (same.length === 0) return { type: "object", required: [name], properties: { [name]: { enum: [...new Set(fixed)] } } };
    told.add(name);
    left = same;
  }
  const known = (each: Readonly<Record<string, unknown>>) =>
    Object.keys(asObject(each["properties"])).filter((key) => Object.hasOwn(value, key));
  const most = Math.max(...left.map((each) => known(each).length));
  const likest = left.filter((each) => known(each).length === most);
  return likest.length === 1 ? narrowed(likest[0], value) : { ...union, anyOf: likest };
}

const asObject = (value: unknown): Readonly<Record<string, unknown>> => (isObject(value) ? value : {});

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

function memberOf(schema: Readonly<Record<string, unknown>>, key: string): unknown {
  const { properties, items, prefixItems, patternProperties, additionalProperties } = schema;
  if (isObject(properties) && Object.hasOwn(properties, key)) return properties[key];
  if (Array.isArray(prefixItems) && /^\d+$/.test(key)) return prefixItems[Number(key)];
  return [items, ...(isObject(patternProperties) ? Object.values(patternProperties) : []), additionalProperties].find(isObject);
}
