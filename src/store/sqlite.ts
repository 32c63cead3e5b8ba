/** SQLite behind Kysely, with every call made in a thread of its own: one that writes, one that reads. */
import { AsyncLocalStorage } from "node:async_hooks";
import { Worker } from "node:worker_threads";
import {
  CompiledQuery,
  InsertQueryNode,
  Kysely,
  SelectQueryNode,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  type TransactionSettings,
} from "kysely";
import { siblingModule } from "../std.ts";
import { StorageError, troubleOf } from "./errors.ts";
import type { Schema } from "./schema.ts";
import type { QueryReply, Statement, ThreadOptions, ThreadReply, ThreadRequest } from "./sqlite-thread.ts";

type WithoutId<T> = T extends unknown ? Omit<T, "id"> : never;

/** A caller's end of a `sqlite-thread`. */
export class SqliteThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void }>();
  readonly #onFatal: (why: string) => void;
  #next = 1;
  #ended: string | undefined;
  #isClosing = false;

  constructor(options: ThreadOptions, onFatal: (why: string) => void) {
    this.#onFatal = onFatal;
    this.#worker = new Worker(siblingModule(import.meta.url, "./sqlite-thread"), {
      workerData: options,
      name: options.readonly ? "sqlite-reader" : "sqlite-writer",
    });
    this.#worker.on("message", (reply: ThreadReply) => this.#settle(reply));
    this.#worker.on("error", (error) => this.#end(error.message));
    this.#worker.on("exit", (code) => this.#end(`exit code ${code}`));
  }

  async query(sql: string, parameters: readonly unknown[]): Promise<QueryReply> {
    return asQueryReply(await this.#ask({ kind: "query", sql, parameters }));
  }

  /** A statement that is refused unless a transaction is under way. */
  async queryPart(sql: string, parameters: readonly unknown[]): Promise<QueryReply> {
    return asQueryReply(await this.#ask({ kind: "query", sql, parameters, isPart: true }));
  }

  /** One transaction of its own. */
  async writes(statements: readonly Statement[]): Promise<void> {
    await this.#ask({ kind: "writes", statements });
  }

  async load(module: URL): Promise<void> {
    await this.#ask({ kind: "load", module: module.href });
  }

  call(module: URL, request: unknown): Promise<unknown> {
    return this.#ask({ kind: "call", module: module.href, request });
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    if (this.#ended !== undefined) return;
    await this.#ask({ kind: "close" });
    await this.#worker.terminate();
  }

  #ask(request: WithoutId<ThreadRequest>): Promise<unknown> {
    if (this.#ended !== undefined) return Promise.reject(new StorageError("storage-unavailable", this.#ended));
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ ...request, id });
    });
  }

  #settle(reply: ThreadReply): void {
    if (reply.id === null) return this.#onFatal(reply.fatal);
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (reply.ok) return waiting?.resolve(reply.value);
    const trouble = troubleOf(reply.code);
    const message = reply.code ? `${reply.message} (${reply.code})` : reply.message;
    waiting?.reject(trouble ? new StorageError(trouble, message) : new Error(message));
  }

  /** A thread that ended by itself can't be trusted to have left nothing half done: only a new process can say what is on disk. */
  #end(why: string): void {
    if (this.#ended === undefined && !this.#isClosing) this.#onFatal(`the database thread has ended: ${why}`);
    this.#ended ??= why;
    for (const { reject } of this.#waiting.values()) reject(new StorageError("outcome-unknown", why));
    this.#waiting.clear();
  }
}

/** What the thread answers to a `query`, by its own construction. */
const asQueryReply = (value: unknown): QueryReply => value as QueryReply;

/** One at a time, in the order of asking. */
export class Turn {
  #last: Promise<void> = Promise.resolve();

