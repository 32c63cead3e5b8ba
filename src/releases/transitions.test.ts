import { afterEach, beforeEach, expect, test } from "vitest";
import { freshSqliteStore, type FreshStore } from "../../test/sqlite.ts";
import { Audit } from "../access/index.ts";
import type { EndpointName, ReleaseId } from "../std.ts";
import type { Wish } from "./route-commands.ts";
import { emptyTable, type RouteTable } from "./route-table.ts";
import { asCommandId } from "./transition.ts";
import { Transitions } from "./transitions.ts";

const loans = "loans" as EndpointName;
const [r1, r2] = ["r1" as ReleaseId, "r2" as ReleaseId] as const;
let fresh: FreshStore;
let audit: Audit;
let transitions: Transitions;
beforeEach(async () => {
  fresh = await freshSqliteStore();
  audit = new Audit(fresh.store);
  transitions = new Transitions(fresh.store, audit);
});
afterEach(() => fresh.drop());

const record = (id: string, wish: Wish, known: RouteTable = emptyTable) =>
  fresh.store.transaction((tx) =>
    transitions.record(tx, loans, known, {
      id: asCommandId(id),
      wish,
      actor: { kind: "person", name: "ada" },
      reason: "because",
      atMs: 7,
      expectedGeneration: null,
    }),
  );
const open = async () => {
  await record("1", { kind: "register", release: r1 });
  await record("2", { kind: "register", release: r2 });
  return record("3", { kind: "set-fallback", release: r1 });
};

test("a stored table is the table that was handed out, transition by transition", async () => {
  await open();
  const promoted = await record("4", { kind: "promote", release: r2 });
  expect(promoted).toMatchObject({ ok: true, value: { isNew: true, table: { live: r2, fallback: r1, generation: 4 } } });
  expect(await transitions.table(loans)).toEqual(promoted.ok && promoted.value.table);
  expect((await transitions.list(loans, { limit: 2 })).map(({ change }) => change.kind)).toEqual(["promoted", "fallback-set"]);
});

test("each transition has its audit entry, a refused command has none", async () => {
  await open();
  expect(await record("4", { kind: "promote", release: r1 })).toMatchObject({ ok: false, error: { kind: "already-live" } });
  const { entries } = await audit.list();
  expect(entries.map(({ action }) => action)).toEqual(["route.fallback-set", "route.registered", "route.registered"]);
  expect(entries[0]).toMatchObject({ actor: "ada", object: "endpoint/loans", payload: { generation: 3, command: "3", reason: "because" } });
  expect(await audit.verify()).toMatchObject({ ok: true });
});

test("a command id that is stored changes nothing, however old the table that the caller knows", async () => {
  await open();
  const again = await record("2", { kind: "register", release: r2 });
  expect(again).toMatchObject({ ok: true, value: { isNew: false, transition: { generation: 2 }, table: { generation: 3 } } });
  expect(await record("2", { kind: "promote", release: r2 })).toMatchObject({ ok: false, error: { kind: "command-id-reused" } });
  expect((await transitions.table(loans)).generation).toBe(3);
});

test("of many commands at once each gets a generation of its own, and none is lost", async () => {
  const opened = await open();
  const known = opened.ok ? opened.value.table : emptyTable;
  const wishes = Array.from({ length: 20 }, (_, i) => record(`n${i}`, { kind: "register", release: `x${i}` as ReleaseId }, known));
  const generations = (await Promise.all(wishes)).map((one) => (one.ok ? one.value.transition.generation : 0));
  expect(new Set(generations)).toEqual(new Set(Array.from({ length: 20 }, (_, i) => i + 4)));
  expect((await transitions.table(loans)).releases.size).toBe(22);
});

test("what is written beside a transition is there with it, or not at all", async () => {
  await open();
  const broken = fresh.store.transaction(async (tx) => {
    await transitions.record(tx, loans, emptyTable, {
      id: asCommandId("4"),
      wish: { kind: "promote", release: r2 },
      actor: { kind: "person", name: "ada" },
      reason: "because",
      atMs: 7,
      expectedGeneration: null,
    });
    throw new Error("the incident can't be written");
  });
  await expect(broken).rejects.toThrow("the incident can't be written");
  expect(await transitions.table(loans)).toMatchObject({ generation: 3, live: r1 });
  expect((await audit.list()).entries).toHaveLength(3);
});

test("a history that can't be read is an error, not a guess", async () => {
  await open();
  await fresh.store.db.updateTable("transition").set({ body_json: '{"change":{"kind":"vanished"}}' }).where("generation", "=", 3).execute();
  await expect(transitions.table(loans)).rejects.toThrow("transition 3 can't be read");
});
