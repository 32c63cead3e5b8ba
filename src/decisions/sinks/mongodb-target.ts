/** Documents in MongoDB, or what speaks its protocol: upserts under ids of our own, so that the same batch again changes nothing. */
import type { Collection, Db, MongoClient } from "mongodb";
import type { SinkDocument, Stream } from "./document.ts";
import type { TargetOf } from "./spec.ts";
import { DeliveryFailed, type SinkBatch, type SinkTarget } from "./target.ts";

export interface MongodbTargetOptions {
  readonly spec: TargetOf<"mongodb">;
  readonly secrets: Readonly<Record<string, string>>;
  /** Told what a person should know and nothing fails for. */
  readonly onTrouble: (message: string) => void;
}

/** What the database keeps: times are dates there, so that it can delete by them. */
interface Stored {
  readonly _id: string;
  readonly [field: string]: unknown;
}

const DATABASE = "evenkeel";
const BATCH = 500;
/** Each call has the whole time: a database so slow that it can't take a batch in it would otherwise never take any. */
const AT_ONCE = 50;
const SELECT_MS = 5_000;
/** An answer that takes longer isn't waited for; the batch comes again. */
const ANSWER_MS = 15_000;
const DAY_SECONDS = 86_400;

const collectionOf: Readonly<Record<Stream, string>> = { decision: "decisions", outcome: "outcomes" };
const timeField: Readonly<Record<Stream, string>> = { decision: "decidedAt", outcome: "recordedAt" };
const KEEP = "evenkeel_keep";
/** MongoDB's codes. */
const NOT_IMPLEMENTED = 238;

export class MongodbTarget implements SinkTarget {
  readonly batch = BATCH;
  readonly gatherMs = 0;
  readonly #options: MongodbTargetOptions;
  #client: MongoClient | undefined;
  readonly #ready = new Set<Stream>();
  #hasToldOfKeeping = false;

  constructor(options: MongodbTargetOptions) {
    this.#options = options;
  }

  async deliver({ stream, documents }: SinkBatch, signal: AbortSignal): Promise<null> {
    for (let from = 0; from < documents.length; from += AT_ONCE)
      await this.#within(signal, async (db) => {
        const collection = db.collection<Stored>(collectionOf[stream]);
        if (!this.#ready.has(stream)) await this.#prepare(collection, stream);
        this.#ready.add(stream);
        const writes = documents.slice(from, from + AT_ONCE).map((document) => {
          const { _id, ...replacement } = storedOf(document);
          return { replaceOne: { filter: { _id }, replacement, upsert: true } };
        });
        await collection.bulkWrite(writes, { ordered: true });
      });
    return null;
  }

  async probe(signal: AbortSignal): Promise<void> {
    await this.#within(signal, async (db) => void (await db.command({ ping: 1 })));
  }

  async close(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    this.#ready.clear();
    await client?.close(true);
  }

  /** Indexes by which people look, and the one by which the database deletes. */
  async #prepare(collection: Collection<Stored>, stream: Stream): Promise<void> {
    await collection.createIndexes([
      { key: { endpoint: 1, seq: 1 }, name: "evenkeel_order" },
      ...(stream === "outcome" ? [{ key: { decision: 1, seq: 1 }, name: "evenkeel_decision" }] : []),
    ]);
    const { keep_days } = this.#options.spec;
    const wanted = keep_days === undefined ? undefined : keep_days * DAY_SECONDS;
    const known = (await collection.indexes()).find(({ name }) => name === KEEP);
    if (known && known["expireAfterSeconds"] === wanted) return;
    if (known) await collection.dropIndex(KEEP);
    if (wanted === undefined) return;
    try {
      await collection.createIndex({ [timeField[stream]]: 1 }, { name: KEEP, expireAfterSeconds: wanted });
    } catch (error) {
      if (codeOf(error) !== NOT_IMPLEMENTED) throw error;
      // FerretDB 1 has none. What is delivered counts more than what is deleted later.
      if (!this.#hasToldOfKeeping) this.#options.onTrouble("this database can't delete by age: keep_days does nothing there");
      this.#hasToldOfKeeping = true;
    }
  }

  /** One call, bounded in time whatever the driver thinks of it. After a failure the connection is made anew. */
  async #within(signal: AbortSignal, work: (db: Db) => Promise<void>): Promise<void> {
    const within = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
    const text = this.#options.secrets[this.#options.spec.secret];
    if (text === undefined)
      throw new DeliveryFailed(`EVENKEEL_SECRET_${this.#options.spec.secret.toUpperCase()} isn't in the server's environment`);
    try {
      await Promise.race([this.#connected(text).then(work), aborted(within)]);
    } catch (error) {
      await this.close();
      throw new DeliveryFailed(within.aborted ? "the database did not answer in time" : `the database: ${withoutSecret(error, text)}`, {
        cause: error,
      });
    }
  }

  async #connected(text: string): Promise<Db> {
    if (!this.#client) {
      // Most servers have no such sink: the driver is loaded where one has.
      const { MongoClient } = await import("mongodb");
      this.#client = new MongoClient(text, {
        appName: "evenkeel",
        maxPoolSize: 2,
        serverSelectionTimeoutMS: SELECT_MS,
        connectTimeoutMS: SELECT_MS,
        socketTimeoutMS: ANSWER_MS,
        writeConcern: { w: "majority" },
        ignoreUndefined: true,
      });
    }
    return this.#client.db(this.#options.spec.database ?? DATABASE);
  }
}

function storedOf({ id, kind, ...document }: SinkDocument): Stored {
  const field = timeField[kind];
  const times = [field, "at"].flatMap((name) => {
    const value: unknown = Object.entries(document).find(([key]) => key === name)?.[1];
    return typeof value === "string" ? [[name, new Date(value)]] : [];
  });
  return { _id: id, ...document, ...Object.fromEntries(times) };
}

/** Rejects when the signal fires. */
const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    const end = () => reject(new Error("aborted"));
    if (signal.aborted) end();
    else signal.addEventListener("abort", end, { once: true });
  });

const codeOf = (error: unknown): unknown => (error instanceof Error && "code" in error ? error.code : undefined);

/** An error's own text may repeat the address, and that has a password in it. */
function withoutSecret(error: unknown, text: string): string {
  const message = (error instanceof Error ? error.message : String(error)).replaceAll(text, "…");
  return message.replaceAll(/[/][/][^@/\s]+@/g, "//…@");
}
