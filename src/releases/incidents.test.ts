import { afterEach, beforeEach, expect, test } from "vitest";
import { freshSqliteStore, type FreshStore } from "../../test/sqlite.ts";
import { Audit } from "../access/index.ts";
import type { EndpointName, ReleaseId } from "../std.ts";
import { incidentStates, nextStates, type IncidentBody, type IncidentState } from "./incident-record.ts";
import { Incidents } from "./incidents.ts";
import type { Actor } from "./transition.ts";

const loans = "loans" as EndpointName;
const r12 = "r12" as ReleaseId;
const ada: Actor = { kind: "person", name: "ada" };
const body: IncidentBody = {
  title: "r12 turned down applicants with high school education",
  openedBy: ada,
  reason: "seen in the branch",
  place: "live",
  guardrail: null,
  group: null,
  breach: null,
  notRolledBack: null,
  candidates: [],
  rollback: null,
  served: { fromGeneration: 4, fromMs: 1000, toMs: null },
};

let fresh: FreshStore;
let audit: Audit;
let incidents: Incidents;
beforeEach(async () => {
  fresh = await freshSqliteStore();
  audit = new Audit(fresh.store);
  incidents = new Incidents(fresh.store, audit);
});
afterEach(() => fresh.drop());

const open = (state: IncidentState = "open") =>
  fresh.store.transaction((tx) =>
    incidents.open(tx, { endpoint: loans, release: r12, restored: null, state, kind: "by-hand", body }, [
      { kind: "opened", actor: ada, atMs: 2000, text: "Opened by hand", sinceProofUs: 0 },
    ]),
  );

test("incidents are numbered from 1, and an incident comes back with all that was put in", async () => {
  expect(await open()).toBe(1);
  expect(await open()).toBe(2);
  expect(await incidents.get(2)).toMatchObject({
    n: 2,
    endpoint: loans,
    release: r12,
    state: "open",
    body,
    events: [{ kind: "opened", actor: "ada", atMs: 2000, text: "Opened by hand", sinceProofUs: 0, detail: null }],
  });
  expect(await incidents.get(3)).toBeUndefined();
});

test("an incident goes only where its state allows, and every step has a reason and is audited", async () => {
  for (const from of incidentStates)
    for (const to of incidentStates) {
      const n = await open(from);
      const moved = await incidents.move(n, to, { actor: ada, reason: "looked at it" });
      const expected = nextStates[from].includes(to)
        ? { ok: true, value: { state: to, events: [{}, { kind: to, text: "looked at it" }] } }
        : { ok: false, error: { kind: "not-from-here", state: from, allowed: nextStates[from] } };
      expect(moved).toMatchObject(expected);
    }
  const n = await open();
  expect(await incidents.move(n, "closed", { actor: ada, reason: "  " })).toMatchObject({ ok: false, error: { kind: "needs-a-reason" } });
  expect(await incidents.move(999, "closed", { actor: ada, reason: "x" })).toMatchObject({
    ok: false,
    error: { kind: "unknown-incident" },
  });
  const moves = incidentStates.flatMap((from) => nextStates[from]).length;
  expect((await audit.list({ limit: 1000 })).entries.filter(({ action }) => action === "incident.moved")).toHaveLength(moves);
});

test("a release's unsettled incident is found until it is resolved or closed", async () => {
  const n = await open();
  const find = () => incidents.unsettled(fresh.store.db, loans, r12);
  expect((await find())?.n).toBe(n);
  await incidents.move(n, "in_review", { actor: ada, reason: "x" });
  expect((await find())?.n).toBe(n);
  await incidents.move(n, "resolved", { actor: ada, reason: "x" });
  expect(await find()).toBeUndefined();
});

test("a proof has its incident while that isn't settled, and after it was settled with the proof known", async () => {
  const isKnown = (provenAtMs: number) => incidents.isKnown(fresh.store.db, { endpoint: loans, release: r12, provenAtMs });
  const nowMs = fresh.store.runtime.clock.nowMs();
  expect(await isKnown(nowMs)).toBe(false);
  const n = await open("contained");
  expect(await isKnown(nowMs + 1000)).toBe(true);
  await incidents.move(n, "closed", { actor: ada, reason: "x" });
  expect([await isKnown(nowMs), await isKnown(nowMs + 1000)]).toEqual([true, false]);
});

test("a list is newest first, by endpoint and state, in pages", async () => {
  for (let i = 0; i < 5; i++) await open(i % 2 === 0 ? "open" : "contained");
  expect((await incidents.list({ limit: 2 })).map(({ n }) => n)).toEqual([5, 4]);
  expect((await incidents.list({ before: 4, states: ["open"] })).map(({ n }) => n)).toEqual([3, 1]);
  expect(await incidents.list({ endpoint: "other" as EndpointName })).toEqual([]);
});

test("notes go to the timeline of an incident that exists", async () => {
  const n = await open();
  expect(await incidents.note(n, { actor: ada, text: "called the branch" })).toMatchObject({
    ok: true,
    value: { events: [{}, { kind: "noted" }] },
  });
  expect(await incidents.note(99, { actor: ada, text: "called" })).toMatchObject({ ok: false, error: { kind: "unknown-incident", n: 99 } });
});
