/**
 * Tests of one value, as bins of scorecards and cells of decision tables have them: an interval, some values, or that it is missing.
 * Because they are no more than that, whether they leave gaps or overlap can be found out by trying one value of each kind. Pure.
 */
import { Type, type Static } from "typebox";
import { nearest } from "../checked.ts";
import { err, ok, type Issue, type Result } from "../std.ts";
import { compileCelCondition, compileCelNumber, type CelVariable } from "./cel.ts";
import type { InputSpec } from "./endpoint-spec.ts";
import type { Inputs } from "./inputs.ts";

const Scalar = Type.Union([Type.Number(), Type.String({ maxLength: 1000 }), Type.Boolean()]);

/** `3`, `[a, b]`, `{ from: 0, below: 2 }` or `{ missing: true }`. */
export const CellTest = Type.Union([
  Scalar,
  Type.Array(Scalar, { minItems: 1, maxItems: 1000 }),
  Type.Object(
    {
      from: Type.Optional(Type.Number({ description: "This number and greater ones" })),
      below: Type.Optional(Type.Number({ description: "Up to, and without, this number" })),
      missing: Type.Optional(Type.Literal(true)),
    },
    { additionalProperties: false, minProperties: 1 },
  ),
]);
export type CellTest = Static<typeof CellTest>;

export type CellValue = number | string | boolean | null;

/** What is tested: an input, or a number that is computed from inputs. */
export interface Axis {
  readonly name: string;
  readonly type: InputSpec["type"];
  readonly min: number;
  readonly max: number;
  readonly values: readonly string[] | null;
  readonly isOptional: boolean;
  /** @throws CelFailure */
  valueOf(inputs: Inputs): CellValue;
}

export interface CompiledTest {
  holds(value: CellValue): boolean;
  /** Numbers at which its answer changes, or may. */
  readonly bounds: readonly number[];
}

/** An input of the endpoint. Issues have `path`. */
export function inputAxis(name: string, inputs: Readonly<Record<string, InputSpec>>, path: string): Result<Axis, readonly Issue[]> {
  const spec = Object.hasOwn(inputs, name) ? inputs[name] : undefined;
  if (!spec) {
    const near = nearest(name, Object.keys(inputs));
    const hint = near ? { hint: `did you mean ${near}?` } : {};
    return err([{ path, expected: `an input of the endpoint: ${Object.keys(inputs).join(", ")}`, got: name, ...hint }]);
  }
  const { type, min = -Infinity, max = Infinity, values = null, optional = false } = spec;
  return ok({ name, type, min, max, values, isOptional: optional, valueOf: (given) => given[name] ?? null });
}

/** Something computed from the inputs: true or false where nothing else is tested for, else a number. */
export function computedAxis(
  { name, cel, tested }: { readonly name: string; readonly cel: string; readonly tested: readonly CellTest[] },
  variables: ReadonlyMap<string, CelVariable>,
  path: string,
): Result<Axis, readonly Issue[]> {
  const isFlag = tested.every((test) => (isList(test) ? test : [test]).every((value) => typeof value === "boolean"));
  const compiled = isFlag ? compileCelCondition(cel, variables, path) : compileCelNumber(cel, variables, path);
  if (!compiled.ok) return compiled;
  const { value } = compiled;
  const type = isFlag ? "boolean" : "number";
  return ok({ name, type, min: -Infinity, max: Infinity, values: null, isOptional: false, valueOf: (given) => value.evaluate(given) });
}

