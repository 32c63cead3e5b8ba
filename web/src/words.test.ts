import { expect, test } from "vitest";
import type { ClosestView, GuardrailsView, NeedsYouView, TransitionView } from "../../src/api/ui-view.ts";
import { timesOf } from "./format.ts";
import { failedDrillSaid, guardrailsSaid, needsYouSaid, toldSaid, transitionSaid, verdictSentence } from "./words.ts";

const nowMs = Date.UTC(2026, 10, 18, 12, 4);
const times = timesOf({ nowMs, zone: "UTC" });
const closest: ClosestView = {
  guardrail: "air-age",
  metric: "AIR",
  unit: "ratio",
  release: "r117",
  place: "live",
  group: "age 60+",
  estimate: 0.84,
  limit: 0.8,
  evidence: 31,
  threshold: 240,
  decisions: 500,
  needed: null,
};

test.each<[GuardrailsView, string, string]>([
  [
    { kind: "holds", hold: 12, closest: { ...closest, group: "high school", estimate: 0.91 } },
    "12 hold",
    "closest: AIR high school 0.91, limit 0.80",
  ],
  [
    { kind: "holds", hold: 13, closest: { ...closest, release: "r13", place: "canary", decisions: 51, needed: 340 } },
    "13 hold",
    "r13 canary: 51 of 340 decisions",
  ],
  [{ kind: "watched", watched: 1, closest }, "1 watched", "AIR age 60+ 0.84, evidence 31 of 240"],
  [
    { kind: "breached", breached: 1, closest: { ...closest, estimate: 0.7991, evidence: 251 } },
    "1 breached",
    "AIR age 60+ 0.799, evidence 251 of 240",
  ],
  [
    { kind: "waits", waiting: 3, of: 8, closest: { ...closest, decisions: 41, needed: 120 } },
    "3 of 8 wait",
    "AIR needs 120 decisions, has 41",
  ],
  [
    { kind: "waits", waiting: 3, of: 8, closest: { ...closest, estimate: null } },
    "3 of 8 wait",
    "closest: AIR age 60+ unknown, limit 0.80",
  ],
  [
    { kind: "on-fallback", sinceMs: Date.UTC(2026, 10, 17, 16, 20), because: "tenant-score timed out" },
    "On fallback",
    "since 17 Nov 16:20: tenant-score timed out",
  ],
  [{ kind: "not-watched", because: "no-live-release" }, "Not watched", "no live release yet"],
  [{ kind: "holds", hold: 1, closest: null }, "1 hold", ""],
])("guardrails are said in one word and a line: %#", (view, word, line) => {
  expect(guardrailsSaid(view, times)).toMatchObject({ word, line });
});

test("states of guardrails differ by shape, not only by colour", () => {
  const kinds: GuardrailsView[] = [
    { kind: "holds", hold: 1, closest },
    { kind: "watched", watched: 1, closest },
    { kind: "breached", breached: 1, closest },
    { kind: "waits", waiting: 1, of: 1, closest },
  ];
  const said = kinds.map((kind) => guardrailsSaid(kind, times));
  expect(new Set(said.map(({ icon }) => icon)).size).toBe(4);
  expect(new Set(said.map(({ tone }) => tone)).size).toBe(4);
});

const transition: TransitionView = { kind: "canary-started", release: "r13", share: 0.05, actor: "ladder", reason: "", happenedMs: nowMs };
test.each<[Partial<TransitionView>, string]>([
  [{}, "r13 canary 5\u202f%"],
  [{ kind: "rolled-back", release: "r11", share: null }, "Rolled back to r11"],
  [{ kind: "shadow-started", share: null }, "r13 shadow"],
  [{ kind: "rollouts-held", release: null, share: null }, "Rollouts held"],
])("a transition is said as what is now true: %#", (change, text) => {
  expect(transitionSaid({ ...transition, ...change }).text).toBe(text);
});

const incident: NeedsYouView = {
  incident: 7,
  endpoint: "loans",
  rolledBackMs: Date.UTC(2026, 10, 18, 10, 49, 16),
  openedMs: Date.UTC(2026, 10, 18, 10, 49, 16),
  finding: "r12 turned down applicants with high school education",
  failedRequests: 0,
  affected: 56,
};
test.each<[Partial<NeedsYouView>, string]>([
  [
    {},
    "loans was rolled back at 10:49:16. r12 turned down applicants with high school education. No request failed. 56 people would have had a better answer.",
  ],
  [
    { rolledBackMs: null, failedRequests: null, affected: 1 },
    "loans needs somebody since 10:49:16. r12 turned down applicants with high school education. 1 person would have had a better answer.",
  ],
  [
    { failedRequests: 2, affected: null },
    "loans was rolled back at 10:49:16. r12 turned down applicants with high school education. 2 requests failed. ",
  ],
])("an incident says what was done, what was found and how far it is: %#", (change, text) => {
  const { lead, finding, people } = needsYouSaid({ ...incident, ...change }, times);
  expect([lead, finding, people].join(" ")).toBe(text);
});

test.each([
  ["did it", ["the training data"], "The training data did it"],
  ["most likely", ["the threshold"], "Most likely the threshold"],
  ["these two together", ["the features", "the algorithm"], "The features and the algorithm, these two together"],
  ["we cannot tell", [], "We cannot tell"],
])("a verdict is a sentence: %s", (word, steps, text) => expect(verdictSentence({ word, steps })).toBe(text));

test("a way back that didn't work in a rehearsal is said with what was missing", () => {
  expect(failedDrillSaid({ target: "r2", failed: 7, happenedMs: 0 })).toMatchObject({
    word: "rollback not proven",
    line: "the rehearsal found no answer of r2 for 7 applications",
  });
  expect(failedDrillSaid({ target: "r2", failed: 0, happenedMs: 0 }).line).toBe("the rehearsal found nothing to ask r2");
});

test("a message that didn't arrive is never said to have", () => {
  const states = [
    { state: "delivered", attempts: 3 },
    { state: "pending", attempts: 0 },
    { state: "pending", attempts: 1 },
    { state: "pending", attempts: 12 },
    { state: "dead", attempts: 30 },
    { state: "dropped", attempts: 2 },
  ] as const;
  expect(states.map((one) => toldSaid(one).word)).toEqual([
    "delivered",
    "on its way",
    "not delivered yet, tried once",
    "not delivered yet, tried 12 times",
    "given up",
    "channel removed",
  ]);
});
