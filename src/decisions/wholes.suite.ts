/** What must hold of wholes and of pinned answers on every database. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { LOANS, decisionRecord } from "../../test/decisions.ts";
import type { FreshStore } from "../../test/sqlite.ts";
import type { SimulatedRuntime, Store } from "../store/index.ts";
import { DecisionLog } from "./decision-log.ts";
import type { DecisionRecord } from "./decision-record.ts";
import { readDecisions, recentForReplay } from "./read-decisions.ts";
import { readTotals } from "./read-tallies.ts";
import { recount } from "./recount.ts";
import { verifyLog } from "./verify-log.ts";

type Fresh = FreshStore & { readonly runtime: SimulatedRuntime };

/** @param open - gives an empty store on the runtime */
export function describeWholes(open: () => Promise<Fresh>): void {
  let fresh: Fresh;
  let store: Store;
  let log: DecisionLog;
  beforeEach(async () => {
    fresh = await open();
    store = fresh.store;
    log = await DecisionLog.open(store);
  });
  afterEach(async () => {
    await log.close();
    await fresh.drop();
  });

  const record = (changes: Partial<DecisionRecord> = {}) => decisionRecord(fresh.runtime, changes);
  const keyed = (key: string, bodyHash = "h", changes: Partial<DecisionRecord> = {}) =>
    record({ idempotencyKey: key, bodyHash, ...changes });
  const recorded = async () => {
    const { decisions } = await readDecisions(store.db, { endpoint: LOANS }, { first: "oldest", limit: 1000 });
    expect(await recount(store)).toMatchObject({ ok: true, differences: [] });
    expect(await verifyLog(store)).toMatchObject({ ok: true, problems: [] });
    return decisions;
  };

  describe("a whole", () => {
    test("goes in as one transaction, in its order, and each part learns its number", async () => {
      const records = Array.from({ length: 300 }, (_, i) => record({ subject: `s${i % 100}` }));
      const appended = await log.appendWhole(records);
      const decisions = await recorded();
      expect(appended).toEqual({ ok: true, value: decisions.map(({ seq }) => ({ seq })) });
      expect(decisions.map(({ id }) => id)).toEqual(records.map(({ id }) => id));
      expect(decisions.filter(({ counted }) => counted)).toHaveLength(100);
      expect(log.metrics()).toMatchObject({ batches: 1, committed: 300, inWholes: 300 });
    });

    test("stays out whole when one key was used with another body, and says which; others beside it go in", async () => {
      await log.append(keyed("taken", "other"));
      const refused = log.appendWhole([record(), keyed("a"), keyed("taken"), record(), keyed("b")]);
      const beside = log.appendWhole([keyed("c"), record()]);
      expect(await refused).toEqual({ ok: false, error: [2] });
      expect(await beside).toMatchObject({ ok: true });
      expect((await recorded()).map(({ idempotencyKey }) => idempotencyKey)).toEqual(["taken", "c", null]);
    });

    test("stays out when another one of the same transaction has used its key with another body", async () => {
      const [first, second] = await Promise.all([
        log.appendWhole([record(), keyed("k", "one")]),
        log.appendWhole([record(), keyed("k", "two")]),
      ]);
      expect([first.ok, second]).toEqual([true, { ok: false, error: [1] }]);
      expect(await recorded()).toHaveLength(2);
    });

    test("sent again with the same keys gets the first replies, and only what is new is recorded", async () => {
      await log.appendWhole([keyed("a", "h", { action: "deny" }), keyed("b")]);
      const again = await log.appendWhole([keyed("b"), keyed("c"), keyed("a", "h", { action: "approve" })]);
      const decisions = await recorded();
      expect(decisions.map(({ idempotencyKey }) => idempotencyKey)).toEqual(["a", "b", "c"]);
      expect(again).toMatchObject({
        ok: true,
        value: [{ replayed: { seq: decisions[1]?.seq } }, { seq: decisions[2]?.seq }, { replayed: { action: "deny" } }],
      });
    });

    test("with nothing in it is nothing", async () => {
      expect(await log.appendWhole([])).toEqual({ ok: true, value: [] });
      expect(log.metrics().batches).toBe(0);
    });

    test("with a key twice, or a score that isn't a number, is a fault of the program", () => {
      expect(() => log.appendWhole([keyed("a"), keyed("a")])).toThrow("every idempotency key once");
      expect(() => log.appendWhole([record({ score: Number.NaN })])).toThrow("finite");
    });

    test("one that the database can't take fails alone", async () => {
      const troubles: Error[] = [];
      const told = await DecisionLog.open(store, { onTrouble: (error) => void troubles.push(error) });
      const nameless = { ...record(), ...({ action: null } as unknown as { action: string }) };
      const settled = await Promise.allSettled([
        told.appendWhole([record()]),
        told.appendWhole([record(), nameless]),
        told.appendWhole([record()]),
      ]);
      expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
      expect(await recorded()).toHaveLength(2);
      expect(troubles).toHaveLength(1);
    });

    test("is refused before single decisions are: when half of the queue is taken, and when two large ones wait", async () => {
      const narrow = await DecisionLog.open(store, { maxQueued: 4 });
      const singles = [narrow.append(record()), narrow.append(record())];
      await expect(narrow.appendWhole([record()])).rejects.toMatchObject({ name: "LogOverloaded" });
      singles.push(narrow.append(record()));
      await Promise.all(singles);
      const large = () => log.appendWhole(Array.from({ length: 2000 }, () => record()));
      const all = await Promise.allSettled([large(), large(), large()]);
      expect(all.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected"]);
      expect(log.metrics()).toMatchObject({ batches: 2, overloaded: 1 });
    });

    test("is recorded by a log that closes, and not taken afterwards", async () => {
      const waiting = log.appendWhole([record(), record()]);
      await log.close();
      expect(await waiting).toMatchObject({ ok: true });
      await expect(log.appendWhole([record()])).rejects.toMatchObject({ trouble: "storage-unavailable" });
    });
  });

  test("a pinned answer is recorded and tallied apart, counts for nobody, and hides no later answer to the same person", async () => {
    await log.append(record({ subject: "ana", arm: "pinned", answeredBy: "pinned" }));
    await log.append(record({ subject: "ana" }));
    expect((await recorded()).map(({ answeredBy, counted }) => [answeredBy, counted])).toEqual([
      ["pinned", false],
      ["live", true],
    ]);
    const totals = await readTotals(store.db, { endpoint: LOANS });
    expect(totals.map(({ arm, decisions, counted }) => [arm, decisions, counted])).toEqual([
      ["live", 1, 1],
      ["pinned", 1, 0],
    ]);
    expect(await recentForReplay(store.db, LOANS, { limit: 10 })).toHaveLength(1);
  });
}
