/**
 * The thread that owns one SQLite connection. Nobody else calls SQLite: an fsync blocks the thread that asks for it.
 *
 * Besides single statements it runs *procedures*: modules of rooms above, loaded by address, that get the connection and
 * do a whole transaction here, such as the group commit of decisions.
 */
import { statSync } from "node:fs";
import { parentPort, workerData, type MessagePort } from "node:worker_threads";
import Database from "better-sqlite3";

/** What a procedure module exports as `default`: prepares its statements once, then handles one request after the other. */
export type SqliteProcedure<Request, Reply> = (db: Database.Database) => (request: Request) => Reply;

export interface Statement {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

export type ThreadRequest =
  | {
      readonly id: number;
      readonly kind: "query";
      readonly sql: string;
      readonly parameters: readonly unknown[];
      /** Refused outside a transaction: the caller didn't wait to hear that its transaction has begun. */
      readonly isPart?: true;
    }
  /** Begins, does all of it, and commits: all or nothing. */
  | { readonly id: number; readonly kind: "writes"; readonly statements: readonly Statement[] }
  | { readonly id: number; readonly kind: "load"; readonly module: string }
  | { readonly id: number; readonly kind: "call"; readonly module: string; readonly request: unknown }
  | { readonly id: number; readonly kind: "close" };

export interface QueryReply {
  readonly rows: readonly unknown[];
  readonly changes: number;
  readonly insertId: number | null;
}
export type ThreadReply =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly code: string; readonly message: string }
  /** The disk failed twice within a minute: this process can't promise anything any more. */
  | { readonly id: null; readonly fatal: string };

export interface ThreadOptions {
  readonly file: string;
  readonly readonly: boolean;
}

/** The write-ahead log is moved into the main file once it has grown by this much. */
const CHECKPOINT_BYTES = 8 * 1024 * 1024;
const SECOND_FAILURE_MS = 60_000;

class Thread {
  readonly #options: ThreadOptions;
  readonly #port: MessagePort;
  readonly #modules = new Map<string, SqliteProcedure<unknown, unknown>>();
  readonly #procedures = new Map<string, (request: unknown) => unknown>();
  readonly #statements = new Map<string, Database.Statement>();
  #db: Database.Database;
  #failedAtMs = Number.NEGATIVE_INFINITY;
  #writes = 0;

  constructor(options: ThreadOptions, port: MessagePort) {
    this.#options = options;
    this.#port = port;
    this.#db = open(options);
    port.on("message", (request: ThreadRequest) => void this.#answer(request));
  }

  async #answer(request: ThreadRequest): Promise<void> {
    try {
      const value = request.kind === "load" ? await this.#load(request.module) : this.#do(request);
      this.#post({ id: request.id, ok: true, value });
      if (request.kind === "close") this.#port.close();
      else this.#checkpointWhenDue();
    } catch (error) {
      const code = error instanceof Database.SqliteError ? error.code : "";
      this.#post({ id: request.id, ok: false, code, message: error instanceof Error ? error.message : String(error) });
      if (code.startsWith("SQLITE_IOERR")) this.#reopen(code);
    }
  }

  #do(request: Exclude<ThreadRequest, { kind: "load" }>): unknown {
    switch (request.kind) {
      case "query":
        if (request.isPart && !this.#db.inTransaction) throw new Error("a statement of a transaction that has not begun");
        return this.#query(request.sql, request.parameters);
      case "writes":
        this.#db.transaction(() => request.statements.forEach(({ sql, parameters }) => this.#query(sql, parameters))).immediate();
        return null;
      case "call": {
        const procedure = this.#procedures.get(request.module);
        if (!procedure) throw new Error(`procedure ${request.module} was not loaded`);
        this.#writes++;
        return procedure(request.request);
      }
      case "close":
        if (!this.#options.readonly) this.#db.pragma("wal_checkpoint(TRUNCATE)");
        this.#db.close();
        return null;
    }
  }

  #query(sql: string, parameters: readonly unknown[]): QueryReply {
    const statement = this.#prepare(sql);
    if (statement.reader) return { rows: statement.all(...parameters), changes: 0, insertId: null };
    const done = statement.run(...parameters);
    this.#writes++;
    return { rows: [], changes: done.changes, insertId: Number(done.lastInsertRowid) };
  }

  #prepare(sql: string): Database.Statement {
    const known = this.#statements.get(sql);
    if (known) return known;
    if (this.#statements.size >= 500) this.#statements.clear();
    const statement = this.#db.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  async #load(module: string): Promise<null> {
    const loaded: { default: SqliteProcedure<unknown, unknown> } = await import(module);
    this.#modules.set(module, loaded.default);
    this.#procedures.set(module, loaded.default(this.#db));
    return null;
  }

  /**
   * SQLite's own checkpoints are silent when they fail, so they are off and ours run here, between requests.
   * Looking at the file's size costs 2 µs. At every 8th write: a batch of decisions may be 200 kB, and what waits for a checkpoint of 8 MiB
   * waits 9 ms at the 99th percentile, of three times as much 25 ms (`bench/decision-log.ts`, 64 appenders).
   */
  #checkpointWhenDue(): void {
    if (this.#options.readonly || this.#db.inTransaction || this.#writes < 8) return;
    this.#writes = 0;
    const bytes = statSync(`${this.#options.file}-wal`, { throwIfNoEntry: false })?.size ?? 0;
    if (bytes > CHECKPOINT_BYTES) this.#db.pragma(bytes > 8 * CHECKPOINT_BYTES ? "wal_checkpoint(TRUNCATE)" : "wal_checkpoint(PASSIVE)");
  }

  /** After a failed fsync the kernel has dropped the dirty pages: retrying would succeed falsely. Only what is on disk counts. */
  #reopen(code: string): void {
    const nowMs = Date.now();
    if (nowMs - this.#failedAtMs < SECOND_FAILURE_MS) {
      this.#post({ id: null, fatal: `the disk failed twice within a minute (${code})` });
      return;
    }
    this.#failedAtMs = nowMs;
    this.#statements.clear();
    this.#procedures.clear();
    try {
      this.#db.close();
    } catch {
      // A connection that can't be closed after a disk error is left behind; the new one reads what is on disk.
    }
    try {
      this.#db = open(this.#options);
      for (const [module, procedure] of this.#modules) this.#procedures.set(module, procedure(this.#db));
    } catch (error) {
      this.#post({ id: null, fatal: `the database can't be reopened: ${error instanceof Error ? error.message : String(error)}` });
    }
  }

  #post(reply: ThreadReply): void {
    this.#port.postMessage(reply);
  }
}

function open(options: ThreadOptions): Database.Database {
  const db = new Database(options.file, { readonly: options.readonly, timeout: 5000 });
  if (!options.readonly) {
    db.pragma("journal_mode = WAL");
    db.pragma("wal_autocheckpoint = 0");
    db.pragma("secure_delete = ON");
  }
  // better-sqlite3 is compiled with synchronous=NORMAL in WAL mode, which loses acknowledged commits in a power cut.
  db.pragma("synchronous = FULL");
  db.pragma("foreign_keys = ON");
  db.pragma("cache_size = -16000");
  return db;
}

if (parentPort) new Thread(workerData as ThreadOptions, parentPort);
