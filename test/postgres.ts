/** A database of a test's own on the server that `postgres-server.ts` found. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { describe, inject } from "vitest";
import { openStore, simulatedRuntime, type Runtime } from "../src/store/index.ts";
import { START_MS, type FreshStore } from "./sqlite.ts";

/** A `describe` that is skipped, and counted as such, where there is no PostgreSQL. */
// oxlint-disable-next-line vitest/valid-title, vitest/valid-describe-callback -- it makes a describe, it is none
export const describePostgres = describe.skipIf(inject("postgresUrl") === null);

/** @returns the address of a new, empty database, and how to drop it */
export async function freshDatabase(): Promise<{ readonly url: string; readonly drop: () => Promise<void> }> {
  const server = inject("postgresUrl");
  if (server === null) throw new Error("there is no PostgreSQL");
  const name = `test_${randomBytes(6).toString("hex")}`;
  await onServer(server, `create database ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => onServer(server, `drop database ${name} with (force)`) };
}

/** @param runtime - simulated with seed 1, from 2026-01-02T03:04:05Z, when left out */
export async function freshPostgresStore(runtime: Runtime = simulatedRuntime(1, START_MS)): Promise<FreshStore> {
  const folder = mkdtempSync(join(tmpdir(), "evenkeel-test-"));
  const database = await freshDatabase();
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

async function onServer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
