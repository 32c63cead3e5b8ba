/** Counts by bin on every database: run by `bins.test.ts` and `bins.pg.test.ts`. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { LOANS, cell, decisionRecord, releaseId, shadowAnswer } from "../../test/decisions.ts";
import { START_MS, type FreshStore } from "../../test/sqlite.ts";
import type { SimulatedRuntime, Store } from "../store/index.ts";
import { hourOf } from "./bin-counts.ts";
import { DecisionLog } from "./decision-log.ts";
import type { DecisionRecord } from "./decision-record.ts";
import { eraseSubject } from "./erase.ts";
import { recordOutcomes } from "./outcomes.ts";
import { readInputWindow, readLatencyTotals, readLatencyWindow, readScoreOutcomes, readScoreTotals, readScoreWindow } from "./read-bins.ts";
import { recount } from "./recount.ts";

type Fresh = FreshStore & { readonly runtime: SimulatedRuntime };

/** What TypeScript would not let pass, and the database does not take. */
const outsideOfItsType = { action: null } as unknown as { action: string };

/** @param open - gives an empty store on the runtime */
export function describeBins(open: () => Promise<Fresh>): void {
  let fresh: Fresh;
  let store: Store;
  let runtime: SimulatedRuntime;
  let log: DecisionLog;
  const troubles: Error[] = [];
  beforeEach(async () => {
    fresh = await open();
    ({ store, runtime } = fresh);
    log = await DecisionLog.open(store, { onTrouble: (error) => void troubles.push(error) });
  });
  afterEach(async () => {
    await log.close();
    await fresh.drop();
    expect(troubles.splice(0)).toEqual([]);
  });
  const record = (changes: Partial<DecisionRecord> = {}) => decisionRecord(runtime, { inputBins: "!&", ...changes });
  const loans = { endpoint: LOANS };
  const counted = async () => {
    const sum = (rows: readonly { readonly count: number }[]) => rows.reduce((all, { count }) => all + count, 0);
    const hours = { fromHour: 0, toHour: 1e6 };
    return {
      latencies: sum(await readLatencyTotals(store.db, loans)),
      scores: sum(await readScoreTotals(store.db, loans)),
      inputs: sum(await readInputWindow(store.db, { ...loans, ...hours })),
    };
  };
  const sane = async () => expect(await recount(store)).toMatchObject({ ok: true, differences: [] });

  test("what is recorded is counted by bin within about two seconds, with the next commit or without one", async () => {
    await Promise.all([log.append(record()), log.append(decisionRecord(runtime, { score: null }))]);
    expect(await counted()).toEqual({ latencies: 0, scores: 0, inputs: 0 });
    await sane();
    await runtime.advance(2000);
    await expect.poll(counted).toEqual({ latencies: 2, scores: 1, inputs: 2 });
    await runtime.advance(2000);
    await Promise.all([log.append(record()), log.append(record())]);
    await sane();
    await log.flush();
    expect(await counted()).toEqual({ latencies: 4, scores: 3, inputs: 6 });
    await sane();
  });

  test("windows are those of the hours and days in which answers were given", async () => {
    await log.append(record({ score: 0.29, latencyUs: 2_000_000 }));
    await runtime.advance(25 * 3_600_000);
    await log.append(record({ score: 0.3, latencyUs: 1_000_000, arm: "canary" }));
    await log.flush();
    const hour = hourOf(START_MS);
    expect(await readLatencyWindow(store.db, { ...loans, fromHour: hour, toHour: hour + 1 })).toEqual([
      { release: releaseId("a"), arm: "live", bucket: 8, count: 1 },
    ]);
    expect(await readLatencyTotals(store.db, { ...loans, arm: "canary" })).toEqual([
      { release: releaseId("a"), arm: "canary", bucket: 0, count: 1 },
    ]);
    const day = Math.floor(hour / 24);
    const one = { release: releaseId("a"), cell: "education=high_school,sex=female", count: 1 };
    expect(await readScoreWindow(store.db, { ...loans, fromDay: day, toDay: day + 1 })).toEqual([
      { ...one, arm: "live", bin: 29, sumU6: 290_000 },
    ]);
    expect(await readScoreTotals(store.db, loans)).toEqual([
      { ...one, arm: "canary", bin: 30, sumU6: 300_000 },
      { ...one, arm: "live", bin: 29, sumU6: 290_000 },
    ]);
    await sane();
  });

  test("what a process hadn't counted when it died is counted by the next one, once", async () => {
    await log.append(record());
    await log.flush();
    await Promise.all([log.append(record()), log.append(record({ arm: "canary" }))]);
    await new Promise(setImmediate);
    await sane(); // up to the cursor
    // The first log is left as a killed process leaves it.
    const next = await DecisionLog.open(store);
    await next.append(record());
    await next.close();
    await sane();
    expect(await counted()).toEqual({ latencies: 4, scores: 4, inputs: 8 });
  });

  test("two logs of one process count everything, and nothing twice", async () => {
    if (store.kind !== "sqlite") return; // a writer of PostgreSQL has one log
    const other = await DecisionLog.open(store);
    for (let i = 0; i < 5; i++) {
      await Promise.all([log.append(record()), other.append(record())]);
      await (i % 2 ? log : other).flush();
      await sane();
    }
    await other.close();
    await log.flush();
    await sane();
    expect(await counted()).toEqual({ latencies: 10, scores: 10, inputs: 20 });
  });

  test("a batch that fails is counted neither before nor after", async () => {
    await log.append(record());
    await expect(log.append({ ...record(), ...outsideOfItsType })).rejects.toThrow(/action/);
    troubles.splice(0);
    await log.append(record());
    await log.flush();
    await sane();
    expect(await counted()).toEqual({ latencies: 2, scores: 2, inputs: 4 });
  });

  test("shadow answers are counted in their own arm, without inputs", async () => {
    const one = record();
    await log.append(one);
    log.appendShadow(shadowAnswer(runtime, one.id));
    await log.flush();
    await log.flush();
    expect(await readScoreTotals(store.db, { ...loans, arm: "shadow" })).toMatchObject([{ release: releaseId("f"), bin: 25, count: 1 }]);
    expect(await counted()).toEqual({ latencies: 2, scores: 2, inputs: 2 });
    await sane();
  });

  test("erasing somebody leaves every sum as it was, whether it was counted by then or not", async () => {
    const rows = [record({ subject: "ana", score: 0.1 }), record({ subject: "ben", cell: cell("education=graduate,sex=male") })];
    await Promise.all(rows.map((one) => log.append(one)));
    await log.flush();
    const uncounted = record({ subject: "ana", score: 0.9 });
    await log.append(uncounted);
    log.appendShadow(shadowAnswer(runtime, uncounted.id));
    await expect.poll(async () => (await store.db.selectFrom("shadow_answer").select("release").execute()).length).toBe(1);
    await store.transaction((tx) => eraseSubject(tx, "ana"));
    await sane();
    await log.append(record());
    await log.flush();
    await sane();
    expect(await counted()).toEqual({ latencies: 5, scores: 5, inputs: 8 });
    const bins = (await readScoreTotals(store.db, { ...loans, arm: "live" })).map(({ bin, count }) => [bin, count]);
    expect(bins).toEqual([
      [75, 1],
      [10, 1],
      [75, 1],
      [90, 1],
    ]);
    // Again: nothing is left to erase.
    await store.transaction((tx) => eraseSubject(tx, "ana"));
    await sane();
  });

  test("outcomes are counted by the score of their decision, and a correction moves one", async () => {
    const [a, b] = [record({ score: 0.8, subject: "ana" }), record({ score: 0.805 })];
    await Promise.all([log.append(a), log.append(b)]);
    const tell = (decision: DecisionRecord, good: boolean) =>
      recordOutcomes(store, [{ decision: decision.id, value: good ? "repaid" : "defaulted", good, atMs: START_MS }], {
        source: "t",
        endpoint: LOANS,
      });
    await tell(a, true);
    await tell(b, true);
    await tell(b, false);
    await sane();
    const seen = async () => (await readScoreOutcomes(store.db, loans)).filter(({ count }) => count !== 0);
    expect(await seen()).toMatchObject([
      { bin: 80, good: false, count: 1, sumU6: 805_000, sumsqU6: 648_025 },
      { bin: 80, good: true, count: 1, sumU6: 800_000, sumsqU6: 640_000 },
    ]);
    await store.transaction((tx) => eraseSubject(tx, "ana"));
    await sane();
    expect((await seen()).length).toBe(2);
  });
}
