/** What must hold on every database: run by `decision-log.test.ts` and `decision-log.pg.test.ts`. */
import fc from "fast-check";
import { sql } from "kysely";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { LOANS, cell, decisionRecord, releaseId, shadowAnswer } from "../../test/decisions.ts";
import { START_MS, type FreshStore } from "../../test/sqlite.ts";
import type { DecisionId } from "../std.ts";
import type { SimulatedRuntime, Store } from "../store/index.ts";
import { DecisionLog } from "./decision-log.ts";
import type { AppendOutcome, DecisionRecord } from "./decision-record.ts";
import { eraseSubject, sweepErased } from "./erase.ts";
import { readOutcomes, recordOutcomes } from "./outcomes.ts";
import { readDays, readMadeBy } from "./read-days.ts";
import { readDecision, readDecisions, readLogEnd, readShadowAnswers, recentForReplay } from "./read-decisions.ts";
import { readFlips, readMinutes, readOutcomeTotals, readTotals, readTotalsBySource } from "./read-tallies.ts";
import { recount } from "./recount.ts";
import { REPEAT_WITHIN_MS, minuteOf } from "./tally.ts";
import { verifyLog } from "./verify-log.ts";

type Fresh = FreshStore & { readonly runtime: SimulatedRuntime };

/** What TypeScript would not let pass, and the database does not take. */
const outsideOfItsType = { action: null } as unknown as { action: string };

