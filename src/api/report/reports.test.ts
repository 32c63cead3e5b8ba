import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Lender, ada, endpoint, fairRelease, harmfulRelease } from "../../../test/lender.ts";
import { START_MS } from "../../../test/sqlite.ts";
import type { Principal } from "../../access/index.ts";
import { ExpectationWatch } from "../../monitoring/index.ts";
import { Redress } from "../../redress/index.ts";
import { openRegistry } from "../../registry/index.ts";
import { Drills } from "../../releases/index.ts";
import { simulatedRuntime, type SimulatedRuntime } from "../../store/index.ts";
import { DAY_MS } from "./period.ts";
import { reportPage } from "./page.ts";
import { periodAsked } from "./report-routes.ts";
import { EVERYBODY } from "./report-view.ts";
import { Reports, lastPeriod } from "./reports.ts";

const viewer: Principal = { tokenId: "1", name: "vera", role: "viewer", endpoints: null, grants: [] };
const analyst: Principal = { tokenId: "2", name: "ana", role: "analyst", endpoints: null, grants: ["protected:read"] };

let runtime: SimulatedRuntime;
let lender: Lender;
let reports: Reports;
let troubles: Error[];
beforeEach(async () => {
  runtime = simulatedRuntime(1, START_MS);
  lender = await Lender.open(runtime);
  troubles = [];
  const { store, audit, releases, incidents, control, gateway } = lender;
  const onTrouble = (error: Error) => void troubles.push(error);
  reports = new Reports({
    store,
    audit,
    registry: openRegistry(store, audit),
    releases,
    control,
    incidents,
    redress: new Redress({ store, releases, incidents }),
    drills: new Drills({ store, audit, releases, gateway, incidents, onTrouble }),
    expectations: new ExpectationWatch({
      store,
      gateway,
      endpoints: () => releases.rooms().map(({ name, definition }) => ({ name, expectations: definition.compiled.expectations })),
    }),
    onTrouble,
  });
});
afterEach(() => lender.drop());

const today = () => Math.floor(runtime.clock.nowMs() / DAY_MS);
const thisDay = () => ({ fromDay: today(), toDay: today() + 1 });

async function harm(): Promise<void> {
  const [good, bad] = await lender.define(fairRelease(20), harmfulRelease(20, 95));
  if (!good || !bad) throw new Error("two releases");
  await lender.untilIncident(good, bad);
}

describe("a report", () => {
  test("counts what people received, as the tallies do, by group and in all", async () => {
    await harm();
    const report = await reports.compose(lender.room, thisDay(), analyst, "ana");
    const { n } = await lender.store.db
      .selectFrom("decision")
      .select((eb) => eb.fn.countAll<number>().as("n"))
      .executeTakeFirstOrThrow();
    expect(report.decisions.total).toBe(n);
    expect(report.decisions.releases.reduce((sum, { decisions }) => sum + (decisions ?? 0), 0)).toBe(n);
    expect(report.decisions.days).toEqual([expect.objectContaining({ day: "2026-01-02", decisions: n })]);
    const [everybody] = report.groups;
    expect(everybody).toMatchObject({ scope: EVERYBODY, attributes: ["education"], reference: "university", referenceMode: "best_off" });
    expect(everybody?.rows.map(({ group, decisions }) => [group, decisions])).toEqual([
      ["university", n / 2],
      ["high school", n / 2],
      ["not told", 0],
    ]);
    const ofTheBad = report.groups.find(({ scope }) => scope === "r3");
    expect(ofTheBad?.rows[1]).toMatchObject({ group: "high school", belowFourFifths: true });
    expect(report.incidents).toMatchObject([{ n: 1, release: "r3", restored: "r2", rollback: { automatic: true } }]);
    expect(report.transitions[0]).toMatchObject({ kind: "rolled-back", automatic: true });
    expect(report.auditHead).toMatch(/^\d+:[0-9a-f]{64}$/);
    expect(report.isOver).toBe(false);
  });

  test("tells a reader who may not see groups neither their names nor figures of small ones or of single releases", async () => {
    await lender.define(fairRelease(20));
    await lender.applications(40);
    await runtime.advance(DAY_MS);
    for (let i = 0; i < 3; i++) await lender.decide({ income: 50, education: "high_school", subject: `late-${i}` });
    for (let day = 0; day < 2; day++) await runtime.advance(DAY_MS);
    const rowsOf = async (period: { fromDay: number; toDay: number }) =>
      (await reports.compose(lender.room, period, viewer, "vera")).groups[0]?.rows.map(({ decisions }) => decisions);
    const week = { fromDay: Date.parse("2026-01-01") / DAY_MS, toDay: Date.parse("2026-01-05") / DAY_MS };
    // The three of January 3rd can't be told by what the week has more than its first two days, nor by a day alone.
    expect(await rowsOf({ ...week, toDay: week.fromDay + 2 })).toEqual([40, 40, 0]);
    expect(await rowsOf(week)).toEqual([null, null, null]);
    expect(await rowsOf({ ...week, toDay: week.fromDay + 3 })).toEqual([null, null, null]);
    const report = await reports.compose(lender.room, week, viewer, "vera");
    const text = JSON.stringify(report) + reportPage(report);
    expect(text).not.toMatch(/high.school|university/);
    expect(report.groups.map(({ scope }) => scope)).toEqual([EVERYBODY]);
    for (const { groupDecisions, estimate, band } of report.guardrails)
      expect([groupDecisions, estimate, band]).toEqual([null, null, null]);
  });

  test("of a day with few decisions hides their shares from such a reader", async () => {
    await lender.define(fairRelease(20));
    await lender.applications(3);
    const report = await reports.compose(lender.room, thisDay(), viewer, "vera");
    expect(report.decisions).toMatchObject({ total: 6, favourable: { favourable: null, rate: { why: "suppressed" } } });
    expect(report.decisions.days[0]?.favourable).toBeNull();
    expect(report.groups[0]?.rows.every(({ decisions, rate }) => decisions === null || (decisions === 0 && rate.value === null))).toBe(
      true,
    );
  });

  test("of nobody says so, and calls it nothing else", async () => {
    await lender.define();
    const report = await reports.compose(lender.room, thisDay(), analyst, "ana");
    expect(report.decisions).toMatchObject({ total: 0, favourable: { rate: { value: null, why: "no_decisions" } } });
    expect(report.limits.join(" ")).toContain("Nobody was decided about");
    expect(reportPage(report)).toContain("Nobody was decided about in this period.");
    expect(JSON.stringify(report)).not.toMatch(/NaN|Infinity/);
  });
});

