/** One data folder, or one PostgreSQL database with a folder of blobs: everything that Evenkeel remembers. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import Database from "better-sqlite3";
import type { Kysely, Transaction } from "kysely";
import { Migrator } from "kysely/migration";
import { Ballast } from "./ballast.ts";
import { Blobs } from "./blobs.ts";
import { StorageError } from "./errors.ts";
import { ensureFolder } from "./folders.ts";
import { migrations } from "./migrations/index.ts";
import { postgresDatabase, postgresError } from "./postgres.ts";
import type { Runtime } from "./runtime.ts";
import type { Schema } from "./schema.ts";
import { COLLECTING, SqliteThread, Turn, Within, sqliteDatabase } from "./sqlite.ts";

export interface StoreOptions {
  /** Holds the blobs, and the database where it is SQLite. Made when missing. */
  readonly folder: string;
  /** `postgresql://…`: keep the database there instead of in the folder. */
  readonly postgresUrl?: string;
  /** Wait so long for another server to let go of the folder. Default 0. */
  readonly waitMs?: number;
  /** Told once when the disk has failed for good and the process should end. */
  readonly onFatal?: (why: string) => void;
  /** Told when a connection broke that will be made anew. */
  readonly onTrouble?: (error: Error) => void;
}

export interface TransactionOptions {
  /**
   * For work that reads first and then inserts: on SQLite its inserts are collected and made at its end in one go, so that decisions
   * wait for it once and not for each statement. Until then it reads what is committed, which other transactions can't change meanwhile;
   * single statements and commits of decisions can. Anything else in it than an insert makes it a transaction like any other.
   */
  readonly collect?: boolean;
  /** false: for what may be large and can wait, the room that is kept on the disk for control is not lent. Default true. */
  readonly reserve?: boolean;
}

interface StoreBase {
  readonly folder: string;
  readonly db: Kysely<Schema>;
  readonly blobs: Blobs;
  readonly runtime: Runtime;
  /** Names this process in tallies, so that several gateways never write the same row. */
  readonly writer: string;
  /**
   * Runs `work` in one transaction; on SQLite nothing else writes meanwhile, and `db` reads what was there before. On a full disk a
   * reserve is lent to it, so that control (a rollback) still gets through: `work` is then run again and must do nothing but database work.
   * @throws StorageError when the database is the trouble; whatever `work` throws otherwise, with nothing written
   */
  transaction<T>(work: (tx: Transaction<Schema>) => Promise<T>, options?: TransactionOptions): Promise<T>;
  close(): Promise<void>;
}
export interface SqliteStore extends StoreBase {
  readonly kind: "sqlite";
  /**
   * Loads a module that exports a `SqliteProcedure` into the writing thread.
   * @returns a call that runs it as one undisturbed turn there
   */
  procedure<Request, Reply>(module: URL): Promise<(request: Request) => Promise<Reply>>;
}
export interface PostgresStore extends StoreBase {
  readonly kind: "postgres";
}
export type Store = SqliteStore | PostgresStore;

/** Opens the store, bringing its schema up to date. @throws StorageError when another server holds the folder */
export async function openStore(options: StoreOptions, runtime: Runtime): Promise<Store> {
  const blobFolder = join(options.folder, "blobs");
  await ensureFolder(blobFolder);
  const blobs = new Blobs(blobFolder, runtime.ids);
  return options.postgresUrl ? openPostgres(options, options.postgresUrl, blobs, runtime) : openSqlite(options, blobs, runtime);
}

/** A running server's store, to be looked at: nothing can be written. */
export interface StoreView extends Pick<StoreBase, "db" | "blobs"> {
  close(): Promise<void>;
}

/** Looks at a store that another server holds. @throws StorageError when there is none */
export async function viewStore({ folder, postgresUrl, onTrouble }: StoreOptions, { ids }: Runtime): Promise<StoreView> {
  const blobs = new Blobs(join(folder, "blobs"), ids);
  if (postgresUrl) {
    const { db } = postgresDatabase(postgresUrl, onTrouble ?? (() => undefined));
    return { db, blobs, close: () => db.destroy() };
  }
  // Its threads end when they can't go on; then there is just nothing more to be seen.
  const reader = new SqliteThread({ file: join(folder, "evenkeel.db"), readonly: true }, () => undefined);
  return { db: sqliteDatabase({ writer: reader, reader, turn: new Turn(), within: new Within() }), blobs, close: () => reader.close() };
}

