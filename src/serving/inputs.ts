/** From a parsed body to a decision request: strict, nothing coerced, nothing dropped; valid bodies take one pass without allocations. */
import { nearest, shown } from "../checked.ts";
import { UNKNOWN_GROUP, cellKey } from "../decisions/index.ts";
import { err, ok, type CellKey, type Issue, type Result } from "../std.ts";
import type { CelVariable } from "./cel.ts";
import type { GroupsSpec, InputSpec, InputsSpec, UndeclaredGroups } from "./endpoint-spec.ts";

/** Values of all inputs of the endpoint, `null` where an optional one is missing. Numbers are finite and within their limits. */
export type Inputs = Readonly<Record<string, number | string | boolean | null>>;

/** A valid request for a decision. */
export interface DecisionRequest {
  /** Who is decided about, in the application's own words; null where it doesn't say. */
  readonly subject: string | null;
  readonly inputs: Inputs;
  /** Declared attributes that were told. */
  readonly groups: Readonly<Record<string, string>>;
  readonly cell: CellKey;
}

/** Checks a body (parsed JSON) of an endpoint's decisions. Issues name the field (`/inputs/age`), what was expected and what came. */
export type ParseRequest = (body: unknown) => Result<DecisionRequest, readonly Issue[]>;

export interface InputRules {
  readonly inputs: InputsSpec;
  readonly groups: GroupsSpec;
  readonly undeclaredGroups?: UndeclaredGroups;
}

const MAX_ISSUES = 20;
const MAX_TEXT = 1000;
const MAX_SUBJECT = 250;
const MAX_CELLS = 10_000;

/** Compiles the rules of an endpoint; what is wrong with the rules themselves comes back as issues with paths below `/inputs` and `/groups`. */
export function compileInputs(rules: InputRules): Result<ParseRequest, readonly Issue[]> {
  const issues = [...wrongInputs(rules.inputs), ...wrongTwins(rules), ...wrongGroups(rules.groups)];
  if (issues.length > 0) return err(issues);
  const readInputs = inputReader(rules.inputs);
  const readGroups = groupReader(rules.groups, rules.undeclaredGroups ?? "refuse");
  return ok((body) => {
    const found = new Issues();
    if (!isObject(body))
      return err([{ path: "", expected: "an object with inputs, and groups and subject where known", got: shown(body) }]);
    const inputs = readInputs(body["inputs"], found);
    const cell = readGroups(body["groups"], found);
    const subject = readSubject(body["subject"], found);
    let known = 1;
    if (body["groups"] !== undefined) known++;
    if (body["subject"] !== undefined) known++;
    if (countKeys(body) !== known) for (const key of Object.keys(body)) if (!BODY.includes(key)) found.unknownField("", key, BODY);
    if (found.list !== null) return err(found.list);
    return ok({ subject, inputs, groups: groupsIn(body["groups"]), cell });
  });
}

/** The inputs as CEL sees them. */
export function celVariables(inputs: InputsSpec): ReadonlyMap<string, CelVariable> {
  return new Map(
    Object.entries(inputs).map(([name, { type, optional = false, values }]) => [
      name,
      { type: type === "integer" ? "number" : type, optional, ...(values ? { values } : {}) },
    ]),
  );
}

const BODY = ["inputs", "groups", "subject"];

/** Issues are made only for requests that have some. */
class Issues {
  list: Issue[] | null = null;
  add(issue: Issue): void {
    this.list ??= [];
    if (this.list.length < MAX_ISSUES) this.list.push(issue);
  }
  unknownField(at: string, key: string, known: readonly string[]): void {
    const near = nearest(key, known);
    const names = known.length > 12 ? `${known.slice(0, 12).join(", ")}, … (${known.length})` : known.join(", ");
    this.add({
      path: `${at}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`,
      expected: known.length > 0 ? `one of ${names}` : "no field here",
      got: "an unknown field",
      ...(near ? { hint: `did you mean "${near}"?` } : {}),
    });
  }
}

