import fc from "fast-check";
import { expect, test } from "vitest";
import type { CommandId, ReleaseId } from "../std.ts";
import { canonicalJson } from "../store/index.ts";
import { NO_RULES, apply, decide, type Command, type Rejection, type Rules, type Wish } from "./route-commands.ts";
import type { RolloutStep } from "./rollout-plan.ts";
import {
  APPLIED_KEPT,
  AUTOMATIC_ROLLBACKS_A_DAY,
  DAY_MS,
  automaticRollbacksSince,
  brokenInvariants,
  emptyTable,
  evolve,
  placesOf,
  rollbackCandidates,
  standbyOf,
  type OpenTable,
  type RouteTable,
} from "./route-table.ts";
import { bodyOf, parseTransition, type Actor, type Change, type Transition } from "./transition.ts";

const release = (name: string) => name as ReleaseId;
const [r1, r2, r3, r4] = [release("r1"), release("r2"), release("r3"), release("r4")] as const;
const ada: Actor = { kind: "person", name: "ada" };
const bob: Actor = { kind: "person", name: "bob" };
const guardrail: Actor = { kind: "system", name: "guardrail" };

let serial = 0;
const command = (wish: Wish, more: Partial<Command> = {}): Command => ({
  id: `c${++serial}` as CommandId,
  wish,
  actor: ada,
  reason: "because",
  atMs: 1_000_000,
  expectedGeneration: null,
  ...more,
});
const register = (...releases: ReleaseId[]): Wish[] => releases.map((known) => ({ kind: "register", release: known }));

function after(table: RouteTable, ...wishes: (Wish | Command)[]): RouteTable {
  return wishes.reduce((at, wish) => {
    const next = apply(at, "wish" in wish ? wish : command(wish));
    if (!next.ok) throw new Error(`${JSON.stringify(wish)}: ${JSON.stringify(next.error)}`);
    return next.value;
  }, table);
}
function openAfter(table: RouteTable, ...wishes: (Wish | Command)[]): OpenTable {
  const next = after(table, ...wishes);
  if (next.kind !== "open") throw new Error("not open");
  return next;
}
const outcomeOf = (table: RouteTable, wanted: Command, rules: Rules = NO_RULES): Change["kind"] | Rejection["kind"] | "nothing" => {
  const decided = decide(table, wanted, rules);
  return decided.ok ? (decided.value?.change.kind ?? "nothing") : decided.error.kind;
};

const rollback = (more: Partial<Extract<Wish, { kind: "rollback" }>> = {}): Wish => ({
  kind: "rollback",
  from: null,
  to: null,
  condemn: true,
  ...more,
});
const fresh = after(emptyTable, ...register(r1, r2, r3, r4));
const onFallback = openAfter(fresh, { kind: "set-fallback", release: r1 });
const firstLive = openAfter(onFallback, { kind: "promote", release: r2 });
const withStandby = openAfter(firstLive, { kind: "promote", release: r3 });

// ---------------------------------------------------------------- situations × commands

/** What a person's command about r3 does in every situation: a new command or situation must say so, or this doesn't compile. */
type Situation =
  | "empty"
  | "closed"
  | "onFallback"
  | "live"
  | "liveIsR3"
  | "canaryIsR3"
  | "otherCanary"
  | "shadowIsR3"
  | "fallbackIsR3"
  | "condemnedR3"
  | "held"
  | "rolloutOfR3"
  | "rolloutOfR4"
  | "pausedR3"
  | "drillFromR3"
  | "armIsR3"
  | "otherArms";
