/** PostgreSQL behind Kysely. */
import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import { StorageError, troubleOf } from "./errors.ts";
import type { Schema } from "./schema.ts";

const INT8 = 20;
const NUMERIC = 1700;

export interface PostgresDatabase {
  readonly db: Kysely<Schema>;
  readonly pool: pg.Pool;
}

/**
 * @param url - `postgresql://user:password@host:port/database`
 * @param onTrouble - told when an idle connection breaks; the pool makes new ones by itself
 */
export function postgresDatabase(url: string, onTrouble: (error: Error) => void): PostgresDatabase {
  const pool = new pg.Pool({
    connectionString: url,
    max: 10,
    connectionTimeoutMillis: 5000,
    query_timeout: 15_000,
    statement_timeout: 15_000,
    idle_in_transaction_session_timeout: 15_000,
    keepAlive: true,
    types: {
      // 64-bit counts and milliseconds stay far below 2^53; sums come back as numeric.
      getTypeParser: (oid: number, format?: "text" | "binary") =>
        oid === INT8 || oid === NUMERIC ? Number : pg.types.getTypeParser(oid, format),
    },
  });
  // Without a handler on the pool and on every client, a server that goes away ends this process.
  pool.on("error", onTrouble);
  pool.on("connect", (client) => client.on("error", onTrouble));
  return { pool, db: new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) }) };
}

/** Puts an engine's error into our words where it is the world's fault; others are returned as they are. */
export function postgresError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  const trouble = troubleOf(code) ?? (/timeout|Connection terminated/i.test(error.message) ? "storage-unavailable" : undefined);
  return trouble ? new StorageError(trouble, error.message, { cause: error }) : error;
}
