/**
 * The group commit on PostgreSQL: the same transaction as on SQLite, in a fixed number of statements whatever the batch's size.
 * Several gateways may commit at once. Each writes tallies of its own and a chain of its own, so they only meet at people who
 * come to two of them at once, and at idempotency keys sent to two of them.
 */
import { sql, type Transaction } from "kysely";
import { StorageError, type PostgresStore, type Schema } from "../store/index.ts";
import type { Batch, BatchReply, Committer, DecisionTuple, Settled } from "./batch.ts";
import { PostgresBins, countLeftBehind } from "./bins-postgres.ts";
import { NO_DIGEST, batchDigest } from "./digest.ts";
import { findKnown, keyOf, refusedWholes } from "./postgres-known.ts";
import { insertDecisions, insertShadows, insertTallies, markCounted, shadowedDecisions, type Insertable } from "./postgres-rows.ts";
import { isOwnAnswer } from "./rows.ts";
import { recordedIds } from "./recorded-ids.ts";
import { storedReply } from "./stored-reply.ts";
import type { CountedAnswer } from "./tally.ts";

type Tx = Transaction<Schema>;

interface Chain {
  readonly lastBatch: number;
  readonly digest: string;
}

/** Another gateway recorded one of the batch's ids or keys in the same moment. */
class Raced extends Error {}
const RACES = 5;
const SETTLE_POLLS = 20;
const SETTLE_POLL_MS = 250;

export class PostgresCommitter implements Committer {
  readonly #store: PostgresStore;
  readonly #bins: PostgresBins;
  #chain: Chain | undefined;
  #transactionId = "0";

  private constructor(store: PostgresStore) {
    this.#store = store;
    this.#bins = new PostgresBins(store.writer);
  }

  static async open(store: PostgresStore): Promise<PostgresCommitter> {
    const committer = new PostgresCommitter(store);
    committer.#chain = await committer.#readChain();
    // Its cursor is there before its first batch, so that whoever comes after it finds what it left uncounted.
    await store.db
      .insertInto("bin_cursor")
      .values({ writer: store.writer, from_batch: 0, batch: 0, revision: 0 })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    await countLeftBehind(store.db, (work) => store.transaction(work));
    return committer;
  }