describe("a scheduled report", () => {
  test("is made once its month is over, once, with an entry in the audit log, and stays as it was made", async () => {
    const applied = await lender.releases.applyEndpoint({ ...endpoint, reports: { every: "month" } }, ada);
    expect(applied).toMatchObject({ ok: true });
    await lender.applications(20);
    await reports.tick();
    expect(await reports.list(lender.room.name)).toEqual([]);
    await runtime.advance(31 * DAY_MS);
    await reports.tick();
    await reports.tick();
    const kept = await reports.list(lender.room.name);
    expect(kept).toMatchObject([{ schedule: "month", fromMs: Date.UTC(2026, 0, 1), toMs: Date.UTC(2026, 1, 1) }]);
    const { entries } = await lender.audit.list();
    expect(entries.filter(({ action }) => action === "report.made")).toMatchObject([{ object: "endpoint/loans" }]);
    const id = kept[0]?.id ?? "";
    const before = await reports.get(lender.room.name, id, true);
    expect(before?.page).toContain("1 January 2026 to 31 January 2026");
    expect(before?.page).toContain("high school");
    const hidden = await reports.get(lender.room.name, id, false);
    expect(hidden?.page).not.toContain("high school");
    await lender.applications(20);
    expect(await reports.get(lender.room.name, id, true)).toEqual(before);
    expect(await reports.get(lender.room.name, "another", true)).toBeUndefined();
    expect(troubles).toEqual([]);
  });

  test("isn't made of a time before the endpoint was there", async () => {
    await lender.releases.applyEndpoint({ ...endpoint, reports: { every: "week" } }, ada);
    await reports.tick();
    expect(await reports.list(lender.room.name)).toEqual([]);
  });

  const dayOf = (text: string) => Date.parse(text) / DAY_MS;
  test.each([
    ["week", "2026-11-30", "2026-11-23", "2026-11-30"],
    ["week", "2026-11-29", "2026-11-16", "2026-11-23"],
    ["week", "2026-12-06", "2026-11-23", "2026-11-30"],
    ["month", "2026-11-30", "2026-10-01", "2026-11-01"],
    ["month", "2026-12-01", "2026-11-01", "2026-12-01"],
    ["month", "2026-01-15", "2025-12-01", "2026-01-01"],
    ["month", "2028-03-01", "2028-02-01", "2028-03-01"],
  ] as const)("of a %s that is over on %s is of %s up to %s", (every, now, from, to) => {
    expect(lastPeriod(every, dayOf(now))).toEqual({ fromDay: dayOf(from), toDay: dayOf(to) });
  });
});

describe("a period", () => {
  const now = Date.UTC(2026, 10, 30, 12);
  const issue = (query: { from?: string; to?: string }, seesGroups = true) => {
    const asked = periodAsked(query, now, seesGroups);
    return asked.ok ? undefined : asked.error[0];
  };
  test("is the last thirty days when nothing is asked, for those who may not see groups in whole weeks and months that are over", () => {
    const day = (text: string) => Date.parse(text) / DAY_MS;
    expect(periodAsked({}, now, true)).toEqual({ ok: true, value: { fromDay: day("2026-11-01"), toDay: day("2026-12-01") } });
    expect(periodAsked({}, now, false)).toEqual({ ok: true, value: { fromDay: day("2026-10-26"), toDay: day("2026-11-30") } });
    expect(periodAsked({ from: "2026-11-01", to: "2026-11-23" }, now, false)).toMatchObject({ ok: true });
    expect(issue({ from: "2026-11-03" }, false)).toMatchObject({
      path: "/from",
      got: "2026-11-03",
      expected: expect.stringContaining("Monday"),
    });
    expect(issue({ to: "2026-11-29" }, false)).toMatchObject({ path: "/to", got: "2026-11-29" });
  });
  test.each([
    [{ from: "2026-11-31" }, "/from", "2026-11-31"],
    [{ from: "yesterday" }, "/from", "yesterday"],
    [{ from: "2026-11-01T10:00:00Z" }, "/from", "2026-11-01T10:00:00Z"],
    [{ to: "" }, "/to", ""],
    [{ to: "2026-12-02" }, "/to", "2026-12-02"],
    [{ from: "2026-11-05", to: "2026-11-05" }, "/from", "2026-11-05"],
    [{ from: "2020-01-01" }, "/from", "2526 days"],
  ])("%o is refused", (query, path, got) => {
    expect(issue(query)).toMatchObject({ path, got });
  });
  test("that isn't over is refused to those who may not see groups", () => {
    expect(issue({ to: "2026-12-01" }, false)).toMatchObject({ path: "/to", expected: expect.stringContaining("the day must be over") });
  });
});
