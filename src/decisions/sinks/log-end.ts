/**
 * How far the log may be read by whoever reads every entry once. On SQLite commits come one after the other, so the newest number is the
 * end. On PostgreSQL several processes take numbers and commit in any order: a lower number may become visible after a higher one.
 */
import { sql } from "kysely";
import type { Store } from "../../store/index.ts";
import type { Stream } from "./document.ts";

/** The last numbers below which nothing will appear any more. Every decision that an outcome up to there is about is below as well. */
export type Ends = Readonly<Record<Stream, number>>;

interface Candidate {
  readonly ends: Ends;
  /** Transactions that may have taken a lower number and not been seen yet. */
  readonly underWay: ReadonlySet<string>;
}

export class LogEnd {
  readonly #store: Store;
  #safe: Ends = { decision: 0, outcome: 0 };
  #candidate: Candidate | undefined;
  #asking: Promise<Ends> | undefined;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Never goes back. Where others write all the time, it is a look or two behind them. */
  safe(): Promise<Ends> {
    this.#asking ??= this.#ask().finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  async #ask(): Promise<Ends> {
    if (this.#store.kind === "sqlite") return (this.#safe = await this.visible());
    if (this.#candidate) {
      const writing = await this.#writing();
      if ([...this.#candidate.underWay].some((transaction) => writing.has(transaction))) return this.#safe;
      this.#safe = this.#candidate.ends;
    }
    // First the end, then who writes: whoever took a number below that end and can't be seen yet still holds its lock on the table,
    // since numbers are taken under the lock, and the lock goes after the rows have become visible.
    const ends = await this.visible();
    const underWay = await this.#writing();
    if (underWay.size === 0) this.#safe = ends;
    this.#candidate = underWay.size === 0 ? undefined : { ends, underWay };
    return this.#safe;
  }

  /** The newest numbers that can be seen: for saying how much waits. In one statement, so in one view of the database. */
  async visible(): Promise<Ends> {
    const { rows } = await sql<{ decision: number | null; outcome: number | null }>`
      select (select max(seq) from decision) as decision, (select max(seq) from outcome) as outcome`.execute(this.#store.db);
    return { decision: rows[0]?.decision ?? 0, outcome: rows[0]?.outcome ?? 0 };
  }

  async #writing(): Promise<ReadonlySet<string>> {
    const { rows } = await sql<{ transaction: string }>`
      select distinct virtualtransaction as transaction from pg_locks
      where locktype = 'relation' and mode = 'RowExclusiveLock' and granted
        and database = (select oid from pg_database where datname = current_database())
        and relation in ('decision'::regclass, 'outcome'::regclass)`.execute(this.#store.db);
    return new Set(rows.map(({ transaction }) => transaction));
  }
}
