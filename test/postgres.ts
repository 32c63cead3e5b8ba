/** A database of a test's own on the server that `postgres-server.ts` found. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, inject } from "vitest";
import { openStore, simulatedRuntime, type Runtime } from "../src/store/index.ts";
import { newDatabase, type NewDatabase } from "./new-database.ts";
import { START_MS, type FreshStore } from "./sqlite.ts";

/** A `describe` that is skipped, and counted as such, where there is no PostgreSQL. */
// oxlint-disable-next-line vitest/valid-title, vitest/valid-describe-callback -- it makes a describe, it is none
export const describePostgres = describe.skipIf(inject("postgresUrl") === null);

/** @returns a new database without anything in it */
export const freshDatabase = (): Promise<NewDatabase> => newDatabase(server());

function server(): string {
  const url = inject("postgresUrl");
  if (url === null) throw new Error("there is no PostgreSQL");
  return url;
}

/** @param runtime - simulated with seed 1, from 2026-01-02T03:04:05Z, when left out */
export async function freshPostgresStore(runtime: Runtime = simulatedRuntime(1, START_MS)): Promise<FreshStore> {
  const folder = mkdtempSync(join(tmpdir(), "evenkeel-test-"));
  const database = await newDatabase(server(), inject("postgresTemplate"));
  const store = await openStore({ folder, postgresUrl: database.url }, runtime);
  return {
    store,
    async drop() {
      await store.close();
      await database.drop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
