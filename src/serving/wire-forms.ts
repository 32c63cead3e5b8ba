/**
 * What is said to a model's server and how its answer is read, for each protocol. Pure. Forms, paths and traps of each:
 * inference-protocols.md §1 to §3.
 */
import { unreachable } from "../std.ts";
import { csvScores, notJson, parsedJson, pointedAt, scoresIn, tensorScores, type Answered } from "./answered-scores.ts";
import type { HttpScorerSpec } from "./http-scorer-spec.ts";

export type Cell = number | string | boolean | null;

/** One column of the rows that are sent. */
export interface Column {
  readonly name: string;
  readonly type: "number" | "string" | "boolean";
  /** It may be missing: null. */
  readonly isOptional: boolean;
}

export interface WireForm {
  /** Full address that rows are posted to. */
  readonly url: string;
  readonly contentType: string;
  /** Rows in one request at most. */
  readonly maxRows: number;
  /** Full addresses that answer 200 when the server and its model are ready. */
  readonly ready: readonly string[];
  /** Full address of what the server says of its model, where the protocol has one. */
  readonly metadata: string | null;
  encode(rows: readonly (readonly Cell[])[]): string;
  /** @param contentType - of the answer, empty if none was said */
  decode(text: string, contentType: string, count: number): Answered;
}

export function wireFormOf(spec: HttpScorerSpec, columns: readonly Column[]): WireForm {
  const base = spec.url.replace(/\/+$/, "");
  const names = columns.map(({ name }) => name);
  const objects = (rows: readonly (readonly Cell[])[]) => rows.map((row) => objectOf(names, row));
  const byColumn = (rows: readonly (readonly Cell[])[]) =>
    objectOf(
      names,
      names.map((_, i) => rows.map((row) => row[i] ?? null)),
    );
  const json = (find: (body: unknown, count: number) => Answered) => (text: string, _contentType: string, count: number) => {
    const parsed = parsedJson(text);
    return parsed.ok ? find(parsed.value, count) : notJson(parsed.got);
  };
  const common = { contentType: "application/json", maxRows: spec.batch ?? 256, metadata: null };
  switch (spec.protocol) {
    case "oip": {
      const version = spec.version === undefined ? "" : `/versions/${spec.version}`;
      const model = `${base}/v2/models/${encodeURIComponent(spec.model)}${version}`;
      return {
        ...common,
        url: `${model}/infer`,
        ready: [`${base}/v2/health/ready`, `${model}/ready`],
        metadata: model,
        encode: (rows) =>
          JSON.stringify({
            ...(spec.content_type === undefined ? {} : { parameters: { content_type: spec.content_type } }),
            inputs: spec.layout === "tensor" ? [tensor(rows, columns.length, spec)] : columnInputs(rows, columns, spec.datatype ?? "FP64"),
            ...(spec.output === undefined ? {} : { outputs: [{ name: spec.output }] }),
          }),
        decode: json((body, count) => tensorScores(body, count, spec.output, spec)),
      };
    }
    case "mlflow": {
      const { layout = "split" } = spec;
      return {
        ...common,
        url: `${base}/invocations`,
        ready: [`${base}/ping`],
        encode(rows) {
          switch (layout) {
            case "split":
              return JSON.stringify({ dataframe_split: { columns: names, data: rows } });
            case "objects":
              return JSON.stringify({ dataframe_records: objects(rows) });
            case "lists":
              return JSON.stringify({ instances: rows });
            case "columns":
              return JSON.stringify({ inputs: byColumn(rows) });
            default:
              return unreachable(layout);
          }
        },
        decode: json((body, count) => scoresIn(pointedAt(body, "/predictions"), count, "predictions", spec)),
      };
    }
    case "kserve_v1": {
      const model = `${base}/v1/models/${encodeURIComponent(spec.model)}`;
      return {
        ...common,
        url: `${model}:predict`,
        ready: [model],
        encode: (rows) => JSON.stringify({ instances: spec.layout === "objects" ? objects(rows) : rows }),
        decode: json((body, count) => scoresIn(pointedAt(body, "/predictions"), count, "predictions", spec)),
      };
    }
    case "sagemaker": {
      const { layout = "csv", scores = "/predictions" } = spec;
      const inJson = json((body, count) => scoresIn(pointedAt(body, scores), count, scores, spec));
      return {
        ...common,
        contentType: layout === "csv" ? "text/csv" : "application/json",
        url: `${base}/invocations`,
        ready: [`${base}/ping`],
        encode: (rows) => (layout === "csv" ? csv(rows) : JSON.stringify({ instances: layout === "objects" ? objects(rows) : rows })),
        decode: (text, contentType, count) =>
          /\bjson\b/i.test(contentType) ? inJson(text, contentType, count) : csvScores(text, count, spec),
      };
    }
    case "template": {
      const { layout = "objects", scores, body = {} } = spec;
      const isSingle = layout === "list" || layout === "object";
      const laidOut = (rows: readonly (readonly Cell[])[]): unknown => {
        switch (layout) {
          case "lists":
            return rows;
          case "objects":
            return objects(rows);
          case "columns":
            return byColumn(rows);
          case "list":
            return rows[0] ?? [];
          case "object":
            return objects(rows)[0] ?? {};
          default:
            return unreachable(layout);
        }
      };
      return {
        ...common,
        url: spec.url,
        maxRows: isSingle ? 1 : common.maxRows,
        ready: spec.ready === undefined ? [] : [new URL(spec.ready, spec.url).href],
        encode: (rows) => JSON.stringify(withValueAt(body, spec.rows.split("/").slice(1), laidOut(rows))),
        decode: json((answer, count) => {
          const found = pointedAt(answer, scores);
          const isAlone = isSingle && found !== undefined && !(Array.isArray(found) && found.length === 1);
          return scoresIn(isAlone ? [found] : found, count, scores || "the answer", spec);
        }),
      };
    }
    default:
      return unreachable(spec);
  }
}

