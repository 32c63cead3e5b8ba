import { expect, test } from "vitest";
import { describePostgres, freshDatabase, freshPostgresStore } from "../../test/postgres.ts";
import { freshSqliteStore } from "../../test/sqlite.ts";
import { simulatedRuntime } from "./runtime.ts";
import { openStore } from "./store.ts";
import { storeSuite } from "./store.suite.ts";

describePostgres("a store on PostgreSQL", () => {
  storeSuite(() => freshPostgresStore());

  test("two gateways that start at once on an empty database share one schema", async () => {
    const database = await freshDatabase();
    const { store: folders, drop } = await freshSqliteStore();
    const runtime = simulatedRuntime(1, 0);
    const stores = await Promise.all([1, 2].map(() => openStore({ folder: folders.folder, postgresUrl: database.url }, runtime)));
    expect(new Set(stores.map(({ writer }) => writer)).size).toBe(2);
    for (const store of stores) await store.close();
    await drop();
    await database.drop();
  });
});