const plan: readonly RolloutStep[] = [
  { place: "shadow", share: null, minDecisions: 10, bakeMs: 0, guardrails: [], replay: 0, approval: false },
  { place: "canary", share: 0.2, minDecisions: 10, bakeMs: 0, guardrails: [], replay: 0, approval: true },
];
const startRollout = (known: ReleaseId): Wish => ({ kind: "start-rollout", release: known, plan, counted: 0 });
const startAb = (...arms: ReleaseId[]): Wish => ({
  kind: "start-ab",
  arms: arms.map((known, i) => ({ release: known, weight: i + 1 })),
  answers: 100,
  forMs: null,
  counted: 0,
});
const situations: Record<Situation, RouteTable> = {
  empty: emptyTable,
  closed: fresh,
  onFallback,
  live: firstLive,
  liveIsR3: withStandby,
  canaryIsR3: after(firstLive, { kind: "canary", release: r3, share: 0.1 }),
  otherCanary: after(firstLive, { kind: "canary", release: r4, share: 0.1 }),
  shadowIsR3: after(firstLive, { kind: "shadow", release: r3 }),
  fallbackIsR3: after(firstLive, { kind: "set-fallback", release: r3 }),
  condemnedR3: after(firstLive, { kind: "condemn", release: r3 }),
  held: after(firstLive, { kind: "hold" }),
  rolloutOfR3: after(firstLive, startRollout(r3)),
  rolloutOfR4: after(firstLive, startRollout(r4)),
  drillFromR3: after(withStandby, { kind: "start-drill", to: null }),
  pausedR3: after(firstLive, startRollout(r3), { kind: "pause-rollout" }),
  armIsR3: after(firstLive, startAb(r2, r3)),
  otherArms: after(firstLive, startAb(r4, r2)),
};
const commands: Record<Wish["kind"], Wish> = {
  register: { kind: "register", release: r3 },
  "set-fallback": { kind: "set-fallback", release: r3 },
  shadow: { kind: "shadow", release: r3 },
  "stop-shadow": { kind: "stop-shadow", release: r3 },
  canary: { kind: "canary", release: r3, share: 0.2 },
  "stop-canary": { kind: "stop-canary" },
  promote: { kind: "promote", release: r3 },
  rollback: rollback(),
  "start-drill": { kind: "start-drill", to: null },
  "end-drill": { kind: "end-drill" },
  condemn: { kind: "condemn", release: r3 },
  reinstate: { kind: "reinstate", release: r3 },
  "start-rollout": startRollout(r3),
  "advance-rollout": { kind: "advance-rollout", release: r3, step: 0, counted: 0 },
  "approve-rollout": { kind: "approve-rollout", release: r3, step: 0 },
  "pause-rollout": { kind: "pause-rollout" },
  "continue-rollout": { kind: "continue-rollout" },
  "abort-rollout": { kind: "abort-rollout" },
  "start-ab": startAb(r2, r3),
  "end-ab": { kind: "end-ab", sinceMs: null },
  hold: { kind: "hold" },
  resume: { kind: "resume" },
};
type Expected = Change["kind"] | Rejection["kind"];
const expected: Record<Situation, Record<Wish["kind"], Expected>> = {
  empty: {
    register: "registered",
    "set-fallback": "unknown-release",
    shadow: "no-fallback-yet",
    "stop-shadow": "no-fallback-yet",
    canary: "no-fallback-yet",
    "stop-canary": "no-fallback-yet",
    promote: "no-fallback-yet",
    rollback: "no-fallback-yet",
    "start-drill": "no-fallback-yet",
    "end-drill": "no-fallback-yet",
    condemn: "no-fallback-yet",
    reinstate: "no-fallback-yet",
    "start-rollout": "no-fallback-yet",
    "advance-rollout": "no-fallback-yet",
    "approve-rollout": "no-fallback-yet",
    "pause-rollout": "no-fallback-yet",
    "continue-rollout": "no-fallback-yet",
    "abort-rollout": "no-fallback-yet",
    "start-ab": "no-fallback-yet",
    "end-ab": "no-fallback-yet",
    hold: "no-fallback-yet",
    resume: "no-fallback-yet",
  },
  closed: {
    register: "already-known",
    "set-fallback": "fallback-set",
    shadow: "no-fallback-yet",
    "stop-shadow": "no-fallback-yet",
    canary: "no-fallback-yet",
    "stop-canary": "no-fallback-yet",
    promote: "no-fallback-yet",
    rollback: "no-fallback-yet",
    "start-drill": "no-fallback-yet",
    "end-drill": "no-fallback-yet",
    condemn: "no-fallback-yet",
    reinstate: "no-fallback-yet",
    "start-rollout": "no-fallback-yet",
    "advance-rollout": "no-fallback-yet",
    "approve-rollout": "no-fallback-yet",
    "pause-rollout": "no-fallback-yet",
    "continue-rollout": "no-fallback-yet",
    "abort-rollout": "no-fallback-yet",
    "start-ab": "no-fallback-yet",
    "end-ab": "no-fallback-yet",
    hold: "no-fallback-yet",
    resume: "no-fallback-yet",
  },
  onFallback: {
    register: "already-known",
    "set-fallback": "fallback-set",
    shadow: "shadow-started",
    "stop-shadow": "not-shadow",
    canary: "canary-started",
    "stop-canary": "no-canary",
    promote: "promoted",
    rollback: "nowhere-to-roll-back",
    "start-drill": "nowhere-to-roll-back",
    "end-drill": "no-drill",
    condemn: "condemned",
    reinstate: "not-condemned",
    "start-rollout": "rollout-started",
    "advance-rollout": "no-rollout",
    "approve-rollout": "no-rollout",
    "pause-rollout": "no-rollout",
    "continue-rollout": "no-rollout",
    "abort-rollout": "no-rollout",
    "start-ab": "bad-arms",
    "end-ab": "no-ab",
    hold: "rollouts-held",
    resume: "not-held",
  },
  live: {
    register: "already-known",
    "set-fallback": "fallback-set",
    shadow: "shadow-started",
    "stop-shadow": "not-shadow",
    canary: "canary-started",
    "stop-canary": "no-canary",
    promote: "promoted",
    rollback: "rolled-back",
    "start-drill": "drill-started",
    "end-drill": "no-drill",
    condemn: "condemned",
    reinstate: "not-condemned",
    "start-rollout": "rollout-started",
    "advance-rollout": "no-rollout",
    "approve-rollout": "no-rollout",
    "pause-rollout": "no-rollout",
    "continue-rollout": "no-rollout",
    "abort-rollout": "no-rollout",
    "start-ab": "ab-started",
    "end-ab": "no-ab",
    hold: "rollouts-held",
    resume: "not-held",
  },
  liveIsR3: {
    register: "already-known",
    "set-fallback": "fallback-set",
    shadow: "already-live",
    "stop-shadow": "not-shadow",
    canary: "already-live",
    "stop-canary": "no-canary",
    promote: "already-live",
    rollback: "rolled-back",
    "start-drill": "drill-started",
    "end-drill": "no-drill",
    condemn: "live-is-rolled-back-instead",
    reinstate: "not-condemned",
    "start-rollout": "already-live",
    "advance-rollout": "no-rollout",
    "approve-rollout": "no-rollout",
    "pause-rollout": "no-rollout",
    "continue-rollout": "no-rollout",
    "abort-rollout": "no-rollout",
    "start-ab": "ab-started",
    "end-ab": "no-ab",
    hold: "rollouts-held",
    resume: "not-held",
  },
  canaryIsR3: {
    register: "already-known",
    "set-fallback": "fallback-set",
    shadow: "already-canary",
    "stop-shadow": "not-shadow",
    canary: "canary-changed",
    "stop-canary": "canary-stopped",
    promote: "promoted",
    rollback: "rolled-back",
    "start-drill": "canary-under-way",
    "end-drill": "no-drill",
    condemn: "condemned",
    reinstate: "not-condemned",
    "start-rollout": "already-canary",
    "advance-rollout": "no-rollout",
    "approve-rollout": "no-rollout",
    "pause-rollout": "no-rollout",
    "continue-rollout": "no-rollout",
    "abort-rollout": "no-rollout",
    "start-ab": "canary-under-way",
    "end-ab": "no-ab",
    hold: "rollouts-held",
    resume: "not-held",
  },
  otherCanary: {
    register: "already-known",
    "set-fallback": "fallback-set",
    shadow: "shadow-started",
    "stop-shadow": "not-shadow",
    canary: "canary-under-way",
    "stop-canary": "canary-stopped",
    promote: "canary-under-way",
    rollback: "rolled-back",
    "start-drill": "canary-under-way",
    "end-drill": "no-drill",
    condemn: "condemned",
    reinstate: "not-condemned",
    "start-rollout": "canary-under-way",
    "advance-rollout": "no-rollout",
    "approve-rollout": "no-rollout",
    "pause-rollout": "no-rollout",
    "continue-rollout": "no-rollout",
    "abort-rollout": "no-rollout",
    "start-ab": "canary-under-way",
    "end-ab": "no-ab",
    hold: "rollouts-held",
    resume: "not-held",
  },
  shadowIsR3: {
    register: "already-known",
    "set-fallback": "fallback-set",
    shadow: "already-shadow",
    "stop-shadow": "shadow-stopped",
    canary: "canary-started",
    "stop-canary": "no-canary",
    promote: "promoted",
    rollback: "rolled-back",
    "start-drill": "drill-started",
    "end-drill": "no-drill",
    condemn: "condemned",
    reinstate: "not-condemned",
    "start-rollout": "rollout-started",
    "advance-rollout": "no-rollout",
    "approve-rollout": "no-rollout",
    "pause-rollout": "no-rollout",
    "continue-rollout": "no-rollout",
    "abort-rollout": "no-rollout",
    "start-ab": "ab-started",
    "end-ab": "no-ab",
    hold: "rollouts-held",
    resume: "not-held",
  },
  fallbackIsR3: {
    register: "already-known",
    "set-fallback": "already-fallback",
    shadow: "shadow-started",
    "stop-shadow": "not-shadow",
    canary: "canary-started",
    "stop-canary": "no-canary",
    promote: "promoted",
    rollback: "rolled-back",
    "start-drill": "drill-started",
    "end-drill": "no-drill",
    condemn: "fallback-stays",
    reinstate: "not-condemned",
    "start-rollout": "rollout-started",
    "advance-rollout": "no-rollout",
    "approve-rollout": "no-rollout",
    "pause-rollout": "no-rollout",
    "continue-rollout": "no-rollout",
    "abort-rollout": "no-rollout",
    "start-ab": "ab-started",
    "end-ab": "no-ab",
    hold: "rollouts-held",
    resume: "not-held",
  },
  condemnedR3: {
    register: "already-known",
    "set-fallback": "condemned-release",
    shadow: "condemned-release",
    "stop-shadow": "not-shadow",
    canary: "condemned-release",
    "stop-canary": "no-canary",
    promote: "condemned-release",
    rollback: "rolled-back",
    "start-drill": "drill-started",
    "end-drill": "no-drill",
    condemn: "already-condemned",
    reinstate: "reinstated",
    "start-rollout": "condemned-release",
    "advance-rollout": "no-rollout",
    "approve-rollout": "no-rollout",
    "pause-rollout": "no-rollout",
    "continue-rollout": "no-rollout",
    "abort-rollout": "no-rollout",
    "start-ab": "condemned-release",
    "end-ab": "no-ab",
    hold: "rollouts-held",
    resume: "not-held",
  },
  held: {
    register: "already-known",
    "set-fallback": "fallback-set",
    shadow: "shadow-started",
    "stop-shadow": "not-shadow",
    canary: "canary-started",
    "stop-canary": "no-canary",
    promote: "promoted",
    rollback: "rolled-back",
    "start-drill": "drill-started",
    "end-drill": "no-drill",
    condemn: "condemned",
    reinstate: "not-condemned",
    "start-rollout": "rollout-started",
    "advance-rollout": "no-rollout",
    "approve-rollout": "no-rollout",
    "pause-rollout": "no-rollout",
    "continue-rollout": "no-rollout",
    "abort-rollout": "no-rollout",
    "start-ab": "ab-started",
    "end-ab": "no-ab",
    hold: "already-held",
    resume: "rollouts-resumed",
  },
  rolloutOfR3: {
    register: "already-known",
    "set-fallback": "rollout-under-way",
    shadow: "rollout-under-way",
    "stop-shadow": "rollout-under-way",
    canary: "rollout-under-way",
    "stop-canary": "no-canary",
    promote: "needs-approval",
    rollback: "rolled-back",
    "start-drill": "rollout-under-way",
    "end-drill": "no-drill",
    condemn: "condemned",
    reinstate: "not-condemned",
    "start-rollout": "rollout-under-way",
    "advance-rollout": "rollout-advanced",
    "approve-rollout": "nothing-to-approve",
    "pause-rollout": "rollout-paused",
    "continue-rollout": "not-paused",
    "abort-rollout": "rollout-aborted",
    "start-ab": "rollout-under-way",
    "end-ab": "no-ab",
    hold: "rollouts-held",
    resume: "not-held",
  },
  rolloutOfR4: {
    register: "already-known",
    "set-fallback": "fallback-set",
    shadow: "shadow-started",
    "stop-shadow": "not-shadow",
    canary: "rollout-under-way",
    "stop-canary": "no-canary",
    promote: "rollout-under-way",
    rollback: "rolled-back",
    "start-drill": "rollout-under-way",
    "end-drill": "no-drill",
    condemn: "condemned",
    reinstate: "not-condemned",
    "start-rollout": "rollout-under-way",
    "advance-rollout": "no-rollout",
    "approve-rollout": "no-rollout",
    "pause-rollout": "rollout-paused",
    "continue-rollout": "not-paused",
    "abort-rollout": "rollout-aborted",
    "start-ab": "rollout-under-way",
    "end-ab": "no-ab",
    hold: "rollouts-held",
    resume: "not-held",
  },
  drillFromR3: {
    register: "already-known",
    "set-fallback": "fallback-set",
    shadow: "shadow-started",
    "stop-shadow": "not-shadow",
    canary: "drill-under-way",
    "stop-canary": "no-canary",
    promote: "promoted",
    rollback: "rolled-back",
    "start-drill": "drill-under-way",
    "end-drill": "drill-ended",
    condemn: "condemned",
    reinstate: "not-condemned",
    "start-rollout": "drill-under-way",
    "advance-rollout": "no-rollout",
    "approve-rollout": "no-rollout",
    "pause-rollout": "no-rollout",
    "continue-rollout": "no-rollout",
    "abort-rollout": "no-rollout",
    "start-ab": "drill-under-way",
    "end-ab": "no-ab",
    hold: "rollouts-held",
    resume: "not-held",
  },
  pausedR3: {
    register: "already-known",
    "set-fallback": "rollout-under-way",
    shadow: "rollout-under-way",
    "stop-shadow": "rollout-under-way",
    canary: "rollout-under-way",
    "stop-canary": "no-canary",
    promote: "needs-approval",
    rollback: "rolled-back",
    "start-drill": "rollout-under-way",
    "end-drill": "no-drill",
    condemn: "condemned",
    reinstate: "not-condemned",
    "start-rollout": "rollout-under-way",
    "advance-rollout": "is-paused",
    "approve-rollout": "nothing-to-approve",
    "pause-rollout": "is-paused",
    "continue-rollout": "rollout-continued",
    "abort-rollout": "rollout-aborted",
    "start-ab": "rollout-under-way",
    "end-ab": "no-ab",
    hold: "rollouts-held",
    resume: "not-held",
  },
  armIsR3: {
    register: "already-known",
    "set-fallback": "fallback-set",
    shadow: "ab-under-way",
    "stop-shadow": "not-shadow",
    canary: "ab-under-way",
    "stop-canary": "no-canary",
    promote: "promoted",
    rollback: "rolled-back",
    "start-drill": "ab-under-way",
    "end-drill": "no-drill",
    condemn: "condemned",
    reinstate: "not-condemned",
    "start-rollout": "ab-under-way",
    "advance-rollout": "no-rollout",
    "approve-rollout": "no-rollout",
    "pause-rollout": "no-rollout",
    "continue-rollout": "no-rollout",
    "abort-rollout": "no-rollout",
    "start-ab": "ab-under-way",
    "end-ab": "ab-ended",
    hold: "rollouts-held",
    resume: "not-held",
  },
  otherArms: {
    register: "already-known",
    "set-fallback": "fallback-set",
    shadow: "shadow-started",
    "stop-shadow": "not-shadow",
    canary: "ab-under-way",
    "stop-canary": "no-canary",
    promote: "ab-under-way",
    rollback: "rolled-back",
    "start-drill": "ab-under-way",
    "end-drill": "no-drill",
    condemn: "condemned",
    reinstate: "not-condemned",
    "start-rollout": "ab-under-way",
    "advance-rollout": "no-rollout",
    "approve-rollout": "no-rollout",
    "pause-rollout": "no-rollout",
    "continue-rollout": "no-rollout",
    "abort-rollout": "no-rollout",
    "start-ab": "ab-under-way",
    "end-ab": "ab-ended",
    hold: "rollouts-held",
    resume: "not-held",
  },
};

