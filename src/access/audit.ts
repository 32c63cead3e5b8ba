/** The audit log: who did what to what, when. Append-only and hash-chained (`audit-chain.ts`). */
import { sql, type Kysely, type Transaction } from "kysely";
import { canonicalJson, type Json, type Schema, type Store } from "../store/index.ts";
import { err, ok, type Result } from "../std.ts";
import { ChainCheck, ERASED, GENESIS, chainHash, entryOf, payloadHash, type AuditHead, type AuditVerdict } from "./audit-chain.ts";

/** What to write down. `object` names the thing as `kind/name`, `endpoint/loans` for example. No secrets, and nothing personal but in the payload. */
export interface AuditNote {
  /** A principal's `actorOf`, or the part of the system that acted, `guardrail:education` for example. */
  readonly actor: string;
  /** What was done, as `kind.pastTense`: `release.promoted`. */
  readonly action: string;
  readonly object: string;
  readonly payload: Json;
}

/** One entry as people read it. */
export interface AuditRecord {
  readonly seq: number;
  readonly time: string;
  readonly actor: string;
  readonly action: string;
  readonly object: string;
  /** null also where it was erased; `isErased` tells. */
  readonly payload: unknown;
  readonly isErased: boolean;
}

export interface AuditPage {
  /** Newest first. */
  readonly entries: readonly AuditRecord[];
  /** Pass as `before` for what is older; null at the beginning of the log. */
  readonly next: number | null;
}

/** Any fixed number that nothing else in the database locks. */
const ADVISORY_LOCK = 0x65766b6c;
const BATCH = 1000;

export class Audit {
  readonly #store: Store;
  /** Of the transactions under way, the last entry that each one knows of. */
  readonly #ends = new WeakMap<Transaction<Schema>, Promise<AuditHead | null>>();

  constructor(store: Store) {
    this.#store = store;
  }

  /**
   * From here to the end of its transaction the caller alone writes control state, whatever the number of processes: what it reads
   * (the last number of a model, say) stays true. On SQLite every transaction is alone anyhow. Take it before any row is
   * written, or two transactions can wait for each other.
   */
  async lock(tx: Transaction<Schema>): Promise<void> {
    if (this.#ends.has(tx)) return;
    if (this.#store.kind === "postgres") await sql`select pg_advisory_xact_lock(${ADVISORY_LOCK})`.execute(tx);
    // Read first, so that whoever reads before they write can write everything at once (`Store.transaction`, `collect`).
    const end = lastOf(tx);
    end.catch(() => undefined); // `append` is told
    this.#ends.set(tx, end);
  }

  /** Adds an entry to the transaction that makes the change, so that there is never one without the other. */
  async append(tx: Transaction<Schema>, note: AuditNote): Promise<AuditHead> {
    await this.lock(tx);
    const end = (this.#ends.get(tx) ?? lastOf(tx)).then((last) => this.#appendTo(tx, last, note));
    this.#ends.set(tx, end);
    return end;
  }

  async #appendTo(tx: Transaction<Schema>, last: AuditHead | null, note: AuditNote): Promise<AuditHead> {
    const { clock, random } = this.#store.runtime;
    const seq = (last?.seq ?? 0) + 1;
    const { actor, action, object } = note;
    const entryJson = canonicalJson({ action, actor, object, seq, time: new Date(clock.nowMs()).toISOString() });
    const salt = random.bytes(16).toString("hex");
    const payloadJson = canonicalJson(note.payload);
    const hashOfPayload = payloadHash(salt, payloadJson);
    const hash = chainHash({ previous: last?.hash ?? GENESIS, entryJson, payloadHash: hashOfPayload });
    await tx
      .insertInto("audit")
      .values({ seq, entry_json: entryJson, salt, payload_json: payloadJson, payload_hash: hashOfPayload, hash })
      .execute();
    return { seq, hash };
  }

  /** The newest entry, to be kept where this server can't change it; null when nothing has happened yet. */
  head(): Promise<AuditHead | null> {
    return lastOf(this.#store.db);
  }

  /** Walks the whole log. @param head - the last entry somebody kept elsewhere; without it a cut tail can't be found */
  async verify(head?: AuditHead): Promise<AuditVerdict> {
    const check = new ChainCheck(head);
    let after: number | null = null;
    for (;;) {
      let query = this.#store.db.selectFrom("audit").selectAll().orderBy("seq").limit(BATCH);
      if (after !== null) query = query.where("seq", ">", after);
      const rows = await query.execute();
      for (const row of rows) check.add(row);
      const last = rows.at(-1);
      if (!last || rows.length < BATCH) return check.finish();
      after = last.seq;
    }
  }

  /** @param limit - at most 1,000; 100 when not given */
  async list({ before, limit = 100 }: { readonly before?: number; readonly limit?: number } = {}): Promise<AuditPage> {
    const count = Math.max(1, Math.min(limit, 1000));
    let query = this.#store.db.selectFrom("audit").selectAll().orderBy("seq", "desc").limit(count);
    if (before !== undefined) query = query.where("seq", "<", before);
    const rows = await query.execute();
    const entries = rows.map(recordOf);
    const oldest = entries.at(-1);
    return { entries, next: oldest && oldest.seq > 1 && entries.length === count ? oldest.seq : null };
  }

  /** Oldest first: what came after an entry. @param limit - at most 1,000 */
  async after(seq: number, limit: number): Promise<readonly AuditRecord[]> {
    const query = this.#store.db.selectFrom("audit").selectAll().where("seq", ">", seq).orderBy("seq").limit(Math.min(limit, 1000));
    return (await query.execute()).map(recordOf);
  }

  /** Erases the payload of an entry for good, and says so in a new one. The chain stays valid. */
  async erase(seq: number, by: { readonly actor: string; readonly reason: string }): Promise<Result<void, "unknown-entry">> {
    return this.#store.transaction(async (tx) => {
      await this.lock(tx);
      const row = await tx.selectFrom("audit").select("payload_json").where("seq", "=", seq).executeTakeFirst();
      if (!row) return err("unknown-entry");
      if (row.payload_json === null) return ok(undefined);
      await tx.updateTable("audit").set({ salt: null, payload_json: null }).where("seq", "=", seq).execute();
      await this.append(tx, { actor: by.actor, action: ERASED, object: `audit/${seq}`, payload: { reason: by.reason } });
      return ok(undefined);
    });
  }
}

async function lastOf(db: Kysely<Schema>): Promise<AuditHead | null> {
  const last = await db.selectFrom("audit").select(["seq", "hash"]).orderBy("seq", "desc").limit(1).executeTakeFirst();
  return last ?? null;
}

function recordOf(row: Schema["audit"]): AuditRecord {
  const entry = entryOf(row.entry_json) ?? { seq: row.seq, time: "", actor: "", action: "unreadable", object: "" };
  return { ...entry, seq: row.seq, payload: payloadOf(row.payload_json), isErased: row.payload_json === null };
}

/** A payload that somebody tampered with is shown as its text; `verify` says what is wrong with it. */
function payloadOf(text: string | null): unknown {
  try {
    return text === null ? null : JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}
