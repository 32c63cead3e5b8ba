/** Turns the inputs of a request into the row of numbers that a model sees. */
import { nearest } from "../checked.ts";
import type { FeatureSetSpec, FeatureSpec } from "../registry/index.ts";
import { err, ok, type Issue, type Result } from "../std.ts";
import { compileCelNumber, type CelVariable } from "./cel.ts";
import type { Inputs } from "./inputs.ts";
import { TextCodes, type TextColumns } from "./text-codes.ts";

/** A feature set, compiled against the inputs of an endpoint. */
export interface CompiledFeatures {
  readonly width: number;
  /** In the order of the row. */
  readonly names: readonly string[];
  /** Features that are texts, which only some models take: their slots of the row hold codes. */
  readonly texts: TextColumns;
  /**
   * Writes one row. Booleans become 0 and 1; a missing optional input that is passed through becomes NaN, which tree models read as
   * missing. Values are rounded to 32-bit floats, as models were trained on them. A text becomes its code in `texts`.
   * @param at - index of the first number of the row
   * @throws CelFailure when an expression can't be computed for these inputs
   */
  derive(inputs: Inputs, into: Float32Array, at: number): void;
}

/** Compiles a feature set against the inputs of an endpoint. Issues have paths below `/features`. */
export function compileFeatures(
  spec: FeatureSetSpec,
  variables: ReadonlyMap<string, CelVariable>,
): Result<CompiledFeatures, readonly Issue[]> {
  const issues: Issue[] = [];
  const names = new Set<string>();
  const texts = new Map<number, TextCodes>();
  const columns = spec.features.map((feature, index) => {
    const path = `/features/${index}`;
    if (names.has(feature.name)) issues.push({ path: `${path}/name`, expected: "a name that no other feature has", got: feature.name });
    names.add(feature.name);
    const column = compileFeature(feature, variables, path);
    if (!column.ok) {
      issues.push(...column.error);
      return () => Number.NaN;
    }
    if (column.value.texts) texts.set(index, column.value.texts);
    return column.value.of;
  });
  if (issues.length > 0) return err(issues);
  return ok({
    width: columns.length,
    names: [...names],
    texts,
    derive(inputs, into, at) {
      for (let i = 0; i < columns.length; i++) into[at + i] = columns[i]?.(inputs) ?? Number.NaN;
    },
  });
}

interface Column {
  readonly of: (inputs: Inputs) => number;
  readonly texts?: TextCodes;
}

function compileFeature(feature: FeatureSpec, variables: ReadonlyMap<string, CelVariable>, path: string): Result<Column, readonly Issue[]> {
  if ("cel" in feature) {
    const compiled = compileCelNumber(feature.cel, variables, `${path}/cel`);
    return compiled.ok ? ok({ of: (inputs) => compiled.value.evaluate(inputs) }) : compiled;
  }
  const { from } = feature;
  const variable = variables.get(from);
  if (!variable) {
    const near = nearest(from, [...variables.keys()]);
    const hint = near ? { hint: `did you mean ${near}?` } : {};
    return err([{ path: `${path}/from`, expected: `an input of the endpoint: ${[...variables.keys()].join(", ")}`, got: from, ...hint }]);
  }
  if (variable.type === "string") {
    const texts = new TextCodes(variable.values);
    return ok({ texts, of: (inputs) => codeOf(inputs[from], texts) });
  }
  return ok({
    of(inputs) {
      const value = inputs[from];
      return typeof value === "number" ? value : typeof value === "boolean" ? Number(value) : Number.NaN;
    },
  });
}

const codeOf = (value: Inputs[string] | undefined, texts: TextCodes) => (typeof value === "string" ? texts.codeOf(value) : Number.NaN);
