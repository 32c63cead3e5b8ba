import fc from "fast-check";
import { expect, test } from "vitest";
import { ABOUT_NOTHING, type Alert, type Condition, type Facts, type Silence, type Told } from "./alert.ts";
import { reconcile } from "./reconcile.ts";
import type { AlertsSpec } from "./spec.ts";
import { due, merged, responsibleFor, type TellState, type Telling } from "./tell.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const facts = (more: Partial<Facts> = {}): Facts => ({
  ...ABOUT_NOTHING,
  severity: "critical",
  title: "r2 turned down applicants with education high school",
  blindTitle: "r2 turned down applicants of one group",
  endpoint: "loans",
  guardrail: "parity",
  command: "evenkeel incidents 7",
  ...more,
});
const incident = (n: number, more: Partial<Facts> = {}): Condition => ({ key: `incident/${n}`, kind: "incident", facts: facts(more) });
const everybody: AlertsSpec = { kind: "alerts", name: "everybody", tell: ["chat"] };
const onCall: AlertsSpec = { ...everybody, escalate: [{ after: "15m", tell: ["pager"] }] };
const telling = (...alerts: AlertsSpec[]): Telling => ({
  alerts,
  channels: new Map([
    ["chat", { wantsAcks: false }],
    ["pager", { wantsAcks: true }],
    ["risk", { wantsAcks: false }],
  ]),
});

/** Plays an installation: conditions and time in, notices out; every look is stored as the shell does. */
class World {
  nowMs = 0;
  alerts: Alert[] = [];
  told: Told[] = [];
  silences: Silence[] = [];
  busy = new Set<string>();
  #ids = 0;
  readonly declared: Telling;
  constructor(...alerts: AlertsSpec[]) {
    this.declared = telling(...alerts);
  }
  at(nowMs: number, ...conditions: Condition[]): readonly string[] {
    this.nowMs = nowMs;
    const open = this.alerts.filter(({ resolvedAtMs }) => resolvedAtMs === null);
    const seen = { conditions, kinds: new Set(["incident", "sink"] as const) };
    for (const alert of reconcile(open, seen, { nowMs, newId: () => `a${++this.#ids}` }))
      this.alerts = [...this.alerts.filter(({ id }) => id !== alert.id), alert];
    const dues = due(this.state, this.declared, nowMs);
    for (const { told } of dues)
      for (const one of told)
        this.told = [...this.told.filter(({ alert, channel }) => alert !== one.alert || channel !== one.channel), one];
    return dues.map(({ channel, entries }) => `${channel}: ${entries.map(({ key, news }) => `${key} ${news}`).join(", ")}`);
  }
  ack(key: string) {
    const acked = { atMs: this.nowMs, by: "ana", reason: "on it" };
    this.alerts = this.alerts.map((alert) => (alert.key === key ? { ...alert, acked } : alert));
  }
  get state(): TellState {
    return this;
  }
}

test("an incident is told once, with those of its endpoint that come within the wait, and its end is told too", () => {
  const world = new World(everybody);
  expect(world.at(0, incident(1))).toEqual([]);
  expect(world.at(9_000, incident(1), incident(2))).toEqual([]);
  expect(world.at(10_000, incident(1), incident(2))).toEqual(["chat: incident/1 opened, incident/2 opened"]);
  for (let s = 11; s < 600; s += 7) expect(world.at(s * 1000, incident(1), incident(2))).toEqual([]);
  expect(world.at(600_000, incident(2))).toEqual(["chat: incident/1 resolved"]);
  expect(world.at(601_000, incident(2))).toEqual([]);
});

test("two endpoints are two messages", () => {
  const world = new World(everybody);
  world.at(0, incident(1), incident(2, { endpoint: "cards" }));
  expect(world.at(10_000, incident(1), incident(2, { endpoint: "cards" }))).toEqual(["chat: incident/1 opened", "chat: incident/2 opened"]);
});

test("between two messages about one endpoint there is the interval, however much comes", () => {
  const world = new World(everybody);
  world.at(0, incident(1));
  world.at(10_000, incident(1));
  expect(world.at(12_000, incident(2))).toEqual([]);
  expect(world.at(69_000, incident(2))).toEqual([]);
  expect(world.at(70_000, incident(2))).toEqual(["chat: incident/2 opened, incident/1 resolved"]);
});

test("nobody who has acknowledged is called again: it is repeated until then, and escalated", () => {
  const world = new World(onCall);
  const calls = (fromMs: number, toMs: number) => {
    const said: string[] = [];
    for (let ms = fromMs; ms < toMs; ms += MINUTE) said.push(...world.at(ms, incident(1)));
    return said;
  };
  expect(calls(0, 15 * MINUTE)).toEqual(["chat: incident/1 opened"]);
  expect(calls(15 * MINUTE, 4 * HOUR)).toEqual(["pager: incident/1 escalated"]);
  expect(calls(4 * HOUR, 5 * HOUR)).toEqual(["chat: incident/1 repeated", "pager: incident/1 repeated"]);
  world.ack("incident/1");
  expect(calls(5 * HOUR, 48 * HOUR)).toEqual(["pager: incident/1 acknowledged"]);
  expect(world.at(48 * HOUR)).toEqual(["chat: incident/1 resolved", "pager: incident/1 resolved"]);
});

