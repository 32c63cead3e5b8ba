/** Compiles what an endpoint expects of its inputs into checks that take a microsecond or two and allocate nothing while all is well. */
import { shown } from "../checked.ts";
import { err, ok, type Issue, type Result } from "../std.ts";
import { contentId } from "../store/index.ts";
import { CelFailure, compileCelCondition, type CelVariable } from "./cel.ts";
import type { GroupsSpec, InputSpec, InputsSpec } from "./endpoint-spec.ts";
import {
  BREACHES,
  DEFAULT_BREACH_LIMIT,
  type Breach,
  type ConditionExpectation,
  type ExpectationSpec,
  type InputExpectation,
} from "./expectation-spec.ts";
import { TYPES } from "./expectation-types.ts";
import { unknownInput, wrongLimit, wrongShares, wrongValues } from "./expectation-issues.ts";
import type { Inputs } from "./inputs.ts";

/** One expectation of an endpoint, ready to be counted. */
export interface Expectation {
  readonly name: string;
  /** Name and content: another expectation of the same name is counted apart. */
  readonly key: string;
  readonly spec: ExpectationSpec;
  /** Inputs that it reads. */
  readonly reads: readonly string[];
  /** It reads what tells of a protected attribute: neither its categories nor values are told to those who may not see groups. */
  readonly isProtected: boolean;
  /** In what ways it can be breached, and the share of requests that may before a warning is given; null: never one. */
  readonly limits: ReadonlyMap<Breach, number | null>;
}

/** Safe to keep and to share: counts are the caller's. */
export interface CompiledExpectations {
  readonly list: readonly Expectation[];
  /** What `check` counts into. */
  emptyCounts(): Float64Array;
  /**
   * Looks at the inputs of a valid request and counts what is not as expected.
   * @returns whether the request is to be refused; `issues` says why
   */
  check(inputs: Inputs, counts: Float64Array): boolean;
  /** What is wrong with a request that `check` refuses. */
  issues(inputs: Inputs): readonly Issue[];
  /** Counts as people read them. */
  read(counts: Float64Array): ExpectationFigures;
}

export interface ExpectationFigures {
  /** Valid requests that were looked at. */
  readonly checked: number;
  readonly refused: number;
  /** In the order of the list. */
  readonly breaches: readonly Readonly<Record<Breach | "unknown", number>>[];
}

/** 0: as expected; else one more than the place in `KINDS`. */
type Check = (inputs: Inputs) => number;
/** `unknown`: a condition that couldn't be computed, since what it reads is missing. No breach. */
const KINDS = [...BREACHES, "unknown"] as const;
const CODE = Object.fromEntries(KINDS.map((kind, i) => [kind, i + 1]));
const codeOf = (kind: (typeof KINDS)[number]): number => CODE[kind] ?? 0;
const UNKNOWN = codeOf("unknown");
const MAX_ISSUES = 20;

export interface ExpectationSurroundings {
  readonly inputs: InputsSpec;
  readonly groups: GroupsSpec;
  readonly variables: ReadonlyMap<string, CelVariable>;
}

/** Compiles the expectations of an endpoint; what is wrong with them comes back as issues with paths below `/expectations`. */
export function compileExpectations(
  specs: readonly ExpectationSpec[],
  around: ExpectationSurroundings,
): Result<CompiledExpectations, readonly Issue[]> {
  const issues: Issue[] = [];
  const compiled: { readonly expectation: Expectation; readonly check: Check }[] = [];
  const names = new Map<string, number>();
  for (const [i, spec] of specs.entries()) {
    const path = `/expectations/${i}`;
    const one = "input" in spec ? compileInput(spec, around, path) : compileCondition(spec, around, path);
    const name = nameOf(spec);
    const first = names.get(name);
    if (first !== undefined)
      issues.push({
        path,
        expected: "a name that no other expectation has",
        got: `that of /expectations/${first}`,
        hint: "give it a `name`",
      });
    names.set(name, first ?? i);
    if (one.ok) compiled.push(one.value);
    else issues.push(...one.error);
  }
  return issues.length > 0 ? err(issues.slice(0, MAX_ISSUES)) : ok(together(compiled, around));
}

