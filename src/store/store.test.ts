import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openStore, simulatedRuntime, type Store } from "./index.ts";

let folder: string;
let store: Store;
const runtime = () => simulatedRuntime(1, 1_000_000);
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "evenkeel-store-"));
  store = await openStore({ folder }, runtime());
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

test("a transaction that throws leaves nothing behind, and the next one gets its turn", async () => {
  const broken = store.transaction(async (tx) => {
    await tx.insertInto("setting").values({ key: "a", value: "1" }).execute();
    throw new Error("changed my mind");
  });
  await expect(broken).rejects.toThrow("changed my mind");
  await store.transaction((tx) => tx.insertInto("setting").values({ key: "b", value: "2" }).execute());
  expect(await store.db.selectFrom("setting").select("key").where("key", "in", ["a", "b"]).execute()).toEqual([{ key: "b" }]);
});

test("a second server on the same folder is refused, naming the first", async () => {
  await expect(openStore({ folder }, runtime())).rejects.toThrow(`process ${process.pid}`);
});

test("transactions asked for at once run one after the other", async () => {
  await store.db.insertInto("setting").values({ key: "n", value: "0" }).execute();
  await Promise.all(
    Array.from({ length: 20 }, () =>
      store.transaction(async (tx) => {
        const { value } = await tx.selectFrom("setting").select("value").where("key", "=", "n").executeTakeFirstOrThrow();
        await tx
          .updateTable("setting")
          .set({ value: String(Number(value) + 1) })
          .where("key", "=", "n")
          .execute();
      }),
    ),
  );
  expect(await store.db.selectFrom("setting").select("value").where("key", "=", "n").executeTakeFirst()).toEqual({ value: "20" });
});

test("a blob comes back as it was put in, and once", async () => {
  const id = await store.blobs.put(Buffer.from("hello"));
  expect(await store.blobs.put(Buffer.from("hello"))).toBe(id);
  expect((await store.blobs.get(id)).toString()).toBe("hello");
});