/** Compiles a test of an axis, unless it could never hold or never be meant so. */
export function compileTest(test: CellTest, axis: Axis, path: string): Result<CompiledTest, readonly Issue[]> {
  if (typeof test !== "object") return compileValues([test], axis, path);
  if (isList(test)) return compileValues(test, axis, path);
  const { from, below, missing } = test;
  if (missing) {
    if (from !== undefined || below !== undefined) return err([{ path, expected: "either missing or an interval", got: "both" }]);
    if (!axis.isOptional) return err([{ path, expected: `a value: ${axis.name} is never missing`, got: "missing" }]);
    return ok({ holds: (value) => value === null, bounds: [] });
  }
  if (axis.type !== "number" && axis.type !== "integer")
    return err([{ path, expected: `values of ${axis.name}, which is a ${axis.type}`, got: "an interval" }]);
  const low = from ?? -Infinity;
  const high = below ?? Infinity;
  if (low >= high) return err([{ path, expected: "from less than below", got: `from ${low}, below ${high}` }]);
  if (low > axis.max || high <= axis.min)
    return err([
      { path, expected: `an interval that ${axis.name} can be in, ${axis.min} to ${axis.max}`, got: `from ${low}, below ${high}` },
    ]);
  return ok({
    holds: (value) => typeof value === "number" && value >= low && value < high,
    bounds: [low, high].filter(Number.isFinite),
  });
}

const isList = (test: CellTest): test is Extract<CellTest, readonly unknown[]> => Array.isArray(test);

function compileValues(values: readonly (number | string | boolean)[], axis: Axis, path: string): Result<CompiledTest, readonly Issue[]> {
  const isNumeric = axis.type === "number" || axis.type === "integer";
  for (const value of values) {
    const kind = isNumeric ? "number" : axis.type;
    if (typeof value !== kind) return err([{ path, expected: `a ${kind}, as ${axis.name} is`, got: JSON.stringify(value) }]);
    if (typeof value === "string" && axis.values && !axis.values.includes(value)) {
      const near = nearest(value, axis.values);
      const hint = near ? { hint: `did you mean ${near}?` } : {};
      return err([{ path, expected: `one of ${axis.values.join(", ")}`, got: value, ...hint }]);
    }
    if (typeof value === "number" && (value < axis.min || value > axis.max || (axis.type === "integer" && !Number.isInteger(value))))
      return err([{ path, expected: `a value that ${axis.name} can have`, got: `${value}` }]);
  }
  const chosen = new Set<CellValue>(values);
  return ok({ holds: (value) => chosen.has(value), bounds: isNumeric ? [...chosen].filter((value) => typeof value === "number") : [] });
}

/**
 * Values of an axis of which every other value is like one: no test tells them apart. For numbers: each bound, and one between every
 * two; for texts without declared values: those that are tested for, and one other.
 */
export function kindsOfValue(axis: Axis, tests: readonly CompiledTest[], tested: readonly CellTest[]): readonly CellValue[] {
  const missing = axis.isOptional ? [null] : [];
  switch (axis.type) {
    case "boolean":
      return [true, false, ...missing];
    case "string": {
      if (axis.values) return [...axis.values, ...missing];
      const texts = tested.flatMap((test) => (isList(test) ? test : [test])).filter((value) => typeof value === "string");
      let other = "any other text";
      while (texts.includes(other)) other += "!";
      return [...new Set(texts), other, ...missing];
    }
    default: {
      const bounds = [...new Set([...tests.flatMap((test) => test.bounds), axis.min, axis.max].filter(Number.isFinite))].toSorted(
        (a, b) => a - b,
      );
      const between = bounds.map((bound, i) => {
        const next = bounds[i + 1] ?? bound + 2;
        return axis.type === "integer" ? Math.floor(bound) + 1 : bound + (next - bound) / 2;
      });
      const first = bounds[0] === undefined ? 0 : Math.floor(bounds[0]) - 1;
      const numbers = [first, ...bounds.map((bound) => (axis.type === "integer" ? Math.ceil(bound) : bound)), ...between];
      return [...[...new Set(numbers)].filter((value) => value >= axis.min && value <= axis.max).toSorted((a, b) => a - b), ...missing];
    }
  }
}

/** A kind of value in words, as an error shows it. */
export const shownValue = (value: CellValue) => (value === null ? "missing" : JSON.stringify(value));
