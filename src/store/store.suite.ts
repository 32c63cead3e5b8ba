/** What must hold on every database: run by `store.test.ts` and `store.pg.test.ts`. */
import { writeFile } from "node:fs/promises";
import { sql } from "kysely";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { FreshStore } from "../../test/sqlite.ts";
import type { Store } from "./store.ts";

/** @param open - gives an empty store */
export function storeSuite(open: () => Promise<FreshStore>): void {
  let fresh: FreshStore;
  let store: Store;
  beforeEach(async () => {
    fresh = await open();
    store = fresh.store;
  });
  afterEach(() => fresh.drop());

  for (const [collect, what] of [
    [false, "a transaction"],
    [true, "a transaction that collects what it inserts"],
  ] as const)
    describe(`${what}`, () => {
      const transact: Store["transaction"] = (work) => store.transaction(work, { collect });
      const insert = (tx: Pick<Store["db"], "insertInto">, key: string, value = "1") =>
        tx.insertInto("setting").values({ key, value }).execute();
      const keys = async () => {
        const rows = await store.db.selectFrom("setting").select("key").where("key", "in", ["a", "b", "c"]).orderBy("key").execute();
        return rows.map(({ key }) => key);
      };

      test("that throws leaves nothing behind, and the next one gets its turn", async () => {
        const broken = transact(async (tx) => {
          await insert(tx, "a");
          throw new Error("changed my mind");
        });
        await expect(broken).rejects.toThrow("changed my mind");
        await transact((tx) => insert(tx, "b"));
        expect(await keys()).toEqual(["b"]);
      });

      test("whose second insert can't be made makes none, and the next one gets its turn", async () => {
        await insert(store.db, "b");
        const broken = transact(async (tx) => {
          await insert(tx, "a");
          await insert(tx, "b");
        });
        await expect(broken).rejects.toThrow(/unique/i);
        await transact((tx) => insert(tx, "c"));
        expect(await keys()).toEqual(["b", "c"]);
      });

      test("sees what it has written, and leaves nothing of it when it throws then", async () => {
        const broken = transact(async (tx) => {
          await insert(tx, "a", "before");
          await tx.updateTable("setting").set({ value: "after" }).where("key", "=", "a").execute();
          const { value } = await tx.selectFrom("setting").select("value").where("key", "=", "a").executeTakeFirstOrThrow();
          await insert(tx, "b");
          throw new Error(value);
        });
        await expect(broken).rejects.toThrow("after");
        expect(await keys()).toEqual([]);
        await transact((tx) => insert(tx, "c"));
        expect(await keys()).toEqual(["c"]);
      });

      test("that changes the same row at once as others takes effect as they do", async () => {
        await insert(store.db, "n", "0");
        const addOne = () =>
          transact(async (tx) => {
            const row = tx.selectFrom("setting").select("value").where("key", "=", "n");
            // PostgreSQL lets transactions overlap, and asks for the row to be held; on SQLite they take turns.
            const { value } = await (store.kind === "postgres" ? row.forUpdate() : row).executeTakeFirstOrThrow();
            await tx
              .updateTable("setting")
              .set({ value: String(Number(value) + 1) })
              .where("key", "=", "n")
              .execute();
          });
        await Promise.all(Array.from({ length: 20 }, addOne));
        expect(await store.db.selectFrom("setting").select("value").where("key", "=", "n").executeTakeFirst()).toEqual({ value: "20" });
      });
    });

  test("what is read past a transaction that is under way comes at once, recursive or not, and is what was there before", async () => {
    await store.transaction(async (tx) => {
      await tx.insertInto("setting").values({ key: "n", value: "0" }).execute();
      const plain = store.db.selectFrom("setting").select("key").where("key", "=", "n").execute();
      const counting = store.db
        .withRecursive("counted(n)", (db) =>
          db.selectNoFrom(sql<number>`1`.as("n")).unionAll(
            db
              .selectFrom("counted")
              .where("n", "<", 3)
              .select(sql<number>`n + 1`.as("n")),
          ),
        )
        .selectFrom("counted")
        .select("n")
        .execute();
      expect(await plain).toEqual([]);
      expect(await counting).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    });
  });

  test("text, milliseconds, doubles and nulls come back as they went in", async () => {
    const row = {
      endpoint: "loans",
      release: "rel:ü\u{1F600}",
      arm: "live",
      generation: 1,
      cell: "sex=female",
      score: 0.1 + 0.2,
      action: "approve",
      favourable: 1 as const,
      reasons_json: '["\\"quoted\\""]',
      answered_by: "live",
      because: null,
      decided_at_ms: 4_102_444_800_000,
      latency_us: 3,
      source: "t",
      idempotency_key: null,
      body_hash: null,
      counted: 0 as const,
      commitment: "c",
      batch: Number.MAX_SAFE_INTEGER,
    };
    await store.db
      .insertInto("decision")
      .values({ ...row, id: "d1" })
      .execute();
    expect(await store.db.selectFrom("decision").selectAll().executeTakeFirst()).toEqual({ ...row, id: "d1", seq: 1 });
  });

  test("a blob comes back as it was put in, and once", async () => {
    const id = await store.blobs.put(Buffer.from("hello"));
    expect(await store.blobs.put(Buffer.from("hello"))).toBe(id);
    expect((await store.blobs.get(id)).toString()).toBe("hello");
  });

  test("a large blob is hashed in pieces, between which everybody else has a turn", async () => {
    const bytes = Buffer.alloc(16 * 1024 * 1024 + 1, "x");
    const id = await store.blobs.put(bytes);
    let turns = 0;
    const turn = () => void (turns++, (pending = setImmediate(turn)));
    let pending = setImmediate(turn);
    expect((await store.blobs.get(id)).equals(bytes)).toBe(true);
    clearImmediate(pending);
    expect(turns).toBeGreaterThan(60); // of 65 pieces
  });

  test("the last piece of a blob comes only if all of them are what was put in", async () => {
    const bytes = Buffer.alloc(1_000_000, "x");
    const id = await store.blobs.put(bytes);
    await writeFile(store.blobs.path(id), Buffer.concat([Buffer.from("y"), bytes.subarray(1)]));
    const { bytes: announced, pieces } = await store.blobs.read(id);
    let came = 0;
    const readAll = async () => {
      for await (const piece of pieces) came += piece.length;
    };
    await expect(readAll()).rejects.toThrow("no longer has the bytes");
    expect(came).toBeLessThan(announced);
    await expect(store.blobs.get(id)).rejects.toThrow("no longer has the bytes");
  });
}
