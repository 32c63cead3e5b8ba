/** Input examples of a model: rows that it is asked about whenever it is loaded, and what it must say. Pure. */
import { nearest, shown } from "../checked.ts";
import type { ModelExamples } from "../registry/index.ts";
import { err, ok, type Issue, type Result } from "../std.ts";
import type { RowForm } from "./onnx-call.ts";
import type { TextColumns } from "./text-codes.ts";

/** Same model, same runtime, another processor: the last digits may differ. */
const TOLERANCE = 1e-5;

type Value = number | string | boolean | null;

/** The rows as a model takes them. Issues have paths below `/examples`. */
export function exampleRows(
  { rows, scores }: ModelExamples,
  { width, names }: RowForm,
  texts: TextColumns,
): Result<Float32Array, readonly Issue[]> {
  const issues: Issue[] = [];
  if (scores && scores.length !== rows.length)
    issues.push({ path: "/examples/scores", expected: `${rows.length} scores, one a row`, got: `${scores.length}` });
  const numbers = new Float32Array(rows.length * width);
  for (const [i, row] of rows.entries()) {
    const path = `/examples/rows/${i}`;
    const values = isList(row) ? valuesInOrder(row, width, path) : valuesByName(row, names, path);
    if (!values.ok) {
      issues.push(...values.error);
      continue;
    }
    for (const [column, value] of values.value.entries()) {
      const number = numberOf(value, column, texts);
      if (number !== undefined) numbers[i * width + column] = number;
      else {
        const expected = texts.has(column) ? "a text" : "a number, true or false";
        issues.push({ path: `${path}/${isList(row) ? column : (names?.[column] ?? column)}`, expected, got: shown(value) });
      }
    }
  }
  return issues.length > 0 ? err(issues.slice(0, MAX_ISSUES)) : ok(numbers);
}
const MAX_ISSUES = 20;

/** The first row for which a model says something else than it must. */
export function exampleTrouble({ scores, tolerance = TOLERANCE }: ModelExamples, got: Float64Array): Issue | undefined {
  for (const [i, score] of got.entries()) {
    const path = `/examples/rows/${i}`;
    if (!Number.isFinite(score)) return { path, expected: `a number for example ${i + 1}`, got: `${score}` };
    const wanted = scores?.[i];
    if (wanted !== undefined && Math.abs(score - wanted) > tolerance)
      return {
        path,
        expected: `${wanted} for example ${i + 1}, within ${tolerance}`,
        got: `${score}`,
        hint: "it isn't the model that the examples were made with, or is asked for another output, column or order of features",
      };
  }
  return undefined;
}

const isList = (row: ModelExamples["rows"][number]): row is Value[] => Array.isArray(row);

function valuesInOrder(row: readonly Value[], width: number, path: string): Result<readonly Value[], readonly Issue[]> {
  return row.length === width ? ok(row) : err([{ path, expected: `${width} features`, got: `${row.length}` }]);
}

function valuesByName(
  row: Readonly<Record<string, Value>>,
  names: readonly string[] | undefined,
  path: string,
): Result<readonly Value[], readonly Issue[]> {
  if (!names) return err([{ path, expected: "a list: the model's features have no names", got: "features by name" }]);
  const issues = Object.keys(row)
    .filter((name) => !names.includes(name))
    .map((name): Issue => {
      const near = nearest(name, names);
      return { path: `${path}/${name}`, expected: "a feature of the model", got: name, ...(near ? { hint: `did you mean ${near}?` } : {}) };
    });
  for (const name of names)
    if (!Object.hasOwn(row, name))
      issues.push({ path: `${path}/${name}`, expected: "a value, or null where it is missing", got: "nothing" });
  return issues.length > 0 ? err(issues) : ok(names.map((name) => row[name] ?? null));
}

function numberOf(value: Value, column: number, texts: TextColumns): number | undefined {
  if (value === null) return Number.NaN;
  const codes = texts.get(column);
  if (codes) return typeof value === "string" ? codes.codeOf(value) : undefined;
  return typeof value === "string" ? undefined : Number(value);
}
