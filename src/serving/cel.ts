/**
 * The one place that knows the CEL library (why this one: `docs/decisions/cel-library.md`).
 *
 * The dialect is what a policy about one person needs: numbers, texts, booleans, conditions. **All numbers are doubles**, as in JSON:
 * `pay_0 <= 0`, `1 / 3` and `bill_amt1 / limit_bal` mean what they look like, `7 / 2` is 3.5, dividing by 0 gives an infinity.
 * No comprehensions, `matches`, maps, fields, timestamps or bytes, so that an expression costs what its length says.
 */
import { Environment, EvaluationError, ParseError, TypeError as CelTypeError, type ASTNode } from "@marcbachmann/cel-js";
import { nearest, shown } from "../checked.ts";
import { err, ok, type Issue, type Result } from "../std.ts";

/** What an expression may speak of. An optional one is `null` when it is missing, and `x == null` tells. */
export interface CelVariable {
  readonly type: "number" | "string" | "boolean";
  readonly optional: boolean;
  /** The only values that a string takes, where they are declared: comparing with another is a typing error. */
  readonly values?: readonly string[];
}

/** Values by name; every declared variable has to be there. */
export type CelValues = Readonly<Record<string, number | string | boolean | null>>;

/** An expression that was checked against its variables. Safe to keep and to call at any rate. */
export interface CompiledCel<T extends number | boolean> {
  readonly source: string;
  /** The variables it reads. */
  readonly reads: readonly string[];
  /** @throws CelFailure when an optional value is missing where one is needed, or the result has another type */
  evaluate(values: CelValues): T;
}

/** An expression that passed its check and yet could not be computed for one person. */
export class CelFailure extends Error {
  override readonly name = "CelFailure";
}

const MAX_NODES = 1000;
const MAX_DEPTH = 250;
const MAX_LENGTH = 4096;

const FUNCTIONS: Readonly<Record<string, (...numbers: number[]) => number>> = {
  abs: Math.abs,
  ceil: Math.ceil,
  exp: Math.exp,
  floor: Math.floor,
  log: Math.log,
  max: (a = Number.NaN, b = Number.NaN) => Math.max(a, b),
  min: (a = Number.NaN, b = Number.NaN) => Math.min(a, b),
  sqrt: Math.sqrt,
};
const CALLS = new Set([...Object.keys(FUNCTIONS), "double", "size"]);
const METHODS = new Set(["contains", "endsWith", "lowerAscii", "size", "startsWith", "trim", "upperAscii"]);

const base = new Environment({
  limits: { maxAstNodes: MAX_NODES, maxDepth: MAX_DEPTH, maxListElements: 250, maxMapEntries: 1, maxCallArguments: 2 },
});
for (const [name, compute] of Object.entries(FUNCTIONS))
  base.registerFunction(`${name}(${name === "max" || name === "min" ? "double, double" : "double"}): double`, compute);

/** Compiles an expression that must give a number; a boolean counts as 0 or 1. */
export function compileCelNumber(source: string, variables: ReadonlyMap<string, CelVariable>, path: string) {
  return compile(source, variables, path, {
    expected: "an expression that gives a number or a boolean",
    types: ["double", "int", "bool", "dyn"],
    read(value): number {
      if (typeof value === "number") return value;
      if (typeof value === "boolean") return value ? 1 : 0;
      if (typeof value === "bigint") return Number(value); // size() is the one thing that counts in whole numbers
      throw new CelFailure(`${source}: expected a number, got ${kindOf(value)}`);
    },
  });
}

/** Compiles an expression that must give a boolean. */
export function compileCelCondition(source: string, variables: ReadonlyMap<string, CelVariable>, path: string) {
  return compile(source, variables, path, {
    expected: "a condition that is true or false",
    types: ["bool", "dyn"],
    read(value): boolean {
      if (typeof value === "boolean") return value;
      throw new CelFailure(`${source}: expected true or false, got ${kindOf(value)}`);
    },
  });
}

/** Failures are kept with the decision for ever: they tell the kind of a person's value, never the value. */
const kindOf = (value: unknown) => (value === null ? "a missing value" : typeof value === "string" ? "a text" : `a ${typeof value}`);

