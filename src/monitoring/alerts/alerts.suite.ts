/** What alerts promise on any database: one message at least, under one id, whatever fails on the way. */
import { createHmac } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Receiver, type Received } from "../../../test/fixtures/receiver.ts";
import { Audit, Egress, parseEgress } from "../../access/index.ts";
import type { SimulatedRuntime, Store } from "../../store/index.ts";
import { ABOUT_NOTHING, type Condition } from "./alert.ts";
import { Alerts } from "./alerts.ts";
import type { Seen } from "./reconcile.ts";

export interface AlertWorld {
  readonly store: Store;
  readonly runtime: SimulatedRuntime;
  readonly drop: () => Promise<void>;
}

const SECRET = Buffer.alloc(24, 5);
const secrets = { hook: `whsec_${SECRET.toString("base64")}` };
const by = { actor: "ana", reason: "because" };
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const incident = (n: number, endpoint = "loans"): Condition => ({
  key: `incident/${n}`,
  kind: "incident",
  facts: {
    ...ABOUT_NOTHING,
    severity: "critical",
    title: "r2 turned down applicants with education high school",
    blindTitle: "r2 turned down applicants of one group",
    endpoint,
    release: "r2",
    guardrail: "parity",
    group: "education=high_school",
    path: `/incidents/${n}`,
    command: `evenkeel incidents ${n}`,
  },
});

interface Body {
  readonly type: string;
  readonly data: {
    readonly channel: string;
    readonly alerts: readonly { readonly id: string; readonly about: string; readonly news: string; readonly [key: string]: unknown }[];
  };
}
const bodyOf = ({ body }: Received): Body => JSON.parse(body);
const news = (requests: readonly Received[]) =>
  requests.map((one) =>
    bodyOf(one)
      .data.alerts.map(({ about, news: word }) => `${about} ${word}`)
      .join(", "),
  );
const idOf = ({ headers }: Received) => String(headers["webhook-id"]);

