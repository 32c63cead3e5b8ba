import fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalJson } from "../store/index.ts";
import { ChainCheck, ERASED, GENESIS, chainHash, parseAuditHead, payloadHash, type AuditHead, type AuditRow } from "./audit-chain.ts";

const verify = (rows: readonly AuditRow[], head?: AuditHead) => {
  const check = new ChainCheck(head);
  for (const row of rows) check.add(row);
  return check.finish();
};
const namedIn = (rows: readonly AuditRow[], head?: AuditHead) => {
  const verdict = verify(rows, head);
  return verdict.ok ? [] : verdict.problems.map(({ seq, kind }) => `${kind} ${seq}`);
};

/** A log as it would be written, of one entry a note. */
function written(notes: readonly { readonly action: string; readonly object: string; readonly payload: string }[]): AuditRow[] {
  let previous = GENESIS;
  return notes.map(({ action, object, payload }, i) => {
    const seq = i + 1;
    const entryJson = canonicalJson({ action, actor: "ana", object, seq, time: "2026-01-02T03:04:05.000Z" });
    const salt = seq.toString(16).padStart(32, "0");
    const payloadJson = canonicalJson({ payload });
    const hashOfPayload = payloadHash(salt, payloadJson);
    previous = chainHash({ previous, entryJson, payloadHash: hashOfPayload });
    return { seq, entry_json: entryJson, salt, payload_json: payloadJson, payload_hash: hashOfPayload, hash: previous };
  });
}
const at = (rows: readonly AuditRow[], index: number): AuditRow => {
  const row = rows[index];
  if (!row) throw new Error(`no row ${index}`);
  return row;
};
const log = (entries: number) =>
  written(Array.from({ length: entries }, (_, i) => ({ action: "did", object: `thing/${i}`, payload: `p${i}` })));

test("the published vector: two entries give exactly these hashes", () => {
  const first = {
    entryJson: '{"action":"release.promote","actor":"ana","object":"loans@3","seq":1,"time":"2026-01-02T03:04:05.000Z"}',
    payloadHash: payloadHash("000102030405060708090a0b0c0d0e0f", '{"percent":100}'),
  };
  expect(first.payloadHash).toBe("069ec2ae1b0f92a3f89f93a4c8b490bfa3b4022417c527cac43e25c8715356be");
  const h1 = chainHash({ previous: GENESIS, ...first });
  expect(h1).toBe("b97b0c1949215843488a6f06ad24864efccd3551492a3c3057fbc30eb0108e99");
  const second = {
    entryJson: '{"action":"rollback","actor":"guardrail:education","object":"loans@2","seq":2,"time":"2026-01-02T03:05:05.000Z"}',
    payloadHash: payloadHash("101112131415161718191a1b1c1d1e1f", "{}"),
  };
  expect(chainHash({ previous: h1, ...second })).toBe("5416af99c5298662a0fb32230a47b877ff129275bef1b9ca5ceedc9089530212");
});

test("a log as written verifies, and so does an empty one", () => {
  expect(verify(log(9))).toMatchObject({ ok: true, entries: 9, head: { seq: 9 } });
  expect(verify([])).toEqual({ ok: true, entries: 0, erased: 0, head: null });
});

test("each kind of tampering is named, at the entry where it was done", () => {
  const rows = log(9);
  const [fourth, fifth, sixth] = [at(rows, 3), at(rows, 4), at(rows, 5)];
  expect(namedIn(rows.with(4, { ...fifth, entry_json: fifth.entry_json.replace("ana", "eve") }))).toEqual(["changed 5"]);
  expect(namedIn(rows.with(4, { ...fifth, payload_json: '{"payload":"q"}' }))).toEqual(["payload-changed 5"]);
  expect(namedIn(rows.with(4, { ...fifth, salt: null, payload_json: null }))).toEqual(["payload-gone 5"]);
  expect(namedIn(rows.toSpliced(4, 1))).toEqual(["missing 5"]);
  expect(namedIn(rows.toSpliced(4, 3))).toEqual(["missing 5"]);
  expect(namedIn(rows.toSpliced(4, 2, { ...sixth, seq: 5 }, { ...fifth, seq: 6 }))).toEqual(expect.arrayContaining(["moved 5", "moved 6"]));
  const inserted = [...rows.slice(0, 4), { ...fourth, seq: 5 }, ...rows.slice(4).map((row) => ({ ...row, seq: row.seq + 1 }))];
  expect(namedIn(inserted)).toEqual(expect.arrayContaining(["moved 5", "moved 6"]));
});

