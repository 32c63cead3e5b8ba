/** Points of metrics, written a thousand at a time: every one that was logged, and of each key the newest. */
import { CompiledQuery, type Transaction } from "kysely";
import type { Schema, Store } from "../store/index.ts";

export interface MetricValue {
  readonly key: string;
  readonly step: number;
  readonly atMs: number;
  /** NaN too. */
  readonly value: number;
}

type Row = readonly [run: string, key: string, step: number, atMs: number, value: number, isNan: number];
const COLUMNS = 6;
/** Rows a statement: few different texts, so that the database knows each already. */
const CHUNKS = [1000, 256, 64, 16, 10, 4, 1];
const COLUMN_NAMES = "run, key, step, at_ms, value, is_nan";
/** A point that is there already, with all its parts, stays one point. */
const ALL_POINTS = { table: "run_metric", onConflict: "do nothing" };
const NEWEST = {
  table: "run_metric_latest",
  onConflict: `(run, key) do update set step = excluded.step, at_ms = excluded.at_ms, value = excluded.value, is_nan = excluded.is_nan
    where (excluded.step, excluded.at_ms, excluded.value) > (run_metric_latest.step, run_metric_latest.at_ms, run_metric_latest.value)`,
};

/** Part of the transaction that logs: the run is known to be there. */
export async function writePoints(
  tx: Transaction<Schema>,
  kind: Store["kind"],
  { run, points }: { readonly run: string; readonly points: readonly MetricValue[] },
): Promise<void> {
  if (points.length === 0) return;
  const newest = new Map<string, MetricValue>();
  for (const point of points) {
    const known = newest.get(point.key);
    if (!known || isNewer(point, known)) newest.set(point.key, point);
  }
  await insert(
    tx,
    kind,
    ALL_POINTS,
    points.map((point) => rowOf(run, point)),
  );
  await insert(
    tx,
    kind,
    NEWEST,
    [...newest.values()].map((point) => rowOf(run, point)),
  );
}

const isNewer = (a: MetricValue, b: MetricValue): boolean =>
  a.step !== b.step ? a.step > b.step : a.atMs !== b.atMs ? a.atMs > b.atMs : storedValue(a.value) >= storedValue(b.value);

/** Databases and JSON have no infinity in common, so the greatest number stands for it, as with MLflow; NaN is told by its flag. */
export const storedValue = (value: number): number =>
  Number.isNaN(value) ? 0 : Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, value));

const rowOf = (run: string, { key, step, atMs, value }: MetricValue): Row => [
  run,
  key,
  step,
  atMs,
  storedValue(value),
  Number.isNaN(value) ? 1 : 0,
];

async function insert(
  tx: Transaction<Schema>,
  kind: Store["kind"],
  { table, onConflict }: { readonly table: string; readonly onConflict: string },
  rows: readonly Row[],
): Promise<void> {
  let at = 0;
  while (at < rows.length) {
    const count = CHUNKS.find((size) => size <= rows.length - at) ?? 1;
    const chunk = rows.slice(at, at + count);
    const { source, parameters } = kind === "sqlite" ? ofOneRun(chunk) : ofAny(chunk);
    await tx.executeQuery(CompiledQuery.raw(`insert into ${table} (${COLUMN_NAMES}) ${source} on conflict ${onConflict}`, [...parameters]));
    at += count;
  }
}

interface Source {
  readonly source: string;
  readonly parameters: readonly unknown[];
}

/** What goes to the writing thread is copied, value by value: so the run, which all have, goes once, and nearly never a flag. */
function ofOneRun(rows: readonly Row[]): Source {
  const hasNan = rows.some(([, , , , , isNan]) => isNan === 1);
  const row = hasNan ? "(?,?,?,?,?)" : "(?,?,?,?,0)";
  const values = Array.from({ length: rows.length }, () => row).join(",");
  const parameters: unknown[] = [rows[0]?.[0]];
  for (const [, key, step, atMs, value, isNan] of rows)
    parameters.push(...(hasNan ? [key, step, atMs, value, isNan] : [key, step, atMs, value]));
  // Without a condition SQLite would take what follows for that of a join.
  return { source: `select ?, column1, column2, column3, column4, column5 from (values ${values}) where true`, parameters };
}

function ofAny(rows: readonly Row[]): Source {
  const values = rows.map((_row, i) => `(${Array.from({ length: COLUMNS }, (_, j) => `$${i * COLUMNS + j + 1}`).join(",")})`).join(",");
  return { source: `values ${values}`, parameters: rows.flat() };
}

/** The value of a row. */
export const valueOf = ({ value, is_nan: isNan }: { readonly value: number; readonly is_nan: 0 | 1 }): number =>
  isNan === 1 ? Number.NaN : value;
