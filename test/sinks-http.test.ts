/** Sinks that are other people's servers: down, hanging, lying, full, gone; and decisions that notice nothing of it. */
import { createHmac } from "node:crypto";
import { test as base } from "vitest";
import type { SinkView } from "../src/api/index.ts";
import { Receiver, type Mood, type Received } from "./fixtures/receiver.ts";
import { freshServer, problemOf, type FreshServer } from "./server.ts";
import { LENDING, applied, caughtUp, decided, told } from "./sinks.ts";

const SECRET = Buffer.alloc(24, 5);
const secrets = { hook: `whsec_${SECRET.toString("base64")}`, old: `whsec_${Buffer.alloc(24, 6).toString("base64")}` };

interface World {
  /** Replaced where a test lets another one listen in its place. */
  receiver: Receiver;
  readonly server: FreshServer;
}
/** Beside each other, each on a server and a receiver of its own: they mostly wait. */
const test = base.extend<{ readonly world: World }>({
  // oxlint-disable-next-line no-empty-pattern -- vitest reads from it which fixtures this one needs: none
  world: async ({}, use) => {
    const receiver = await new Receiver().listen();
    const server = await freshServer({ egress: { allow: [`127.0.0.1:${receiver.port}`] }, secrets });
    const world = { receiver, server };
    await applied(server.admin, LENDING);
    await use(world);
    // First the receiver, so that the server has nothing under way to wait for.
    await world.receiver.close();
    await server.drop();
  },
}).concurrent;

const sinkYaml = ({ port }: Receiver, { name = "hook", more = "batch: 10, timeout_ms: 500" } = {}) =>
  `kind: sink\nname: ${name}\ntarget: { kind: http, url: "http://127.0.0.1:${port}/in", secrets: [hook, old], ${more} }\n`;

interface Event {
  readonly id: string;
  readonly type: string;
  readonly source: string;
  readonly sequence: string;
  readonly data: Readonly<Record<string, unknown>>;
}
const eventsIn = (requests: readonly Received[]): readonly Event[] => requests.flatMap(({ body }): readonly Event[] => JSON.parse(body));
/** What a receiver keeps that looks at ids, as receivers of webhooks must. */
const kept = (requests: readonly Received[]) => {
  const byId = new Map(requests.map((one) => [String(one.headers["webhook-id"]), one]));
  return eventsIn([...byId.values()]);
};

test("batches of CloudEvents arrive in order, signed so that a receiver can check them", async ({
  world: { server, receiver },
  expect,
}) => {
  expect(await applied(server.admin, sinkYaml(receiver))).toEqual([{ kind: "sink", name: "hook", release: null, change: "created" }]);
  const ids = await decided(await server.as("application"), "a", 33);
  await told(await server.as("outcomes"), ids.slice(0, 3), "repaid");
  await caughtUp(server.admin, "hook");
  const events = eventsIn(receiver.taken);
  expect(
    events
      .filter(({ type }) => type === "evenkeel.decision.recorded.v1")
      .map(({ id }) => id)
      .toSorted(),
  ).toEqual(ids.toSorted());
  expect(events.slice(0, 33).map(({ sequence }) => Number(sequence))).toEqual(Array.from({ length: 33 }, (_, i) => i + 1));
  expect(events.at(-1)).toMatchObject({
    specversion: "1.0",
    type: "evenkeel.outcome.recorded.v1",
    datacontenttype: "application/json",
    source: expect.stringMatching(/^\/evenkeel\/[0-9a-f]{16}\/endpoints\/loans$/),
    data: { value: "repaid", good: true },
  });
  for (const { headers, body } of receiver.taken) {
    expect(headers["content-type"]).toBe("application/cloudevents-batch+json; charset=utf-8");
    const content = `${String(headers["webhook-id"])}.${String(headers["webhook-timestamp"])}.${body}`;
    const [first, second] = String(headers["webhook-signature"]).split(" ");
    expect(first).toBe(`v1,${createHmac("sha256", SECRET).update(content).digest("base64")}`);
    expect(second).toMatch(/^v1,/);
    expect(Math.abs(Number(headers["webhook-timestamp"]) - Date.now() / 1000)).toBeLessThan(300);
  }
});

const MOODS: Readonly<Record<string, Mood>> = {
  hangs: "hangs",
  errs: { status: 500 },
  garbles: "garbage",
  drops: "drops",
  redirects: { status: 302, headers: { location: "http://169.254.169.254/" } },
  // It takes everything, and never says so.
  late: "late",
};

test("receivers that hang, err, garble, drop, redirect or never say that they took it delay no decision, and get everything once they are well", async ({
  expect,
}) => {
  const receivers = await Promise.all(
    Object.entries(MOODS).map(async ([name, mood]) => ({ name, mood, receiver: await new Receiver().listen() })),
  );
  const allow = receivers.map(({ receiver }) => `127.0.0.1:${receiver.port}`);
  const server = await freshServer({ egress: { allow }, secrets });
  try {
    for (const { mood, receiver } of receivers) receiver.mood = mood;
    await applied(server.admin, LENDING);
    await applied(server.admin, receivers.map(({ name, receiver }) => sinkYaml(receiver, { name })).join("---\n"));
    const application = await server.as("application");
    const startMs = performance.now();
    expect(await decided(application, "a", 40)).toHaveLength(40);
    expect(performance.now() - startMs).toBeLessThan(10_000);
    await Promise.all(
      receivers.map(async ({ name, mood, receiver }) => {
        const failing = () => server.admin.get<SinkView>(`/v1/sinks/${name}`);
        await expect.poll(async () => (await failing()).failures, { timeout: 10_000, message: name }).toBeGreaterThan(1);
        const { lastError, lag } = await failing();
        expect(lastError, name).not.toBeNull();
        expect(lag, name).toMatchObject({ decisions: 40, seconds: expect.any(Number) });
        expect(lag.seconds, name).toBeGreaterThan(0);
        // The same batch comes again, under the same id and signed anew.
        const [first, second] = receiver.seen;
        expect(second?.headers["webhook-id"], name).toBe(first?.headers["webhook-id"]);
        expect(second?.body, name).toBe(first?.body);
        receiver.mood = "takes";
        const sink = await caughtUp(server.admin, name);
        expect(sink).toMatchObject({ name, lastError: null, delivered: { decisions: 40 } });
        const sequence = kept(receiver.taken).map((event) => Number(event.sequence));
        expect(sequence, name).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
        // Nothing but what went out again because nobody had said that it was taken.
        if (mood !== "late") expect(eventsIn(receiver.taken), name).toHaveLength(40);
      }),
    );
  } finally {
    await Promise.all(receivers.map(({ receiver }) => receiver.close()));
    await server.drop();
  }
});