/** @param open - gives an empty store on the runtime */
export function describeDecisionLog(open: () => Promise<Fresh>): void {
  let fresh: Fresh;
  let store: Store;
  let runtime: SimulatedRuntime;
  let log: DecisionLog;
  const troubles: Error[] = [];
  const onTrouble = (error: Error) => void troubles.push(error);
  beforeEach(async () => {
    fresh = await open();
    ({ store, runtime } = fresh);
    log = await DecisionLog.open(store, { onTrouble });
  });
  afterEach(async () => {
    await log.close();
    await fresh.drop();
    expect(troubles.splice(0)).toEqual([]);
  });

  const record = (changes: Partial<DecisionRecord> = {}) => decisionRecord(runtime, changes);
  const sane = async () => {
    expect(await recount(store)).toMatchObject({ ok: true, differences: [] });
    expect(await verifyLog(store)).toMatchObject({ ok: true, problems: [] });
  };
  const counts = async () => {
    const rows = await readTotals(store.db, { endpoint: LOANS });
    return { decisions: rows.reduce((sum, row) => sum + row.decisions, 0), counted: rows.reduce((sum, row) => sum + row.counted, 0) };
  };

  describe("recording", () => {
    test("what is acknowledged is in the log, in the order of asking, as it was given", async () => {
      const records = Array.from({ length: 50 }, (_, i) => record({ payload: `{"i":${i}}`, score: i / 50, subject: `s${i}` }));
      const outcomes = await Promise.all(records.map((one) => log.append(one)));
      expect(outcomes).toEqual(records.map((_, i) => ({ seq: i + 1 })));
      const { decisions } = await readDecisions(store.db, { endpoint: LOANS }, { first: "oldest", limit: 100 });
      const given = decisions.map(({ seq: _seq, counted: _counted, ...one }, i) => ({ ...records[i], ...one }));
      expect(given).toEqual(records);
      expect(decisions.map(({ seq, counted }) => [seq, counted])).toEqual(records.map((_record, i) => [i + 1, true]));
      await sane();
    });

    test("decisions that are asked for at once share transactions", async () => {
      await Promise.all(Array.from({ length: 500 }, () => log.append(record())));
      expect(log.metrics().committed).toBe(500);
      expect(log.metrics().batches).toBeLessThan(10);
    });

    test("a batch is no bigger than it may be", async () => {
      const small = await DecisionLog.open(store, { maxBatch: 10 });
      await Promise.all(Array.from({ length: 95 }, () => small.append(record())));
      expect(small.metrics().batches).toBe(10);
      await sane();
    });

    test("when too many wait, the next is refused at once and nothing of it is recorded", async () => {
      const narrow = await DecisionLog.open(store, { maxQueued: 3 });
      const asked = Array.from({ length: 5 }, () => narrow.append(record()));
      const settled = await Promise.allSettled(asked);
      expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "fulfilled", "rejected", "rejected"]);
      await expect(asked[4]).rejects.toMatchObject({ name: "LogOverloaded", queued: 3 });
      expect((await counts()).decisions).toBe(3);
      expect(narrow.metrics().overloaded).toBe(2);
    });

    test("what waited too long is refused instead of recorded late", async () => {
      const hasty = await DecisionLog.open(store, { maxWaitMs: 100, maxBatch: 1 });
      const first = hasty.append(record());
      const late = hasty.append(record());
      await new Promise(setImmediate); // the first is on its way, the second waits
      await runtime.advance(101);
      expect(await first).toEqual({ seq: 1 });
      await expect(late).rejects.toMatchObject({ name: "LogOverloaded" });
      expect((await counts()).decisions).toBe(1);
    });

    test("one record that the database can't take fails alone", async () => {
      const nameless = { ...record(), ...outsideOfItsType };
      const settled = await Promise.allSettled([record(), record(), nameless, record(), record()].map((one) => log.append(one)));
      expect(settled.map((one) => (one.status === "fulfilled" ? one.value : one.status))).toEqual([
        { seq: expect.any(Number) },
        { seq: expect.any(Number) },
        "rejected",
        { seq: expect.any(Number) },
        { seq: expect.any(Number) },
      ]);
      // SQLite's numbers have no gaps; PostgreSQL's may.
      if (store.kind === "sqlite") expect(await readLogEnd(store.db)).toMatchObject({ seq: 4 });
      expect(troubles.splice(0).length).toBe(1);
      await sane();
    });

    test("a score that isn't a number is a fault of the program", () => {
      expect(() => log.append(record({ score: Number.NaN }))).toThrow("finite");
    });

    test("closing records what waits, and takes no more", async () => {
      const waiting = log.append(record());
      await log.close();
      expect(await waiting).toEqual({ seq: 1 });
      await expect(log.append(record())).rejects.toMatchObject({ trouble: "storage-unavailable" });
    });

    test("a log that is opened again goes on where it ended", async () => {
      await log.append(record());
      await log.close();
      log = await DecisionLog.open(store, { onTrouble });
      expect(await log.append(record())).toEqual({ seq: 2 });
      await sane();
    });

    test("acknowledged from memory: at once and without a number; a key is waited for", async () => {
      const quick = await DecisionLog.open(store, { ack: "memory" });
      expect(await quick.append(record())).toEqual({ seq: null });
      expect(await quick.append(record({ idempotencyKey: "k", bodyHash: "h" }))).toEqual({ seq: 2 });
      await quick.flush();
      expect(await counts()).toEqual({ decisions: 2, counted: 2 });
    });

    test("off records nothing", async () => {
      const off = await DecisionLog.open(store, { ack: "off" });
      expect(await off.append(record())).toEqual({ seq: null });
      await off.flush();
      expect(await readLogEnd(store.db)).toBeUndefined();
    });
  });

  describe("the same request again", () => {
    const keyed = (changes: Partial<DecisionRecord> = {}) => record({ idempotencyKey: "k-1", bodyHash: "h-1", ...changes });

    test("a decision sent twice with one key counts once and gets the first reply", async () => {
      const first = keyed({ reasons: ["a", "b"] });
      expect(await log.append(first)).toEqual({ seq: 1 });
      const again = await log.append(keyed({ score: 0.1, action: "deny", favourable: false }));
      const { id, release, arm, generation, score, action, favourable, reasons, answeredBy, because, decidedAtMs } = first;
      const reply = { seq: 1, id, release, arm, generation, score, action, favourable, reasons, answeredBy, because, decidedAtMs };
      expect(again).toEqual({ replayed: reply });
      expect(await counts()).toEqual({ decisions: 1, counted: 1 });
      await sane();
    });

    test("sent at once fifty times, one is recorded and all get its reply", async () => {
      const outcomes = await Promise.all(Array.from({ length: 50 }, () => log.append(keyed())));
      expect(outcomes[0]).toEqual({ seq: 1 });
      expect(new Set(outcomes.slice(1).map((outcome) => ("replayed" in outcome ? outcome.replayed.seq : undefined)))).toEqual(new Set([1]));
      expect(await counts()).toEqual({ decisions: 1, counted: 1 });
    });

    test("one key with another body is a conflict, in one batch and later", async () => {
      const [first, other] = await Promise.all([log.append(keyed()), log.append(keyed({ bodyHash: "h-2" }))]);
      expect([first, other]).toEqual([{ seq: 1 }, { conflict: "other-body" }]);
      expect(await log.append(keyed({ bodyHash: "h-3" }))).toEqual({ conflict: "other-body" });
    });

    test("keys belong to one endpoint and one source", async () => {
      const outcomes = await Promise.all(
        [keyed(), keyed({ source: "token-2" }), keyed({ endpoint: "cards" as typeof LOANS })].map((one) => log.append(one)),
      );
      expect(outcomes).toEqual([{ seq: 1 }, { seq: 2 }, { seq: 3 }]);
    });

    test("one id twice is one decision, in one batch and later", async () => {
      const one = record();
      const [first, second] = await Promise.all([log.append(one), log.append(one)]);
      await log.append(record());
      const third = await log.append(one);
      expect(first).toEqual({ seq: 1 });
      expect(second).toMatchObject({ replayed: { seq: 1, id: one.id } });
      expect(third).toMatchObject({ replayed: { seq: 1, id: one.id } });
      expect((await counts()).decisions).toBe(2);
      await sane();
    });
  });

  describe("one person, one piece of evidence", () => {
    test("a person's second answer by a release within a day is a repeat, the first one after it counts", async () => {
      const ask = () => log.append(record({ subject: "ana" }));
      await ask();
      await runtime.advance(REPEAT_WITHIN_MS - 1);
      await ask();
      expect(await counts()).toEqual({ decisions: 2, counted: 1 });
      await runtime.advance(1);
      await ask();
      expect(await counts()).toEqual({ decisions: 3, counted: 2 });
      await sane();
    });

    test("twice in one batch counts once; each release counts for itself; nobody's name counts always", async () => {
      const people = [
        record({ subject: "ana" }),
        record({ subject: "ana" }),
        record({ subject: "ana", release: releaseId("b") }),
        record(),
        record(),
      ];
      await Promise.all(people.map((one) => log.append(one)));
      expect(await counts()).toEqual({ decisions: 5, counted: 4 });
      await sane();
    });

    test("a repeat doesn't move the day: what counts is the time since the last answer that counted", async () => {
      const hourMs = 3_600_000;
      const at = (hours: number) => record({ subject: "ana", decidedAtMs: START_MS + hours * hourMs });
      await log.append(at(0));
      await log.close();
      log = await DecisionLog.open(store, { onTrouble });
      await log.append(at(23));
      await Promise.all([log.append(at(23.5)), log.append(at(24)), log.append(at(47.9)), log.append(at(48))]);
      const { decisions } = await readDecisions(store.db, { endpoint: LOANS }, { first: "oldest", limit: 10 });
      expect(decisions.map(({ counted }) => counted)).toEqual([true, false, false, true, false, true]);
      await sane();
    });

    test("the rule survives a restart and a clock that went back", async () => {
      await log.append(record({ subject: "ana" }));
      await log.close();
      log = await DecisionLog.open(store, { onTrouble });
      await log.append(record({ subject: "ana", decidedAtMs: runtime.clock.nowMs() - 3_600_000 }));
      expect(await counts()).toEqual({ decisions: 2, counted: 1 });
    });
  });

  describe("shadows", () => {
    const decided = async (changes: Partial<DecisionRecord> = {}): Promise<DecisionId> => {
      const one = record(changes);
      await log.append(one);
      return one.id;
    };
    const flips = () => readFlips(store.db, { endpoint: LOANS });

    test("a shadow's answer is paired with what the person got", async () => {
      const id = await decided({ subject: "ana" });
      log.appendShadow(shadowAnswer(runtime, id));
      await log.flush();
      const pair = { liveRelease: releaseId("a"), shadowRelease: releaseId("f"), liveAction: "approve", shadowAction: "deny", counted: 1 };
      expect(await flips()).toEqual([{ ...pair, cell: "education=high_school,sex=female" }]);
      expect(await readShadowAnswers(store.db, id)).toMatchObject([{ release: releaseId("f"), action: "deny", counted: true }]);
      expect(await readTotals(store.db, { endpoint: LOANS, arm: "shadow" })).toMatchObject([
        { release: releaseId("f"), decisions: 1, counted: 1 },
      ]);
      await sane();
    });

    test("an answer to a decision that isn't in the log, or a second one, is left out", async () => {
      const id = await decided();
      log.appendShadow(shadowAnswer(runtime, runtime.ids.decision()));
      log.appendShadow(shadowAnswer(runtime, id));
      log.appendShadow(shadowAnswer(runtime, id, { action: "approve" }));
      await log.flush();
      log.appendShadow(shadowAnswer(runtime, id, { action: "approve" }));
      await log.flush();
      expect(log.metrics().shadowsDropped).toBe(3);
      expect((await flips()).map(({ shadowAction, counted }) => [shadowAction, counted])).toEqual([["deny", 1]]);
      await sane();
    });

    test("a person counts once a day for a shadow too, and a shadow's own failure never counts", async () => {
      for (const because of [null, "timeout", null]) {
        const id = await decided({ subject: "ana" });
        log.appendShadow(shadowAnswer(runtime, id, { because }));
      }
      await log.flush();
      expect(await readTotals(store.db, { endpoint: LOANS, arm: "shadow" })).toMatchObject([{ decisions: 3, counted: 1, fallback: 1 }]);
      expect((await flips()).reduce((sum, { counted }) => sum + counted, 0)).toBe(1);
      await sane();
    });
  });

  describe("reading back", () => {
    test("pages come newest first, end, and hold what the filter asks for", async () => {
      for (let i = 0; i < 25; i++) await log.append(record({ action: i % 2 ? "approve" : "deny", decidedAtMs: i }));
      const seen: number[] = [];
      let after: number | undefined;
      for (let pages = 0; pages < 10; pages++) {
        const page = await readDecisions(
          store.db,
          { endpoint: LOANS, action: "approve" },
          { limit: 5, ...(after === undefined ? {} : { after }) },
        );
        seen.push(...page.decisions.map(({ seq }) => seq));
        if (page.next === null) break;
        after = page.next;
      }
      expect(seen).toEqual([24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2]);
      const early = await readDecisions(store.db, { endpoint: LOANS, fromMs: 3, toMs: 5 }, { limit: 5, first: "oldest" });
      expect(early.decisions.map(({ seq }) => seq)).toEqual([4, 5]);
      expect(await readLogEnd(store.db)).toEqual({ seq: 25, decidedAtMs: 24 });
    });

    test("one decision is found by its id, all of a person's by the subject", async () => {
      const mine = record({ subject: "ana" });
      await Promise.all([record({ subject: "ben" }), mine, record()].map((one) => log.append(one)));
      expect(await readDecision(store.db, mine.id)).toMatchObject({ seq: 2, subject: "ana", payload: mine.payload });
      expect(await readDecision(store.db, "none" as DecisionId)).toBeUndefined();
      const { decisions } = await readDecisions(store.db, { endpoint: LOANS, subject: "ana" }, { limit: 5 });
      expect(decisions.map(({ id }) => id)).toEqual([mine.id]);
      expect(await readDecisions(store.db, { endpoint: LOANS, cells: [] }, { limit: 5 })).toEqual({ decisions: [], next: null });
    });

    test("the newest requests come back as text for replay", async () => {
      for (let i = 0; i < 5; i++) await log.append(record({ payload: `{"n": ${i}.0}`, release: releaseId(i % 2 ? "a" : "b") }));
      const recent = await recentForReplay(store.db, LOANS, { release: releaseId("b"), limit: 2 });
      expect(recent.map(({ payload }) => payload)).toEqual(['{"n": 4.0}', '{"n": 2.0}']);
    });

    test("minutes add up to totals; sources are told apart on demand", async () => {
      const startMinute = minuteOf(runtime.clock.nowMs());
      for (let i = 0; i < 10; i++) {
        await log.append(record({ source: `token-${i % 2}`, score: 0.1, answeredBy: i === 0 ? "fallback" : "live" }));
        await runtime.advance(60_000);
      }
      const expected = { decisions: 10, counted: 10, fallback: 1, scored: 10, scoreSumU6: 1_000_000, latencySumUs: 12_000 };
      expect(await readTotals(store.db, { endpoint: LOANS, release: releaseId("a"), arm: "live" })).toMatchObject([expected]);
      const bySource = await readTotalsBySource(store.db, { endpoint: LOANS });
      expect(bySource.map(({ source, decisions }) => [source, decisions])).toEqual([
        ["token-0", 5],
        ["token-1", 5],
      ]);
      const minutes = await readMinutes(store.db, { endpoint: LOANS, fromMinute: startMinute + 2, toMinute: startMinute + 5 });
      expect(minutes.map(({ minute, decisions }) => [minute - startMinute, decisions])).toEqual([
        [2, 1],
        [3, 1],
        [4, 1],
      ]);
    });
  });

  const teller = { source: "t", endpoint: LOANS };

  test("days count a release's answers, also those that come late, and lead to them", async () => {
    const dayMs = 24 * 60 * 60 * 1000;
    const [today, release] = [Math.floor(runtime.clock.nowMs() / dayMs), releaseId("a")];
    const made = (days: number, changes: Partial<DecisionRecord> = {}) =>
      record({ release, decidedAtMs: runtime.clock.nowMs() + days * dayMs, ...changes });
    const [first, second] = [made(0), made(0, { arm: "fallback" })];
    await log.append(first);
    await log.append(second);
    const later = [made(1), made(1, { arm: "pinned" })];
    for (const one of later) await log.append(one);
    // A gateway was without its database for a while.
    const late = made(0);
    await log.append(late);
    const days = await readDays(store.db, [release, releaseId("b")]);
    expect(days.map(({ day, arm, decisions }) => `day ${day - today}: ${decisions} ${arm}`).toSorted()).toEqual([
      "day 0: 1 fallback",
      "day 0: 2 live",
      "day 1: 1 live",
      "day 1: 1 pinned",
    ]);
    const idsOf = async (page: { day?: number; after?: number; limit?: number }) =>
      (await readMadeBy(store.db, { endpoint: LOANS, id: release }, { limit: 10, ...page })).map(({ id }) => id);
    expect(await idsOf({})).toEqual([first.id, second.id, later[0]?.id, late.id]);
    expect(await idsOf({ day: today })).toEqual([first.id, second.id, late.id]);
    expect(await idsOf({ day: today, after: 1, limit: 1 })).toEqual([second.id]);
    expect(await idsOf({ day: today + 2 })).toEqual([]);
    await sane();
  });

  describe("outcomes", () => {
    const outcome = (decision: DecisionId, good: boolean, value = good ? "repaid" : "defaulted") => ({ decision, good, value, atMs: 5 });

    test("the first one counts, later ones are corrections beside it, the same again changes nothing", async () => {
      const [a, b] = [record(), record({ action: "deny" })];
      await Promise.all([log.append(a), log.append(b)]);
      const unknown = runtime.ids.decision();
      const first = await recordOutcomes(
        store,
        [outcome(a.id, true), outcome(b.id, false), outcome(unknown, true), outcome(a.id, true)],
        teller,
      );
      expect(first).toEqual({ recorded: 2, corrected: 0, unchanged: 1, unknown: [unknown] });
      expect(await recordOutcomes(store, [outcome(a.id, false), outcome(b.id, false)], teller)).toMatchObject({
        corrected: 1,
        unchanged: 1,
      });
      const totals = await readOutcomeTotals(store.db, { endpoint: LOANS });
      expect(totals.map(({ action, good, count, corrections }) => [action, good, count, corrections])).toEqual([
        ["approve", false, 0, 1],
        ["approve", true, 1, -1],
        ["deny", false, 1, 0],
      ]);
      expect((await readOutcomes(store.db, a.id)).map(({ value }) => value)).toEqual(["repaid", "defaulted"]);
      await sane();
    });

    test("another endpoint's decision is as unknown as one that isn't there, and keeps what is known of it", async () => {
      const theirs = record({ endpoint: "cards" as typeof LOANS });
      await log.append(theirs);
      expect(await recordOutcomes(store, [outcome(theirs.id, true)], teller)).toMatchObject({ recorded: 0, unknown: [theirs.id] });
      expect(await readOutcomes(store.db, theirs.id)).toEqual([]);
      await sane();
    });

    test("many at once, and the same at once from two callers, count each decision once", async () => {
      const records = Array.from({ length: 1200 }, () => record());
      await Promise.all(records.map((one) => log.append(one)));
      const outcomes = records.map(({ id }) => outcome(id, true));
      const both = await Promise.all([recordOutcomes(store, outcomes, teller), recordOutcomes(store, outcomes.toReversed(), teller)]);
      expect(both.map(({ recorded, unchanged }) => recorded + unchanged)).toEqual([1200, 1200]);
      expect(await readOutcomeTotals(store.db, { endpoint: LOANS })).toMatchObject([{ count: 1200, corrections: 0 }]);
      await sane();
    });
  });

  describe("erasing a person", () => {
    test("requests, groups and hash go; counts, digests and everybody else stay", async () => {
      const records = [record({ subject: "ana", payload: '{"secret":"CANARY"}' }), record({ subject: "ben" }), record({ subject: "ana" })];
      await Promise.all(records.map((one) => log.append(one)));
      const [mine] = records;
      if (!mine) throw new Error("no record");
      log.appendShadow(shadowAnswer(runtime, mine.id));
      await log.flush();
      await recordOutcomes(store, [{ decision: mine.id, value: "x", good: true, atMs: 1 }], teller);
      await recordOutcomes(store, [{ decision: mine.id, value: "y", good: false, atMs: 2 }], teller);
      const before = [await readTotals(store.db, { endpoint: LOANS }), await readFlips(store.db, { endpoint: LOANS })];
      const outcomesBefore = (await readOutcomeTotals(store.db, { endpoint: LOANS })).map(({ count, corrections }) => [count, corrections]);

      expect(await store.transaction((tx) => eraseSubject(tx, "ana"))).toBe(2);
      await sweepErased(store);

      expect(await readDecision(store.db, mine.id)).toMatchObject({ subject: null, payload: null, cell: "erased", action: "approve" });
      expect([await readTotals(store.db, { endpoint: LOANS }), await readFlips(store.db, { endpoint: LOANS })]).toEqual(before);
      expect((await readOutcomeTotals(store.db, { endpoint: LOANS })).map(({ count, corrections }) => [count, corrections])).toEqual(
        outcomesBefore,
      );
      expect(await verifyLog(store)).toMatchObject({ ok: true, erased: 2, decisions: 3 });
      expect(await recount(store)).toMatchObject({ ok: true, differences: [] });
      expect((await recentForReplay(store.db, LOANS, { limit: 10 })).map(({ subject }) => subject)).toEqual(["ben"]);
      expect(await store.transaction((tx) => eraseSubject(tx, "ana"))).toBe(0);
      log.appendShadow(shadowAnswer(runtime, mine.id, { release: releaseId("e") }));
      expect(await recordOutcomes(store, [{ decision: mine.id, value: "z", good: true, atMs: 3 }], teller)).toMatchObject({
        unknown: [mine.id],
      });
      await log.flush();
      await sane();
    });
  });

  describe("verification finds", () => {
    beforeEach(async () => {
      for (let i = 0; i < 4; i++) await Promise.all([record({ subject: `s${i}` }), record()].map((one) => log.append(one)));
    });
    const kinds = async () => (await verifyLog(store)).problems.map(({ kind, batch }) => [kind, batch]);

    test("a changed answer", async () => {
      await store.db.updateTable("decision").set({ action: "deny" }).where("seq", "=", 3).execute();
      expect(await kinds()).toEqual([["batch-changed", 2]]);
      expect(await recount(store)).toMatchObject({ ok: false });
    });
    test("a changed request, group or person", async () => {
      await store.db.updateTable("decision_payload").set({ payload: "{}" }).where("seq", "=", 1).execute();
      await store.db
        .updateTable("decision")
        .set({ cell: cell("education=other,sex=male") })
        .where("seq", "=", 3)
        .execute();
      await store.db.updateTable("decision_payload").set({ subject: "eve" }).where("seq", "=", 5).execute();
      expect((await verifyLog(store)).problems.map(({ kind, seq }) => [kind, seq])).toEqual([
        ["personal-parts-changed", 1],
        ["personal-parts-changed", 3],
        ["personal-parts-changed", 5],
      ]);
    });
    test("a request that went without the person being erased", async () => {
      await store.db.deleteFrom("decision_payload").where("seq", "=", 2).execute();
      expect(await kinds()).toEqual([["personal-parts-changed", 1]]);
    });
    test("a missing decision, and one that was slipped in", async () => {
      const slipped = await store.db.selectFrom("decision").selectAll().where("seq", "=", 2).executeTakeFirstOrThrow();
      await store.db.deleteFrom("decision").where("seq", "=", 2).execute();
      expect(await kinds()).toContainEqual(["rows-missing", 1]);
      const { seq: _, ...row } = slipped;
      await store.db.insertInto("decision").values(row).execute();
      expect(await kinds()).toContainEqual(["rows-missing", 1]);
    });
    test("a missing batch", async () => {
      await store.db.deleteFrom("decision_batch").where("batch", "=", 2).execute();
      await store.db.deleteFrom("decision").where("batch", "=", 2).execute();
      expect(await kinds()).toContainEqual(["batch-missing", 3]);
    });
    test("an end that was cut off, when a head was kept", async () => {
      const { head } = await verifyLog(store);
      if (!head) throw new Error("no head");
      expect(await verifyLog(store, head)).toMatchObject({ ok: true });
      await store.db.deleteFrom("decision").where("batch", "=", head.batch).execute();
      await store.db.deleteFrom("decision_batch").where("batch", "=", head.batch).execute();
      expect(await verifyLog(store)).toMatchObject({ ok: true });
      expect((await verifyLog(store, head)).problems.map(({ kind }) => kind)).toEqual(["head-differs"]);
    });
    test("a tally that isn't what the log adds up to", async () => {
      await sql`update tally set counted = counted + 1 where decisions = (select max(decisions) from tally)`.execute(store.db);
      const { ok, differences } = await recount(store);
      expect(ok).toBe(false);
      expect(new Set(differences.map(({ table }) => table))).toEqual(new Set(["tally", "tally_total"]));
      expect(differences[0]?.message).toContain("the log has");
    });

    test("a day that isn't what its minutes add up to", async () => {
      await sql`update tally_day set decisions = decisions - 1`.execute(store.db);
      const { ok, differences } = await recount(store);
      expect([ok, new Set(differences.map(({ table }) => table))]).toEqual([false, new Set(["tally_day"])]);
    });
  });

  test("whatever is sent, in whatever order and however often, tallies equal a recount and each request is recorded once", async () => {
    const step = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          kind: fc.constant("append" as const),
          who: fc.nat(3),
          key: fc.option(fc.nat(4)),
          body: fc.nat(1),
          what: fc.nat(5),
        }),
      },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant("again" as const), which: fc.nat(30) }) },
      {
        weight: 2,
        arbitrary: fc.record({ kind: fc.constant("shadow" as const), which: fc.nat(30), release: fc.nat(1), because: fc.boolean() }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("wait" as const), hours: fc.integer({ min: 0, max: 15 }) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("settle" as const) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const) }) },
    );
    const actions = ["approve", "deny", "refer"];
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
        const name = `e-${runtime.ids.next()}` as typeof LOANS;
        const sent: DecisionRecord[] = [];
        const under = new Map<DecisionId | string, DecisionRecord>();
        const waiting: Promise<AppendOutcome>[] = [];
        const send = (one: DecisionRecord) => {
          sent.push(one);
          waiting.push(log.append(one));
          const key = one.idempotencyKey === null ? one.id : `key ${one.idempotencyKey}`;
          if (!under.has(key)) under.set(key, one);
        };
        for (const each of steps) {
          if (each.kind === "append") {
            const { who, key, body, what } = each;
            send(
              record({
                endpoint: name,
                release: releaseId(what % 2 ? "a" : "b"),
                arm: what % 3 ? "live" : "canary",
                cell: cell(`sex=${what % 2 ? "female" : "male"}`),
                subject: who === 0 ? null : `${name}-s${who}`,
                action: actions[what % 3] ?? "refer",
                score: what / 7,
                idempotencyKey: key === null ? null : `k${key}`,
                bodyHash: key === null ? null : `h${body}`,
              }),
            );
          } else if (each.kind === "again") {
            const one = sent[each.which % Math.max(1, sent.length)];
            if (one) send(one);
          } else if (each.kind === "shadow") {
            const one = sent[each.which % Math.max(1, sent.length)];
            const changes = { release: releaseId(each.release ? "e" : "f"), because: each.because ? "timeout" : null };
            if (one) log.appendShadow(shadowAnswer(runtime, one.id, changes));
          } else {
            await Promise.all(waiting);
            if (each.kind === "wait") await runtime.advance(each.hours * 3_600_000);
            if (each.kind === "restart") {
              await log.close();
              log = await DecisionLog.open(store, { onTrouble });
            }
          }
        }
        const outcomes = await Promise.all(waiting);
        await log.flush();
        expect(outcomes.filter((outcome) => "seq" in outcome).length).toBe(under.size);
        const { decisions } = await readDecisions(store.db, { endpoint: name }, { first: "oldest", limit: 1000 });
        expect(decisions.map(({ id }) => id)).toEqual([...under.values()].map(({ id }) => id));
        expect(await recount(store, name)).toMatchObject({ ok: true, differences: [] });
        // The day's rule, said a second time and slowly.
        const counted = new Map<string, number[]>();
        for (const one of decisions) {
          const key = `${one.release} ${one.subject}`;
          const times = counted.get(key) ?? [];
          const isFirst = one.subject === null || times.every((atMs) => Math.abs(one.decidedAtMs - atMs) >= REPEAT_WITHIN_MS);
          expect(one.counted).toBe(isFirst);
          if (isFirst) counted.set(key, [...times, one.decidedAtMs]);
        }
      }),
      { numRuns: 40 },
    );
    expect(await verifyLog(store)).toMatchObject({ ok: true, problems: [] });
  });
}