  /** Resolves when it is the caller's turn, with what ends it. */
  async take(): Promise<() => void> {
    const before = this.#last;
    let done: () => void = () => undefined;
    this.#last = new Promise((resolve) => {
      done = resolve;
    });
    await before;
    return done;
  }
}

/** Knows who acts within a transaction: whoever there asks for a turn that isn't the transaction's would wait for themselves. */
export class Within {
  readonly #transaction = new AsyncLocalStorage<{ isUnderWay: boolean }>();

  async transaction<T>(work: () => Promise<T>): Promise<T> {
    const transaction = { isUnderWay: true };
    try {
      return await this.#transaction.run(transaction, work);
    } finally {
      transaction.isUnderWay = false;
    }
  }

  /** @throws Error within a transaction */
  assertNone(): void {
    if (this.#transaction.getStore()?.isUnderWay)
      throw new Error(
        "inside a transaction something is written past it, which would wait for its end forever: write with the transaction",
      );
  }
}

/** Whom statements go to, and what keeps them apart. */
export interface SqliteThreads {
  readonly within: Within;
  readonly writer: SqliteThread;
  readonly reader: SqliteThread;
  /** Whose turn it is at the writer. Commits of decisions wait for it as well. */
  readonly turn: Turn;
}

/**
 * Outside transactions, selects go to the reading thread and everything else to the writing one, each statement in its turn. Of
 * transactions there is one at a time.
 */
class SqliteDialect implements Dialect {
  readonly #threads: SqliteThreads;

  constructor(threads: SqliteThreads) {
    this.#threads = threads;
  }
  createAdapter(): SqliteAdapter {
    return new TwoThreadAdapter();
  }
  createDriver(): Driver {
    return new SqliteDriver(this.#threads);
  }
  createIntrospector(db: Kysely<unknown>): SqliteIntrospector {
    return new SqliteIntrospector(db);
  }
  createQueryCompiler(): SqliteQueryCompiler {
    return new SqliteQueryCompiler();
  }
}

/**
 * Kysely's own says that there is one connection, and Kysely then lets nothing through while a transaction is under way, reading included.
 * Here writes wait for each other by `Turn`, and reads have a thread of their own.
 */
class TwoThreadAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true;
  }
}

/** The level of transactions that collect what they write. Until they write they read what is committed, and nothing more is promised. */
export const COLLECTING = "read committed";

class SqliteDriver implements Driver {
  readonly #threads: SqliteThreads;
  readonly #transactions = new Turn();
  readonly #ends = new Map<DatabaseConnection, () => void>();

  constructor(threads: SqliteThreads) {
    this.#threads = threads;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<SqliteConnection> {
    return new SqliteConnection(this.#threads);
  }

  async beginTransaction(connection: SqliteConnection, { isolationLevel }: TransactionSettings): Promise<void> {
    this.#threads.within.assertNone();
    this.#ends.set(connection, await this.#transactions.take());
    if (isolationLevel === COLLECTING) connection.collect();
    else await connection.begin();
  }
  async commitTransaction(connection: SqliteConnection): Promise<void> {
    // A commit that fails for want of room is still open; the caller's rollback ends it, and then the turn.
    await connection.commit();
    this.#finish(connection);
  }
  async rollbackTransaction(connection: SqliteConnection): Promise<void> {
    try {
      await connection.rollBack();
    } finally {
      this.#finish(connection);
    }
  }
  async releaseConnection(): Promise<void> {}
  async destroy(): Promise<void> {}

  #finish(connection: SqliteConnection): void {
    this.#ends.get(connection)?.();
    this.#ends.delete(connection);
  }
}

type Transacting =
  | { readonly kind: "no" }
  /** Rows to be inserted wait here. */
  | { readonly kind: "collecting"; readonly writes: Statement[] }
  /** The writing thread is this transaction's until `end`. `reply`: to its beginning. */
  | { readonly kind: "begun"; readonly reply: Promise<unknown>; readonly end: () => void };

