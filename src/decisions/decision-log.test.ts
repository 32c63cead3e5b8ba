import { readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { LOANS, cell, decisionRecord } from "../../test/decisions.ts";
import { START_MS, freshSqliteStore } from "../../test/sqlite.ts";
import { sha256Hex, simulatedRuntime } from "../store/index.ts";
import { DecisionLog } from "./decision-log.ts";
import { describeDecisionLog } from "./decision-log.suite.ts";
import { eraseSubject, sweepErased } from "./erase.ts";
import { readDecisions } from "./read-decisions.ts";
import { readTotals } from "./read-tallies.ts";
import { recount } from "./recount.ts";
import { verifyLog } from "./verify-log.ts";

async function open() {
  const runtime = simulatedRuntime(1, START_MS);
  return { ...(await freshSqliteStore(runtime)), runtime };
}

describe("the decision log on SQLite", () => {
  describeDecisionLog(open);

  test("of forty thousand people each counts once a day and is found and forgotten, also those whom the index has by now", async () => {
    const { store, runtime, drop } = await open();
    let log = await DecisionLog.open(store, { maxQueued: 50_000 });
    const hashes = Array.from({ length: 40_000 }, (_, i) => sha256Hex(`person ${i}`));
    const ask = (subjects: readonly string[]) => Promise.all(subjects.map((subject) => log.append(decisionRecord(runtime, { subject }))));
    await ask(hashes);
    const indexed = await store.db
      .selectFrom("subject_index")
      .select((eb) => eb.fn.countAll<number>().as("rows"))
      .executeTakeFirst();
    expect(indexed?.rows).toBeGreaterThan(20_000);
    expect(indexed?.rows).toBeLessThan(40_000);
    await log.close();
    log = await DecisionLog.open(store);
    const again = hashes.filter((_, i) => i % 400 === 0);
    await ask(again);
    const totals = await readTotals(store.db, { endpoint: LOANS });
    expect(totals).toMatchObject([{ decisions: 40_100, counted: 40_000 }]);
    for (const subject of [again[0], again.at(-1)]) {
      if (subject === undefined) throw new Error("nobody came again");
      const page = await readDecisions(store.db, { endpoint: LOANS, subject }, { limit: 10 });
      expect(page.decisions.map(({ counted }) => counted)).toEqual([false, true]);
      expect(await store.transaction((tx) => eraseSubject(tx, subject))).toBe(2);
    }
    expect(await recount(store)).toMatchObject({ ok: true, counted: 40_096 });
    expect(await verifyLog(store)).toMatchObject({ ok: true, erased: 4 });
    await log.close();
    await drop();
  });

  test("ids stay above all recorded ones when the wall clock has gone back between two starts", async () => {
    const { store, runtime, drop } = await open();
    const log = await DecisionLog.open(store);
    const before = Array.from({ length: 3 }, () => decisionRecord(runtime));
    for (const record of before) await log.append(record);
    await log.close();
    const later = simulatedRuntime(2, START_MS - 3_600_000);
    const again = await DecisionLog.open({ ...store, runtime: later });
    const after = Array.from({ length: 5000 }, () => later.ids.decision());
    const all = [...before.map(({ id }) => id), ...after];
    expect(all.toSorted()).toEqual(all);
    expect(new Set(all).size).toBe(all.length);
    await again.close();
    await drop();
  });

  test("an erased person is in no file any more", async () => {
    const { store, runtime, drop } = await open();
    const log = await DecisionLog.open(store);
    const subject = sha256Hex("canary");
    const payload = '{"inputs":{"name":"CANARY-PAYLOAD"}}';
    for (let i = 0; i < 5; i++) await log.append(decisionRecord(runtime, { subject, payload, cell: cell("sex=CANARY-CELL") }));
    const inFiles = () =>
      readdirSync(store.folder, { withFileTypes: true })
        .filter((entry) => entry.isFile())
        .flatMap(({ name }) => {
          const content = readFileSync(join(store.folder, name));
          return [subject, "CANARY-PAYLOAD"].filter((canary) => content.includes(canary)).map((canary) => `${name}: ${canary}`);
        });
    expect(inFiles()).not.toEqual([]);
    await store.transaction((tx) => eraseSubject(tx, subject));
    await sweepErased(store);
    expect(inFiles()).toEqual([]);
    await log.close();
    await drop();
  });

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

  test("on a full disk the reserve is lent to control only, and is whole again afterwards", async () => {
    const { store, runtime, drop } = await open();
    const log = await DecisionLog.open(store);
    await log.append(decisionRecord(runtime));
    const ballastMib = () => statSync(join(store.folder, "ballast")).size / 2 ** 20;
    const size = await sql<{ page_count: number }>`pragma page_count`.execute(store.db);
    await sql.raw(`pragma max_page_count = ${size.rows[0]?.page_count ?? 0}`).execute(store.db);
    let attempts = 0;
    let meanwhile: Promise<unknown> = Promise.resolve();
    await store.transaction(async (tx) => {
      if (++attempts === 2) {
        expect(ballastMib()).toBe(15);
        await sql`pragma max_page_count = 1000000`.execute(tx);
        meanwhile = log.append(decisionRecord(runtime)).catch((error: unknown) => error);
        while (log.metrics().queued > 0) await new Promise(setImmediate); // it waits for its turn
      }
      await tx
        .insertInto("setting")
        .values({ key: "large", value: "x".repeat(50_000) })
        .execute();
    });
    expect(attempts).toBe(2);
    expect(await meanwhile).toMatchObject({ trouble: "storage-full" });
    expect(ballastMib()).toBe(16);
    expect(await log.append(decisionRecord(runtime))).toEqual({ seq: 2 });
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
