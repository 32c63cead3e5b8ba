import Database from "better-sqlite3";
import fc from "fast-check";
import { expect, test } from "vitest";
import { SubjectIndex } from "./subject-index.ts";

const limits = { flushAt: 5, maxBehind: 40 };
const subjects = ["0a", "0b", "1a", "7f", "f0", "f1", "not hex"];

test("every decision about somebody is found, in the table or waiting, however often rows are flushed, rolled back or found again", () => {
  const step = fc.oneof(
    { weight: 8, arbitrary: fc.record({ kind: fc.constant("add" as const), who: fc.option(fc.nat(subjects.length - 1)) }) },
    { weight: 3, arbitrary: fc.constant({ kind: "flush" as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: "roll back" as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: "restart" as const }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const db = new Database(":memory:");
      db.exec(`create table setting (key text primary key, value text); insert into setting values ('subject_indexed_up_to', '0');
        create table decision_payload (seq integer primary key, subject text);
        create table subject_index (subject text, seq integer, primary key (subject, seq)) without rowid`);
      let index = new SubjectIndex(db, limits);
      let seq = 0;
      const expected = new Map<string, number[]>(subjects.map((subject) => [subject, []]));
      for (const each of steps) {
        if (each.kind === "add") {
          const subject = each.who === null ? null : (subjects[each.who] ?? null);
          db.prepare("insert into decision_payload values (?, ?)").run(++seq, subject);
          if (subject === null) continue;
          index.add(subject, seq);
          expected.get(subject)?.push(seq);
        } else if (each.kind === "flush") db.transaction(() => index.flushWhenDue(seq))();
        else if (each.kind === "restart") index = new SubjectIndex(db, limits);
        else {
          db.exec("begin");
          index.flushWhenDue(seq);
          index.add("0a", seq + 1);
          db.exec("rollback");
          index.reload();
        }
        const upTo = Number(db.prepare("select value from setting").pluck().get());
        for (const [subject, seqs] of expected) {
          const inTable = db.prepare<[string], number>("select seq from subject_index where subject = ?").pluck().all(subject);
          expect([...new Set([...inTable, ...index.waiting(subject)])].toSorted((a, b) => a - b)).toEqual(seqs);
          expect(index.isInTable(subject)).toBe(inTable.length > 0);
          // What readers find who can't see what waits: the table, and the log beyond what it covers.
          const beyond = seqs.filter((one) => one > upTo);
          expect([...new Set([...inTable, ...beyond])].toSorted((a, b) => a - b)).toEqual(seqs);
        }
      }
      db.close();
    }),
    { numRuns: 200 },
  );
});

test("a rare first digit doesn't keep the others' rows unindexed for long", () => {
  const db = new Database(":memory:");
  db.exec(`create table setting (key text primary key, value text); insert into setting values ('subject_indexed_up_to', '0');
    create table decision_payload (seq integer primary key, subject text);
    create table subject_index (subject text, seq integer, primary key (subject, seq)) without rowid`);
  const index = new SubjectIndex(db, limits);
  for (let seq = 1; seq <= 1000; seq++) {
    index.add(seq === 1 ? "f0" : `0${seq}`, seq);
    index.flushWhenDue(seq);
    const upTo = Number(db.prepare("select value from setting").pluck().get());
    expect(seq - upTo).toBeLessThanOrEqual(limits.maxBehind + 1);
  }
  db.close();
});
