/** Decision tables with a declared hit policy, by the names of DMN. Pure. */
import { nearest } from "../checked.ts";
import { err, ok, unreachable, type Issue, type Result } from "../std.ts";
import type { CelVariable } from "./cel.ts";
import {
  compileTest,
  computedAxis,
  inputAxis,
  kindsOfValue,
  shownValue,
  type Axis,
  type CellTest,
  type CellValue,
  type CompiledTest,
} from "./cell-tests.ts";
import type { InputsSpec } from "./endpoint-spec.ts";
import type { Inputs } from "./inputs.ts";
import { ScorerError, type DecisionTableSpec, type HitPolicy, type Scored } from "./scorer.ts";

type Table = DecisionTableSpec["table"];

interface Row {
  /** By the axis' place; null where anything will do. */
  readonly tests: readonly (CompiledTest | null)[];
  readonly score: number;
  readonly reason: string | null;
  readonly priority: number;
  readonly index: number;
}

/** Rows tried for combinations of values when a table is applied; decisions wait meanwhile, some 50 ms at worst. */
const MOST_TRIES = 2_000_000;
const MOST_REASONS = 4;

/**
 * Compiles a table: for every input its hit policy gives exactly one score. Looked for in all kinds of values, computed columns taken
 * as free: gaps without an otherwise; rows that overlap where they must not; sums beyond 1; rows that never give the score. Issues
 * have paths below `/table`.
 */
export function compileTable(
  table: Table,
  known: { readonly inputs: InputsSpec; readonly variables: ReadonlyMap<string, CelVariable> },
): Result<(inputs: Inputs) => Scored, readonly Issue[]> {
  const axes = axesOf(table, known);
  if (!axes.ok) return axes;
  const rows = rowsOf(table, axes.value);
  if (!rows.ok) return rows;
  const issues = gapsAndOverlaps(table, axes.value, rows.value);
  if (issues.length > 0) return err(issues);
  const otherwise: Scored | null = table.otherwise
    ? { score: table.otherwise.score, reasons: table.otherwise.reason === undefined ? [] : [table.otherwise.reason] }
    : null;
  return ok((inputs) => {
    const values = axes.value.map((axis) => axis.valueOf(inputs));
    const scored = outcomeOf(table.hit, hitsOf(rows.value, values)) ?? otherwise;
    if (scored) return scored;
    throw new ScorerError("not-computable", "no row of the table holds"); // a computed column that is no number
  });
}

function hitsOf(rows: readonly Row[], values: readonly CellValue[]): readonly Row[] {
  return rows.filter(({ tests }) => tests.every((test, i) => test === null || test.holds(values[i] ?? null)));
}

/** What the hit policy makes of the rows that hold, in their order; null of none. */
function outcomeOf(hit: HitPolicy, hits: readonly Row[]): Scored | null {
  const [first] = hits;
  if (first === undefined) return null;
  switch (hit) {
    case "unique":
    case "first":
    case "any":
      return scoredBy(first.score, [first]);
    case "priority":
      return scoredBy(...only(hits, (a, b) => b.priority > a.priority));
    case "collect_min":
      return scoredBy(...only(hits, (a, b) => b.score < a.score));
    case "collect_max":
      return scoredBy(...only(hits, (a, b) => b.score > a.score));
    case "collect_sum":
      // Sums of tenths may pass 1 by a rounding; tables whose sums really do are refused.
      return scoredBy(
        Math.min(1, sumOf(hits)),
        hits.toSorted((a, b) => b.score - a.score),
      );
    default:
      return unreachable(hit);
  }
}

const sumOf = (hits: readonly Row[]) => hits.reduce((sum, { score }) => sum + score, 0);

function only(hits: readonly Row[], isBetter: (a: Row, b: Row) => boolean): [number, readonly Row[]] {
  const best = hits.reduce((a, b) => (isBetter(a, b) ? b : a));
  return [best.score, [best]];
}

const scoredBy = (score: number, rows: readonly Row[]): Scored => ({
  score,
  reasons: [...new Set(rows.flatMap(({ reason }) => (reason === null ? [] : [reason])))].slice(0, MOST_REASONS),
});

function axesOf(
  { rows, columns = {} }: Table,
  { inputs, variables }: { readonly inputs: InputsSpec; readonly variables: ReadonlyMap<string, CelVariable> },
): Result<readonly Axis[], readonly Issue[]> {
  const issues: Issue[] = [];
  const axes = new Map<string, Axis>();
  for (const [name, cel] of Object.entries(columns)) {
    const path = `/table/columns/${name}`;
    if (Object.hasOwn(inputs, name)) issues.push({ path, expected: "a name that no input has", got: name });
    const axis = computedAxis({ name, cel, tested: testsOf(rows, name) }, variables, path);
    if (axis.ok) axes.set(name, axis.value);
    else issues.push(...axis.error);
  }
  for (const [i, { when }] of rows.entries()) {
    for (const name of Object.keys(when)) {
      if (axes.has(name) || Object.hasOwn(columns, name)) continue;
      const axis = inputAxis(name, inputs, `/table/rows/${i}/when/${name}`);
      if (axis.ok) axes.set(name, axis.value);
      else issues.push(...axis.error.map((issue) => withColumns(issue, name, Object.keys(columns))));
    }
  }
  const unused = [...axes.keys()].find((name) => !rows.some(({ when }) => Object.hasOwn(when, name)));
  if (unused !== undefined)
    issues.push({ path: `/table/columns/${unused}`, expected: "a column that a row tests", got: "one that none does" });
  return issues.length > 0 ? err(issues) : ok([...axes.values()]);
}

