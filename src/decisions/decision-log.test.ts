import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { decisionRecord } from "../../test/decisions.ts";
import { START_MS, freshSqliteStore } from "../../test/sqlite.ts";
import { simulatedRuntime } from "../store/index.ts";
import { DecisionLog } from "./decision-log.ts";
import { describeDecisionLog } from "./decision-log.suite.ts";
import { recount } from "./recount.ts";
import { verifyLog } from "./verify-log.ts";

async function open() {
  const runtime = simulatedRuntime(1, START_MS);
  return { ...(await freshSqliteStore(runtime)), runtime };
}

describe("the decision log on SQLite", () => {
  describeDecisionLog(open);

  test("on a full disk decisions are refused with the reason, and recorded again once there is room", async () => {
    const { store, runtime, drop } = await open();
    const log = await DecisionLog.open(store);
    await log.append(decisionRecord(runtime));
    const size = await sql<{ page_count: number }>`pragma page_count`.execute(store.db);
    await sql.raw(`pragma max_page_count = ${size.rows[0]?.page_count ?? 0}`).execute(store.db);
    const payload = JSON.stringify({ long: "x".repeat(20_000) });
    const many = await Promise.allSettled(Array.from({ length: 10 }, () => log.append(decisionRecord(runtime, { payload }))));
    for (const one of many) expect(one).toMatchObject({ status: "rejected", reason: { trouble: "storage-full" } });
    expect(await recount(store)).toMatchObject({ ok: true, counted: 1 });
    await sql`pragma max_page_count = 1000000`.execute(store.db);
    expect(await log.append(decisionRecord(runtime, { payload }))).toEqual({ seq: 2 });
    expect(await verifyLog(store)).toMatchObject({ ok: true, decisions: 2 });
    await log.close();
    await drop();
  });

  test("acknowledged from memory, decisions outlive a while without room", async () => {
    const { store, runtime, drop } = await open();
    const log = await DecisionLog.open(store, { ack: "memory" });
    const size = await sql<{ page_count: number }>`pragma page_count`.execute(store.db);
    await sql.raw(`pragma max_page_count = ${size.rows[0]?.page_count ?? 0}`).execute(store.db);
    const payload = JSON.stringify({ long: "x".repeat(20_000) });
    for (let i = 0; i < 5; i++) await log.append(decisionRecord(runtime, { payload }));
    while ((await recount(store)).counted === 0 && log.metrics().queued === 0) await new Promise(setImmediate);
    await sql`pragma max_page_count = 1000000`.execute(store.db);
    for (let turn = 0; turn < 100 && log.metrics().committed < 5; turn++) {
      await runtime.advance(1000);
      await new Promise(setImmediate);
    }
    await log.close();
    expect(log.metrics()).toMatchObject({ committed: 5, lost: 0 });
    await drop();
  });
});
