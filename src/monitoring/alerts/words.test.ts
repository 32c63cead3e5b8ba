import { expect, test } from "vitest";
import { BLIND, FACTS, OPENED_MS, entry, notice } from "../../../test/fixtures/notices.ts";
import { documentOf, headline, textOf } from "./words.ts";

const SEEING = { seesGroups: true, publicUrl: null };

test("a message says what happened, what was done and how fast, the evidence, whom it is about, and where to look", () => {
  expect(textOf(notice(), BLIND)).toBe(
    `r2 turned down applicants of one group.
Rolled back to r1 by itself, 12 ms after the proof.
Adverse impact ratio 0.612, limit 0.8; evidence 1,240 to 1, needed 1,200 to 1, after 1,412 decisions.
Endpoint loans, release r2, guardrail parity, group one group.
Since 2026-11-30 20:13:17 UTC.
https://evenkeel.test/incidents/7`,
  );
});

test("only a channel that may see groups is told which; without a public address the command that shows more stands for the link", () => {
  const text = textOf(notice(), SEEING);
  expect(text).toContain("r2 turned down applicants with education high school.");
  expect(text).toContain("group education=high_school");
  expect(text).toContain("More: evenkeel incidents 7");
  const blind = [textOf(notice(), BLIND), headline(notice(), BLIND), JSON.stringify(documentOf(entry(), BLIND))].join();
  expect(blind).not.toMatch(/high.?school|education/);
});

test("news stand before the sentence, and an end says from when to when", () => {
  expect(textOf(notice(entry({ news: "escalated" })), BLIND)).toMatch(/^Nobody has acknowledged: r2 turned/);
  expect(headline(notice(entry({ news: "escalated" })), BLIND)).toBe(
    "[error] loans: nobody has acknowledged: r2 turned down applicants of one group",
  );
  const resolved = entry({ news: "resolved", resolvedAtMs: OPENED_MS + 3_600_000 });
  expect(textOf(notice(resolved), BLIND)).toMatch(/^Resolved: r2 turned[^]*From 2026-11-30 20:13:17 UTC to 2026-11-30 21:13:17 UTC\./);
  expect(headline(notice(resolved), BLIND)).toBe("[resolved] loans: r2 turned down applicants of one group");
});

test("of many the first ten are written out, and the others counted", () => {
  const many = notice(...Array.from({ length: 200 }, (_, i) => entry({ key: `incident/${i}` })));
  expect(headline(many, BLIND)).toMatch(/\(and 199 more\)$/);
  expect(textOf(many, BLIND).split("\n\n")).toHaveLength(11);
  expect(textOf(many, BLIND)).toMatch(/And 190 more: evenkeel alerts$/);
});

test("what can't be computed, or would tell of single people, isn't there", () => {
  const facts = { ...FACTS, figures: { metric: "error_rate", estimate: null, limit: 0.1, evidence: 3e9, needed: 100, decisions: 12 } };
  expect(textOf(notice(entry({ facts })), BLIND)).toContain("\nEvidence 3.0e+9 to 1, needed 100 to 1, after 12 decisions.\n");
});