test("every command does in every situation what the table says", () => {
  for (const [situation, row] of Object.entries(expected)) {
    const table = new Map(Object.entries(situations)).get(situation) ?? emptyTable;
    const outcomes = Object.fromEntries(Object.entries(commands).map(([kind, wish]) => [kind, outcomeOf(table, command(wish))]));
    expect({ situation, ...outcomes }).toEqual({ situation, ...row });
  }
});

// ---------------------------------------------------------------- guarantees by example

test("the first fallback opens the endpoint: it is live at once", () => {
  expect(onFallback).toMatchObject({ live: r1, fallback: r1, history: [], canary: null });
});

test("a rollback goes to what was live and good before, newest first, and then to the fallback", () => {
  const third = openAfter(withStandby, { kind: "promote", release: r4 });
  expect(rollbackCandidates(third)).toEqual([r3, r2, r1]);
  const once = openAfter(third, rollback());
  const twice = openAfter(once, rollback());
  const thrice = openAfter(twice, rollback());
  expect([once.live, twice.live, thrice.live]).toEqual([r3, r2, r1]);
  expect(outcomeOf(thrice, command(rollback()))).toBe("nowhere-to-roll-back");
});

test("a release that was only a shadow or a canary is never a target of a rollback", () => {
  const tried = openAfter(firstLive, { kind: "shadow", release: r3 }, { kind: "canary", release: r3, share: 0.5 }, { kind: "stop-canary" });
  expect(rollbackCandidates(tried)).toEqual([r1]);
  expect(outcomeOf(tried, command(rollback({ to: r3 })))).toBe("not-a-candidate");
  expect(outcomeOf(tried, command(rollback({ to: r4 })))).toBe("not-a-candidate");
});