/** @param open - a fresh store and the time that it lives in */
export function alertsSuite(open: () => Promise<AlertWorld>): void {
  let world: AlertWorld;
  let receiver: Receiver;
  let holding: Condition[];
  let troubles: string[];
  let alerts: Alerts;
  let looked: () => Seen;

  const begin = () => {
    const rules = parseEgress([`127.0.0.1:${receiver.port}`]);
    if (!rules.ok) throw new Error("no rules");
    const { store } = world;
    return new Alerts({
      store,
      audit: new Audit(store),
      egress: new Egress({ rules: rules.value }),
      secrets,
      publicUrl: "https://evenkeel.test",
      look: async () => looked(),
      endpoints: () => ["loans", "cards"],
      guardrailsTelling: () => [],
      onTrouble: ({ message }) => void troubles.push(message),
    });
  };
  const target = (more: object = {}) => ({
    kind: "webhook",
    url: `http://127.0.0.1:${receiver.port}/in`,
    secrets: ["hook"],
    timeout_ms: 300,
    ...more,
  });
  const apply = async (kind: "channel" | "alerts", spec: object) => {
    const done = await alerts.declarations.apply(kind, { kind, ...spec }, by);
    if (!done.ok) throw new Error(JSON.stringify(done.error));
    return done.value;
  };
  /** A look, and whatever it began to deliver, so much later. */
  const look = async (afterMs = 0) => {
    await world.runtime.advance(afterMs);
    await alerts.tick();
    await alerts.settled();
  };
  beforeEach(async () => {
    [receiver, world] = [await new Receiver().listen(), await open()];
    [holding, troubles] = [[], []];
    looked = () => ({ conditions: holding, kinds: new Set(["incident"]) });
    alerts = begin();
    await apply("channel", { name: "hook", target: target() });
    await apply("alerts", { name: "all", tell: ["hook"], group_wait: "0s" });
  });
  afterEach(async () => {
    await receiver.close();
    await alerts.stop();
    await world.drop();
  });

  test("an incident is one message, signed so that a receiver can check it, and its end another", async () => {
    holding = [incident(7)];
    for (let i = 0; i < 20; i++) await look(1000);
    expect(news(receiver.taken)).toEqual(["incident/7 opened"]);
    const [first] = receiver.taken;
    if (!first) throw new Error("nothing came");
    const content = `${idOf(first)}.${String(first.headers["webhook-timestamp"])}.${first.body}`;
    expect(first.headers["webhook-signature"]).toBe(`v1,${createHmac("sha256", SECRET).update(content).digest("base64")}`);
    expect(bodyOf(first)).toMatchObject({
      type: "evenkeel.alerts.v1",
      data: {
        channel: "hook",
        endpoint: "loans",
        headline: "[critical] loans: r2 turned down applicants of one group",
        alerts: [{ about: "incident/7", release: "r2", group: "one group", link: "https://evenkeel.test/incidents/7" }],
      },
    });
    expect(first.body).not.toContain("high");
    holding = [];
    await look(2 * MINUTE);
    expect(news(receiver.taken)).toEqual(["incident/7 opened", "incident/7 resolved"]);
    const [opened, resolved] = receiver.taken.map((one) => bodyOf(one).data.alerts[0]?.id);
    expect(resolved).toBe(opened);
    for (let i = 0; i < 20; i++) await look(HOUR);
    expect(receiver.seen).toHaveLength(2);
  });

  test("a channel that may see groups is told which", async () => {
    await apply("channel", { name: "hook", groups: true, target: target() });
    holding = [incident(7)];
    await look(1000);
    expect(bodyOf(receiver.taken[0] ?? { headers: {}, body: "{}" })).toMatchObject({
      data: { alerts: [{ title: "r2 turned down applicants with education high school", group: "education=high_school" }] },
    });
  });

  test.each([
    ["hangs", "hangs"],
    ["garbles", "garbage"],
    ["drops", "drops"],
    ["errs", { status: 503 }],
    ["redirects", { status: 302, headers: { location: "http://169.254.169.254/" } }],
    ["is forbidden for a while", { status: 403 }],
  ] as const)("a receiver that %s is tried again under the same id, and again, ever more seldom, until it takes it", async (_how, mood) => {
    receiver.mood = mood;
    holding = [incident(7)];
    for (let i = 0; i < 5; i++) await look(10_000);
    const failed = receiver.seen.length;
    expect(failed).toBeGreaterThan(2);
    expect(receiver.taken).toEqual([]);
    receiver.mood = "takes";
    await look(HOUR);
    expect(new Set(receiver.seen.map(idOf)).size).toBe(1);
    expect(news(receiver.taken)).toEqual(["incident/7 opened"]);
    expect(troubles).toHaveLength(1);
    expect((await alerts.show("incident/7"))?.tellings).toMatchObject([{ channel: "hook", state: "delivered", attempts: failed + 1 }]);
  });

  test("a receiver that took it and never said so gets the same again, and can tell", async () => {
    receiver.mood = "late";
    holding = [incident(7)];
    await look(1000);
    receiver.mood = "takes";
    await look(10_000);
    expect(receiver.taken).toHaveLength(2);
    expect(new Set(receiver.taken.map(idOf)).size).toBe(1);
    expect(new Set(receiver.taken.map(({ body }) => body)).size).toBe(1);
  });

  test("what is refused for good, or for a day, is given up, shown, and can be sent again under its id", async () => {
    receiver.mood = { status: 400 };
    holding = [incident(7)];
    await look(1000);
    const [dead] = await alerts.dead();
    expect(dead).toMatchObject({ channel: "hook", attempts: 1, lastError: "the receiver answered 400" });
    expect(troubles.at(-1)).toContain(`evenkeel alerts resend ${dead?.id ?? ""}`);
    receiver.mood = "takes";
    expect(await alerts.resend(dead?.id ?? "", by, () => false)).toMatchObject({ ok: false, error: { kind: "unknown" } });
    expect(await alerts.resend(dead?.id ?? "", by, () => true)).toMatchObject({ ok: true });
    await look(1000);
    expect(receiver.taken.map(idOf)).toEqual([dead?.id]);
    expect(await alerts.dead()).toEqual([]);
    expect(await alerts.resend(dead?.id ?? "", by, () => true)).toMatchObject({ ok: false, error: { kind: "ended" } });

    receiver.mood = { status: 500 };
    holding = [incident(8)];
    for (let h = 0; h < 24; h++) await look(HOUR);
    const tried = receiver.seen.length;
    expect(await alerts.dead()).toHaveLength(0);
    for (let h = 0; h < 3; h++) await look(HOUR);
    const [late] = await alerts.dead();
    expect(late).toMatchObject({ lastError: "the receiver answered 500" });
    expect(receiver.seen.length - tried).toBeLessThan(6);
  });

  test("while a receiver is away nothing piles up: what was tried, and one message that says all that came since", async () => {
    receiver.mood = { status: 500 };
    for (let n = 1; n <= 40; n++) {
      holding = Array.from({ length: n }, (_, i) => incident(i + 1));
      await look(2 * MINUTE);
    }
    expect(await alerts.channels()).toMatchObject([{ spec: { name: "hook" }, pending: 2, dead: 0 }]);
    receiver.mood = "takes";
    holding = [incident(40)];
    for (let i = 0; i < 5; i++) await look(HOUR);
    const said = news(receiver.taken);
    expect(said[0]).toBe("incident/1 opened");
    expect(new Set(bodyOf(receiver.taken[1] ?? { headers: {}, body: "{}" }).data.alerts.map(({ about }) => about)).size).toBe(40);
  });

  test("a storm of alerts is a few messages", async () => {
    holding = Array.from({ length: 150 }, (_, i) => incident(i + 1));
    for (let i = 0; i < 100; i++) await look(1000);
    expect(receiver.taken).toHaveLength(1);
    expect(bodyOf(receiver.taken[0] ?? { headers: {}, body: "{}" }).data.alerts).toHaveLength(150);
  });

  test("another process goes on where one ended: nothing is told twice, and what wasn't is", async () => {
    holding = [incident(7)];
    await look(1000);
    receiver.mood = { status: 500 };
    holding = [incident(7), incident(8)];
    await look(2 * MINUTE);
    const [, failed] = receiver.seen;
    await alerts.stop();
    alerts = begin();
    receiver.mood = "takes";
    for (let i = 0; i < 10; i++) await look(MINUTE);
    expect(news(receiver.taken)).toEqual(["incident/7 opened", "incident/8 opened"]);
    expect(idOf(receiver.taken[1] ?? { headers: {}, body: "" })).toBe(failed && idOf(failed));
  });

  test("what is acknowledged is kept with who and why, whatever the alert does at that moment", async () => {
    holding = [incident(7)];
    await look(1000);
    expect(await alerts.acknowledge("incident/7", { actor: "ana", reason: "on it" })).toMatchObject({ ok: true });
    holding = [{ ...incident(7), facts: { ...incident(7).facts, severity: "error" } }];
    for (let h = 0; h < 10; h++) await look(HOUR);
    expect((await alerts.show("incident/7"))?.alert).toMatchObject({ acked: { by: "ana", reason: "on it" }, facts: { severity: "error" } });
    expect(news(receiver.taken)).toEqual(["incident/7 opened", "incident/7 acknowledged"]);
    holding = [];
    await look(1000);
    expect(await alerts.acknowledge("incident/7", by)).toMatchObject({ ok: false, error: { kind: "resolved" } });
    expect(await alerts.acknowledge("incident/9", by)).toMatchObject({ ok: false, error: { kind: "unknown" } });
  });

  test("a silence says who, why and until when, holds until then, and can be ended before", async () => {
    const made = await alerts.silence({ endpoint: "loans" }, HOUR, { actor: "ana", reason: "moving" });
    if (!made.ok) throw new Error("no silence");
    holding = [incident(7), incident(8, "cards")];
    await look(1000);
    expect(news(receiver.taken)).toEqual(["incident/8 opened"]);
    expect(await alerts.list({ isOpen: true })).toMatchObject([
      { alert: { key: "incident/8" }, isSilenced: false },
      { alert: { key: "incident/7" }, isSilenced: true },
    ]);
    expect(await alerts.unsilence(made.value.id, { actor: "ben", reason: "moved" })).toMatchObject({ ok: true, value: { endedBy: "ben" } });
    expect(await alerts.unsilence(made.value.id, by)).toMatchObject({ ok: false, error: { kind: "ended" } });
    await look(1000);
    expect(news(receiver.taken)).toEqual(["incident/8 opened", "incident/7 opened"]);
  });

  test("a channel that is told of by something can't be taken away; one that nothing tells takes with it what waits", async () => {
    receiver.mood = { status: 500 };
    holding = [incident(7)];
    await look(1000);
    expect(await alerts.declarations.remove("channel", "hook", by)).toMatchObject({
      ok: false,
      error: { kind: "in-use", by: ["alerts all"] },
    });
    expect(await alerts.declarations.remove("alerts", "all", by)).toMatchObject({ ok: true });
    expect(await alerts.declarations.remove("channel", "hook", by)).toMatchObject({ ok: true });
    expect(await alerts.declarations.remove("channel", "hook", by)).toMatchObject({ ok: false, error: { kind: "unknown" } });
    const before = receiver.seen.length;
    for (let i = 0; i < 5; i++) await look(HOUR);
    expect(receiver.seen).toHaveLength(before);
    expect((await alerts.show("incident/7"))?.tellings).toMatchObject([{ state: "dropped" }]);
  });

  test("that a channel fails is told by another one", async () => {
    await apply("channel", { name: "chat", target: target() });
    await apply("alerts", { name: "all", tell: ["hook", "chat"], group_wait: "0s" });
    receiver.mood = { status: 400 };
    holding = [incident(7)];
    await look(1000);
    receiver.mood = "takes";
    await look(2 * MINUTE);
    expect(receiver.taken.map((one) => `${bodyOf(one).data.channel}: ${news([one]).join("")}`).toSorted()).toEqual([
      "chat: channel/hook opened",
      "hook: channel/chat opened",
    ]);
  });

  test("what came and went long ago is forgotten, but who was told of an incident isn't", async () => {
    const sink: Condition = { ...incident(1), key: "sink/archive", kind: "sink" };
    const look90 = { conditions: [sink, incident(7)], kinds: new Set(["incident", "sink"] as const) };
    looked = () => look90;
    await look(1000);
    looked = () => ({ ...look90, conditions: [] });
    await look(2 * MINUTE);
    expect(receiver.taken).toHaveLength(2);
    await look(91 * 24 * HOUR);
    expect((await alerts.list({})).map(({ alert }) => alert.key)).toEqual(["incident/7"]);
    expect((await alerts.show("incident/7"))?.tellings.map((one) => one.news)).toEqual(["opened", "resolved"]);
  });

  test("a test of a channel says that it is one, and what came of it", async () => {
    expect(await alerts.test("hook")).toMatchObject({ ok: true, value: [{ channel: "hook", kind: "webhook", why: null }] });
    expect(receiver.taken[0]?.body).toContain("this is a test of the channel hook: nothing has happened");
    receiver.mood = { status: 500 };
    expect(await alerts.test()).toMatchObject({ ok: true, value: [{ channel: "hook", why: "the receiver answered 500" }] });
    expect(await alerts.test("nobody")).toMatchObject({ ok: false, error: { kind: "unknown" } });
    expect(await alerts.list({})).toEqual([]);
  });
}