/** Through `fromEntries`, so that a column named `__proto__` is a field like any other. */
const objectOf = <T>(names: readonly string[], values: readonly T[]): Readonly<Record<string, T | null>> =>
  Object.fromEntries(names.map((name, i) => [name, values[i] ?? null]));

function tensor(rows: readonly (readonly Cell[])[], width: number, spec: { readonly input?: string; readonly datatype?: string }): unknown {
  return { name: spec.input ?? "input-0", shape: [rows.length, width], datatype: spec.datatype ?? "FP32", data: rows.flat() };
}

function columnInputs(rows: readonly (readonly Cell[])[], columns: readonly Column[], datatype: "FP32" | "FP64"): unknown {
  return columns.map(({ name, type, isOptional }, i) => {
    const cells = rows.map((row) => row[i] ?? null);
    const shape = [rows.length];
    if (type === "string") return { name, shape, datatype: "BYTES", parameters: { content_type: "str" }, data: cells };
    // BOOL has no null: where one may come, numbers say it.
    if (type === "boolean" && !isOptional) return { name, shape, datatype: "BOOL", data: cells };
    return { name, shape, datatype, data: cells.map((cell) => (typeof cell === "boolean" ? Number(cell) : cell)) };
  });
}

const csv = (rows: readonly (readonly Cell[])[]) =>
  rows
    .map((row) =>
      row
        .map((cell) => {
          const text = cell === null ? "" : typeof cell === "boolean" ? String(Number(cell)) : String(cell);
          return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
        })
        .join(","),
    )
    .join("\n");

/** A copy of a body with a value put where a pointer says; objects on the way are made. */
function withValueAt(body: unknown, [part, ...rest]: readonly string[], value: unknown): unknown {
  if (part === undefined) return value;
  const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
  if (Array.isArray(body)) return body.map((item: unknown, i) => (String(i) === key ? withValueAt(item, rest, value) : item));
  const fields = typeof body === "object" && body !== null ? Object.entries(body) : [];
  const inside = fields.find(([name]) => name === key)?.[1];
  return Object.fromEntries([...fields.filter(([name]) => name !== key), [key, withValueAt(inside, rest, value)]]);
}