test("a cut tail and a rewritten log are found with a head that was kept elsewhere, and only with one", () => {
  const rows = log(9);
  const { seq, hash } = at(rows, 8);
  const rewritten = written(Array.from({ length: 12 }, () => ({ action: "did", object: "nothing", payload: "" })));
  expect(verify(rows.slice(0, 7)).ok).toBe(true);
  expect(namedIn(rows.slice(0, 7), { seq, hash })).toEqual(["cut 8"]);
  expect(verify(rewritten).ok).toBe(true);
  expect(namedIn(rewritten, { seq, hash })).toEqual(["other-history 9"]);
  expect(verify(rows, { seq, hash }).ok).toBe(true);
});

test("an erased payload leaves the chain valid where an entry says so", () => {
  const notes = [
    { action: "did", object: "thing/1", payload: "about a person" },
    { action: ERASED, object: "audit/1", payload: "asked for" },
  ];
  const rows = written(notes);
  expect(verify(rows.with(0, { ...at(rows, 0), salt: null, payload_json: null }))).toMatchObject({ ok: true, erased: 1 });
});

const tampering = fc.oneof(
  fc.record({
    kind: fc.constant("field" as const),
    where: fc.nat(),
    field: fc.constantFrom("entry_json", "salt", "payload_json", "payload_hash", "hash"),
    index: fc.nat(),
  }),
  fc.record({ kind: fc.constant("delete" as const), where: fc.nat() }),
  fc.record({ kind: fc.constant("swap" as const), where: fc.nat(), with: fc.nat() }),
  fc.record({ kind: fc.constant("insert" as const), where: fc.nat(), copyOf: fc.nat() }),
  fc.record({ kind: fc.constant("forge" as const), where: fc.nat() }),
);

test("whatever is done to any entry before the kept head, verifying finds it and names an entry at that place", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 30 }), tampering, (entries, done) => {
      const rows = log(entries);
      const kept = at(rows, entries - 1);
      const where = done.where % entries;
      const row = at(rows, where);
      const renumbered = (list: readonly AuditRow[]) => list.map((each, i) => ({ ...each, seq: i + 1 }));
      let broken: readonly AuditRow[];
      switch (done.kind) {
        case "field": {
          const text = row[done.field] ?? "";
          const index = done.index % text.length;
          const other = text[index] === "0" ? "1" : "0";
          broken = rows.with(where, { ...row, [done.field]: text.slice(0, index) + other + text.slice(index + 1) });
          break;
        }
        case "delete":
          broken = rows.toSpliced(where, 1);
          break;
        case "swap": {
          const second = done.with % entries;
          fc.pre(second !== where);
          broken = renumbered(rows.with(where, at(rows, second)).with(second, row));
          break;
        }
        case "insert":
          broken = renumbered(rows.toSpliced(where, 0, at(rows, done.copyOf % entries)));
          break;
        case "forge": {
          // Made with the formula, so that it follows from the entry before: the one after it no longer does.
          fc.pre(where < entries - 1);
          const previous = where > 0 ? at(rows, where - 1).hash : GENESIS;
          const entryJson = row.entry_json.replace("ana", "eve");
          broken = rows.with(where, {
            ...row,
            entry_json: entryJson,
            hash: chainHash({ previous, entryJson, payloadHash: row.payload_hash }),
          });
          break;
        }
      }
      const verdict = verify(broken, { seq: kept.seq, hash: kept.hash });
      expect(verdict.ok).toBe(false);
      if (verdict.ok) return;
      const places = done.kind === "swap" ? [where + 1, (done.with % entries) + 1] : [where + 1, where + 2];
      expect(verdict.problems.some(({ seq }) => places.includes(seq))).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test("a head is read as SEQ:HASH and in no other form", () => {
  const hash = "ab".repeat(32);
  expect(parseAuditHead(`17:${hash}`)).toEqual({ seq: 17, hash });
  for (const text of ["", "17", `0:${hash}`, `17:${hash}0`, `17:${hash.toUpperCase()}`, ` 17:${hash}`])
    expect(parseAuditHead(text)).toBeUndefined();
});