test("a release that was rolled back from is no target of the next rollback, condemned or not", () => {
  const back = openAfter(withStandby, rollback({ condemn: false }));
  expect(back).toMatchObject({ live: r2, history: [] });
  expect(back.condemned.size).toBe(0);
  expect(rollbackCandidates(back)).toEqual([r1]);
  expect(openAfter(back, { kind: "promote", release: r3 })).toMatchObject({ live: r3, history: [r2] }); // undo, and drill
});

test("a rollback may skip candidates: those skipped stay candidates for later", () => {
  const third = openAfter(withStandby, { kind: "promote", release: r4 });
  const back = openAfter(third, rollback({ to: r2 }));
  expect(back).toMatchObject({ live: r2, history: [r3] });
});

test("a condemned release holds no place until a named person reinstates it with a reason", () => {
  const back = openAfter(withStandby, rollback());
  expect([...back.condemned.keys()]).toEqual([r3]);
  const reinstate: Wish = { kind: "reinstate", release: r3 };
  for (const wish of [
    { kind: "promote", release: r3 },
    { kind: "canary", release: r3, share: 0.1 },
    { kind: "shadow", release: r3 },
  ] as const)
    expect(outcomeOf(back, command(wish))).toBe("condemned-release");
  expect(outcomeOf(back, command(reinstate, { actor: guardrail }))).toBe("needs-a-named-person");
  expect(outcomeOf(back, command(reinstate, { actor: { kind: "person", name: " " } }))).toBe("needs-a-named-person");
  expect(outcomeOf(back, command(reinstate, { reason: " " }))).toBe("needs-a-reason");
  expect(openAfter(back, reinstate, { kind: "promote", release: r3 }).live).toBe(r3);
});

test("the fallback can be rolled back from but not condemned", () => {
  const fallbackLive = openAfter(firstLive, { kind: "promote", release: r1 });
  expect(standbyOf(fallbackLive)).toBe(r2);
  const back = openAfter(fallbackLive, rollback({ condemn: true }));
  expect(back).toMatchObject({ live: r2, history: [] });
  expect(back.condemned.size).toBe(0);
  expect(outcomeOf(onFallback, command({ kind: "condemn", release: r1 }))).toBe("fallback-stays");
});

test("a rollback wins over a canary under way", () => {
  const table = openAfter(withStandby, { kind: "canary", release: r4, share: 0.5 });
  const decided = decide(table, command(rollback()));
  expect(decided.ok && decided.value?.change).toMatchObject({ kind: "rolled-back", live: r2, stoppedCanary: r4 });
  expect(openAfter(table, rollback())).toMatchObject({ live: r2, canary: null });
});

test("a canary's breach removes and condemns it while live stays, and holds automatic rollouts", () => {
  const table = openAfter(withStandby, { kind: "canary", release: r4, share: 0.5 });
  const next = openAfter(table, command({ kind: "condemn", release: r4 }, { actor: guardrail }));
  expect(next).toMatchObject({ live: r3, canary: null, history: [r2], hold: { actor: guardrail } });
  expect(next.condemned.has(r4)).toBe(true);
});

test("after an automatic rollback automatic rollouts are held until a named person resumes", () => {
  const back = openAfter(withStandby, command(rollback(), { actor: guardrail }));
  const promote: Wish = { kind: "promote", release: r4 };
  expect(outcomeOf(back, command(promote, { actor: guardrail }))).toBe("rollouts-held");
  expect(outcomeOf(back, command({ kind: "canary", release: r4, share: 0.1 }, { actor: guardrail }))).toBe("rollouts-held");
  expect(outcomeOf(back, command(promote))).toBe("promoted"); // a person may
  expect(outcomeOf(back, command({ kind: "resume" }, { actor: guardrail }))).toBe("needs-a-named-person");
  expect(outcomeOf(openAfter(back, { kind: "resume" }), command(promote, { actor: guardrail }))).toBe("promoted");
});

