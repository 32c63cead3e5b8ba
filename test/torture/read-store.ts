/** A data folder's database as it lies there, also beside a running server, and also one that no server would open any more. */
import { join } from "node:path";
import Database from "better-sqlite3";
import { Kysely, SqliteDialect } from "kysely";
import { systemRuntime, type Schema, type Store } from "../../src/store/index.ts";

export interface ReadStore {
  readonly sqlite: Database.Database;
  readonly db: Kysely<Schema>;
  /** For what is asked of a store and only reads. */
  readonly store: Store;
  close(): void;
}

/** @param isLive - whether a server runs on it: then nothing is written; else SQLite recovers the folder as a server's start would */
export function openToRead(folder: string, isLive: boolean): ReadStore {
  const sqlite = new Database(join(folder, "evenkeel.db"), { readonly: isLive, timeout: 5000 });
  const db = new Kysely<Schema>({ dialect: new SqliteDialect({ database: sqlite }) });
  return { sqlite, db, store: asStore(db, folder), close: () => void sqlite.close() };
}

/** Recounting, verifying and reading transitions touch nothing of a store but these; whatever else they touched would throw. */
function asStore(db: Kysely<Schema>, folder: string): Store {
  return { kind: "sqlite", folder, db, runtime: systemRuntime() } as Store;
}