test("a receiver that isn't there when the sink is declared is told of, and caught up with later", async ({ world, expect }) => {
  const { server, receiver } = world;
  const { port } = receiver;
  const yaml = sinkYaml(receiver);
  await receiver.close();
  const [change] = await applied(server.admin, yaml);
  expect(change).toMatchObject({ change: "created", note: expect.stringContaining("ECONNREFUSED") });
  await decided(await server.as("application"), "a", 5);
  world.receiver = await new Receiver().listen(port);
  expect(await caughtUp(server.admin, "hook")).toMatchObject({ delivered: { decisions: 5 } });
});

test("410 ends it loudly, until a person resumes", async ({ world: { server, receiver }, expect }) => {
  receiver.mood = { status: 410 };
  await applied(server.admin, sinkYaml(receiver));
  await decided(await server.as("application"), "a", 5);
  await expect.poll(async () => (await server.admin.get<SinkView>("/v1/sinks/hook")).state, { timeout: 10_000 }).toBe("disabled");
  expect((await server.admin.get<SinkView>("/v1/sinks/hook")).why).toContain("410");
  const audit = await server.admin.get<{ readonly entries: readonly { readonly action: string }[] }>("/v1/audit");
  expect(audit.entries.map(({ action }) => action)).toContain("sink.disabled");
  receiver.mood = "takes";
  await server.admin.post("/v1/sinks/hook/resume", { reason: "they said it was a mistake" });
  expect(await caughtUp(server.admin, "hook")).toMatchObject({ state: "running", delivered: { decisions: 5 } });
});

test("Retry-After is kept to", async ({ world: { server, receiver }, expect }) => {
  receiver.mood = { status: 429, headers: { "retry-after": "2" } };
  await applied(server.admin, sinkYaml(receiver));
  await decided(await server.as("application"), "a", 5);
  await expect.poll(() => receiver.seen.length, { timeout: 10_000 }).toBe(1);
  const atMs = performance.now();
  receiver.mood = "takes";
  await expect.poll(() => receiver.seen.length, { timeout: 10_000 }).toBe(2);
  expect(performance.now() - atMs).toBeGreaterThan(1500);
});

test("one sink's trouble is not another's", async ({ world: { server, receiver }, expect }) => {
  receiver.mood = "hangs";
  await applied(
    server.admin,
    `${sinkYaml(receiver, { more: "timeout_ms: 60000" })}---\nkind: sink\nname: archive\ntarget: { kind: ndjson }\n`,
  );
  await decided(await server.as("application"), "a", 20);
  expect(await caughtUp(server.admin, "archive")).toMatchObject({ delivered: { decisions: 20 } });
  expect(await server.admin.get("/v1/sinks/hook")).toMatchObject({ lag: { decisions: 20 } });
});

test("a paused sink keeps its place, and a removed one goes on where it was when it is declared again", async ({
  world: { server, receiver },
  expect,
}) => {
  await applied(server.admin, sinkYaml(receiver));
  const application = await server.as("application");
  await decided(application, "a", 3);
  await caughtUp(server.admin, "hook");
  await server.admin.post("/v1/sinks/hook/pause", { reason: "they move" });
  await decided(application, "b", 4);
  expect(await server.admin.get("/v1/sinks/hook")).toMatchObject({ state: "paused", why: "they move", lag: { decisions: 4 } });
  await server.admin.delete("/v1/sinks/hook");
  expect(await problemOf(server.admin.get("/v1/sinks/hook"))).toMatchObject({ status: 404 });
  expect(await applied(server.admin, sinkYaml(receiver))).toMatchObject([{ change: "created" }]);
  await caughtUp(server.admin, "hook");
  expect(eventsIn(receiver.taken).map(({ sequence }) => Number(sequence))).toEqual([1, 2, 3, 4, 5, 6, 7]);
});

test("start: now leaves out what was recorded before", async ({ world: { server, receiver }, expect }) => {
  const application = await server.as("application");
  await decided(application, "a", 3);
  await applied(server.admin, `start: now\n${sinkYaml(receiver)}`);
  await decided(application, "b", 2);
  await caughtUp(server.admin, "hook");
  expect(eventsIn(receiver.taken)).toHaveLength(2);
});

test("where it was asked for in words, groups, inputs and subject go along", async ({ world: { server, receiver }, expect }) => {
  const admin = await server.as("admin", ["protected:read"]);
  await applied(admin, `protected: true\ninclude: [groups, inputs, subject]\n${sinkYaml(receiver)}`);
  await decided(await server.as("application"), "a", 1);
  await caughtUp(server.admin, "hook");
  expect(eventsIn(receiver.taken)[0]?.data).toMatchObject({
    groups: { education: "university" },
    inputs: { income: 0, education: "university" },
    subject: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
});