async function openSqlite(options: StoreOptions, blobs: Blobs, runtime: Runtime): Promise<SqliteStore> {
  const lock = await holdFolder(options.folder, runtime, options.waitMs ?? 0);
  const file = join(options.folder, "evenkeel.db");
  // Until the store is open its opener hears what is wrong, as an error.
  let isOpen = false;
  const onFatal = (why: string) => {
    if (isOpen) options.onFatal?.(why);
  };
  const writer = new SqliteThread({ file, readonly: false }, onFatal);
  let reader: SqliteThread | undefined;
  try {
    // Half an upload of a server that died; of one that runs it would be a whole one soon.
    await rm(join(options.folder, "blobs", "tmp"), { recursive: true, force: true });
    await firstQuery(writer, file); // the file exists before the reader opens it
    reader = new SqliteThread({ file, readonly: true }, onFatal);
    const turn = new Turn();
    const within = new Within();
    const db = sqliteDatabase({ writer, reader, turn, within });
    await migrate(db);
    const ballast = new Ballast(join(options.folder, "ballast"));
    await ballast.fill();
    const threads = [reader, writer];
    const name = await writerName(db, runtime);
    isOpen = true;
    return {
      kind: "sqlite",
      folder: options.folder,
      db,
      blobs,
      runtime,
      writer: name,
      async transaction(work, { collect = false, reserve = true } = {}) {
        const transact = () =>
          (collect ? db.transaction().setIsolationLevel(COLLECTING) : db.transaction()).execute((tx) => within.transaction(() => work(tx)));
        try {
          return await transact();
        } catch (error) {
          if (!reserve || !(error instanceof StorageError) || error.trouble !== "storage-full") throw error;
          const done = await ballast.lend(transact);
          if (done === undefined) throw error;
          return done.value;
        }
      },
      async procedure(module) {
        await writer.load(module);
        return async (request) => {
          const end = await turn.take();
          try {
            if (ballast.isLent) throw new StorageError("storage-full", "the room that is left on the disk is kept for control");
            return asReply(await writer.call(module, request));
          } finally {
            end();
          }
        };
      },
      async close() {
        const end = await turn.take();
        for (const thread of threads) await thread.close();
        end();
        lock.close();
      },
    };
  } catch (error) {
    await reader?.close();
    await writer.close();
    lock.close();
    throw error;
  }
}

async function firstQuery(writer: SqliteThread, file: string): Promise<void> {
  try {
    await writer.query("select 1", []);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new StorageError("storage-unavailable", `${file} can't be opened: ${why}`, { cause: error });
  }
}

const HOLD_EVERY_MS = 5;

/** The procedure's module is typed to give what its caller asked for. */
const asReply = <T>(value: unknown): T => value as T;

async function openPostgres(options: StoreOptions, url: string, blobs: Blobs, runtime: Runtime): Promise<PostgresStore> {
  const { db, pool } = postgresDatabase(url, options.onTrouble ?? (() => undefined));
  try {
    await migrate(db);
    return {
      kind: "postgres",
      folder: options.folder,
      db,
      blobs,
      runtime,
      writer: `pg-${runtime.ids.next()}`,
      async transaction(work) {
        try {
          return await db.transaction().execute(work);
        } catch (error) {
          throw postgresError(error);
        }
      },
      async close() {
        await db.destroy();
      },
    };
  } catch (error) {
    await pool.end();
    throw postgresError(error);
  }
}

/** Up only. Kysely takes its own lock on PostgreSQL; on SQLite the folder's lock is held already. */
async function migrate(db: Kysely<Schema>): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => ({ ...migrations }) } });
  const { error } = await migrator.migrateToLatest();
  if (error) throw error instanceof Error ? error : new Error("the database's schema can't be brought up to date", { cause: error });
}

async function writerName(db: Kysely<Schema>, runtime: Runtime): Promise<string> {
  const known = await db.selectFrom("setting").select("value").where("key", "=", "writer").executeTakeFirst();
  if (known) return known.value;
  const value = `w-${runtime.random.bytes(4).toString("hex")}`;
  await db.insertInto("setting").values({ key: "writer", value }).execute();
  return value;
}

const isHeld = (error: unknown): boolean => error instanceof Database.SqliteError && error.code.startsWith("SQLITE_BUSY");

/**
 * Keeps a second server out of the folder. A lock of SQLite's on a file of its own is let go by the kernel when the process dies,
 * in whatever way, and unlike one on the main file it doesn't keep readers out.
 */
async function holdFolder(folder: string, { clock, timers }: Runtime, waitMs: number): Promise<{ close(): void }> {
  const lockFile = join(folder, "lock.db");
  const cannot = (error: unknown) =>
    new StorageError("storage-unavailable", `${lockFile} can't be locked: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  let lock: Database.Database;
  try {
    lock = new Database(lockFile, { timeout: 0 });
  } catch (error) {
    throw cannot(error);
  }
  const pidFile = join(folder, "server.pid");
  const untilUs = clock.monotonicUs() + waitMs * 1000;
  const hold = () => {
    try {
      lock.exec("begin exclusive");
      return null;
    } catch (error) {
      return { error };
    }
  };
  let failed = hold();
  while (failed && isHeld(failed.error) && clock.monotonicUs() < untilUs) {
    await timers.sleep(HOLD_EVERY_MS);
    failed = hold();
  }
  if (failed) {
    lock.close();
    if (!isHeld(failed.error)) throw cannot(failed.error);
    const holder = existsSync(pidFile) ? ` (process ${readFileSync(pidFile, "utf8").trim()})` : "";
    throw new StorageError(
      "storage-unavailable",
      `another Evenkeel server${holder} already uses ${folder}: stop it, take over from it (--take-over), or choose another --data folder`,
      { cause: failed.error },
    );
  }
  writeFileSync(pidFile, `${process.pid}\n`);
  return {
    close() {
      lock.close();
    },
  };
}
