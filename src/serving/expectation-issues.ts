/** What is wrong with an expectation as it was written. */
import { nearest, shown } from "../checked.ts";
import type { Issue } from "../std.ts";
import type { InputSpec } from "./endpoint-spec.ts";
import type { ExpectationSpec, InputExpectation } from "./expectation-spec.ts";
import { TYPES } from "./expectation-types.ts";

export function wrongValues(spec: InputExpectation, input: InputSpec, path: string): Issue[] {
  const issues: Issue[] = [];
  const { type, min, max, categories } = spec;
  const isNumeric = input.type === "number" || input.type === "integer";
  if (type !== undefined && !Object.hasOwn(TYPES[input.type], type))
    issues.push({
      path: `${path}/type`,
      expected: `what a ${input.type} can be: ${Object.keys(TYPES[input.type]).join(", ")}`,
      got: type,
    });
  if (!isNumeric && (min !== undefined || max !== undefined))
    issues.push({ path, expected: "min and max of a number", got: `${spec.input}, a ${input.type}` });
  if (min !== undefined && max !== undefined && min > max)
    issues.push({ path: `${path}/max`, expected: `at least min (${min})`, got: `${max}` });
  if (isNumeric && max !== undefined && input.min !== undefined && max < input.min)
    issues.push({
      path: `${path}/max`,
      expected: `at least the input's own min (${input.min}), or every request breaches it`,
      got: `${max}`,
    });
  if (isNumeric && min !== undefined && input.max !== undefined && min > input.max)
    issues.push({
      path: `${path}/min`,
      expected: `at most the input's own max (${input.max}), or every request breaches it`,
      got: `${min}`,
    });
  for (const [i, category] of (categories ?? []).entries()) {
    const at = `${path}/categories/${i}`;
    if (input.type === "boolean")
      issues.push({ path: at, expected: "no categories: true and false are all there is", got: shown(category) });
    else if ((typeof category === "number") !== isNumeric)
      issues.push({ path: at, expected: isNumeric ? "a number" : "a text", got: shown(category) });
    else if (input.values && typeof category === "string" && !input.values.includes(category)) {
      const near = nearest(category, input.values);
      issues.push({
        path: at,
        expected: `one of the input's values: ${input.values.slice(0, 12).join(", ")}${input.values.length > 12 ? ", …" : ""}`,
        got: shown(category),
        ...(near ? { hint: `did you mean "${near}"?` } : {}),
      });
    }
  }
  if (categories && new Set(categories).size !== categories.length)
    issues.push({ path: `${path}/categories`, expected: "each category once", got: "one twice" });
  return issues;
}

export function wrongShares(spec: InputExpectation, input: InputSpec, path: string): Issue[] {
  const issues: Issue[] = [];
  const { required, missing, type, min, max, categories } = spec;
  const asks = required === true ? "required" : "missing";
  if ((required === true || missing !== undefined) && input.optional !== true)
    issues.push({
      path: `${path}/${asks}`,
      expected: "an optional input: requests without the others are refused anyway",
      got: spec.input,
    });
  if (required === true && missing !== undefined)
    issues.push({ path: `${path}/missing`, expected: "required: true, or the share that may be missing", got: "both" });
  if (missing !== undefined && spec.on_breach === "refuse")
    issues.push({
      path: `${path}/on_breach`,
      expected: "count or warn: a share is of many requests, and one can't breach it",
      got: "refuse",
      hint: "required: true refuses every request without the value",
    });
  issues.push(...wrongLimit(spec, path));
  if ([required, missing, type, min, max, categories].every((each) => each === undefined))
    issues.push({ path, expected: "type, min, max, categories, required or missing", got: "nothing that is expected" });
  return issues;
}

export const wrongLimit = ({ limit, on_breach: onBreach }: ExpectationSpec, path: string): readonly Issue[] =>
  limit !== undefined && onBreach === "count"
    ? [{ path: `${path}/limit`, expected: "a limit where a warning can be given: on_breach: warn or refuse", got: "on_breach: count" }]
    : [];

export function unknownInput(name: string, known: readonly string[], path: string): Issue {
  const near = nearest(name, known);
  const listed = known.length > 12 ? `${known.slice(0, 12).join(", ")}, … (${known.length})` : known.join(", ");
  return { path, expected: `an input of the endpoint: ${listed}`, got: name, ...(near ? { hint: `did you mean "${near}"?` } : {}) };
}