interface Wanted<T> {
  readonly expected: string;
  readonly types: readonly string[];
  read(value: unknown): T;
}

function compile<T extends number | boolean>(
  source: string,
  variables: ReadonlyMap<string, CelVariable>,
  path: string,
  wanted: Wanted<T>,
): Result<CompiledCel<T>, readonly Issue[]> {
  const refuse = (issue: Omit<Issue, "path">, at = 0) => err([{ path, ...issue, ...position(source, at) }]);
  if (source.length > MAX_LENGTH) return refuse({ expected: `at most ${MAX_LENGTH} characters`, got: `${source.length}` });

  const env = base.clone();
  for (const [name, variable] of variables) env.registerVariable(name, variable.optional ? "dyn" : TYPES[variable.type]);

  let tree: ASTNode;
  try {
    tree = env.parse(source).ast;
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    return refuse({ expected: "a CEL expression", got: summaryOf(error) }, error.range?.start);
  }
  const survey = surveyOf(tree, source, variables);
  if (survey.trouble) return refuse(survey.trouble.issue, survey.trouble.at);

  const doubled = withDoubles(source, survey.integers);
  const program = env.parse(doubled.text);
  const checked = program.check();
  if (!checked.valid) {
    const at = doubled.back(checked.error?.range?.start ?? 0);
    const got = checked.error ? summaryOf(checked.error) : "something else";
    const hint = /== null|!= null|null [!=]=/.test(got) ? { hint: "only an optional input can be missing" } : hintFor(got);
    return refuse({ expected: "operands whose types fit", got, ...hint }, at);
  }
  if (!wanted.types.includes(checked.type ?? ""))
    return refuse({ expected: wanted.expected, got: NAMES[checked.type ?? ""] ?? "something else" });

  return ok({
    source,
    reads: [...survey.reads],
    evaluate(values) {
      try {
        return wanted.read(program(values));
      } catch (error) {
        if (error instanceof EvaluationError || error instanceof CelTypeError)
          throw new CelFailure(`${source}: ${summaryOf(error)}`, { cause: error });
        throw error;
      }
    },
  });
}

const TYPES = { number: "double", string: "string", boolean: "bool" } as const;
const NAMES: Readonly<Record<string, string>> = {
  double: "a number",
  int: "a number",
  bool: "true or false",
  string: "a text",
  null: "null",
};

/** The library's words, in the dialect's: it calls our numbers doubles, and a missing one dyn<null>. */
const summaryOf = (error: { readonly summary: string }) =>
  error.summary
    .replace(/^no such overload: /, "")
    .replace(/dyn<null>|\bnull\b(?=[).])/g, "a missing value")
    .replace(/dyn<(\w+)>/g, "$1")
    .replace(/\bdouble\b|\bint\b/g, "number")
    .replace(/\bbool\b/g, "boolean");

const hintFor = (got: string) =>
  /number [-+*/] string|string [-+*/] number/.test(got)
    ? { hint: "texts and numbers don't mix: double(x) reads a number from a text" }
    : {};

interface Survey {
  readonly reads: Set<string>;
  readonly integers: { readonly start: number; readonly end: number; readonly value: bigint }[];
  trouble?: { readonly issue: Omit<Issue, "path">; readonly at: number };
}

