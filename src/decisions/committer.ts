import { sql } from "kysely";
import { StorageError, type SqliteStore, type Store } from "../store/index.ts";
import { siblingModule } from "../std.ts";
import type { Batch, BatchReply, Committer } from "./batch.ts";
import { PostgresCommitter } from "./commit-postgres.ts";
import { recordedIds } from "./recorded-ids.ts";

/** What commits batches to this store. */
export async function openCommitter(store: Store): Promise<Committer> {
  return store.kind === "sqlite" ? openSqliteCommitter(store) : PostgresCommitter.open(store);
}

async function openSqliteCommitter(store: SqliteStore): Promise<Committer> {
  const commit = await store.procedure<Batch, BatchReply>(siblingModule(import.meta.url, "./commit-sqlite"));
  return {
    commit,
    async recorded(ids) {
      // After a failed fsync the kernel may hold pages that it will never write. A checkpoint copies them to the main file and syncs
      // that one, so what is found afterwards is on disk.
      const checkpoint = await sql<{ busy: number }>`pragma wal_checkpoint(truncate)`.execute(store.db);
      if (checkpoint.rows[0]?.busy !== 0) throw new StorageError("outcome-unknown", "the log could not be moved to the main file");
      return recordedIds(store, ids);
    },
  };
}
