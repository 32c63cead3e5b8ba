/** Tables as MLflow's scoring protocol and KServe's first one send them: four JSON forms and CSV, read strictly. */
import { shown } from "../checked.ts";
import { CsvParser, TableProblem, type Cell } from "../registry/index.ts";
import type { PREDICTIONS } from "../releases/index.ts";
import type { CompiledEndpoint } from "../serving/index.ts";
import { err, ok, type Issue, type Result } from "../std.ts";
import { ProtocolRow, roleOf } from "./protocol-rows.ts";
import { isObject } from "./tensors.ts";

export type PredictionName = (typeof PREDICTIONS)[number];
type Shape = Pick<CompiledEndpoint, "inputs" | "groups">;
type Rows = Result<readonly ProtocolRow[], Issue>;

const FORMS = ["dataframe_split", "dataframe_records", "instances", "inputs"] as const;
export type TableForm = (typeof FORMS)[number];

/** @param forms - those that the protocol knows */
export function readTable(body: unknown, shape: Shape, forms: readonly TableForm[] = FORMS): Rows {
  if (!isObject(body)) return err({ path: "", expected: `an object with one of ${forms.join(", ")}`, got: shown(body) });
  const found = forms.filter((form) => Object.hasOwn(body, form));
  const [form] = found;
  if (form === undefined || found.length > 1)
    return err({ path: "", expected: `exactly one of ${forms.join(", ")}`, got: found.join(" and ") || "none of them" });
  const value = body[form];
  const path = `/${form}`;
  switch (form) {
    case "dataframe_split":
      return ofSplit(value, path, shape);
    case "dataframe_records":
      return ofRecords(value, path, shape);
    case "instances":
      return ofRows(value, path, shape);
    case "inputs":
      return isObject(value) ? ofColumns(value, path, shape) : ofRows(value, path, shape);
  }
}

function ofSplit(value: unknown, path: string, shape: Shape): Rows {
  if (!isObject(value)) return err({ path, expected: "an object with columns and data", got: shown(value) });
  const other = Object.keys(value).find((key) => !["columns", "index", "data"].includes(key));
  if (other !== undefined) return err({ path: `${path}/${other}`, expected: "one of columns, index, data", got: "an unknown field" });
  const columns = value["columns"] ?? Object.keys(shape.inputs);
  const names = Array.isArray(columns) ? columns.filter((name) => typeof name === "string") : [];
  if (!Array.isArray(columns) || names.length !== columns.length)
    return err({ path: `${path}/columns`, expected: "a list of names", got: shown(columns) });
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) return err({ path: `${path}/columns`, expected: "every column once", got: `'${twice}' twice` });
  const missing = missingIn(names, shape, `${path}/columns`);
  return missing ? err(missing) : ofLists(value["data"], names, `${path}/data`, shape);
}

function ofLists(data: unknown, names: readonly string[], path: string, shape: Shape): Rows {
  if (!Array.isArray(data)) return err({ path, expected: "a list of rows", got: shown(data) });
  const roles = names.map((name) => roleOf(shape, name));
  const rows: ProtocolRow[] = [];
  for (const [i, cells] of data.entries()) {
    const at = `${path}/${i}`;
    if (!Array.isArray(cells)) return err({ path: at, expected: `row ${i} as a list of ${names.length} values`, got: shown(cells) });
    if (cells.length !== names.length)
      return err({ path: at, expected: `${names.length} values`, got: `row ${i} has ${cells.length} values for ${names.length} columns` });
    const row = new ProtocolRow();
    for (const [j, role] of roles.entries()) if (role) row.set(role, cells[j]);
    rows.push(row);
  }
  return ok(rows);
}

function ofRecords(value: unknown, path: string, shape: Shape): Rows {
  if (!Array.isArray(value)) return err({ path, expected: "a list of objects", got: shown(value) });
  const rows: ProtocolRow[] = [];
  for (const [i, record] of value.entries()) {
    if (!isObject(record)) return err({ path: `${path}/${i}`, expected: `row ${i} as an object`, got: shown(record) });
    const missing = missingIn(Object.keys(record), shape, `${path}/${i}`, `row ${i} lacks`);
    if (missing) return err(missing);
    const row = new ProtocolRow();
    for (const [name, cell] of Object.entries(record)) {
      const role = roleOf(shape, name);
      if (role) row.set(role, cell);
    }
    rows.push(row);
  }
  return ok(rows);
}