function inputReader(spec: InputsSpec): (inputs: unknown, found: Issues) => Inputs {
  const names = Object.keys(spec);
  const fields = names.map((name) => ({ name, ...fieldOf(spec[name] ?? { type: "number" }) }));
  return (inputs, found) => {
    if (!isObject(inputs)) {
      found.add({ path: "/inputs", expected: `an object with ${names.slice(0, 12).join(", ")}`, got: shown(inputs) });
      return {};
    }
    let present = 0;
    let isComplete = true;
    for (const { name, isValid, optional, expected } of fields) {
      const value = inputs[name];
      if (isValid(value)) present++;
      else if (optional && (value === undefined || value === null)) {
        isComplete = false;
        if (value === null) present++;
      } else {
        if (value !== undefined) present++;
        found.add({ path: `/inputs/${name}`, expected, got: shown(value) });
      }
    }
    if (countKeys(inputs) !== present)
      for (const key of Object.keys(inputs)) if (!Object.hasOwn(spec, key)) found.unknownField("/inputs", key, names);
    if (isComplete) return asInputs(inputs);
    return Object.fromEntries(names.map((name) => [name, asInputs(inputs)[name] ?? null]));
  };
}

/** Every value was checked by its field, and there are no others. */
const asInputs = (checked: Readonly<Record<string, unknown>>): Inputs => checked as Inputs;

function fieldOf({ type, min, max, values, optional = false }: InputSpec): {
  readonly optional: boolean;
  readonly expected: string;
  readonly isValid: (value: unknown) => boolean;
} {
  switch (type) {
    case "number":
    case "integer": {
      const low = min ?? -Number.MAX_VALUE; // beyond it are the infinities, which JSON can smuggle in as 1e999
      const high = max ?? Number.MAX_VALUE;
      const what = type === "integer" ? "a whole number" : "a number";
      const limits =
        min === undefined ? (max === undefined ? "" : ` up to ${max}`) : max === undefined ? ` from ${min}` : ` from ${min} to ${max}`;
      const isValid =
        type === "integer"
          ? (value: unknown) => typeof value === "number" && value >= low && value <= high && Number.isSafeInteger(value)
          : (value: unknown) => typeof value === "number" && value >= low && value <= high;
      return { optional, expected: what + limits, isValid };
    }
    case "boolean":
      return { optional, expected: "true or false", isValid: (value) => typeof value === "boolean" };
    case "string": {
      if (!values) return { optional, expected: `a text of at most ${MAX_TEXT} characters`, isValid: isText };
      const choices = new Set<unknown>(values);
      const listed = values.slice(0, 12).map((value) => JSON.stringify(value));
      return {
        optional,
        expected: `one of ${listed.join(", ")}${values.length > 12 ? ", …" : ""}`,
        isValid: (value) => choices.has(value),
      };
    }
  }
}

const isText = (value: unknown): value is string =>
  typeof value === "string" && value.length <= MAX_TEXT && !value.includes("\0") && value.isWellFormed();

/** Every combination has its cell made once; a request finds it by arithmetic over the positions of its values. */
function groupReader(spec: GroupsSpec, undeclared: UndeclaredGroups): (groups: unknown, found: Issues) => CellKey {
  const names = Object.keys(spec).toSorted();
  let cells: readonly Readonly<Record<string, string>>[] = [{}];
  const attributes = names.map((name) => {
    const values = [UNKNOWN_GROUP, ...(spec[name] ?? []).filter((value) => value !== UNKNOWN_GROUP)];
    const stride = cells.length;
    const before = cells;
    cells = values.flatMap((value) => before.map((cell) => ({ ...cell, [name]: value })));
    return { name, values, stride, places: new Map(values.map((value, place) => [value, place])) };
  });
  const keys = cells.map((cell) => cellKey(cell, names));
  return (groups, found) => {
    let at = 0;
    if (groups !== undefined && !isObject(groups)) {
      found.add({ path: "/groups", expected: `an object with ${names.join(", ") || "no field"}`, got: shown(groups) });
    } else if (groups !== undefined) {
      let present = 0;
      for (const { name, values, stride, places } of attributes) {
        const value = groups[name];
        if (value === undefined) continue;
        present++;
        const place = typeof value === "string" ? places.get(value) : value === null ? 0 : undefined;
        if (place !== undefined) at += place * stride;
        else if (undeclared === "refuse" || typeof value !== "string") {
          const near = typeof value === "string" ? nearest(value, values) : undefined;
          const expected = `one of ${values.slice(1).join(", ")}, or nothing where it isn't known`;
          found.add({ path: `/groups/${name}`, expected, got: shown(value), ...(near ? { hint: `did you mean "${near}"?` } : {}) });
        }
      }
      if (countKeys(groups) !== present)
        for (const key of Object.keys(groups)) if (!Object.hasOwn(spec, key)) found.unknownField("/groups", key, names);
    }
    const key = keys[at];
    if (key === undefined) throw new Error("a cell for every combination");
    return key;
  };
}

