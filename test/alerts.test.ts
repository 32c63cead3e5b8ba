/** Alerts of the whole product: harm in, a message out; whatever becomes of the message, the rollback waits for nothing. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { AlertDetailView, IncidentDetailView, NewTokenView } from "../src/api/index.ts";
import type { IncidentView } from "../src/api/ui-view.ts";
import { EvenkeelClient } from "../src/client.ts";
import { openChannel } from "../src/monitoring/alerts/channels/open-channel.ts";
import { FACTS, entry, notice, partsFor } from "./fixtures/notices.ts";
import { Receiver } from "./fixtures/receiver.ts";
import { lendTo } from "./lending-server.ts";
import { hasPrometheus, startPrometheus, type RealPrometheus } from "./real-prometheus.ts";
import { said } from "./said.ts";
import { freshServer, problemOf, type FreshServer } from "./server.ts";
import { ServerProcess } from "./torture/server-process.ts";

const secrets = {
  hook: `whsec_${Buffer.alloc(24, 5).toString("base64")}`,
  pager: "0123456789abcdef0123456789abcdef",
  bad: "hunter2",
  password: "hunter3",
};
let receiver: Receiver;
let server: FreshServer;
beforeEach(async () => {
  receiver = await new Receiver().listen();
  server = await freshServer({
    lookEveryMs: 50,
    secrets: { ...secrets, chat: `http://127.0.0.1:${receiver.port}/T0/B0/hunter4` },
    egress: { allow: [`127.0.0.1:${receiver.port}`] },
    publicUrl: "https://evenkeel.test/",
  });
});
afterEach(async () => {
  await receiver.close();
  await server.drop();
});

const apply = (yaml: string) => server.admin.post<{ readonly changes: readonly object[] }>("/v1/apply", { yaml });
const webhook = (name: string, more = "") =>
  `kind: channel\nname: ${name}\ntarget: { kind: webhook, url: "http://127.0.0.1:${receiver.port}/in", secrets: [hook]${more} }\n`;
const ALL = "kind: alerts\nname: all\ntell: [hook]\ngroup_wait: 0s\ngroup_interval: 1s\n";
interface Message {
  readonly data: { readonly alerts: readonly { readonly about: string; readonly news: string; readonly [field: string]: unknown }[] };
}
const messages = (): readonly Message[] => receiver.taken.map(({ body }): Message => JSON.parse(body));
const news = () => messages().map(({ data }) => data.alerts.map((one) => `${one.about} ${one.news}`).join(", "));
const cli = (...words: string[]) => said(["alerts", ...words], { EVENKEEL_DATA: server.folder }, server.folder);

test("harm is one message, that says what was done about it and nothing about single people; the page says who was told", async () => {
  await apply(`${webhook("hook")}---\n${ALL}`);
  await lendTo(server, "loans");
  await expect.poll(news).toEqual(["incident/1 opened"]);
  const [message] = messages();
  expect(message?.data.alerts[0]).toMatchObject({
    kind: "incident",
    severity: "error",
    title: "r2 turned down applicants of one group",
    endpoint: "loans",
    release: "r2",
    guardrail: expect.stringMatching(/^(parity|to-university)$/),
    group: "one group",
    done: { text: "rolled back to r1 by itself", ms: expect.any(Number) },
    link: "https://evenkeel.test/incidents/1",
  });
  const [{ body } = { body: "" }] = receiver.taken;
  // A guardrail's own name isn't kept from anybody.
  expect(body.replaceAll("to-university", "")).not.toMatch(/high.?school|university|subject|loans-0-|income/);
  const page = async () => (await server.admin.get<IncidentView>("/v1/ui/incidents/1")).told;
  await expect.poll(page).toMatchObject([{ channel: "hook", news: "opened", state: "delivered", attempts: 1 }]);

  expect(await cli("ack", "1", "--reason", "on it")).toMatchObject({ code: 0 });
  await expect.poll(news).toEqual(["incident/1 opened", "incident/1 acknowledged"]);
  const shown = await cli("show", "1");
  expect(shown).toMatchObject({ code: 0 });
  expect(shown.out).toMatch(/acknowledged by local#local at .*: on it/);

  // Whoever was told that it began is told that it ended, once a person says so and why.
  const settle = (...words: string[]) => said(["incidents", ...words], { EVENKEEL_DATA: server.folder }, server.folder);
  expect(await settle("resolve", "1")).toMatchObject({ code: 2, err: expect.stringContaining("why?") });
  expect(await settle("resolve", "1", "--reason", " ")).toMatchObject({ code: 1, err: expect.stringContaining("why, in words") });
  expect(await settle("resolve", "1", "--reason", "the 40 cases are reviewed")).toMatchObject({ code: 0 });
  await expect.poll(() => news().at(-1)).toMatch(/^incident\/1 resolved/);
  const again = await settle("resolve", "1", "--reason", "twice");
  expect(again).toMatchObject({ code: 1, err: expect.stringContaining("is resolved, and can't be resolved from there") });
  expect((await settle("1")).out).toMatch(/local#local +the 40 cases are reviewed/);
  expect(await settle("review", "99", "--reason", "x")).toMatchObject({ code: 1, err: expect.stringContaining("incident 99") });
});

test("while every channel hangs, harm is rolled back as ever, and who can be told is told", async () => {
  const other = await new Receiver().listen();
  const mail = createServer(() => undefined);
  await new Promise<void>((resolve) => void mail.listen(0, "127.0.0.1", resolve));
  const sockets = new Set<{ destroy(): void }>();
  mail.on("connection", (socket) => void sockets.add(socket));
  const { port: mailPort } = mail.address() as AddressInfo;
  const hanging = await freshServer({
    lookEveryMs: 50,
    secrets: { ...secrets, chat: `http://127.0.0.1:${receiver.port}/T0/B0/hunter4` },
    egress: { allow: [receiver.port, other.port, mailPort].map((port) => `127.0.0.1:${port}`) },
  });
  try {
    receiver.mood = "hangs";
    const hang = `http://127.0.0.1:${receiver.port}`;
    const documents = [
      webhook("hook", ", timeout_ms: 60000"),
      "kind: channel\nname: chat\ntarget: { kind: slack, secret: chat }\n",
      `kind: channel\nname: pager\ntarget: { kind: pagerduty, routing_key: pager, url: "${hang}" }\n`,
      `kind: channel\nname: manager\ntarget: { kind: alertmanager, url: "${hang}" }\n`,
      `kind: channel\nname: mail\ntarget: { kind: email, host: 127.0.0.1, port: ${mailPort}, tls: none, from: a@b.test, to: [c@d.test] }\n`,
      webhook("well").replace(String(receiver.port), String(other.port)),
      "kind: alerts\nname: all\ntell: [hook, chat, pager, manager, mail, well]\ngroup_wait: 0s\ngroup_interval: 1s\n",
    ];
    await hanging.admin.post("/v1/apply", { yaml: documents.join("---\n") });
    await lendTo(hanging, "loans");
    const told = async (n: number) => (await hanging.admin.get<IncidentView>(`/v1/ui/incidents/${n}`)).told;
    const waiting = async () => (await told(1)).filter(({ state, attempts }) => state === "pending" && attempts > 0).length;
    // All five have begun and none has ended: the second harm comes meanwhile.
    await expect.poll(waiting).toBe(5);
    await lendTo(hanging, "cards");
    const second = await hanging.admin.get<IncidentDetailView>("/v1/incidents/2");
    expect(second).toMatchObject({ endpoint: "cards", state: "contained", rollback: { to: "r1", automatic: true } });
    // From the proof, told by the server itself: a target was asked 300 applications, and nothing else.
    expect(second.rollback?.switchedMs).toBeLessThan(3000);
    expect(receiver.taken).toEqual([]);
    expect((await told(1)).find(({ channel }) => channel === "hook")).toMatchObject({ state: "pending" });
    await expect.poll(async () => (await told(2)).find(({ channel }) => channel === "well")?.state).toBe("delivered");
  } finally {
    for (const socket of sockets) socket.destroy();
    mail.close();
    await receiver.close();
    await other.close();
    await hanging.drop();
  }
});

test(
  "a server that is killed before it could tell anybody tells them when it is back, under the id that the message had",
  { timeout: 120_000 },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "evenkeel-alerts-"));
    const env = { EVENKEEL_ALLOW_EGRESS: `127.0.0.1:${receiver.port}`, EVENKEEL_SECRET_HOOK: secrets.hook };
    const start = () => ServerProcess.start({ folder, env });
    let running = await start();
    const clients: EvenkeelClient[] = [];
    try {
      receiver.mood = "hangs";
      await running.control.post("/v1/apply", { yaml: `${webhook("hook")}---\n${ALL}` });
      const as = async (role: string) => {
        const { token } = await running.control.post<NewTokenView>("/v1/tokens", { name: role, role });
        const client = new EvenkeelClient({ url: running.url, token });
        clients.push(client);
        return client;
      };
      await lendTo({ admin: running.control, as }, "loans");
      await expect.poll(() => receiver.seen.length, { timeout: 20_000 }).toBeGreaterThan(0);
      await running.kill();
      receiver.mood = "takes";
      running = await start();
      await expect.poll(() => receiver.taken.length, { timeout: 20_000 }).toBe(1);
      expect(news()).toEqual(["incident/1 opened"]);
      expect(new Set(receiver.seen.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
      // Taken first, and known to be a moment later.
      const tellings = async () => (await running.control.get<AlertDetailView>(`/v1/alerts/${encodeURIComponent("incident/1")}`)).tellings;
      await expect.poll(tellings).toMatchObject([{ channel: "hook", news: "opened", state: "delivered" }]);
    } finally {
      for (const client of clients) await client.close();
      await receiver.close();
      await running.kill();
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

const channel = (target: string) => `kind: channel\nname: bad\ntarget: ${target}\n`;
const REFUSED: readonly (readonly [how: string, yaml: string, path: string])[] = [
  ["no target", "kind: channel\nname: bad\n", "/target"],
  ["an unknown kind of channel", channel("{ kind: fax }"), "/target/kind"],
  ["an address that may not be called", channel("{ kind: webhook, url: 'http://169.254.169.254/', secrets: [hook] }"), "/target/url"],
  ["a private address", channel("{ kind: alertmanager, url: 'http://10.0.0.7:9093' }"), "/target/url"],
  ["a private mail server", channel("{ kind: email, host: 127.0.0.1, from: a@b.test, to: [c@d.test] }"), "/target/host"],
  ["an address with a password", channel("{ kind: webhook, url: 'https://a:b@hooks.example.com/', secrets: [hook] }"), "/target/url"],
  ["a secret that isn't there", channel("{ kind: webhook, url: 'https://hooks.example.com/', secrets: [none] }"), "/target/secrets/0"],
  ["a secret that is no key", channel("{ kind: webhook, url: 'https://hooks.example.com/', secrets: [bad] }"), "/target/secrets/0"],
  ["a secret that is no address", channel("{ kind: slack, secret: bad }"), "/target/secret"],
  ["a routing key that is none", channel("{ kind: pagerduty, routing_key: bad }"), "/target/routing_key"],
  [
    "a password in the clear",
    channel("{ kind: email, host: mail.example.com, tls: none, user: u, password: bad, from: a@b.test, to: [c@d.test] }"),
    "/target/tls",
  ],
  [
    "a user without a password",
    channel("{ kind: email, host: mail.example.com, user: u, from: a@b.test, to: [c@d.test] }"),
    "/target/password",
  ],
  ["two recipients in one", channel("{ kind: email, host: mail.example.com, from: a@b.test, to: ['c@d.test, e@f.test'] }"), "/target/to/0"],
  ["a channel that isn't there", "kind: alerts\nname: all\ntell: [hok]\n", "/tell/0"],
  [
    "one to escalate to that isn't there",
    "kind: alerts\nname: all\ntell: [hook]\nescalate: [{ after: 5m, tell: [nobody] }]\n",
    "/escalate/0/tell/0",
  ],
  [
    "steps out of order",
    "kind: alerts\nname: all\ntell: [hook]\nescalate: [{ after: 5m, tell: [hook] }, { after: 60s, tell: [hook] }]\n",
    "/escalate/1/after",
  ],
  ["an endpoint that isn't there", "kind: alerts\nname: all\ntell: [hook]\nendpoints: [lons]\n", "/endpoints/0"],
  ["a storm", "kind: alerts\nname: all\ntell: [hook]\ngroup_interval: 0s\n", "/group_interval"],
  ["a duration that is none", "kind: alerts\nname: all\ntell: [hook]\nrepeat_interval: soon\n", "/repeat_interval"],
];

test("what can't work is refused with its place, and nothing is changed", async () => {
  await apply(webhook("hook"));
  for (const [how, yaml, path] of REFUSED) {
    const problem = await problemOf(apply(yaml));
    expect(problem, how).toMatchObject({ status: 400, errors: [expect.objectContaining({ path, line: expect.any(Number) })] });
    expect(JSON.stringify(problem), how).not.toContain("hunter");
    if (path === "/tell/0") expect(problem.errors?.[0]?.hint).toBe('did you mean "hook"?');
  }
  expect(await server.admin.get("/v1/alert-declarations")).toMatchObject({ channels: [{ name: "hook" }], alerts: [] });
});

test("a guardrail tells channels that are there, or stand in the same file", async () => {
  const guardrail = "guardrails: [{ name: parity, metric: adverse_impact_ratio, groups: all, limit: 0.8, action: warn, tell: [hook] }]\n";
  const loans = [
    "kind: endpoint\nname: loans\ninputs: { income: { type: number } }\ngroups: { sex: [f, m] }\n",
    "actions: { approve: { favourable: true }, deny: { favourable: false } }\n",
    "fallback: { scorer: { kind: rules, rules: [], otherwise: { score: 1 } }, policy: { bands: [{ action: deny, from: 0 }, { action: approve, from: 0.5 }] } }\n",
    guardrail,
  ].join("");
  const problem = await problemOf(apply(loans));
  expect(problem.errors).toMatchObject([{ path: "/guardrails/0/tell/0", got: "hook" }]);
  expect((await apply(`${loans}---\n${webhook("hook")}`)).changes).toMatchObject([{ name: "loans", change: "created" }, { name: "hook" }]);
  expect((await apply(`${loans}---\n${webhook("hook")}`)).changes).toMatchObject([{ change: "unchanged" }, { change: "unchanged" }]);
  expect(await problemOf(server.admin.delete("/v1/alert-channels/hook"))).toMatchObject({
    status: 409,
    detail: expect.stringContaining("guardrail parity of loans"),
  });
});

test("declaring channels is an admin's, and an operator's by grant; naming groups needs protected:read besides; no answer shows a secret", async () => {
  const operator = await server.as("operator");
  expect(await problemOf(operator.post("/v1/apply", { yaml: webhook("hook") }))).toMatchObject({
    status: 403,
    detail: expect.stringContaining("alerts:write"),
  });
  const granted = await server.as("operator", ["alerts:write"]);
  await granted.post("/v1/apply", { yaml: webhook("hook") });
  const open = webhook("hook").replace("target", "groups: true\ntarget");
  expect(await problemOf(granted.post("/v1/apply", { yaml: open }))).toMatchObject({
    status: 403,
    detail: expect.stringContaining("protected:read"),
  });
  await (await server.as("admin", ["protected:read"])).post("/v1/apply", { yaml: open });
  await apply("kind: channel\nname: chat\ntarget: { kind: slack, secret: chat }\n");
  const shown = JSON.stringify(await server.admin.get("/v1/alert-declarations")) + JSON.stringify(await server.admin.get("/v1/audit"));
  expect(shown).toContain('"secret":"chat"');
  expect(shown).not.toContain("hunter4");
  expect(shown).not.toContain(secrets.hook);
});

test("a token that is limited to some endpoints sees and answers theirs alone", async () => {
  await apply(`${webhook("hook")}---\n${ALL}`);
  const { alert } = await lendTo(server, "cards");
  const token = await server.token("operator", { endpoints: ["loans"] });
  const ask = (path: string, body?: object) =>
    fetch(`${server.url}${path}`, {
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      ...(body ? { method: "POST", body: JSON.stringify(body) } : {}),
    });
  expect(await (await ask("/v1/alerts?state=all")).json()).toEqual({ alerts: [] });
  expect(await (await ask("/v1/alert-silences")).json()).toEqual({ silences: [] });
  expect(await (await ask("/v1/alert-declarations")).json()).toEqual({ channels: [], alerts: [] });
  expect((await ask(`/v1/alerts/${alert}`)).status).toBe(404);
  expect((await ask(`/v1/alerts/${alert}/acknowledge`, { reason: "x" })).status).toBe(404);
  expect((await ask("/v1/alert-silences", { kind: "drill", for: "1h", reason: "x" })).status).toBe(400);
  expect((await ask("/v1/alert-silences", { endpoint: "loans", for: "1h", reason: "x" })).status).toBe(200);
});

test("the command line shows, silences, tries and sends again, and says what is wrong", async () => {
  expect(await cli()).toMatchObject({ code: 0, out: "no alert is open\n" });
  expect(await cli("channels")).toMatchObject({ code: 0, out: expect.stringContaining("nobody is told of anything yet") });
  await apply(`${webhook("hook")}---\n${ALL}`);
  expect(await cli("test")).toMatchObject({ code: 0, out: expect.stringMatching(/hook +webhook +yes/) });
  receiver.mood = { status: 400 };
  expect(await cli("test", "hook")).toMatchObject({ code: 3, out: expect.stringContaining("the receiver answered 400") });
  expect(await cli("test", "hok")).toMatchObject({ code: 1 });

  const silenced = await cli("silence", "--endpoint", "loans", "--for", "2h", "--reason", "moving", "--json");
  const { id } = JSON.parse(silenced.out) as { readonly id: string };
  await lendTo(server, "loans");
  expect(await cli("ls")).toMatchObject({ code: 0, out: expect.stringMatching(/incident\/1 +error +silenced/) });
  expect(await cli("silences")).toMatchObject({ code: 0, out: expect.stringContaining("moving") });
  expect(await cli("unsilence", id, "--reason", "moved")).toMatchObject({ code: 0 });
  await expect.poll(async () => (await cli("dead")).code).toBe(3);
  const dead = JSON.parse((await cli("dead", "--json")).out) as readonly { readonly id: string; readonly lastError: string }[];
  expect(dead).toMatchObject([{ lastError: "the receiver answered 400" }]);
  receiver.mood = "takes";
  expect(await cli("resend", "all", "--reason", "it is back")).toMatchObject({ code: 0, out: "on their way again: 1\n" });
  await expect.poll(() => news().filter((one) => one === "incident/1 opened").length).toBe(1);
  expect(receiver.taken.at(-1)?.headers["webhook-id"]).toBe(dead[0]?.id);
  await expect.poll(() => cli("show", "incident/1")).toMatchObject({ code: 3, out: expect.stringContaining("delivered") });
  expect(await cli("remove", "channel", "hook")).toMatchObject({ code: 1, err: expect.stringContaining("alerts all") });
  expect(await cli("remove", "alerts", "all")).toMatchObject({ code: 0 });

  for (const words of [["nod"], ["show"], ["ack", "1"], ["silence", "--reason", "x"], ["resend"], ["remove", "hook"], ["ls", "what"]])
    expect(await cli(...words), words.join(" ")).toMatchObject({ code: 2 });
  expect(await cli("silence", "--for", "2h", "--reason", "x")).toMatchObject({ code: 1, err: expect.stringContaining("what is silenced") });
  expect(await cli("silence", "--kind", "drills", "--for", "2h", "--reason", "x")).toMatchObject({ code: 1 });
  expect(await cli("silence", "--kind", "drill", "--for", "99d", "--reason", "x")).toMatchObject({
    code: 1,
    err: expect.stringContaining("30d"),
  });
  expect(await cli("show", "99")).toMatchObject({ code: 1 });
});

// Skipped, and counted as such, where this machine can't have it.
describe.skipIf(!hasPrometheus)("a real Alertmanager", () => {
  let prometheus: RealPrometheus;
  let manager: string;
  beforeEach(async () => {
    const webhook = `http://127.0.0.1:${receiver.port}/from-alertmanager`;
    prometheus = await startPrometheus({ target: "127.0.0.1:9", token: "none", rules: [], webhook });
    manager = prometheus.alertmanager;
  }, 200_000);
  afterEach(() => prometheus.down(), 90_000);

  /** What Alertmanager told its own receiver: labels. */
  const heard = (status: string, endpoint: string) => {
    interface FromManager {
      readonly alerts: readonly { readonly status: string; readonly labels: Readonly<Record<string, string>> }[];
    }
    return receiver.taken
      .flatMap(({ body }) => (JSON.parse(body) as FromManager).alerts)
      .filter((alert) => alert.status === status && alert.labels["endpoint"] === endpoint)
      .map(({ labels }) => labels);
  };

  test("takes alerts and their ends, and tells its own receivers", { timeout: 120_000 }, async () => {
    const port = Number(new URL(manager).port);
    const there = await freshServer({ lookEveryMs: 50, secrets, egress: { allow: [`127.0.0.1:${port}`] } });
    try {
      await there.admin.post("/v1/apply", {
        yaml: `kind: channel\nname: manager\ntarget: { kind: alertmanager, url: "${manager}/" }\n---\n${ALL.replace("hook", "manager")}`,
      });
      expect(await there.admin.post("/v1/alert-tests", {})).toMatchObject({ tested: [{ isTold: true }] });
      await lendTo(there, "loans");
      await expect.poll(() => heard("firing", "loans").length, { timeout: 40_000 }).toBeGreaterThan(0);
      expect(heard("firing", "loans")[0]).toMatchObject({
        alertname: "EvenkeelIncident",
        release: "r2",
        severity: expect.stringMatching(/^(error|critical)$/),
      });
      // Its end, by hand: an incident ends when somebody has looked at it.
      const parts = partsFor([port], {}, () => Date.now());
      const target = openChannel({ kind: "channel", name: "manager", target: { kind: "alertmanager", url: manager } }, parts);
      const cards = entry({ alert: "of-cards", openedAtMs: Date.now() - 1000, facts: { ...FACTS, endpoint: "cards" } });
      const never = new AbortController().signal;
      await target.deliver(notice(cards), never);
      await expect.poll(() => heard("firing", "cards").length, { timeout: 40_000 }).toBeGreaterThan(0);
      await target.deliver(notice({ ...cards, news: "resolved", resolvedAtMs: Date.now() }), never);
      await expect.poll(() => heard("resolved", "cards").length, { timeout: 40_000 }).toBeGreaterThan(0);
      await target.close();
    } finally {
      await there.drop();
    }
  });
});