test("whoever was called hears at once that somebody sees to it", () => {
  const world = new World({ ...onCall, group_interval: "1s" });
  world.at(0, incident(1));
  world.at(10_000, incident(1));
  expect(world.at(15 * MINUTE, incident(1))).toEqual(["pager: incident/1 escalated"]);
  world.ack("incident/1");
  expect(world.at(15 * MINUTE + 1000, incident(1))).toEqual(["pager: incident/1 acknowledged"]);
});

test("whoever acknowledges in time spares the next one", () => {
  const world = new World(onCall);
  world.at(0, incident(1));
  world.at(10_000, incident(1));
  world.ack("incident/1");
  expect(world.at(HOUR, incident(1))).toEqual([]);
  expect(world.at(2 * HOUR)).toEqual(["chat: incident/1 resolved"]);
});

test("what is worth it is told as a change; how long it took, or that it is less urgent, isn't", () => {
  const world = new World(everybody);
  world.at(0, incident(1));
  world.at(10_000, incident(1));
  const done = { text: "rolled back to r1 by itself", ms: null };
  expect(world.at(2 * MINUTE, incident(1, { done }))).toEqual(["chat: incident/1 changed"]);
  expect(world.at(4 * MINUTE, incident(1, { severity: "error", done: { ...done, ms: 12 } }))).toEqual([]);
  expect(world.at(6 * MINUTE, incident(1, { severity: "critical", done: { ...done, ms: 12 } }))).toEqual(["chat: incident/1 changed"]);
});

test("a silence keeps everything back but the end of what was told, and what still holds is told when it is over", () => {
  const world = new World(onCall);
  world.at(0, incident(1));
  world.at(10_000, incident(1));
  const matcher = { endpoint: "loans" };
  world.silences = [{ id: "s", matcher, fromMs: 0, untilMs: 8 * HOUR, by: "ana", reason: "moving", endedBy: null }];
  for (let h = 1; h < 8; h++) expect(world.at(h * HOUR, incident(1), incident(2))).toEqual([]);
  expect(world.at(7.5 * HOUR, incident(2))).toEqual(["chat: incident/1 resolved"]);
  expect(world.at(8 * HOUR, incident(2))).toEqual(["chat: incident/2 opened", "pager: incident/2 escalated"]);
});

test("a silence is for what matches in all that it says", () => {
  const alert = (key: string, more: Partial<Facts> = {}) => incident(Number(key), more);
  const silence = (matcher: Silence["matcher"]) => {
    const world = new World(everybody);
    world.silences = [{ id: "s", matcher, fromMs: 0, untilMs: HOUR, by: "ana", reason: "x", endedBy: null }];
    const conditions = [alert("1"), alert("2", { endpoint: "cards" }), alert("3", { guardrail: "other" })];
    world.at(0, ...conditions);
    return world.at(10_000, ...conditions).join("; ");
  };
  expect(silence({ alert: "incident/1" })).toBe("chat: incident/2 opened; chat: incident/3 opened");
  expect(silence({ endpoint: "loans", guardrail: "parity" })).toBe(silence({ alert: "incident/1" }));
  expect(silence({ kind: "drill" })).toBe("chat: incident/1 opened, incident/3 opened; chat: incident/2 opened");
});

test("a guardrail's own channels are told in place of the first; whoever doesn't hear is escalated to all the same", () => {
  const world = new World(onCall);
  world.at(0, incident(1, { tell: ["risk"] }));
  expect(world.at(10_000, incident(1, { tell: ["risk"] }))).toEqual(["risk: incident/1 opened"]);
  expect(world.at(15 * MINUTE, incident(1, { tell: ["risk"] }))).toEqual(["pager: incident/1 escalated"]);
});

test("a channel that isn't there any more leaves nobody untold", () => {
  const world = new World(everybody);
  world.at(0, incident(1, { tell: ["gone"] }));
  expect(world.at(10_000, incident(1, { tell: ["gone"] }))).toEqual(["chat: incident/1 opened"]);
});