const testsOf = (rows: Table["rows"], name: string): readonly CellTest[] =>
  rows.flatMap(({ when }) => {
    const test = Object.hasOwn(when, name) ? when[name] : undefined;
    return test === undefined ? [] : [test];
  });

function withColumns(issue: Issue, name: string, columns: readonly string[]): Issue {
  if (columns.length === 0) return issue;
  const near = nearest(name, columns);
  return {
    ...issue,
    expected: `${issue.expected}, or a column: ${columns.join(", ")}`,
    ...(near ? { hint: `did you mean ${near}?` } : {}),
  };
}

function rowsOf({ rows, hit }: Table, axes: readonly Axis[]): Result<readonly Row[], readonly Issue[]> {
  const issues: Issue[] = [];
  const compiled = rows.map(({ when, score, reason, priority }, index): Row => {
    const path = `/table/rows/${index}`;
    if (priority !== undefined && hit !== "priority")
      issues.push({ path: `${path}/priority`, expected: "no priority, unless hit is priority", got: `hit: ${hit}` });
    const tests = axes.map((axis) => {
      const [test] = testsOf([{ when, score }], axis.name);
      if (test === undefined) return null;
      const result = compileTest(test, axis, `${path}/when/${axis.name}`);
      if (result.ok) return result.value;
      issues.push(...result.error);
      return null;
    });
    return { tests, score, reason: reason ?? null, priority: priority ?? 0, index };
  });
  return issues.length > 0 ? err(issues) : ok(compiled);
}

/** At most one issue of a kind and row, each with people for whom it shows. */
function gapsAndOverlaps({ hit, rows: specs, otherwise }: Table, axes: readonly Axis[], rows: readonly Row[]): readonly Issue[] {
  const kinds = axes.map((axis, i) => {
    const tests = rows.flatMap((row) => row.tests[i] ?? []);
    return kindsOfValue(axis, tests, testsOf(specs, axis.name));
  });
  const combinations = kinds.reduce((product, each) => product * each.length, 1);
  const most = Math.floor(MOST_TRIES / rows.length);
  if (combinations > most) {
    const expected = `at most ${most} combinations of values, to look through for gaps and overlaps`;
    return [{ path: "/table", expected, got: `${combinations}`, hint: "test fewer inputs, or use rules: the first that holds" }];
  }
  const issues = new Map<string, Issue>();
  const add = (issue: Issue) => {
    if (!issues.has(issue.path)) issues.set(issue.path, issue);
  };
  const givesScore = new Set<number>();
  for (let at = 0; at < combinations; at++) {
    let rest = at;
    const values = kinds.map((each) => {
      const value = each[rest % each.length] ?? null;
      rest = Math.floor(rest / each.length);
      return value;
    });
    const hits = hitsOf(rows, values);
    const [first, second] = hits;
    const when = () => axes.map(({ name }, i) => `${name} ${shownValue(values[i] ?? null)}`).join(", ");
    if (first === undefined) {
      if (!otherwise)
        add({ path: "/table/rows", expected: "a row for everybody", got: `none for ${when()}`, hint: "add a row, or otherwise" });
      continue;
    }
    for (const { index } of deciding(hit, hits)) givesScore.add(index);
    if (second === undefined) continue;
    if (hit === "unique")
      add({
        path: `/table/rows/${second.index}`,
        expected: "rows that don't overlap, since hit is unique",
        got: `row ${first.index} holds too for ${when()}`,
      });
    const other = hits.find((row) => row.score !== first.score || row.reason !== first.reason);
    if (hit === "any" && other)
      add({
        path: `/table/rows/${other.index}`,
        expected: "what row " + `${first.index} says, since hit is any`,
        got: `another score or reason for ${when()}`,
      });
    if (hit === "priority") {
      const top = hits.filter(({ priority }) => priority === Math.max(...hits.map((row) => row.priority)));
      const [one, two] = [top[0], top.find((row) => row.score !== top[0]?.score || row.reason !== top[0]?.reason)];
      if (one && two)
        add({
          path: `/table/rows/${two.index}/priority`,
          expected: `another priority than row ${one.index} has`,
          got: `the same, and both hold for ${when()}`,
        });
    }
    if (hit === "collect_sum" && sumOf(hits) > 1 + 1e-9)
      add({ path: `/table/rows/${second.index}/score`, expected: "scores that add up to 1 at most", got: `${sumOf(hits)} for ${when()}` });
  }
  for (const { index } of rows)
    if (!givesScore.has(index))
      add({ path: `/table/rows/${index}`, expected: "a row that decides about somebody", got: "one that never does" });
  return [...issues.values()];
}

/** The rows that the outcome comes from. */
function deciding(hit: HitPolicy, hits: readonly Row[]): readonly Row[] {
  switch (hit) {
    case "first":
      return hits.slice(0, 1);
    case "priority": {
      const highest = Math.max(...hits.map(({ priority }) => priority));
      return hits.filter(({ priority }) => priority === highest);
    }
    case "collect_min": {
      const least = Math.min(...hits.map(({ score }) => score));
      return hits.filter(({ score }) => score === least);
    }
    case "collect_max": {
      const most = Math.max(...hits.map(({ score }) => score));
      return hits.filter(({ score }) => score === most);
    }
    case "unique":
    case "any":
    case "collect_sum":
      return hits;
    default:
      return unreachable(hit);
  }
}