test("a rollback meant for a release that is no longer live changes nothing", () => {
  expect(outcomeOf(withStandby, command(rollback({ from: r2 })))).toBe("not-live");
});

test("automatic rollbacks are at most two in any 24 hours; a person's are not counted", () => {
  const at = (hours: number) => ({ actor: guardrail, atMs: hours * 60 * 60 * 1000 });
  const back = (hours: number) => command(rollback({ condemn: false }), at(hours));
  const again = (known: ReleaseId): Wish => ({ kind: "promote", release: known });
  const twice = openAfter(withStandby, back(1), again(r3), back(2), again(r3));
  expect(automaticRollbacksSince(twice, at(3).atMs)).toBe(2);
  expect(outcomeOf(twice, back(24.99))).toBe("too-many-automatic-rollbacks");
  expect(outcomeOf(twice, back(25))).toBe("rolled-back");
  expect(outcomeOf(twice, back(0))).toBe("too-many-automatic-rollbacks"); // a clock that went back frees nothing
  expect(outcomeOf(twice, command(rollback(), { atMs: at(3).atMs }))).toBe("rolled-back");
});

test("a command that expected another generation is refused, and says which one holds", () => {
  const stale = decide(withStandby, command(rollback(), { expectedGeneration: withStandby.generation - 1 }));
  expect(stale).toEqual({
    ok: false,
    error: { kind: "stale-generation", expected: withStandby.generation - 1, actual: withStandby.generation },
  });
  expect(outcomeOf(withStandby, command(rollback(), { expectedGeneration: withStandby.generation }))).toBe("rolled-back");
});

test("the same command id twice changes nothing; for another wish it is refused", () => {
  const once = command(rollback());
  const table = openAfter(withStandby, once);
  const again = apply(table, { ...once, expectedGeneration: 0, atMs: 5 });
  expect(again.ok && again.value).toBe(table);
  expect(outcomeOf(table, { ...once, wish: { kind: "promote", release: r4 } })).toBe("command-id-reused");
});

test("shares that are no share are refused", () => {
  for (const share of [0, 1, -0.1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])
    expect(outcomeOf(firstLive, command({ kind: "canary", release: r3, share }))).toBe("bad-share");
});

test("a shadow's share is above 0 and at most 1, all when none is said; asked again with another it changes", () => {
  for (const share of [0, 1.01, -0.1, Number.NaN])
    expect(outcomeOf(firstLive, command({ kind: "shadow", release: r3, share }))).toBe("bad-share");
  const all = openAfter(firstLive, { kind: "shadow", release: r3 });
  expect(all.shadows).toEqual([{ release: r3, share: 1 }]);
  expect(outcomeOf(all, command({ kind: "shadow", release: r3, share: 1 }))).toBe("already-shadow");
  const some = openAfter(all, { kind: "shadow", release: r4 }, { kind: "shadow", release: r3, share: 0.1 });
  expect(some.shadows).toEqual([
    { release: r4, share: 1 },
    { release: r3, share: 0.1 },
  ]);
});

test("a canary's condition is part of it: the same share with another condition is a change", () => {
  const small = openAfter(firstLive, { kind: "canary", release: r3, share: 0.2, when: "amount < 5000" });
  expect(small.canary).toEqual({ release: r3, share: 0.2, when: "amount < 5000" });
  expect(outcomeOf(small, command({ kind: "canary", release: r3, share: 0.2, when: "amount < 5000" }))).toBe("already-canary");
  expect(openAfter(small, { kind: "canary", release: r3, share: 0.2 }).canary).toEqual({ release: r3, share: 0.2, when: null });
});

test("an A/B test has two to four different arms with whole weights, live among them, and an end to come", () => {
  const bad = (wish: Partial<Extract<Wish, { kind: "start-ab" }>>) =>
    outcomeOf(firstLive, command({ kind: "start-ab", arms: [], answers: null, forMs: null, counted: 0, ...wish }));
  const arm = (known: ReleaseId, weight = 1) => ({ release: known, weight });
  expect(bad({ arms: [arm(r2)] })).toBe("bad-arms");
  expect(bad({ arms: [arm(r2), arm(r3), arm(r3)] })).toBe("bad-arms");
  expect(bad({ arms: [arm(r2), arm(r3, 0.5)] })).toBe("bad-arms");
  expect(bad({ arms: [arm(r3), arm(r4)] })).toBe("bad-arms");
  expect(bad({ arms: [arm(r2), arm(release("nobody"))] })).toBe("unknown-release");
  expect(bad({ arms: [arm(r2), arm(r3)], forMs: 0 })).toBe("ends-at-once");
  expect(bad({ arms: [arm(r2), arm(r3)], answers: 0 })).toBe("ends-at-once");
  const started = openAfter(firstLive, { kind: "start-ab", arms: [arm(r3, 2), arm(r2)], answers: null, forMs: 1_000_000, counted: 7 });
  expect(started.ab).toEqual({
    arms: [arm(r2), arm(r3, 2)],
    answers: null,
    untilMs: 2_000_000,
    counted: 7,
    sinceMs: 1_000_000,
    startedBy: "ada",
  });
  expect(placesOf(started, r3)).toEqual(["ab"]);
  expect(outcomeOf(firstLive, command(startAb(r2, r3)), { approval: true, frozen: null })).toBe("needs-approval");
});

test("an A/B test ends with a rollback, a promotion, and when an arm is condemned; the others answer on", () => {
  const three = openAfter(firstLive, startAb(r2, r3, r4));
  expect(openAfter(three, rollback()).ab).toBeNull();
  expect(openAfter(three, { kind: "promote", release: r4 })).toMatchObject({ live: r4, ab: null, history: [r2] });
  expect(openAfter(three, { kind: "condemn", release: r3 })).toMatchObject({ live: r2, ab: null });
  expect(outcomeOf(three, command({ kind: "end-ab", sinceMs: 7 }))).toBe("no-ab");
  expect(openAfter(three, { kind: "end-ab", sinceMs: 1_000_000 })).toMatchObject({ live: r2, ab: null });
});

test("the ids of commands that a table remembers are bounded", () => {
  const many = Array.from({ length: APPLIED_KEPT + 50 }, (_, i) => command({ kind: "register", release: release(`x${i}`) }));
  expect(after(emptyTable, ...many).applied.size).toBe(APPLIED_KEPT);
});

