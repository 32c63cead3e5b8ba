import { afterEach, beforeEach, expect, test } from "vitest";
import { Lender, ada, endpoint, fairRelease } from "../../test/lender.ts";
import { START_MS } from "../../test/sqlite.ts";
import { simulatedRuntime, type SimulatedRuntime } from "../store/index.ts";
import { Drills } from "./drill.ts";

let runtime: SimulatedRuntime;
let lender: Lender;
let drills: Drills;
let troubles: Error[] = [];
const drillsOf = ({ store, audit, releases, gateway, incidents }: Lender) =>
  new Drills({ store, audit, releases, gateway, incidents, onTrouble: (error) => void troubles.push(error) });
beforeEach(async () => {
  runtime = simulatedRuntime(1, START_MS);
  troubles = [];
  lender = await Lender.open(runtime);
  drills = drillsOf(lender);
});
afterEach(() => lender.drop());

test("a live drill lets the standby answer for a moment, puts the live release back, and is recorded with what it took", async () => {
  const [r2, r3] = await lender.define(fairRelease(40), fairRelease(30));
  if (!r2 || !r3) throw new Error("no releases");
  await lender.promote(r2);
  await lender.promote(r3);
  const before = lender.table;
  const drilling = drills.run(lender.room, "live", ada);
  while (lender.table.drilledFrom === null) await new Promise((resolve) => setTimeout(resolve, 5));
  const answers = await lender.applications(10, "a");
  expect(new Set(answers.map(({ release }) => release))).toEqual(new Set(["r2"]));
  await runtime.advance(2000);
  const done = await drilling;
  expect(done).toMatchObject({ ok: true, value: { mode: "live", live: r3.id, target: r2.id, passed: true, answers: 20, failed: 0 } });
  expect(lender.table).toMatchObject({ live: r3.id, history: before.history, drilledFrom: null, hold: null });
  expect(await drills.latest(lender.room.name)).toMatchObject({ mode: "live", passed: true, actor: "ada" });
});

test("a drill by replay changes nothing for anybody", async () => {
  const [r2] = await lender.define(fairRelease(40));
  if (!r2) throw new Error("no release");
  await lender.promote(r2);
  await lender.applications(20, "a");
  const before = lender.table;
  expect(await drills.run(lender.room, "replay", ada)).toMatchObject({
    ok: true,
    value: { mode: "replay", passed: true, answers: 40, failed: 0, thereUs: null },
  });
  expect(lender.table).toBe(before);
});

test("every drill is in the audit log, with what came of it; one that had nobody to ask about isn't passed", async () => {
  const [r2] = await lender.define(fairRelease(40));
  if (!r2) throw new Error("no release");
  await lender.promote(r2);
  expect(await drills.run(lender.room, "replay", ada)).toMatchObject({ ok: true, value: { passed: false, answers: 0 } });
  await lender.applications(20, "a");
  await runtime.advance(1000);
  await drills.run(lender.room, "replay", ada);
  const { entries } = await lender.audit.list({ limit: 2 });
  expect(entries).toMatchObject([
    { actor: "ada", action: "drill.passed", object: `endpoint/${lender.room.name}`, payload: { mode: "replay", answers: 40, failed: 0 } },
    { action: "drill.failed", payload: { answers: 0 } },
  ]);
});

test("a live drill that a crash cut short is ended after the next start", async () => {
  const [r2, r3] = await lender.define(fairRelease(40), fairRelease(30));
  if (!r2 || !r3) throw new Error("no releases");
  await lender.promote(r2);
  await lender.promote(r3);
  await lender.command({ kind: "start-drill", to: null });
  await lender.stop();
  lender = await Lender.open(runtime, lender.folder);
  expect(lender.table).toMatchObject({ live: r2.id, drilledFrom: r3.id });
  await drillsOf(lender).tick();
  expect(lender.table).toMatchObject({ live: r3.id, drilledFrom: null, history: [r2.id] });
});

const DAY_MS = 86_400_000;

test("a scheduled drill is made when it is due, with people to rehearse on, and never in a rollout or a frozen period", async () => {
  const [r2] = await lender.define(fairRelease(40));
  if (!r2) throw new Error("no release");
  await lender.promote(r2);
  const schedule = async (change: object) => {
    const applied = await lender.releases.applyEndpoint({ ...endpoint, drills: { every: "1d" }, ...change }, ada);
    expect(applied).toMatchObject({ ok: true });
  };
  const made = async () => {
    await runtime.advance(61_000);
    await drills.tick();
    return (await drills.list(lender.room.name, 100)).length;
  };
  expect(await drills.dueMs(lender.room)).toBeNull();
  await schedule({});
  expect(await made()).toBe(0);
  await lender.applications(20, "a");
  const from = new Date(START_MS).toISOString();
  await schedule({ frozen: [{ from, to: new Date(START_MS + DAY_MS).toISOString(), why: "the end of the year" }] });
  expect(await made()).toBe(0);
  await schedule({});
  expect(await made()).toBe(1);
  expect(await drills.latest(lender.room.name)).toMatchObject({ mode: "replay", passed: true, actor: "drill" });
  expect(await made()).toBe(1);
  const due = await drills.dueMs(lender.room);
  await runtime.advance((due ?? 0) - runtime.clock.nowMs());
  expect(await made()).toBe(2);
  expect(troubles).toEqual([]);
});
