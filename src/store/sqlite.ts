/** SQLite behind Kysely, with every call made in a thread of its own: one that writes, one that reads. */
import { AsyncLocalStorage } from "node:async_hooks";
import { Worker } from "node:worker_threads";
import {
  CompiledQuery,
  Kysely,
  SelectQueryNode,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
} from "kysely";
import { siblingModule } from "../std.ts";
import { StorageError, troubleOf } from "./errors.ts";
import type { Schema } from "./schema.ts";
import type { QueryReply, ThreadOptions, ThreadReply, ThreadRequest } from "./sqlite-thread.ts";

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
  readonly #holder = new AsyncLocalStorage<{ isAtWork: boolean }>();

  /** Runs `work`, whose caller has the turn: whoever in it asks for the turn again is told so, since it would wait for itself. */
  async holding<T>(work: () => Promise<T>): Promise<T> {
    const holder = { isAtWork: true };
    try {
      return await this.#holder.run(holder, work);
    } finally {
      holder.isAtWork = false;
    }
  }

  /** Resolves when it is the caller's turn, with what ends it. @throws Error within the turn of the caller's own transaction */
  async take(): Promise<() => void> {
    if (this.#holder.getStore()?.isAtWork)
      throw new Error(
        "inside a transaction something is written past it, which would wait for its end forever: write with the transaction",
      );
    const before = this.#last;
    let done: () => void = () => undefined;
    this.#last = new Promise((resolve) => {
      done = resolve;
    });
    await before;
    return done;
  }
}

/** Outside transactions, selects go to the reading thread and everything else to the writing one, each statement in its turn. */
export class SqliteDialect implements Dialect {
  readonly #writer: SqliteThread;
  readonly #reader: SqliteThread;
  readonly #turn: Turn;

  constructor(writer: SqliteThread, reader: SqliteThread, turn: Turn) {
    this.#writer = writer;
    this.#reader = reader;
    this.#turn = turn;
  }
  createAdapter(): SqliteAdapter {
    return new TwoThreadAdapter();
  }
  createDriver(): Driver {
    return new SqliteDriver(this.#writer, this.#reader, this.#turn);
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

class SqliteDriver implements Driver {
  readonly #writer: SqliteThread;
  readonly #reader: SqliteThread;
  readonly #turn: Turn;
  readonly #ends = new Map<DatabaseConnection, () => void>();

  constructor(writer: SqliteThread, reader: SqliteThread, turn: Turn) {
    this.#writer = writer;
    this.#reader = reader;
    this.#turn = turn;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<SqliteConnection> {
    return new SqliteConnection(this.#writer, this.#reader, this.#turn);
  }

  /** Doesn't wait to hear that it has begun: every answer costs a turn of the event loop, for which the commits of decisions wait too. */
  async beginTransaction(connection: SqliteConnection): Promise<void> {
    this.#ends.set(connection, await this.#turn.take());
    connection.begun = this.#writer.query("begin immediate", []);
    connection.begun.catch(() => undefined); // whoever asks for anything in it is told
  }
  async commitTransaction(connection: SqliteConnection): Promise<void> {
    // A commit that fails for want of room is still open; the caller's rollback ends it, and then the turn.
    await connection.inTransaction("commit", []);
    this.#finish(connection);
  }
  async rollbackTransaction(connection: SqliteConnection): Promise<void> {
    try {
      await this.#writer.query("rollback", []);
    } catch (error) {
      // SQLite has rolled back by itself after some errors; then there is nothing left to end.
      if (!(error instanceof Error) || !error.message.includes("no transaction is active")) throw error;
    } finally {
      this.#finish(connection);
    }
  }
  async releaseConnection(): Promise<void> {}
  async destroy(): Promise<void> {}

  #finish(connection: SqliteConnection): void {
    connection.begun = null;
    this.#ends.get(connection)?.();
    this.#ends.delete(connection);
  }
}

class SqliteConnection implements DatabaseConnection {
  /** Of the transaction that is under way, the reply to its beginning. */
  begun: Promise<unknown> | null = null;
  readonly #writer: SqliteThread;
  readonly #reader: SqliteThread;
  readonly #turn: Turn;

  constructor(writer: SqliteThread, reader: SqliteThread, turn: Turn) {
    this.#writer = writer;
    this.#reader = reader;
    this.#turn = turn;
  }

  /** @throws what kept the transaction from beginning, if something did; then nothing is done */
  async inTransaction(sql: string, parameters: readonly unknown[]): Promise<QueryReply> {
    const reply = this.#writer.queryPart(sql, parameters);
    const [, done] = await Promise.all([this.begun, reply]);
    return done;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    if (this.begun) return asResult<R>(await this.inTransaction(query.sql, query.parameters));
    if (SelectQueryNode.is(query.query)) return asResult<R>(await this.#reader.query(query.sql, query.parameters));
    const end = await this.#turn.take();
    try {
      return asResult<R>(await this.#writer.query(query.sql, query.parameters));
    } finally {
      end();
    }
  }

  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    yield await this.executeQuery<R>(query);
  }
}

/** Rows have the shape that the query was typed with: Kysely's contract with every dialect. */
function asResult<R>(reply: QueryReply): QueryResult<R> {
  return {
    rows: reply.rows as R[],
    numAffectedRows: BigInt(reply.changes),
    ...(reply.insertId === null ? {} : { insertId: BigInt(reply.insertId) }),
  };
}

export const sqliteDatabase = (writer: SqliteThread, reader: SqliteThread, turn: Turn): Kysely<Schema> =>
  new Kysely<Schema>({ dialect: new SqliteDialect(writer, reader, turn) });
export type { ThreadOptions };