test("placesOf names every place that points at a release", () => {
  expect(placesOf(withStandby, r1)).toEqual(["fallback"]);
  expect(placesOf(withStandby, r2)).toEqual(["standby"]);
  expect(placesOf(withStandby, r3)).toEqual(["live"]);
  expect(placesOf(withStandby, r4)).toEqual([]);
  expect(placesOf(onFallback, r1)).toEqual(["live", "fallback"]);
});

test("a rollout goes step by step and ends live; the standby is what was live before", () => {
  const advance = (step: number): Wish => ({ kind: "advance-rollout", release: r3, step, counted: 7 });
  const shadowed = openAfter(firstLive, startRollout(r3));
  expect(shadowed).toMatchObject({
    live: r2,
    shadows: [{ release: r3, share: 1 }],
    canary: null,
    rollout: { release: r3, step: 0, startedBy: "ada" },
  });
  const canaried = openAfter(shadowed, advance(0));
  expect(canaried).toMatchObject({ live: r2, shadows: [], canary: { release: r3, share: 0.2 }, rollout: { step: 1, counted: 7 } });
  expect(outcomeOf(canaried, command(advance(0)))).toBe("not-that-step");
  expect(outcomeOf(canaried, command(advance(1)))).toBe("needs-approval");
  const approve = command({ kind: "approve-rollout", release: r3, step: 1 });
  const live = openAfter(canaried, { ...approve, actor: bob }, advance(1));
  expect(live).toMatchObject({ live: r3, canary: null, shadows: [], rollout: null, history: [r2] });
});

test("who started a rollout can't approve it, nor can the system; an approval holds for its own step", () => {
  const inStepTwo = openAfter(firstLive, startRollout(r3), { kind: "advance-rollout", release: r3, step: 0, counted: 0 });
  const approve: Wish = { kind: "approve-rollout", release: r3, step: 1 };
  expect(outcomeOf(inStepTwo, command(approve))).toBe("needs-a-second-person");
  expect(outcomeOf(inStepTwo, command(approve, { actor: guardrail }))).toBe("needs-a-named-person");
  expect(outcomeOf(inStepTwo, command({ ...approve, step: 0 }, { actor: bob }))).toBe("not-that-step");
  const approved = openAfter(inStepTwo, command(approve, { actor: bob }));
  expect(outcomeOf(approved, command(approve, { actor: bob }))).toBe("already-approved");
  expect(outcomeOf(approved, command({ kind: "promote", release: r3 }))).toBe("promoted");
});

test("where the endpoint asks for a second person, nobody alone gives a release to people", () => {
  const rules: Rules = { ...NO_RULES, approval: true };
  expect(outcomeOf(firstLive, command({ kind: "promote", release: r3 }), rules)).toBe("needs-approval");
  expect(outcomeOf(firstLive, command({ kind: "canary", release: r3, share: 0.9 }), rules)).toBe("needs-approval");
  expect(outcomeOf(firstLive, command(startRollout(r3)), rules)).toBe("needs-approval"); // only its canary waits for somebody
  const [shadow, canary] = plan;
  if (!shadow || !canary) throw new Error("no steps");
  const early: Wish = { kind: "start-rollout", release: r3, plan: [{ ...shadow, approval: true }, canary], counted: 0 };
  expect(outcomeOf(firstLive, command(early), rules)).toBe("rollout-started");
  expect(outcomeOf(firstLive, command(rollback()), rules)).toBe("rolled-back");
});

test("in a frozen period nothing new goes to people, and everything can be taken away", () => {
  const rules: Rules = { ...NO_RULES, frozen: { untilMs: 2_000_000, why: "end of year" } };
  const table = openAfter(withStandby, startRollout(r4));
  const outcomes = (wishes: readonly Wish[]) => wishes.map((wish) => outcomeOf(table, command(wish), rules));
  expect(
    outcomes([
      { kind: "promote", release: r4 },
      { kind: "canary", release: r4, share: 0.1 },
      { kind: "advance-rollout", release: r4, step: 0, counted: 0 },
      startRollout(r4),
    ]),
  ).toEqual(["frozen", "frozen", "frozen", "frozen"]);
  expect(outcomes([rollback(), { kind: "condemn", release: r4 }, { kind: "abort-rollout" }, { kind: "pause-rollout" }])).toEqual([
    "rolled-back",
    "condemned",
    "rollout-aborted",
    "rollout-paused",
  ]);
});

test("a drill goes to where a rollback would go and comes back to the very same table, but for its generation", () => {
  for (const table of [firstLive, withStandby, openAfter(withStandby, { kind: "promote", release: r1 })]) {
    const drilling = openAfter(table, { kind: "start-drill", to: null });
    expect(drilling).toMatchObject({ live: rollbackCandidates(table)[0], drilledFrom: table.live });
    const { live, history, drilledFrom, condemned, hold } = openAfter(drilling, { kind: "end-drill" });
    expect({ live, history, drilledFrom, condemned, hold }).toEqual({
      live: table.live,
      history: table.history,
      drilledFrom: null,
      condemned: table.condemned,
      hold: table.hold,
    });
  }
});

test("a rollback during a drill stays: what was taken out doesn't come back by itself", () => {
  const drilling = openAfter(withStandby, { kind: "start-drill", to: null });
  const back = openAfter(drilling, rollback({ to: r1 }));
  expect(back).toMatchObject({ live: r1, drilledFrom: null });
  expect(outcomeOf(back, command({ kind: "end-drill" }))).toBe("no-drill");
});

test("a rollback, a condemnation or a breach ends a rollout, whatever step it is in", () => {
  const shadowed = openAfter(withStandby, startRollout(r4));
  const canaried = openAfter(shadowed, { kind: "advance-rollout", release: r4, step: 0, counted: 0 });
  for (const table of [shadowed, canaried])
    for (const wish of [rollback(), { kind: "condemn", release: r4 }, { kind: "abort-rollout" }] as const)
      expect(openAfter(table, wish)).toMatchObject({ rollout: null, canary: null, shadows: [] });
});

// ---------------------------------------------------------------- guarantees for every sequence of commands

