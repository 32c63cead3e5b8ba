/** From comparisons and orders to SQL that means the same on both databases, and pages that don't shift while rows are written. */
import { sql, type RawBuilder } from "kysely";
import { sha256Hex, type Store } from "../store/index.ts";
import type { Comparison, FilterOperator } from "./search-filter.ts";

export type Kind = Store["kind"];
type Sql = RawBuilder<unknown>;
type Test = RawBuilder<boolean>;

/** A text against what a comparison says. Upper and lower case are two things but to ILIKE. */
export function textTest(kind: Kind, expression: Sql, { operator, value }: Pick<Comparison, "operator" | "value">): Test {
  switch (operator) {
    case "IS NULL":
      return sql`(${expression}) is null`;
    case "IS NOT NULL":
      return sql`(${expression}) is not null`;
    case "IN":
    case "NOT IN": {
      const list = Array.isArray(value) ? value : [];
      return sql`(${expression}) ${sql.raw(operator === "IN" ? "in" : "not in")} (${sql.join(list.length > 0 ? list : [null])})`;
    }
    case "LIKE":
      return kind === "sqlite" ? sql`(${expression}) glob ${globOf(String(value))}` : sql`(${expression}) like ${String(value)} escape ''`;
    case "ILIKE":
      return kind === "sqlite" ? sql`(${expression}) like ${String(value)}` : sql`(${expression}) ilike ${String(value)} escape ''`;
    default:
      return sql`(${expression}) ${sql.raw(symbolOf(operator))} ${String(value)}`;
  }
}

export const numberTest = (expression: Sql, { operator, value }: Pick<Comparison, "operator" | "value">): Test =>
  sql`(${expression}) ${sql.raw(symbolOf(operator))} ${Number(value)}`;

/** Only these are ever part of a statement's text. */
function symbolOf(operator: FilterOperator): string {
  return operator === "!=" ? "<>" : (["=", ">", ">=", "<", "<="].find((each) => each === operator) ?? "=");
}

/** SQLite's LIKE knows no case; its GLOB does, with other signs. */
const globOf = (pattern: string): string =>
  pattern.replaceAll(/[[\]*?%_]/g, (sign) => (sign === "%" ? "*" : sign === "_" ? "?" : `[${sign}]`));

/** A member of a JSON object in a column, as text; null where it isn't there. */
export function memberText(kind: Kind, column: Sql, key: string): Sql {
  if (kind === "postgres") return sql`(${column}::jsonb ->> ${key})`;
  if (key.includes('"')) return sql`null`; // SQLite's paths can't say it
  const path = `$."${key}"`;
  return sql`case ${column} -> ${path} when 'true' then 'true' when 'false' then 'false' else cast(${column} ->> ${path} as text) end`;
}

/**
 * A tag of a JSON object whose members are all texts. SQLite would parse every row's object to find one run among thousands: whether the
 * value stands anywhere in its bytes, as `JSON.stringify` writes it, is asked first.
 */
export function tagTest(kind: Kind, column: Sql, comparison: Pick<Comparison, "key" | "operator" | "value">): Test {
  const test = textTest(kind, memberText(kind, column, comparison.key), comparison);
  if (kind === "postgres" || comparison.operator !== "=") return test;
  const written = JSON.stringify(String(comparison.value)).slice(1, -1);
  return sql`case when instr(${column}, ${written}) > 0 then ${test} else 0 end`; // an AND would be tested in an order of its own
}

/** What rows are sorted by. Never null, so that a place between two rows can be said with its values alone. */
export interface SortTerm {
  readonly by: Sql;
  readonly isDescending: boolean;
}

/** What isn't there comes last, whichever way the rest is sorted. */
export const nullsLast = (
  by: Sql,
  { kind, isDescending }: { readonly kind: "text" | "number"; readonly isDescending: boolean },
): SortTerm[] => [
  { by: sql`case when (${by}) is null then 1 else 0 end`, isDescending: false },
  { by: kind === "text" ? sql`coalesce(${by}, '')` : sql`coalesce(${by}, 0)`, isDescending },
];

/** What comes after a row whose terms had these values. */
export function afterRow(terms: readonly SortTerm[], values: readonly (string | number)[]): Test {
  const alternatives = terms.map(({ by, isDescending }, i) => {
    const same = terms.slice(0, i).map((term, n) => sql`(${term.by}) = ${values[n]}`);
    return sql`(${sql.join([...same, sql`(${by}) ${sql.raw(isDescending ? "<" : ">")} ${values[i]}`], sql` and `)})`;
  });
  return sql`(${sql.join(alternatives, sql` or `)})`;
}

export const orderSql = (terms: readonly SortTerm[]): Sql =>
  sql.join(
    terms.map(({ by, isDescending }) => sql`${by} ${sql.raw(isDescending ? "desc" : "asc")}`),
    sql`, `,
  );

/** The terms as columns `k0`, `k1` …, for the token of the last row. */
export const termColumns = (terms: readonly SortTerm[]): Sql =>
  sql.join(
    terms.map(({ by }, i) => sql`${by} as ${sql.ref(`k${i}`)}`),
    sql`, `,
  );

/** A page goes on only with the question that it was an answer to. */
const scopeOf = (question: unknown): string => sha256Hex(JSON.stringify(question)).slice(0, 16);

export const pageToken = (question: unknown, values: readonly (string | number)[]): string =>
  Buffer.from(JSON.stringify([scopeOf(question), ...values])).toString("base64url");

/** Undefined for what is no token of that question. */
export function readPageToken(question: unknown, count: number, token: string): readonly (string | number)[] | undefined {
  try {
    const read: unknown = JSON.parse(Buffer.from(token, "base64url").toString());
    if (!Array.isArray(read) || read.length !== count + 1 || read[0] !== scopeOf(question)) return undefined;
    const values: unknown[] = read.slice(1);
    return values.every((value) => typeof value === "string" || typeof value === "number") ? values : undefined;
  } catch {
    return undefined;
  }
}

/** The values of a row's terms. */
export const termValues = (row: Readonly<Record<string, unknown>>, terms: readonly SortTerm[]): (string | number)[] =>
  terms.map((_, i) => {
    const value = row[`k${i}`];
    return typeof value === "number" ? value : String(value);
  });