/** Told groups only, as they came: their names and types were checked, undeclared values stay legible in the log. */
function groupsIn(groups: unknown): Readonly<Record<string, string>> {
  if (!isObject(groups)) return NO_GROUPS;
  for (const name in groups) {
    if (typeof groups[name] !== "string") return Object.fromEntries(Object.entries(groups).filter(hasText));
  }
  return asTexts(groups);
}
const NO_GROUPS: Readonly<Record<string, string>> = {};
const hasText = (entry: readonly [string, unknown]): entry is [string, string] => typeof entry[1] === "string";
/** The loop above has looked at every value. */
const asTexts = (groups: Readonly<Record<string, unknown>>) => groups as Readonly<Record<string, string>>;

function readSubject(subject: unknown, found: Issues): string | null {
  if (subject === undefined || subject === null) return null;
  if (typeof subject === "string" && subject.length > 0 && subject.length <= MAX_SUBJECT && isText(subject)) return subject;
  found.add({ path: "/subject", expected: `the person's id, a text of 1 to ${MAX_SUBJECT} characters`, got: shown(subject) });
  return null;
}

/** Without an allocation, other than `Object.keys(value).length`. */
function countKeys(value: object): number {
  let count = 0;
  for (const _key in value) count++;
  return count;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Names that every JavaScript object answers to would be found where a caller left them out. */
const isInherited = (name: string) => name in {};

function wrongInputs(inputs: InputsSpec): Issue[] {
  const issues: Issue[] = [];
  for (const [name, { type, min, max, values }] of Object.entries(inputs)) {
    const path = `/inputs/${name}`;
    if (isInherited(name)) issues.push({ path, expected: "another name", got: name });
    const isNumeric = type === "number" || type === "integer";
    if (!isNumeric && (min !== undefined || max !== undefined)) issues.push({ path, expected: "no min or max", got: `a ${type}` });
    if (min !== undefined && max !== undefined && min > max)
      issues.push({ path: `${path}/max`, expected: `at least min (${min})`, got: `${max}` });
    if (values && type !== "string") issues.push({ path: `${path}/values`, expected: "no list of values", got: `a ${type}` });
    if (values && new Set(values).size !== values.length)
      issues.push({ path: `${path}/values`, expected: "each value once", got: "one twice" });
  }
  if (Object.keys(inputs).length === 0) issues.push({ path: "/inputs", expected: "at least one input", got: "none" });
  return issues;
}

function wrongTwins({ inputs, groups }: InputRules): Issue[] {
  const attributes = Object.keys(groups);
  return Object.entries(inputs).flatMap(([name, { twin_of: twin }]) =>
    twin === undefined || attributes.includes(twin)
      ? []
      : [
          {
            path: `/inputs/${name}/twin_of`,
            expected: `an attribute of groups: ${attributes.join(", ") || "none is declared"}`,
            got: twin,
          },
        ],
  );
}

function wrongGroups(groups: GroupsSpec): Issue[] {
  const issues: Issue[] = [];
  let cells = 1;
  for (const [name, values] of Object.entries(groups)) {
    if (isInherited(name)) issues.push({ path: `/groups/${name}`, expected: "another name", got: name });
    if (new Set(values).size !== values.length) issues.push({ path: `/groups/${name}`, expected: "each value once", got: "one twice" });
    cells *= values.length + 1;
  }
  if (cells > MAX_CELLS)
    issues.push({ path: "/groups", expected: `at most ${MAX_CELLS} combinations of values, unknown ones counted`, got: `${cells}` });
  return issues;
}
