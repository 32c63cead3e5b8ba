import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { freshSqliteStore } from "../../test/sqlite.ts";
import { simulatedRuntime } from "./runtime.ts";
import { openStore } from "./store.ts";
import { storeSuite } from "./store.suite.ts";

describe("a store on SQLite", () => {
  storeSuite(() => freshSqliteStore());

  test("a second server on the same folder is refused, naming the first", async () => {
    const { store, drop } = await freshSqliteStore();
    await expect(openStore({ folder: store.folder }, simulatedRuntime(1, 0))).rejects.toThrow(`process ${process.pid}`);
    await drop();
  });

  test("what would wait for its own transaction's end is told so at once, and after the transaction is as ever", async () => {
    const { store, drop } = await freshSqliteStore();
    const add = (key: string) => store.db.insertInto("setting").values({ key, value: "1" }).execute();
    await store.transaction(async (tx) => {
      await tx.insertInto("setting").values({ key: "a", value: "1" }).execute();
      await expect(add("b")).rejects.toThrow("inside a transaction something is written past it");
      await expect(store.transaction(async () => undefined)).rejects.toThrow("inside a transaction something is written past it");
    });
    await add("c");
    expect(await store.db.selectFrom("setting").select("key").where("key", "in", ["a", "b", "c"]).execute()).toEqual([
      { key: "a" },
      { key: "c" },
    ]);
    await drop();
  });

  test("a transaction that can't begin does nothing and says why, and the next one is as ever", { timeout: 20_000 }, async () => {
    const { store, drop } = await freshSqliteStore();
    const set = (key: string) => store.transaction((tx) => tx.insertInto("setting").values({ key, value: "1" }).execute());
    const other = new Database(join(store.folder, "evenkeel.db"));
    other.exec("begin immediate");
    await expect(set("a")).rejects.toThrow("database is locked");
    other.exec("rollback");
    other.close();
    await set("b");
    expect(await store.db.selectFrom("setting").select("key").where("key", "in", ["a", "b"]).execute()).toEqual([{ key: "b" }]);
    await drop();
  });
});
