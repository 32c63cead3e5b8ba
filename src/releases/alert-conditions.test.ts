/** What holds that somebody should be told of, seen on a small lender. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { Lender, ada, endpoint, fairRelease, harmfulRelease } from "../../test/lender.ts";
import { START_MS } from "../../test/sqlite.ts";
import type { SinkStatus } from "../decisions/index.ts";
import type { ExpectationWarning, Seen } from "../monitoring/index.ts";
import { simulatedRuntime, type SimulatedRuntime } from "../store/index.ts";
import { AlertConditions } from "./alert-conditions.ts";
import type { Drill } from "./drill.ts";

const SELDOM_MS = 60_000;

let runtime: SimulatedRuntime;
let lender: Lender;
let drill: Drill | undefined;
let sinks: SinkStatus[];
let recorded: { endpoint: string; count: number; fellBack: number }[];
let warnings: ExpectationWarning[];
let conditions: AlertConditions;
beforeEach(async () => {
  runtime = simulatedRuntime(1, START_MS);
  lender = await Lender.open(runtime);
  [drill, sinks, recorded, warnings] = [undefined, [], [], []];
  const { releases, incidents, control } = lender;
  conditions = new AlertConditions({
    clock: runtime.clock,
    releases,
    incidents,
    control,
    drills: { latest: async () => drill },
    sinks: { list: async () => sinks },
    recorded: () => recorded,
    expectations: { warnings: async () => warnings },
  });
});
afterEach(() => lender.drop());

const look = async (afterMs = SELDOM_MS) => {
  await runtime.advance(afterMs);
  return conditions.look();
};
const keys = ({ conditions: all }: Seen) => all.map(({ key }) => key);
const guardrail = { name: "parity", metric: "adverse_impact_ratio", groups: "all", limit: 0.8 };
const declare = async (more: object) => {
  const applied = await lender.releases.applyEndpoint({ ...endpoint, ...more }, ada);
  if (!applied.ok) throw new Error(JSON.stringify(applied.error));
};

test("of a lender in order nobody is told anything", async () => {
  const [good] = await lender.define(fairRelease(50));
  if (good) await lender.promote(good);
  await lender.applications(100, "a");
  await lender.control.tick();
  expect(keys(await look())).toEqual([]);
});

test("an incident is one condition until somebody has settled it, and says what was done; the rule of last resort that it put back isn't another", async () => {
  const [bad] = await lender.define(harmfulRelease(20, 95));
  if (!bad) throw new Error("no release");
  await lender.promote(bad);
  for (let i = 0; i < 10 && (await lender.incidentNumbers()).length === 0; i++) {
    await lender.applications(100, `r-${i}`);
    await lender.control.tick();
  }
  const seen = await look();
  expect(keys(seen)).toEqual(["incident/1"]);
  expect(seen.conditions[0]).toMatchObject({
    kind: "incident",
    facts: {
      severity: "error",
      title: "r2 turned down applicants with education high school",
      blindTitle: "r2 turned down applicants of one group",
      endpoint: "loans",
      release: "r2",
      guardrail: "parity",
      group: "education=high_school",
      figures: { metric: "adverse_impact_ratio", limit: 0.8, estimate: expect.any(Number) },
      done: { text: "rolled back to r1 by itself" },
      path: "/incidents/1",
    },
  });
  const figures = seen.conditions[0]?.facts.figures;
  expect((figures?.evidence ?? 0) >= (figures?.needed ?? Infinity)).toBe(true);
  // Somebody looks at it: less urgent, and the same alert.
  await lender.incidents.move(1, "in_review", { actor: ada.actor, reason: "x" });
  expect((await look()).conditions).toMatchObject([{ key: "incident/1", facts: { severity: "warning" } }]);
  await lender.incidents.move(1, "resolved", { actor: ada.actor, reason: "x" });
  expect(keys(await look())).toEqual(["fallback/loans"]);
});

test("by hand an incident tells nothing that a person typed", async () => {
  const [good, better] = await lender.define(fairRelease(50), fairRelease(55));
  if (!good || !better) throw new Error("no release");
  await lender.promote(good);
  await lender.promote(better);
  const wish = { from: null, to: null, condemn: true } as const;
  await lender.rollbacks.byHand(lender.room, wish, { actor: ada.actor, reason: "Mrs Miller complained" });
  const seen = await look();
  expect(seen.conditions).toMatchObject([
    { key: "incident/1", facts: { title: "r3 was rolled back by hand", done: { text: "rolled back to r2 by a person", ms: null } } },
  ]);
  expect(JSON.stringify(seen.conditions)).not.toContain("Miller");
});

test("a guardrail that warns is told of while what it warns of answers people, with whom it names", async () => {
  const [good, bad] = await lender.define(fairRelease(50), harmfulRelease(20, 95));
  await declare({ guardrails: [{ ...guardrail, action: "warn", tell: ["risk"] }] });
  if (!good || !bad) throw new Error("no release");
  await lender.promote(good);
  await lender.promote(bad);
  for (let i = 0; i < 6; i++) {
    await lender.applications(100, `r-${i}`);
    await lender.control.tick();
  }
  const seen = await look();
  expect(seen.conditions).toMatchObject([
    {
      kind: "guardrail",
      facts: { severity: "warning", guardrail: "parity", blindTitle: "r3 turned down applicants of one group", done: null, tell: ["risk"] },
    },
  ]);
  expect(await lender.incidentNumbers()).toEqual([]);
});

test("a shadow that was ended before it harmed anybody is told of for a day", async () => {
  const [good, bad] = await lender.define(fairRelease(50), harmfulRelease(20, 95));
  await declare({ guardrails: [{ ...guardrail, action: "roll_back" }], shadow: { on_breach: "condemn" } });
  if (!good || !bad) throw new Error("no release");
  await lender.promote(good);
  await lender.command({ kind: "shadow", release: bad.id, share: 1 });
  for (let i = 0; i < 10 && !lender.table.condemned.has(bad.id); i++) {
    await lender.applications(100, `r-${i}`);
    await lender.gateway.idle();
    await lender.log.flush();
    await lender.control.tick();
  }
  expect(lender.table.condemned.has(bad.id)).toBe(true);
  expect((await look()).conditions).toMatchObject([
    {
      kind: "guardrail",
      facts: {
        release: "r3",
        guardrail: "parity",
        title: "r3 would have harmed applicants, and was stopped as a shadow before it answered any",
      },
    },
  ]);
  expect(keys(await look(25 * 3_600_000))).toEqual([]);
});

test("a failed rehearsal and a sink that fails are looked at now and then, and nothing is concluded in between", async () => {
  const [good] = await lender.define(fairRelease(50));
  if (!good) throw new Error("no release");
  await lender.promote(good);
  const { name } = lender.room;
  const made = { endpoint: name, atMs: 0, mode: "replay", live: good.id, target: lender.table.fallback, actor: "drill" } as const;
  drill = { ...made, passed: false, thereUs: null, backUs: null, answers: 297, failed: 3 };
  const archive = {
    delivered: { decision: 0, outcome: 0 },
    failures: 9,
    lag: { decision: 9, outcome: 0 },
    lastErrorAtMs: 1,
    lastSuccessAtMs: null,
  };
  const late: SinkStatus = {
    ...archive,
    spec: { kind: "sink", name: "archive", target: { kind: "ndjson" } },
    state: "running",
    why: null,
    createdAtMs: 0,
    lagMs: 600_000,
    lastError: "full",
  };
  sinks = [late];
  const seen = await look();
  expect(keys(seen)).toEqual(["drill/loans", "sink/archive"]);
  expect(seen.conditions[0]?.facts.title).toBe("the last rehearsal of a rollback (replay) failed: r1 had no answer to 3 of 300");
  const soon = await look(1000);
  expect(keys(soon)).toEqual([]);
  expect([soon.kinds.has("drill"), soon.kinds.has("sink"), soon.kinds.has("incident")]).toEqual([false, false, true]);
  drill = { ...drill, passed: true };
  sinks = [
    { ...late, lagMs: 1000 },
    { ...late, state: "paused" },
  ];
  expect(keys(await look())).toEqual([]);
  sinks = [{ ...late, state: "disabled" }];
  expect((await look()).conditions).toMatchObject([{ key: "sink/archive", facts: { severity: "error" } }]);
});

test("an endpoint that is mostly answered by stand-ins is told of until it isn't; silence changes nothing", async () => {
  const [good] = await lender.define(fairRelease(50));
  if (good) await lender.promote(good);
  const after = async (count: number, fellBack: number) => {
    recorded = [...recorded, { endpoint: "loans", count, fellBack }];
    return keys(await look());
  };
  expect(await after(100, 10)).toEqual([]);
  expect(await after(19, 19)).toEqual([]);
  expect(await after(100, 60)).toEqual(["fallback/loans"]);
  expect(await after(0, 0)).toEqual(["fallback/loans"]);
  expect(keys(await look(1000))).toEqual(["fallback/loans"]);
  expect(await after(100, 10)).toEqual([]);
});

test("a broken expectation is told of until its day ends", async () => {
  await lender.define();
  warnings = [{ expectation: "income", key: "income", breach: "above", atMs: 0, checked: 5020, breached: 340, limit: 0.01 }];
  const [found] = (await look()).conditions;
  expect(found).toMatchObject({ key: "expectation/loans/income/above", kind: "expectation" });
  expect(found?.facts.title).toBe("the expectation income is broken (above) by more than 1 % of what comes in");
  warnings = [];
  expect(keys(await look())).toEqual([]);
});

test("a guardrail whose counts can't be trusted is told of, once, however many groups it watches", async () => {
  await lender.define();
  await lender.applications(20, "a");
  await lender.control.tick();
  expect(keys(await look())).toEqual([]);
  await lender.store.db.updateTable("tally_total").set({ counted: 1 }).execute();
  await lender.control.tick();
  const seen = await look();
  expect(seen.conditions).toMatchObject([
    {
      key: `guardrail/paused/${lender.table.live}/serving/parity`,
      facts: {
        severity: "error",
        guardrail: "parity",
        release: "r1",
        title: expect.stringMatching(/^parity no longer watches r1: .*have shrunk/),
      },
    },
  ]);
});