function ofRows(value: unknown, path: string, shape: Shape): Rows {
  if (!Array.isArray(value)) return err({ path, expected: "a list of rows", got: shown(value) });
  return value.some((row) => isObject(row)) ? ofRecords(value, path, shape) : ofLists(value, Object.keys(shape.inputs), path, shape);
}

function ofColumns(value: Readonly<Record<string, unknown>>, path: string, shape: Shape): Rows {
  const missing = missingIn(Object.keys(value), shape, path);
  if (missing) return err(missing);
  const known = Object.entries(value).flatMap(([name, cells]) => {
    const role = roleOf(shape, name);
    return role ? [{ name, role, cells }] : [];
  });
  const first = known[0];
  const rows: ProtocolRow[] = [];
  for (const { name, role, cells } of known) {
    if (!Array.isArray(cells)) return err({ path: `${path}/${name}`, expected: "a list of values, one a row", got: shown(cells) });
    if (first && Array.isArray(first.cells) && cells.length !== first.cells.length) {
      const expected = `columns of equal length, as '${first.name}' has ${first.cells.length}`;
      return err({ path: `${path}/${name}`, expected, got: `${cells.length}` });
    }
    for (const [i, cell] of cells.entries()) (rows[i] ??= new ProtocolRow()).set(role, cell);
  }
  return ok(rows);
}

function missingIn(names: readonly string[], { inputs }: Shape, path: string, words = "Model is missing inputs"): Issue | undefined {
  const missing = Object.entries(inputs).filter(([name, { optional }]) => !optional && !names.includes(name));
  if (missing.length === 0) return undefined;
  return { path, expected: "all inputs of the endpoint", got: `${words} [${missing.map(([name]) => `'${name}'`).join(", ")}]` };
}

/** Cells become numbers and flags where the endpoint's input is one; never by guessing. Columns that it doesn't know are dropped. */
export function readCsv(text: string, shape: Shape): Rows {
  let names: readonly string[] = [];
  const rows: ProtocolRow[] = [];
  const parser = new CsvParser({
    header: (header) => void (names = [...header]),
    row(cells) {
      const row = new ProtocolRow();
      for (const [j, name] of names.entries()) {
        const role = roleOf(shape, name);
        if (role) row.set(role, csvValue(cells[j] ?? null, role.kind === "input" ? shape.inputs[role.name]?.type : "string"));
      }
      rows.push(row);
    },
  });
  try {
    parser.push(text.replace(/^\uFEFF/, ""));
    parser.end();
  } catch (error) {
    if (error instanceof TableProblem) return err(error.issue);
    throw error;
  }
  const missing = missingIn(names, shape, "");
  return missing ? err(missing) : ok(rows);
}

/** A cell as a value of the type; what doesn't look like one stays text, which the endpoint then refuses. */
export function csvValue(cell: Cell, type: "number" | "integer" | "boolean" | "string" | undefined): string | number | boolean | null {
  if (cell === null) return null;
  if (type === "string" || type === undefined) return cell;
  if (cell === "") return null;
  if (type === "boolean") return /^(true|True|TRUE)$/.test(cell) ? true : /^(false|False|FALSE)$/.test(cell) ? false : cell;
  return /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(cell) ? Number(cell) : cell;
}

/** `params` of a request: subject, key and groups as one text for all, or a list with one for each row. Others are dropped, as MLflow does. */
export function setParams(rows: readonly ProtocolRow[], params: Readonly<Record<string, unknown>>, { groups }: Shape): Issue | undefined {
  for (const [name, value] of Object.entries(params)) {
    if (name !== "subject" && name !== "key" && !name.startsWith("group_")) continue;
    const role = roleOf({ inputs: {}, groups }, name);
    if (!role) continue;
    const path = `/params/${name}`;
    const expected = `a list of ${rows.length}, one for each row`;
    if (Array.isArray(value) && value.length !== rows.length) return { path, expected, got: shown(value) };
    if (!Array.isArray(value) && role.kind !== "group" && rows.length > 1) return { path, expected, got: "one for all" };
    for (const [i, row] of rows.entries()) row.set(role, Array.isArray(value) ? value[i] : value);
  }
  return undefined;
}