class SqliteConnection implements DatabaseConnection {
  readonly #threads: SqliteThreads;
  #transacting: Transacting = { kind: "no" };

  constructor(threads: SqliteThreads) {
    this.#threads = threads;
  }

  collect(): void {
    this.#transacting = { kind: "collecting", writes: [] };
  }

  /** Doesn't wait to hear that it has begun: every answer costs a turn of the event loop, for which the commits of decisions wait too. */
  async begin(): Promise<void> {
    const end = await this.#threads.turn.take();
    const reply = this.#threads.writer.query("begin immediate", []);
    reply.catch(() => undefined); // whoever asks for anything in it is told
    this.#transacting = { kind: "begun", reply, end };
  }

  async commit(): Promise<void> {
    const { writer, turn } = this.#threads;
    if (this.#transacting.kind === "collecting") {
      const { writes } = this.#transacting;
      this.#transacting = { kind: "no" };
      if (writes.length === 0) return;
      const end = await turn.take();
      try {
        await writer.writes(writes);
      } finally {
        end();
      }
      return;
    }
    await this.#part("commit", []);
    this.#finish();
  }

  async rollBack(): Promise<void> {
    try {
      if (this.#transacting.kind === "begun") await this.#threads.writer.query("rollback", []);
    } catch (error) {
      // SQLite has rolled back by itself after some errors; then there is nothing left to end.
      if (!(error instanceof Error) || !error.message.includes("no transaction is active")) throw error;
    } finally {
      this.#finish();
    }
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const { writer, reader, turn, within } = this.#threads;
    const isRead = SelectQueryNode.is(query.query);
    if (this.#transacting.kind === "collecting") {
      const { writes } = this.#transacting;
      // Not from the reading thread: somebody's long report must not keep a rollback waiting.
      if (isRead && writes.length === 0) return asResult<R>(await writer.query(query.sql, query.parameters));
      if (isPlainInsert(query)) {
        writes.push({ sql: query.sql, parameters: query.parameters });
        return { rows: [] };
      }
      // What follows may depend on what was written: from here on it is a transaction like any other.
      await this.begin();
      for (const { sql, parameters } of writes) await this.#part(sql, parameters);
    }
    if (this.#transacting.kind === "begun") return asResult<R>(await this.#part(query.sql, query.parameters));
    if (isRead) return asResult<R>(await reader.query(query.sql, query.parameters));
    within.assertNone();
    const end = await turn.take();
    try {
      return asResult<R>(await writer.query(query.sql, query.parameters));
    } finally {
      end();
    }
  }

  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    yield await this.executeQuery<R>(query);
  }

  /** @throws what kept the transaction from beginning, if something did; then nothing is done */
  async #part(sql: string, parameters: readonly unknown[]): Promise<QueryReply> {
    const reply = this.#threads.writer.queryPart(sql, parameters);
    const [, done] = await Promise.all([this.#transacting.kind === "begun" ? this.#transacting.reply : null, reply]);
    return done;
  }

  #finish(): void {
    if (this.#transacting.kind === "begun") this.#transacting.end();
    this.#transacting = { kind: "no" };
  }
}

/** One that puts in its rows or fails, so that nobody needs to hear how it went before the end. */
function isPlainInsert({ query }: CompiledQuery): boolean {
  return InsertQueryNode.is(query) && !query.onConflict && !query.returning && !query.orAction && !query.with;
}

/** Rows have the shape that the query was typed with: Kysely's contract with every dialect. */
function asResult<R>(reply: QueryReply): QueryResult<R> {
  return {
    rows: reply.rows as R[],
    numAffectedRows: BigInt(reply.changes),
    ...(reply.insertId === null ? {} : { insertId: BigInt(reply.insertId) }),
  };
}

export const sqliteDatabase = (threads: SqliteThreads): Kysely<Schema> => new Kysely<Schema>({ dialect: new SqliteDialect(threads) });
export type { ThreadOptions };