test("who is told is said by endpoint, kind and severity; what belongs to no endpoint goes to those for all", () => {
  const about = (spec: Partial<AlertsSpec>, condition: Condition) => {
    const [alert] = reconcile([], { conditions: [condition], kinds: new Set() }, { nowMs: 0, newId: () => "a" });
    if (!alert) throw new Error("no alert");
    return [...responsibleFor(alert, telling({ ...everybody, ...spec }), 0).keys()].length > 0;
  };
  const sink: Condition = { key: "sink/archive", kind: "sink", facts: facts({ endpoint: null, severity: "warning" }) };
  expect(about({ endpoints: ["cards"] }, incident(1))).toBe(false);
  expect(about({ endpoints: ["loans"] }, incident(1))).toBe(true);
  expect(about({ endpoints: ["loans"] }, sink)).toBe(false);
  expect(about({}, sink)).toBe(true);
  expect(about({ kinds: ["drill"] }, sink)).toBe(false);
  expect(about({ severity: "error" }, sink)).toBe(false);
  expect(about({ severity: "critical" }, incident(1))).toBe(true);
});

test("a channel isn't told that it fails itself", () => {
  const condition: Condition = { key: "channel/chat", kind: "channel", facts: facts({ endpoint: null }) };
  const [alert] = reconcile([], { conditions: [condition], kinds: new Set() }, { nowMs: 0, newId: () => "a" });
  if (!alert) throw new Error("no alert");
  expect([...responsibleFor(alert, telling({ ...everybody, tell: ["chat", "pager"] }), 0).keys()]).toEqual(["pager"]);
});

test("what was never told isn't told to be over, and what comes back is told anew", () => {
  const world = new World(everybody);
  world.at(0, incident(1));
  expect(world.at(5000)).toEqual([]);
  expect(world.at(HOUR)).toEqual([]);
  world.at(2 * HOUR, incident(1));
  expect(world.at(2 * HOUR + 10_000, incident(1))).toEqual(["chat: incident/1 opened"]);
  expect(new Set(world.alerts.map(({ id }) => id)).size).toBe(2);
});

test("of a kind that wasn't looked for nothing is concluded", () => {
  const world = new World(everybody);
  world.at(0, incident(1));
  const open = world.alerts;
  expect(reconcile(open, { conditions: [], kinds: new Set(["drill"]) }, { nowMs: 5, newId: () => "b" })).toEqual([]);
});

test("nothing is repeated while something is on its way there", () => {
  const world = new World(everybody);
  world.at(0, incident(1));
  world.at(10_000, incident(1));
  world.busy.add("chat\0loans");
  expect(world.at(10 * HOUR, incident(1))).toEqual([]);
});

test("what hasn't gone out yet says the newest, and still that it is new", () => {
  const world = new World(everybody);
  world.at(0, incident(1));
  const entry = (news: "opened" | "changed" | "resolved") => {
    const [alert] = world.alerts;
    if (!alert) throw new Error("no alert");
    const { id, key, kind, openedAs, openedAtMs, resolvedAtMs } = alert;
    return { alert: id, key, kind, news, openedAs, openedAtMs, resolvedAtMs, facts: alert.facts };
  };
  expect(merged([entry("opened")], [entry("changed")]).map(({ news }) => news)).toEqual(["opened"]);
  expect(merged([entry("opened")], [entry("resolved")]).map(({ news }) => news)).toEqual(["resolved"]);
});

test("whatever comes and goes: each alert is resolved once where it was told, and no endpoint is told of more often than the interval", () => {
  const step = fc.record({ afterMs: fc.integer({ min: 1, max: 20 * MINUTE }), holding: fc.subarray([1, 2, 3, 4]), acks: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const world = new World(onCall);
      const news = new Map<string, string[]>();
      const lastMs = new Map<string, number>();
      const look = (nowMs: number, holding: readonly number[]) => {
        const conditions = holding.map((n) => incident(n, { endpoint: n % 2 === 0 ? "loans" : "cards" }));
        world.at(nowMs, ...conditions);
        for (const { alert, channel, atMs, isResolved } of world.told) {
          if (atMs !== nowMs) continue;
          const said = news.get(`${alert} ${channel}`) ?? [];
          news.set(`${alert} ${channel}`, [...said, isResolved ? "resolved" : "open"]);
          const group = `${channel} ${world.alerts.find(({ id }) => id === alert)?.facts.endpoint}`;
          const last = lastMs.get(group);
          if (last !== undefined && last !== nowMs) expect(nowMs - last).toBeGreaterThanOrEqual(MINUTE);
          lastMs.set(group, nowMs);
        }
      };
      let nowMs = 0;
      for (const { afterMs, holding, acks } of steps) {
        nowMs += afterMs;
        if (acks) world.ack("incident/1");
        look(nowMs, holding);
      }
      for (let i = 0; i < 4; i++) look((nowMs += 2 * MINUTE), []);
      for (const said of news.values()) {
        expect(said.filter((one) => one === "resolved")).toHaveLength(1);
        expect(said.at(-1)).toBe("resolved");
      }
      const keys = world.alerts.filter(({ resolvedAtMs }) => resolvedAtMs === null);
      expect(keys).toEqual([]);
    }),
  );
});
