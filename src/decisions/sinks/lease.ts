/** Which process delivers, where several share a PostgreSQL. On SQLite the folder's lock has seen to it. */
import { sql } from "kysely";
import type { Store } from "../../store/index.ts";

const HOLD_MS = 15_000;
const RENEW_MS = 5_000;

export class Lease {
  readonly #store: Store;
  readonly #name: string;
  #heldSinceUs: number | undefined;

  /** @param name - of what is delivered: each has a lease of its own */
  constructor(store: Store, name: string) {
    this.#store = store;
    this.#name = name;
  }

  /**
   * Takes or keeps the lease, by the database's clock. Whoever couldn't renew it in time believes so no longer, well before another
   * takes it; that cursors are moved from where they were only covers the rest.
   */
  async hold(): Promise<boolean> {
    const { kind, db, writer, runtime } = this.#store;
    if (kind === "sqlite") return true;
    const nowUs = runtime.clock.monotonicUs();
    if (this.#heldSinceUs !== undefined && nowUs - this.#heldSinceUs < RENEW_MS * 1000) return true;
    try {
      const { rows } = await sql<{ holder: string }>`
        insert into sink_lease (name, holder, until_ms) values (${this.#name}, ${writer}, ${DATABASE_MS} + ${HOLD_MS})
        on conflict (name) do update set holder = excluded.holder, until_ms = excluded.until_ms
        where sink_lease.holder = excluded.holder or sink_lease.until_ms < ${DATABASE_MS}
        returning holder`.execute(db);
      this.#heldSinceUs = rows.length > 0 ? nowUs : undefined;
    } catch (error) {
      this.#heldSinceUs = undefined;
      throw error;
    }
    return this.#heldSinceUs !== undefined;
  }

  /** Lets the next process begin at once; where the database can't be told, it begins when the lease has run out. */
  async giveUp(): Promise<void> {
    if (this.#heldSinceUs === undefined) return;
    this.#heldSinceUs = undefined;
    try {
      await this.#store.db.deleteFrom("sink_lease").where("name", "=", this.#name).where("holder", "=", this.#store.writer).execute();
    } catch (error) {
      if (!(error instanceof Error)) throw error;
    }
  }
}

const DATABASE_MS = sql<number>`(extract(epoch from clock_timestamp()) * 1000)::bigint`;