const names = ["a", "b", "c", "d", "e", "nobody"].map(release);
const anyRelease = fc.constantFrom(...names);
const mostlyNull = <T>(some: fc.Arbitrary<T>) => fc.oneof({ weight: 5, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: some });
const anyWish: fc.Arbitrary<Wish> = fc.oneof(
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("register" as const), release: anyRelease }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("set-fallback" as const), release: anyRelease }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("stop-shadow" as const), release: anyRelease }) },
  {
    weight: 3,
    arbitrary: fc.record(
      { kind: fc.constant("shadow" as const), release: anyRelease, share: fc.constantFrom(0.1, 1, 0) },
      { requiredKeys: ["kind", "release"] },
    ),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("start-ab" as const),
      arms: fc.array(fc.record({ release: anyRelease, weight: fc.integer({ min: 0, max: 3 }) }), { minLength: 1, maxLength: 4 }),
      answers: mostlyNull(fc.nat(9)),
      forMs: mostlyNull(fc.nat(9 * DAY_MS)),
      counted: fc.nat(9),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("end-ab" as const), sinceMs: fc.constant(null) }) },
  {
    weight: 3,
    arbitrary: fc.record(
      {
        kind: fc.constant("canary" as const),
        release: anyRelease,
        share: fc.constantFrom(0.05, 0.25, 0.5, 1, Number.NaN),
        when: fc.constantFrom("a < 1", "b"),
      },
      { requiredKeys: ["kind", "release", "share"] },
    ),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("promote" as const), release: anyRelease }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("rollback" as const),
      from: mostlyNull(anyRelease),
      to: mostlyNull(anyRelease),
      condemn: fc.boolean(),
    }),
  },
  { weight: 9, arbitrary: fc.record({ kind: fc.constantFrom("condemn" as const, "reinstate" as const), release: anyRelease }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("stop-canary" as const, "hold" as const, "resume" as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("start-rollout" as const),
      release: anyRelease,
      plan: fc.subarray([...plan, { ...plan[1], share: 0.5, approval: false } as RolloutStep]),
      counted: fc.nat(9),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("advance-rollout" as const), release: anyRelease, step: fc.nat(2), counted: fc.nat(9) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("approve-rollout" as const), release: anyRelease, step: fc.nat(2) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom("pause-rollout" as const, "continue-rollout" as const, "abort-rollout" as const) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("start-drill" as const), to: mostlyNull(anyRelease) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("end-drill" as const) }) },
);
/** Ids repeat, some expect a generation, and time sometimes goes back. */
const anyCommand = fc.record({
  id: fc.oneof({ weight: 9, arbitrary: fc.uuid() }, { weight: 1, arbitrary: fc.constantFrom("x", "y", "z") }).map((id) => id as CommandId),
  wish: anyWish,
  actor: fc.constantFrom(ada, bob, guardrail),
  reason: fc.constantFrom("because", "because", "because", ""),
  atMs: fc.integer({ min: 0, max: 5 * DAY_MS }),
  expectedGeneration: mostlyNull(fc.integer({ min: 0, max: 40 })),
});
/** Half of the runs start with an endpoint that is open already, so that short runs get somewhere. */
const opening: Command[] = [
  ...register(...names.slice(0, 5)).map((wish, i) => command(wish, { id: `open-${i}` as CommandId })),
  command({ kind: "set-fallback", release: release("a") }, { id: "open-fallback" as CommandId }),
];
const anyCommands = fc
  .tuple(fc.boolean(), fc.array(anyCommand, { maxLength: 120, size: "max" }))
  .map(([isOpen, rest]) => (isOpen ? [...opening, ...rest] : rest));

interface Step {
  readonly before: RouteTable;
  readonly command: Command;
  readonly transition: Transition | null;
  readonly after: RouteTable;
}
/** Runs the commands one after the other; what is refused changes nothing. */
function stepsOf(all: readonly Command[]): Step[] {
  let table: RouteTable = emptyTable;
  return all.map((sent) => {
    const before = table;
    const decided = decide(before, sent);
    const transition = decided.ok ? decided.value : null;
    if (transition) table = evolve(before, transition);
    return { before, command: sent, transition, after: table };
  });
}
const lastOf = (steps: readonly Step[]): RouteTable => steps.at(-1)?.after ?? emptyTable;
const transitionsOf = (steps: readonly Step[]): Transition[] => steps.flatMap(({ transition }) => transition ?? []);
/** Steps between two open tables, with what a rollback changed where it was one. */
const openSteps = (steps: readonly Step[]) =>
  steps.flatMap(({ before, after, ...rest }) => (before.kind === "open" && after.kind === "open" ? [{ before, after, ...rest }] : []));
const rollbacksOf = (steps: readonly Step[]) =>
  openSteps(steps).flatMap(({ transition, ...rest }) =>
    transition?.change.kind === "rolled-back" ? [{ ...rest, atMs: transition.atMs, change: transition.change }] : [],
  );

/** Runs in which two releases are rolled out, and much is asked of their rollouts. */
const rolledOut = fc.constantFrom(release("b"), release("c"));
const anyRolloutWish: fc.Arbitrary<Wish> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("start-rollout" as const),
      release: rolledOut,
      plan: fc.subarray([...plan], { minLength: 1 }),
      counted: fc.nat(9),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("advance-rollout" as const), release: rolledOut, step: fc.nat(1), counted: fc.nat(9) }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("approve-rollout" as const), release: rolledOut, step: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("promote" as const), release: rolledOut }) },
  { weight: 1, arbitrary: anyWish },
);
const anyRollouts = fc
  .array(fc.tuple(anyCommand, anyRolloutWish), { maxLength: 60, size: "max" })
  .map((all) => [...opening, ...all.map(([one, wish]) => ({ ...one, wish, reason: "because", expectedGeneration: null }))]);

/** Checks `property` of many runs; fails also when hardly any run had something to check. */
function forAnyCommands(property: (steps: readonly Step[]) => number, runs: fc.Arbitrary<readonly Command[]> = anyCommands): void {
  let checked = 0;
  fc.assert(
    fc.property(runs, (all) => {
      checked += property(stepsOf(all));
    }),
    { numRuns: 1000 },
  );
  expect(checked).toBeGreaterThan(100);
}

test("any sequence of commands keeps every invariant of docs/route-table.md", () => {
  forAnyCommands((steps) => {
    for (const { after: table } of steps) expect(brokenInvariants(table)).toEqual([]);
    return steps.length;
  });
});

test("an endpoint that has served always has a live release, and a fallback that is not condemned", () => {
  forAnyCommands((steps) => {
    const served = steps.filter(({ before }) => before.kind === "open");
    for (const { after: table } of served) {
      const serving = table.kind === "open" ? [table.live, table.fallback] : [];
      expect(serving.map((known) => table.releases.has(known))).toEqual([true, true]);
      expect(table.kind === "open" && serving.some((known) => table.condemned.has(known))).toBe(false);
    }
    return served.length;
  });
});

test("a condemned release never gets a place; only a named person's reinstatement ends it", () => {
  forAnyCommands((steps) => {
    let ends = 0;
    for (const { before, command: sent, after: table } of openSteps(steps)) {
      for (const condemned of table.condemned.keys()) expect(placesOf(table, condemned)).toEqual([]);
      for (const condemned of [...before.condemned.keys()].filter((known) => !table.condemned.has(known))) {
        expect(sent).toMatchObject({ wish: { kind: "reinstate", release: condemned }, actor: { kind: "person" }, reason: "because" });
        ends++;
      }
    }
    return ends;
  });
});

