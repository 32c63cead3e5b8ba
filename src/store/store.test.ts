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
});