  async commit(batch: Batch): Promise<BatchReply> {
    for (let attempt = 1; ; attempt++) {
      let isWritten = false;
      try {
        const { reply, chain, answers } = await this.#store.transaction(async (tx) => {
          const written = await this.#write(tx, batch);
          isWritten = true;
          return written;
        });
        this.#chain = chain;
        this.#bins.committed(answers);
        return reply;
      } catch (error) {
        this.#bins.forget();
        if (isWritten && error instanceof StorageError) {
          this.#chain = undefined;
          throw new StorageError("outcome-unknown", `the commit wasn't answered: ${error.message}`, { cause: error });
        }
        if (!isRace(error) || attempt === RACES) throw error;
      }
    }
  }

  async recorded(ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
    // The commit may still be under way on the server; only when it is settled do the rows say what became of it.
    for (let poll = 0; poll < SETTLE_POLLS; poll++) {
      const { rows } = await sql<{ status: string | null }>`select pg_xact_status(${this.#transactionId}::xid8) as status`.execute(
        this.#store.db,
      );
      if (rows[0]?.status !== "in progress") return recordedIds(this.#store, ids);
      await this.#store.runtime.timers.sleep(SETTLE_POLL_MS);
    }
    throw new StorageError("outcome-unknown", "the commit is still under way");
  }

  /** The end of this writer's own chain; a writer's first batch is tied to the newest of any. */
  async #readChain(): Promise<Chain> {
    const last = await this.#store.db
      .selectFrom("decision_batch")
      .select(["batch", "digest"])
      .orderBy((eb) => eb("writer", "=", this.#store.writer), "desc")
      .orderBy("batch", "desc")
      .limit(1)
      .executeTakeFirst();
    return last ? { lastBatch: last.batch, digest: last.digest } : { lastBatch: 0, digest: NO_DIGEST };
  }

  async #write(
    tx: Tx,
    batch: Batch,
  ): Promise<{ readonly reply: BatchReply; readonly chain: Chain; readonly answers: readonly CountedAnswer[] }> {
    const chain = this.#chain ?? (await this.#readChain());
    if (batch.countBins) await this.#bins.write(tx, chain.lastBatch);
    const known = await findKnown(tx, batch.decisions);
    this.#transactionId = known.transactionId;
    const fresh = new Map<string, DecisionTuple>();
    const firstOfKey = new Map<string, DecisionTuple>();
    const leftOut = refusedWholes(batch, known.byKey);
    for (const tuple of batch.decisions) {
      const key = keyOf(tuple);
      if (
        leftOut.has(tuple) ||
        known.byId.has(tuple[0]) ||
        fresh.has(tuple[0]) ||
        (key !== null && (known.byKey.has(key) || firstOfKey.has(key)))
      )
        continue;
      fresh.set(tuple[0], tuple);
      if (key !== null) firstOfKey.set(key, tuple);
    }

    const counted = await markCounted(
      tx,
      // As nobody: a pinned answer neither counts nor keeps a later one from counting.
      [...fresh.values()].map(({ 2: release, 3: arm, 6: subject, 15: atMs }) => ({
        release,
        armClass: "serving",
        subject: arm === "pinned" ? null : subject,
        atMs,
      })),
    );
    const rows: Insertable[] = [...fresh.values()].map((tuple, at) => ({
      tuple,
      counted: tuple[3] !== "pinned" && (counted[at] ?? false),
    }));
    const decisions = await insertDecisions(tx, known.batch, rows);
    if (decisions.rows.length < rows.length) throw new Raced();

    const shadowed = await shadowedDecisions(tx, batch.shadows);
    const firstShadows = shadowed.filter(({ shadow }) => isOwnAnswer(shadow));
    const countedShadows = await markCounted(
      tx,
      firstShadows.map(({ shadow, of }) => ({ release: shadow[1], armClass: "shadow", subject: of.subject, atMs: shadow[6] })),
    );
    const isCounted = new Map(firstShadows.map((one, at) => [one, countedShadows[at] ?? false]));
    const shadows = await insertShadows(
      tx,
      known.batch,
      shadowed.map((one) => ({ ...one, counted: isCounted.get(one) ?? false })),
    );

    const texts = [...decisions.texts, ...shadows.texts];
    const end: Chain =
      texts.length === 0
        ? chain
        : {
            lastBatch: known.batch,
            digest: batchDigest({ previousDigest: chain.digest, batch: known.batch, writer: batch.writer }, texts),
          };
    if (texts.length > 0) {
      const seqs = decisions.rows.map(({ seq }) => seq);
      await insertTallies(tx, batch.writer, [...decisions.answers, ...shadows.answers], shadows.flips, {
        batch: known.batch,
        previous: chain.lastBatch,
        firstSeq: seqs[0] ?? 0,
        lastSeq: seqs.at(-1) ?? 0,
        decisions: decisions.rows.length,
        shadows: shadows.texts.length,
        digest: end.digest,
      });
    }

    const storedById = new Map(decisions.rows.map((row) => [row.id, row]));
    const settle = (tuple: DecisionTuple): Settled => {
      const refused = leftOut.get(tuple);
      if (refused !== undefined) return refused;
      const key = keyOf(tuple);
      const byKey = key === null ? undefined : (known.byKey.get(key) ?? storedById.get(firstOfKey.get(key)?.[0] ?? ""));
      if (byKey && fresh.get(tuple[0]) !== tuple) return byKey.body_hash === tuple[18] ? storedReply(byKey) : "other-body";
      const stored = storedById.get(tuple[0]);
      if (stored && fresh.get(tuple[0]) === tuple) return stored.seq;
      const byId = known.byId.get(tuple[0]) ?? stored;
      if (!byId) throw new Error(`decision ${tuple[0]} was neither recorded nor known`);
      return storedReply(byId);
    };
    return {
      reply: { settled: batch.decisions.map(settle), shadowsDropped: batch.shadows.length - shadows.texts.length },
      chain: end,
      answers: [...decisions.answers, ...shadows.answers],
    };
  }
}

/** Unique violation, serialization failure, deadlock: another gateway was quicker, and trying again finds what it did. */
function isRace(error: unknown): boolean {
  if (error instanceof Raced) return true;
  return error instanceof Error && "code" in error && (error.code === "23505" || error.code === "40001" || error.code === "40P01");
}