test("generations grow by one with every transition and by nothing else; the same command again gives the very same table", () => {
  forAnyCommands((steps) => {
    for (const { before, transition, after: table } of steps) expect(table.generation).toBe(before.generation + (transition ? 1 : 0));
    const taken = steps.filter(({ transition }) => transition !== null);
    for (const { command: sent, after: table } of taken) {
      const again = apply(table, sent);
      expect(again.ok && again.value === table).toBe(true);
    }
    return taken.length;
  });
});

test("a rollback's target was live before or is the fallback; it is never condemned and never what is rolled back from", () => {
  forAnyCommands((steps) => {
    const wereLive = new Set<ReleaseId>();
    const rollbacks = rollbacksOf(steps);
    for (const { before, command: sent } of openSteps(steps)) {
      wereLive.add(before.live);
      for (const { change } of rollbacks.filter((one) => one.command === sent)) {
        expect(change.live === before.fallback || wereLive.has(change.live)).toBe(true);
        expect(before.condemned.has(change.live)).toBe(false);
        expect(change.from).toBe(before.live);
        expect(change.live).not.toBe(change.from);
      }
    }
    return rollbacks.length;
  });
});

test("after a rollback no canary is left, nothing condemned has a place, and what was rolled back from is no candidate", () => {
  forAnyCommands((steps) => {
    const rollbacks = rollbacksOf(steps);
    for (const { after: table, change } of rollbacks) {
      expect([table.canary, table.ab]).toEqual([null, null]);
      expect(table.shadows.filter(({ release: shadow }) => table.condemned.has(shadow))).toEqual([]);
      expect(table.history).not.toContain(change.from);
    }
    return rollbacks.length;
  });
});

test("an A/B test stands alone, live is one of its arms, and whoever gives a place to another release is refused meanwhile", () => {
  forAnyCommands((steps) => {
    let during = 0;
    for (const { before, after: table } of openSteps(steps)) {
      if (!before.ab || !table.ab) continue;
      during++;
      expect(table.ab).toBe(before.ab);
      expect(table.live).toBe(before.live);
      expect([table.canary, table.rollout, table.drilledFrom]).toEqual([null, null, null]);
    }
    return during;
  });
});

test("no three automatic rollbacks of an endpoint lie within one day, whatever the clock does", () => {
  forAnyCommands((steps) => {
    const timesMs: number[] = [];
    for (const { atMs } of rollbacksOf(steps).filter(({ change }) => change.automatic)) {
      expect(timesMs.filter((earlierMs) => earlierMs > atMs - DAY_MS).length).toBeLessThan(AUTOMATIC_ROLLBACKS_A_DAY);
      timesMs.push(atMs);
    }
    return timesMs.length;
  });
});

test("between an automatic rollback and a person's resumption nothing automatic gets a place", () => {
  forAnyCommands((steps) => {
    let isHeld = false;
    let whileHeld = 0;
    const automaticPlacings: Transition[] = [];
    const automaticResumptions: Transition[] = [];
    for (const transition of transitionsOf(steps)) {
      const { change, actor } = transition;
      const isAutomatic = actor.kind === "system";
      const places = [
        "promoted",
        "canary-started",
        "canary-changed",
        "shadow-started",
        "shadow-changed",
        "ab-started",
        "rollout-started",
        "rollout-advanced",
        "drill-started",
      ].includes(change.kind);
      if (isHeld) whileHeld++;
      if (isHeld && isAutomatic && places) automaticPlacings.push(transition);
      if (isAutomatic && change.kind === "rollouts-resumed") automaticResumptions.push(transition);
      if (change.kind === "rolled-back" && change.automatic) isHeld = true;
      if (change.kind === "rollouts-resumed") isHeld = false;
    }
    expect({ automaticPlacings, automaticResumptions }).toEqual({ automaticPlacings: [], automaticResumptions: [] });
    return whileHeld;
  });
});

test("nobody is answered by a release whose rollout somebody has still to approve, and never did the approver start it", () => {
  forAnyCommands((steps) => {
    let approvals = 0;
    for (const { before, transition, after: table } of openSteps(steps)) {
      const { rollout } = before;
      if (transition?.change.kind === "rollout-approved") {
        expect(transition.actor.name).not.toBe(rollout?.startedBy);
        approvals++;
      }
      // A rollback may go to the fallback, whoever rolls it out as well.
      const waits =
        transition?.change.kind !== "rolled-back" &&
        rollout !== null &&
        rollout.approvedBy === null &&
        rollout.plan[rollout.step]?.approval === true;
      if (waits)
        expect(table.live === rollout.release || (table.rollout?.release === rollout.release && table.rollout.step > rollout.step)).toBe(
          false,
        );
    }
    return approvals;
  }, anyRollouts);
});

test("the table is the fold of its transitions, also after they were stored and read back", () => {
  forAnyCommands((steps) => {
    const rows = transitionsOf(steps).map((one) => ({ ...one, body_json: canonicalJson(bodyOf(one)), at_ms: one.atMs }));
    expect(rows.map(parseTransition).reduce<RouteTable>(evolve, emptyTable)).toEqual(lastOf(steps));
    return rows.length;
  });
});

test("commands that are duplicated at random places change nothing; reordered or dropped, every invariant still holds", () => {
  const withTwins = anyCommands.chain((all) =>
    fc.tuple(fc.constant(all), fc.array(fc.nat(), { minLength: all.length, maxLength: all.length }), fc.shuffledSubarray([...all])),
  );
  fc.assert(
    fc.property(withTwins, ([all, places, shuffled]) => {
      const taken = stepsOf(all).flatMap(({ command: sent, transition }) => (transition ? [sent] : []));
      const doubled = taken.flatMap((one, i) => [one, ...taken.slice(0, i + 1).filter((_, j) => (places[j] ?? 0) % (i + 2) === 0)]);
      expect(lastOf(stepsOf(doubled))).toEqual(lastOf(stepsOf(taken)));
      for (const { after: table } of stepsOf(shuffled)) expect(brokenInvariants(table)).toEqual([]);
    }),
    { numRuns: 200 },
  );
});

test("a transition out of turn is refused loudly", () => {
  const [first, , third] = transitionsOf(stepsOf(opening));
  if (!first || !third) throw new Error("too few transitions");
  expect(() => evolve(evolve(emptyTable, first), third)).toThrow("transition 3 after generation 1");
});