/** One walk over the tree: what it reads, where whole numbers are written, and the first thing that the dialect doesn't have. */
function surveyOf(tree: ASTNode, source: string, variables: ReadonlyMap<string, CelVariable>): Survey {
  const survey: Survey = { reads: new Set(), integers: [] };
  const refuse = (node: ASTNode, issue: Omit<Issue, "path">) => void (survey.trouble ??= { issue, at: node.range.start });
  const notPart = (node: ASTNode, what: string, hint?: string) =>
    refuse(node, { expected: "comparisons, arithmetic, conditions and calls of known functions", got: what, ...(hint ? { hint } : {}) });
  const visitAll = (nodes: readonly ASTNode[]) => nodes.forEach(visit);
  function visit(node: ASTNode): void {
    switch (node.op) {
      case "id":
        if (variables.has(node.args)) survey.reads.add(node.args);
        else refuse(node, unknownVariable(node.args, variables));
        return;
      case "value":
        if (typeof node.args === "bigint") {
          if (node.args > Number.MAX_SAFE_INTEGER || node.args < Number.MIN_SAFE_INTEGER)
            refuse(node, { expected: "a number that a double holds exactly, up to 9007199254740991", got: String(node.args) });
          survey.integers.push({ start: node.range.start, end: node.range.end, value: node.args });
        } else if (typeof node.args === "object" && node.args !== null)
          notPart(node, source.slice(node.range.start, node.range.end), "numbers have no suffix, texts no prefix b");
        return;
      case "list":
        return visitAll(node.args);
      case "?:":
        return visitAll(node.args);
      case "!_":
      case "-_":
        return visit(node.args);
      case "==":
      case "!=":
      case "in":
        visitAll(node.args);
        return checkChoices(node.args, variables, refuse);
      case "||":
      case "&&":
      case "+":
      case "-":
      case "*":
      case "/":
      case "<":
      case "<=":
      case ">":
      case ">=":
        return visitAll(node.args);
      case "call": {
        const [name, args] = node.args;
        if (!CALLS.has(name)) return refuse(node, unknownFunction(name, CALLS));
        return visitAll(args);
      }
      case "rcall": {
        const [name, receiver, args] = node.args;
        if (!METHODS.has(name)) return refuse(node, unknownFunction(name, METHODS));
        visit(receiver);
        return visitAll(args);
      }
      case "%":
        return notPart(node, "%", "it is defined for whole numbers only, and numbers here are doubles: a - b * floor(a / b)");
      default: // fields, indexes, maps, and whatever the library learns later
        return notPart(node, `\`${node.op}\``);
    }
  }
  visit(tree);
  return survey;
}

function unknownVariable(name: string, variables: ReadonlyMap<string, CelVariable>): Omit<Issue, "path"> {
  const known = [...variables.keys()];
  const near = nearest(name, known);
  return { expected: `an input of the endpoint: ${known.join(", ")}`, got: name, ...(near ? { hint: `did you mean ${near}?` } : {}) };
}

function unknownFunction(name: string, known: ReadonlySet<string>): Omit<Issue, "path"> {
  const near = nearest(name, [...known]);
  return {
    expected: `one of the functions ${[...known].toSorted().join(", ")}`,
    got: name,
    ...(near ? { hint: `did you mean ${near}?` } : {}),
  };
}

/** `education == "gradute"` is never true: a typing error, where the values are declared. */
function checkChoices(
  [left, right]: readonly [ASTNode, ASTNode],
  variables: ReadonlyMap<string, CelVariable>,
  refuse: (node: ASTNode, issue: Omit<Issue, "path">) => void,
): void {
  for (const [variable, other] of [
    [left, right],
    [right, left],
  ] as const) {
    const values = variable.op === "id" ? variables.get(variable.args)?.values : undefined;
    if (!values) continue;
    for (const node of other.op === "list" ? other.args : [other]) {
      if (node.op !== "value" || typeof node.args !== "string" || values.includes(node.args)) continue;
      const near = nearest(node.args, values);
      refuse(node, {
        expected: `one of ${values.join(", ")}`,
        got: shown(node.args),
        ...(near ? { hint: `did you mean "${near}"?` } : {}),
      });
    }
  }
}

/** Whole numbers written as doubles, and the way back from a position in the new text to one in the old. */
function withDoubles(source: string, integers: Survey["integers"]): { readonly text: string; back(position: number): number } {
  const edits = integers.toSorted((a, b) => a.start - b.start).map((each) => ({ ...each, text: `${each.value}.0` }));
  let text = "";
  let at = 0;
  for (const edit of edits) {
    text += source.slice(at, edit.start) + edit.text;
    at = edit.end;
  }
  return {
    text: text + source.slice(at),
    back(position) {
      let shift = 0;
      for (const edit of edits) {
        if (edit.start + shift >= position) break;
        shift += edit.text.length - (edit.end - edit.start);
      }
      return Math.max(0, position - shift);
    },
  };
}

/** 1-based line and column of an offset, both in UTF-16 units as editors count them. */
function position(source: string, offset: number): { readonly line: number; readonly column: number } {
  const before = source.slice(0, offset).split("\n");
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}
