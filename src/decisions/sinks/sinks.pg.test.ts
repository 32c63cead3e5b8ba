/** What several processes on one PostgreSQL could do to sinks: numbers that become visible late, and two that deliver. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { describePostgres, freshDatabase } from "../../../test/postgres.ts";
import { openStore, simulatedRuntime, type SimulatedRuntime, type Store } from "../../store/index.ts";
import { CursorMoved, Cursors, newCursor } from "./cursors.ts";
import { Lease } from "./lease.ts";
import { LogEnd } from "./log-end.ts";

describePostgres("several processes on one database", () => {
  let database: Awaited<ReturnType<typeof freshDatabase>>;
  let folder: string;
  let runtimes: SimulatedRuntime[];
  let stores: Store[];
  beforeEach(async () => {
    database = await freshDatabase();
    folder = mkdtempSync(join(tmpdir(), "evenkeel-sinks-"));
    runtimes = [1, 2].map((seed) => simulatedRuntime(seed, Date.UTC(2026, 0, 1)));
    stores = [];
    for (const [i, runtime] of runtimes.entries())
      stores.push(await openStore({ folder: join(folder, String(i)), postgresUrl: database.url }, runtime));
  });
  afterEach(async () => {
    for (const store of stores) await store.close();
    await database.drop();
    rmSync(folder, { recursive: true, force: true });
  });
  const storeAt = (i: number): Store => {
    const store = stores[i];
    if (!store) throw new Error("no such store");
    return store;
  };

  const outcome = { decision: "d", value: "repaid", good: 1, at_ms: 0, recorded_at_ms: 0, source: "crm", writer: "w" } as const;
  /** An outcome whose number is taken and whose transaction stays open. */
  async function begun(store: Store) {
    let end: () => void = () => undefined;
    const open = new Promise<void>((resolve) => (end = resolve));
    let hasBegun: () => void = () => undefined;
    const inserted = new Promise<void>((resolve) => (hasBegun = resolve));
    const done = store.transaction(async (tx) => {
      await tx.insertInto("outcome").values(outcome).execute();
      hasBegun();
      await open;
    });
    await inserted;
    return { commit: () => (end(), done) };
  }

  test("the log isn't read past a number whose transaction is still open, whatever was committed behind it", async () => {
    const end = new LogEnd(storeAt(0));
    await storeAt(0).db.insertInto("outcome").values(outcome).execute();
    expect(await end.safe()).toEqual({ decision: 0, outcome: 1 });
    const late = await begun(storeAt(1));
    await storeAt(0).db.insertInto("outcome").values(outcome).execute(); // number 3
    expect((await end.safe()).outcome).toBe(1);
    // Others come and go meanwhile: only those that may have a lower number are waited for.
    const later = await begun(storeAt(0));
    expect((await end.safe()).outcome).toBe(1);
    await late.commit();
    expect((await end.safe()).outcome).toBe(3);
    await later.commit();
    await end.safe();
    expect((await end.safe()).outcome).toBe(4);
  });

  test("one process delivers; another takes over when that one gives up, or is no longer heard of", async () => {
    const [first, second] = [new Lease(storeAt(0), "sinks"), new Lease(storeAt(1), "sinks")];
    expect([await first.hold(), await second.hold()]).toEqual([true, false]);
    await first.giveUp();
    expect([await second.hold(), await first.hold()]).toEqual([true, false]);
    // The second is no longer heard of: its lease runs out by the database's clock.
    await storeAt(0).db.updateTable("sink_lease").set({ until_ms: 1 }).execute();
    expect(await first.hold()).toBe(true);
    await runtimes[1]?.advance(6000);
    expect(await second.hold()).toBe(false);
  });

  test("a process that only believes to deliver moves no cursor", async () => {
    const [one, other] = [new Cursors(storeAt(0)), new Cursors(storeAt(1))];
    await storeAt(0)
      .db.insertInto("sink_cursor")
      .values(newCursor("s", "decision", 0))
      .execute();
    const [mine, theirs] = [(await one.of("s")).decision, (await other.of("s")).decision];
    await other.acknowledge(await other.claim(theirs, 5), { upTo: 5, mark: null, documents: 5, next: null });
    await expect(one.claim(mine, 9)).rejects.toThrow(CursorMoved);
    expect((await one.of("s")).decision).toMatchObject({ position: 5, delivered: 5, claimedTo: null });
  });
});
