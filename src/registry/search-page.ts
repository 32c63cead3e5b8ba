/** One page of a search: the same for runs, experiments, models and their versions. */
import { sql, type RawBuilder } from "kysely";
import type { Store } from "../store/index.ts";
import { err, ok, type Result } from "../std.ts";
import { parseFilter, parseOrder, type Comparison, type FilterGrammar, type Order } from "./search-filter.ts";
import { afterRow, orderSql, pageToken, readPageToken, termColumns, termValues, type SortTerm } from "./search-sql.ts";
import type { TrackingRefusal } from "./tracking-refusal.ts";

export interface Search {
  readonly filter: string;
  readonly orderBy: readonly string[];
  readonly maxResults: number;
  readonly pageToken: string | undefined;
}
export interface Page<T> {
  readonly found: readonly T[];
  /** null at the end. */
  readonly next: string | null;
}

/** What one kind of thing means in SQL. */
export interface SearchPlan {
  readonly grammar: FilterGrammar;
  /** May sort by more than may be asked for. */
  readonly orderGrammar?: FilterGrammar;
  /** Columns and tables: `run inner join experiment on …`. */
  readonly columns: RawBuilder<unknown>;
  readonly from: RawBuilder<unknown>;
  /** What always holds. */
  readonly where: readonly RawBuilder<unknown>[];
  readonly test: (comparison: Comparison) => RawBuilder<boolean>;
  readonly terms: (order: Order) => readonly SortTerm[];
  /** After what was asked for; the last of them tells any two rows apart. */
  readonly tieBreaks: readonly SortTerm[];
  /** What else the question consists of: a page token of another one is refused. */
  readonly scope: unknown;
}

const MAX_ORDERS = 20;

/** @returns rows as they come from the database: the caller knows which columns it asked for */
export async function searchPage(
  store: Store,
  plan: SearchPlan,
  search: Search,
): Promise<Result<Page<Readonly<Record<string, unknown>>>, TrackingRefusal>> {
  const invalid = (message: string) => err<TrackingRefusal>({ kind: "invalid", message });
  const filter = parseFilter(search.filter, plan.grammar);
  if (!filter.ok) return invalid(filter.error);
  if (search.orderBy.length > MAX_ORDERS) return invalid(`\`order_by\` can have at most ${MAX_ORDERS} fields`);
  const orders: Order[] = [];
  for (const text of search.orderBy) {
    const order = parseOrder(text, plan.orderGrammar ?? plan.grammar);
    if (!order.ok) return invalid(order.error);
    if (orders.some(({ entity, key }) => entity === order.value.entity && key === order.value.key))
      return invalid(`\`order_by\` contains duplicate fields: [${search.orderBy.map((each) => `'${each}'`).join(", ")}]`);
    orders.push(order.value);
  }
  const terms = [...orders.flatMap((order) => plan.terms(order)), ...plan.tieBreaks];
  const question = [plan.scope, search.filter, search.orderBy];
  const where = [...plan.where, ...filter.value.map((each) => plan.test(each))];
  if (search.pageToken !== undefined && search.pageToken !== "") {
    const after = readPageToken(question, terms.length, search.pageToken);
    if (!after) return invalid("Invalid page token, could not base64-decode, or it belongs to another search");
    where.push(afterRow(terms, after));
  }
  const query = sql<Readonly<Record<string, unknown>>>`(select ${plan.columns}, ${termColumns(terms)} from ${plan.from}
    where ${sql.join(where.length > 0 ? where : [sql`1 = 1`], sql` and `)}
    order by ${orderSql(terms)} limit ${search.maxResults + 1})`;
  // As a select of the builder's: on SQLite these are read beside whatever is being written.
  const rows = await store.db.selectFrom(query.as("page")).selectAll().execute();
  const found = rows.slice(0, search.maxResults);
  const last = found.at(-1);
  return ok({ found, next: last && rows.length > found.length ? pageToken(question, termValues(last, terms)) : null });
}