const nameOf = (spec: ExpectationSpec): string => ("input" in spec ? (spec.name ?? spec.input) : spec.name);

function together(
  compiled: readonly { readonly expectation: Expectation; readonly check: Check }[],
  around: ExpectationSurroundings,
): CompiledExpectations {
  const list = compiled.map(({ expectation }) => expectation);
  const checks = compiled.map(({ check }) => check);
  const refuses = list.map(({ spec }) => spec.on_breach === "refuse");
  const width = KINDS.length;
  const refusedAt = 1 + list.length * width;
  const add = (counts: Float64Array, at: number) => void (counts[at] = (counts[at] ?? 0) + 1);
  return {
    list,
    emptyCounts: () => new Float64Array(refusedAt + 1),
    check(inputs, counts) {
      let isRefused = false;
      add(counts, 0);
      for (let i = 0; i < checks.length; i++) {
        const breach = checks[i]?.(inputs) ?? 0;
        if (breach === 0) continue;
        add(counts, i * width + breach);
        if (refuses[i] === true && breach !== UNKNOWN) isRefused = true;
      }
      if (isRefused) add(counts, refusedAt);
      return isRefused;
    },
    issues: (inputs) =>
      compiled
        .filter(({ check }, i) => refuses[i] && ![0, UNKNOWN].includes(check(inputs)))
        .slice(0, MAX_ISSUES)
        .map(({ expectation, check }) => issueOf(expectation, BREACHES[check(inputs) - 1] ?? "condition", inputs, around.inputs)),
    read: (counts) => ({
      checked: counts[0] ?? 0,
      refused: counts[refusedAt] ?? 0,
      breaches: list.map((_, i) => {
        const of = (kind: (typeof KINDS)[number]) => counts[i * width + codeOf(kind)] ?? 0;
        return {
          missing: of("missing"),
          type: of("type"),
          below: of("below"),
          above: of("above"),
          category: of("category"),
          condition: of("condition"),
          unknown: of("unknown"),
        };
      }),
    }),
  };
}

type One = Result<{ readonly expectation: Expectation; readonly check: Check }, readonly Issue[]>;

function expectationOf(
  spec: ExpectationSpec,
  reads: readonly string[],
  breaches: readonly Breach[],
  { inputs, groups }: ExpectationSurroundings,
): Expectation {
  const limitOf = (breach: Breach) => {
    if (spec.on_breach === "count") return null;
    const limit = spec.limit ?? DEFAULT_BREACH_LIMIT;
    return breach === "missing" && "input" in spec ? (spec.missing ?? limit) : limit;
  };
  const { text: _text, on_breach: _onBreach, ...content } = spec;
  return {
    name: nameOf(spec),
    key: `${nameOf(spec)}#${contentId("ex", content).slice(3, 15)}`,
    spec,
    reads,
    isProtected: reads.some((name) => Object.hasOwn(groups, name) || inputs[name]?.twin_of !== undefined),
    limits: new Map(breaches.map((breach) => [breach, limitOf(breach)])),
  };
}

function compileInput(spec: InputExpectation, around: ExpectationSurroundings, path: string): One {
  const input = Object.hasOwn(around.inputs, spec.input) ? around.inputs[spec.input] : undefined;
  if (!input) return err([unknownInput(spec.input, Object.keys(around.inputs), `${path}/input`)]);
  const issues = [...wrongValues(spec, input, path), ...wrongShares(spec, input, path)];
  if (issues.length > 0) return err(issues);
  const { input: name, type, min, max } = spec;
  const breaches: readonly Breach[] = [
    ...(spec.required === true || spec.missing !== undefined ? ["missing" as const] : []),
    ...(type === undefined || TYPES[input.type][type] === null ? [] : ["type" as const]),
    ...(min === undefined ? [] : ["below" as const]),
    ...(max === undefined ? [] : ["above" as const]),
    ...(spec.categories ? ["category" as const] : []),
  ];
  const check = inputCheck(name, {
    missing: breaches.includes("missing") ? codeOf("missing") : 0,
    isOfType: (type === undefined ? null : TYPES[input.type][type]) ?? null,
    low: min ?? Number.NEGATIVE_INFINITY,
    high: max ?? Number.POSITIVE_INFINITY,
    categories: spec.categories ? new Set<unknown>(spec.categories) : null,
  });
  return ok({ expectation: expectationOf(spec, [name], breaches, around), check });
}

