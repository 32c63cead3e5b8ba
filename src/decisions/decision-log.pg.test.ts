import { sql } from "kysely";
import { expect, test } from "vitest";
import { LOANS, decisionRecord, shadowAnswer } from "../../test/decisions.ts";
import { describePostgres, freshDatabase, freshPostgresStore } from "../../test/postgres.ts";
import { START_MS, freshSqliteStore } from "../../test/sqlite.ts";
import { openStore, simulatedRuntime, systemRuntime } from "../store/index.ts";
import { DecisionLog } from "./decision-log.ts";
import { describeDecisionLog } from "./decision-log.suite.ts";
import { readTotals } from "./read-tallies.ts";
import { recount } from "./recount.ts";
import { verifyLog } from "./verify-log.ts";

async function open() {
  const runtime = simulatedRuntime(1, START_MS);
  return { ...(await freshPostgresStore(runtime)), runtime };
}

describePostgres("the decision log on PostgreSQL", () => {
  describeDecisionLog(open);

  test("three gateways at once: every request once, one person once a day, tallies and chains in order", async () => {
    const database = await freshDatabase();
    const { store: folders, drop } = await freshSqliteStore();
    const runtime = systemRuntime();
    const stores = await Promise.all([1, 2, 3].map(() => openStore({ folder: folders.folder, postgresUrl: database.url }, runtime)));
    const logs = await Promise.all(stores.map((store) => DecisionLog.open(store, { maxBatch: 20 })));
    const asked = Array.from({ length: 600 }, (_, i) => {
      // Every request goes to all three gateways; forty people come again and again.
      const record = decisionRecord(runtime, { idempotencyKey: `k${i}`, bodyHash: "h", subject: `s${i % 40}` });
      return logs.map(async (log) => {
        const outcome = await log.append({ ...record, id: runtime.ids.decision() });
        if ("seq" in outcome) log.appendShadow(shadowAnswer(runtime, record.id));
        return outcome;
      });
    });
    const outcomes = await Promise.all(asked.map((each) => Promise.all(each)));
    for (const each of outcomes) {
      expect(each.filter((outcome) => "seq" in outcome).length).toBe(1);
      expect(each.filter((outcome) => "replayed" in outcome).length).toBe(2);
    }
    for (const log of logs) await log.close();
    const [store] = stores;
    if (!store) throw new Error("no store");
    expect(await recount(store)).toMatchObject({ ok: true, counted: 600 });
    expect(await verifyLog(store)).toMatchObject({ ok: true, decisions: 600 });
    const totals = await readTotals(store.db, { endpoint: LOANS });
    expect(totals).toMatchObject([{ decisions: 600, counted: 40 }]);
    for (const each of stores) await each.close();
    await drop();
    await database.drop();
  });

  test("when the connection breaks in the commit, the log finds out what became of it", async () => {
    const { store, runtime, drop } = await open();
    const troubles: Error[] = [];
    const log = await DecisionLog.open(store, { onTrouble: (error) => troubles.push(error) });
    // Checked at commit: the server process ends itself there.
    await sql`create function die() returns trigger language plpgsql as
      $$ begin if new.action = 'die' then perform pg_terminate_backend(pg_backend_pid()); end if; return null; end $$`.execute(store.db);
    await sql`create constraint trigger dies after insert on decision deferrable initially deferred for each row execute function die()`.execute(
      store.db,
    );
    await expect(log.append(decisionRecord(runtime, { action: "die" }))).rejects.toMatchObject({ trouble: "storage-unavailable" });
    expect(troubles[0]).toMatchObject({ trouble: "outcome-unknown" });
    expect(await log.append(decisionRecord(runtime))).toMatchObject({ seq: expect.any(Number) });
    expect(await recount(store)).toMatchObject({ ok: true, counted: 1 });
    expect(await verifyLog(store)).toMatchObject({ ok: true, decisions: 1 });
    await log.close();
    await drop();
  });
});
