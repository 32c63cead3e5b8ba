import { expect, test } from "vitest";
import { describePostgres, freshDatabase, freshPostgresStore } from "../../test/postgres.ts";
import { START_MS } from "../../test/sqlite.ts";
import { openStore, simulatedRuntime } from "../store/index.ts";
import { accessSuite } from "./access.suite.ts";
import { Audit } from "./audit.ts";
import { Tokens } from "./tokens.ts";

describePostgres("on PostgreSQL", () => {
  accessSuite(async () => {
    const runtime = simulatedRuntime(1, START_MS);
    return { ...(await freshPostgresStore(runtime)), runtime };
  });

  test("two processes append to one chain, and one of them makes the first admin", async () => {
    const { store, drop } = await freshPostgresStore();
    const { url, drop: dropDatabase } = await freshDatabase();
    const open = (seed: number) => openStore({ folder: store.folder, postgresUrl: url }, simulatedRuntime(seed, START_MS));
    const stores = [await open(2), await open(3)] as const;
    const admins = await Promise.all(stores.map((each) => new Tokens(each, new Audit(each)).ensureFirstAdmin()));
    expect(admins.filter((admin) => admin !== undefined)).toHaveLength(1);
    const append = (i: number) => {
      const each = stores[i % 2 === 0 ? 0 : 1];
      return each.transaction((tx) =>
        new Audit(each).append(tx, { actor: `p${i % 2}`, action: "thing.done", object: `thing/${i}`, payload: {} }),
      );
    };
    await Promise.all(Array.from({ length: 40 }, (_, i) => append(i)));
    expect(await new Audit(stores[0]).verify()).toMatchObject({ ok: true, entries: 41 });
    for (const each of stores) await each.close();
    await dropDatabase();
    await drop();
  });
});
