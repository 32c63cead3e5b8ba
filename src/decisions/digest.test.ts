import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { NO_DIGEST, batchDigest, commitmentOf, decisionText, shadowText, type DecisionRow, type ShadowRow } from "./digest.ts";

const sha256 = (text: string) => createHash("sha256").update(text, "utf8").digest("hex");
const decision: DecisionRow = {
  seq: 1,
  id: "d1",
  endpoint: "loans",
  release: "rel:a",
  arm: "live",
  generation: 2,
  score: 0.1,
  action: "deny",
  favourable: 0,
  reasons_json: '["debt"]',
  answered_by: "live",
  because: null,
  decided_at_ms: 1000,
  latency_us: 5,
  source: "t1",
  idempotency_key: null,
  body_hash: null,
  counted: 1,
  commitment: "c",
};
const shadow: ShadowRow = {
  n: 0,
  decision: "d1",
  release: "rel:f",
  endpoint: "loans",
  source: "t1",
  live_release: "rel:a",
  live_action: "deny",
  score: null,
  action: "approve",
  favourable: 1,
  because: null,
  counted: 1,
  answered_at_ms: 1001,
  latency_us: 6,
};

// Logs that exist were written so: whoever changes one of these texts breaks their verification.
test("a decision's row, a shadow's row and the batch's digest are written as they always were", () => {
  expect(decisionText(decision)).toBe(
    '[1,"d1","loans","rel:a","live",2,0.1,"deny",0,"[\\"debt\\"]","live",null,1000,5,"t1",null,null,1,"c"]',
  );
  expect(shadowText(shadow)).toBe('[0,"d1","rel:f","loans","t1","rel:a","deny",null,"approve",1,null,1,1001,6]');
  const digest = batchDigest({ previousDigest: NO_DIGEST, batch: 1, writer: "w" }, [decisionText(decision), shadowText(shadow)]);
  expect(digest).toBe(sha256(`${"0".repeat(64)}\n[1,"w"]\n${decisionText(decision)}\n${shadowText(shadow)}`));
  expect(digest).toBe("a7e970c292df746dbf2f8a2ceb0aeeaff935c6901b3f7e216c1ec9cefee1b569");
});

test("the commitment covers salt, cell, subject and request, and each in its place", () => {
  expect(commitmentOf("5a", "sex=female", "s", "{}")).toBe(sha256("5a\0sex=female\0s\0{}"));
  const all = [
    commitmentOf("5a", "c", "s", "{}"),
    commitmentOf("5a", "c", null, "s{}"),
    commitmentOf("5a", "cs", null, "{}"),
    commitmentOf("5ac", "", "s", "{}"),
  ];
  expect(new Set(all).size).toBe(all.length);
});

test("any column that changes changes the digest", () => {
  const digestOf = (row: DecisionRow, other: ShadowRow) =>
    batchDigest({ previousDigest: NO_DIGEST, batch: 1, writer: "w" }, [decisionText(row), shadowText(other)]);
  const digests = new Set([digestOf(decision, shadow)]);
  for (const column of Object.keys(decision)) digests.add(digestOf({ ...decision, [column]: "other" }, shadow));
  for (const column of Object.keys(shadow)) digests.add(digestOf(decision, { ...shadow, [column]: "other" }));
  expect(digests.size).toBe(1 + Object.keys(decision).length + Object.keys(shadow).length);
});