interface InputCheck {
  /** Code of a missing value; 0 where that is as expected. */
  readonly missing: number;
  readonly isOfType: ((value: unknown) => boolean) | null;
  readonly low: number;
  readonly high: number;
  readonly categories: ReadonlySet<unknown> | null;
}

function inputCheck(name: string, { missing, isOfType, low, high, categories }: InputCheck): Check {
  const [type, below, above, category] = [codeOf("type"), codeOf("below"), codeOf("above"), codeOf("category")];
  return (inputs) => {
    const value = inputs[name];
    if (value === null || value === undefined) return missing;
    if (isOfType !== null && !isOfType(value)) return type;
    if (typeof value === "number") {
      if (value < low) return below;
      if (value > high) return above;
    }
    return categories !== null && !categories.has(value) ? category : 0;
  };
}

function compileCondition(spec: ConditionExpectation, around: ExpectationSurroundings, path: string): One {
  const limits = wrongLimit(spec, path);
  const at = `${path}/condition`;
  const compiled = compileCelCondition(spec.condition, around.variables, at);
  if (!compiled.ok) return err([...limits, ...compiled.error]);
  const { reads } = compiled.value;
  if (reads.length === 0) return err([...limits, { path: at, expected: "a condition that reads an input", got: spec.condition }]);
  if (limits.length > 0) return err(limits);
  const breached = codeOf("condition");
  const check: Check = (inputs) => {
    try {
      return compiled.value.evaluate(inputs) ? 0 : breached;
    } catch (error) {
      if (error instanceof CelFailure) return UNKNOWN;
      throw error;
    }
  };
  return ok({ expectation: expectationOf(spec, reads, ["condition"], around), check });
}

/** What is told to whoever sent it: nothing of a protected attribute, since a problem is kept and passed on where nobody may see groups. */
function issueOf({ name, spec, reads, isProtected }: Expectation, breach: Breach, inputs: Inputs, specs: InputsSpec): Issue {
  const hint = `the endpoint's expectation "${name}" refuses it`;
  const [first = ""] = reads;
  const path = `/inputs/${first}`;
  if (!("input" in spec)) {
    const told = reads.slice(0, 6).map((read) => `${read} ${shown(inputs[read])}`);
    return isProtected
      ? { path, expected: "what the expectation says", got: HIDDEN, hint }
      : { path, expected: spec.condition, got: told.join(", "), hint };
  }
  const got = breach === "missing" ? "nothing" : isProtected ? HIDDEN : shown(inputs[first]);
  return {
    path,
    expected: isProtected && breach === "category" ? "a category that is known" : expectedOf(spec, breach, specs[first]),
    got,
    hint,
  };
}

const HIDDEN = "a value that isn't shown, since it tells of a protected attribute";

function expectedOf(spec: InputExpectation, breach: Breach, input: InputSpec | undefined): string {
  switch (breach) {
    case "missing":
      return "a value";
    case "type":
      return `${input?.type === "string" ? "a text that is " : ""}a ${spec.type === "integer" ? "whole number" : (spec.type ?? "value")}`;
    case "below":
    case "above":
      return spec.max === undefined
        ? `at least ${spec.min}`
        : spec.min === undefined
          ? `at most ${spec.max}`
          : `a number from ${spec.min} to ${spec.max}`;
    default: {
      const all = spec.categories ?? [];
      return `one of ${all.slice(0, 12).map(shown).join(", ")}${all.length > 12 ? ", …" : ""}`;
    }
  }
}
