import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { FAULTS, ModelServer, type Fault } from "../../test/fixtures/model-server.ts";
import { Egress, parseEgress } from "../access/index.ts";
import { DecisionLog } from "../decisions/index.ts";
import type { EndpointName } from "../std.ts";
import { openStore, systemRuntime, type Store } from "../store/index.ts";
import { compileEndpoint } from "./endpoint.ts";
import { Gateway } from "./gateway.ts";
import { HttpScorer } from "./http-scorer.ts";
import { loadRelease, releaseIdOf, type LoadedRelease, type ReleaseBundle } from "./loaded-release.ts";
import type { RouteView } from "./route-view.ts";

let folder = "";
let store: Store;
let log: DecisionLog;
const runtime = systemRuntime();
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "evenkeel-http-"));
  store = await openStore({ folder }, runtime);
  log = await DecisionLog.open(store);
});
const servers: ModelServer[] = [];
const loaded: LoadedRelease[] = [];
afterEach(async () => {
  for (const release of loaded.splice(0)) await release.close();
  for (const server of servers.splice(0)) await server.close();
});
afterAll(async () => {
  await log.close();
  await store.close();
  await rm(folder, { recursive: true });
});
async function newServer(): Promise<ModelServer> {
  const server = await new ModelServer().listen();
  servers.push(server);
  return server;
}

/** Names are made where endpoints are. */
const asEndpointName = (name: string) => name as EndpointName;
let endpoints = 0;
function newEndpoint(inputs: Parameters<typeof compileEndpoint>[0]["inputs"] = INPUTS) {
  const compiled = compileEndpoint({
    name: asEndpointName(`loans${++endpoints}`),
    inputs,
    groups: {},
    actions: { approve: { favourable: true }, refer: { favourable: false }, deny: { favourable: false } },
  });
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.error));
  return compiled.value;
}
const features: ReleaseBundle["features"] = {
  name: "f",
  features: [
    { name: "income", from: "income" },
    { name: "debt", from: "debt" },
  ],
};
const bands = (...from: number[]): ReleaseBundle["policy"]["bands"] =>
  from.map((each, i) => ({ action: ["deny", "refer", "approve"][i + 3 - from.length] ?? "deny", from: each }));
const bundleOf = (endpoint: string, scorer: ReleaseBundle["scorer"], policy = { bands: bands(0, 0.5) }): ReleaseBundle => ({
  endpoint,
  scorer,
  features,
  policy,
});
const INPUTS = { income: { type: "number", min: 0, max: 100 }, debt: { type: "number", min: 0, max: 100 } } as const;
const mlflow = (server: ModelServer, change: Readonly<Record<string, unknown>> = {}): ReleaseBundle["scorer"] =>
  asScorer({ kind: "http", protocol: "mlflow", url: server.url, ...change });
/** What a test writes is a scorer; a wrong one is refused by the schema in its own test. */
const asScorer = (spec: unknown) => spec as ReleaseBundle["scorer"];

interface Allowed {
  readonly allow?: readonly string[];
  readonly secrets?: Readonly<Record<string, string>>;
}
async function tryLoad(
  endpoint: ReturnType<typeof newEndpoint>,
  number: number,
  bundle: ReleaseBundle,
  { allow, secrets = {} }: Allowed = {},
) {
  const rules = parseEgress(allow ?? servers.map(({ port }) => `127.0.0.1:${port}`));
  if (!rules.ok) throw new Error("no rules");
  const release = await loadRelease(
    { id: releaseIdOf(bundle), number, bundle, endpoint },
    { blobs: store.blobs, clock: runtime.clock, http: { egress: new Egress({ rules: rules.value }), random: runtime.random, secrets } },
  );
  if (release.ok) loaded.push(release.value);
  return release;
}
async function load(endpoint: ReturnType<typeof newEndpoint>, number: number, scorer: ReleaseBundle["scorer"], allowed: Allowed = {}) {
  const release = await tryLoad(endpoint, number, bundleOf(endpoint.name, scorer), allowed);
  if (!release.ok) throw new Error(JSON.stringify(release.error));
  return release.value;
}
const statsOf = ({ scorer }: LoadedRelease) => {
  if (!(scorer instanceof HttpScorer)) throw new Error("no http scorer");
  return scorer.stats();
};
const rule = (score: number): ReleaseBundle["scorer"] => ({ kind: "rules", rules: [], otherwise: { score } });

/** Live behind a server, a standby behind another or a rule, and a rule as fallback. */
async function chain(server: ModelServer, standby: ReleaseBundle["scorer"] = rule(0.7)) {
  const endpoint = newEndpoint();
  const [live, second, fallback] = [
    await load(endpoint, 3, mlflow(server)),
    await load(endpoint, 2, standby),
    await load(endpoint, 1, rule(0.2)),
  ];
  const gateway = new Gateway({ log, runtime, subjectKey: Buffer.alloc(32, 7), maxWaitMs: 60_000 });
  const releaseNumbers = new Map([live, second, fallback].map(({ id, number }) => [id, number]));
  const view: RouteView = { endpoint, generation: 1, live, canary: null, ab: null, shadows: [], standby: second, fallback, releaseNumbers };
  await gateway.swap(view);
  const decide = async (income: number) => {
    const body = { inputs: { income, debt: 10 } };
    const started = performance.now();
    const meta = { payload: JSON.stringify(body), source: "app", idempotencyKey: null, bodyHash: null };
    const decided = await gateway.decide(endpoint.name, body, meta);
    if (!decided.ok) throw new Error(JSON.stringify(decided.error));
    return { ...decided.value.reply, tookMs: performance.now() - started };
  };
  const rows = () => store.db.selectFrom("decision").selectAll().where("endpoint", "=", endpoint.name).orderBy("seq").execute();
  return { gateway, endpoint, live, decide, rows };
}

test("200 decisions at once are asked in few requests over few connections that stay open, each with its own answer", async () => {
  const server = await newServer();
  const { decide, live } = await chain(server);
  const before = server.scored;
  const replies = await Promise.all(Array.from({ length: 200 }, (_, i) => decide(i / 2)));
  expect(replies.every(({ route }) => route === "live")).toBe(true);
  for (const [i, { score }] of replies.entries()) expect(score).toBeCloseTo(i / 200, 6);
  expect(server.scored - before).toBeLessThanOrEqual(8);
  for (let i = 0; i < 20; i++) await decide(i);
  expect(server.connections).toBeLessThanOrEqual(4);
  expect(statsOf(live)).toMatchObject({ breaker: "closed", opened: 0, retries: 0 });
});

describe("whatever the server does, everybody is answered in time by the next in line, recorded as such, and its breaker opens", () => {
  const because: Record<Fault, string> = {
    slow: "timeout: ",
    "status 500": "failed: the server answered with status 500",
    "status 503": "failed: the server answered with status 503",
    garbage: "bad-answer: expected JSON, the server answered something else",
    "a row too few": "bad-answer: expected 1 rows, the server answered 0",
    "a row too many": "bad-answer: expected 1 rows, the server answered 2",
    "bare NaN": "bad-answer: expected JSON, the server answered something else",
    null: "bad-score: expected a score from 0 to 1, the model gave NaN",
    "out of range": "bad-score: expected a score from 0 to 1, the model gave 7.3",
    labels: "labels: the server answered labels: texts",
    "short body": "failed: the connection broke",
    reset: "failed: the connection broke",
    "reset in the middle": "failed: the connection broke",
    drip: "timeout: ",
    huge: "bad-answer: expected an answer of at most 1048576 bytes, it is longer",
    "gzip bomb": "bad-answer: expected an answer that isn't compressed, the server compressed it",
    redirect: "failed: the server answered with status 307",
    "2,000 headers": "bad-answer: expected an answer in HTTP, the server broke its rules",
    "no HTTP": "bad-answer: expected an answer in HTTP, the server broke its rules",
  };
  test.each(FAULTS)("%s", async (fault) => {
    const [server, elsewhere] = [await newServer(), await newServer()];
    server.redirectTo = `${elsewhere.url}/invocations`;
    const { decide, live, rows } = await chain(server);
    server.fault = fault;
    const before = server.scored;
    const one = await decide(90);
    expect(one).toMatchObject({ route: "standby", release: "r2", score: 0.7 });
    const replies = [one];
    for (let round = 0; round < 6; round++) replies.push(...(await Promise.all(Array.from({ length: 10 }, () => decide(90)))));
    expect(new Set(replies.map(({ route }) => route))).toEqual(new Set(["standby"]));
    expect(Math.max(...replies.map(({ tookMs }) => tookMs))).toBeLessThan(1500);
    expect(statsOf(live)).toMatchObject({ breaker: "open", opened: 1 });
    expect(server.scored - before).toBeLessThanOrEqual(25);
    expect(elsewhere.requests).toEqual([]);

    const recorded = await rows();
    expect(recorded).toHaveLength(61);
    expect(recorded.every(({ arm, answered_by, because: why }) => arm === "fallback" && answered_by === "standby" && why !== null)).toBe(
      true,
    );
    expect(recorded[0]?.because).toContain(`r3 ${because[fault]}`);
    expect(recorded.at(-1)?.because).toBe("r3 breaker-open: the server failed too often and isn't asked for now");
    expect(JSON.stringify(recorded.map((row) => row.because))).not.toContain("secret");
  });

  test("a server that is gone, and a standby behind the same one: the rule answers", async () => {
    const server = await newServer();
    const { decide, live, rows } = await chain(server, mlflow(server, { column: 0 }));
    await servers.splice(0)[0]?.close();
    const replies = await Promise.all(Array.from({ length: 20 }, () => decide(90)));
    expect(replies.every(({ route, score }) => route === "fallback" && score === 0.2)).toBe(true);
    for (let i = 0; i < 10; i++) await decide(90);
    expect((await rows())[0]?.because).toBe("r3 down: the server can't be reached (ECONNREFUSED)");
    expect(statsOf(live)).toMatchObject({ breaker: "open" });
    expect(statsOf(live).retries).toBeLessThanOrEqual(5);
  });
});

test("a server that comes back is asked again, one request at a time, and then answers everybody", async () => {
  const server = await newServer();
  const { decide, live } = await chain(server);
  server.fault = "status 503";
  for (let i = 0; i < 6; i++) expect(await decide(90)).toMatchObject({ route: "standby" });
  expect(statsOf(live).breaker).toBe("open");
  const before = server.scored;
  expect(await decide(90)).toMatchObject({ route: "standby" });
  expect(server.scored).toBe(before);
  server.fault = null;
  await vi.waitFor(async () => expect(await decide(90)).toMatchObject({ route: "live", score: 0.9 }), { timeout: 5000, interval: 50 });
  expect(statsOf(live).breaker).toBe("half-open");
  for (let i = 0; i < 2; i++) expect(await decide(90)).toMatchObject({ route: "live" });
  expect(statsOf(live)).toMatchObject({ breaker: "closed", opened: 1 });
  const replies = await Promise.all(Array.from({ length: 50 }, (_, i) => decide(i)));
  expect(replies.every(({ route }) => route === "live")).toBe(true);
});

test("a server of which two in three answers are bad is found out within twenty requests", async () => {
  const server = await newServer();
  const { decide, live } = await chain(server);
  server.fault = "status 503";
  server.isFlapping = true;
  const routes: string[] = [];
  for (let i = 0; i < 40; i++) routes.push((await decide(90)).route);
  expect(statsOf(live)).toMatchObject({ breaker: "open", opened: 1 });
  expect(routes.slice(0, 20).filter((route) => route === "live").length).toBeGreaterThan(5);
  expect(new Set(routes.slice(-10))).toEqual(new Set(["standby"]));
});

test("one person whom the server fails on costs nobody else in the batch the answer", async () => {
  const server = await newServer();
  const { decide, live } = await chain(server);
  server.failsOn = ([income]) => income === 13;
  const replies = await Promise.all(Array.from({ length: 64 }, (_, i) => decide(i)));
  expect(replies.filter(({ route }) => route === "standby")).toHaveLength(1);
  expect(replies[13]).toMatchObject({ route: "standby" });
  expect(statsOf(live)).toMatchObject({ breaker: "closed" });
});

test("a server without a score for most is as bad as one that fails; without one for some, it isn't", async () => {
  const server = await newServer();
  const { live } = await chain(server);
  const people = Array.from({ length: 10 }, (_, i) => ({ income: i, debt: 1 }));
  const openings: string[] = [];
  for (const least of [4, 6]) {
    server.scoreOf = ([income]) => (Number(income) < least ? null : 0.5);
    for (let i = 0; i < 5; i++) {
      const scored = await live.scorer.scoreMany(people);
      expect(scored.filter((each) => "score" in each)).toHaveLength(10 - least);
    }
    openings.push(statsOf(live).breaker);
  }
  expect(openings).toEqual(["closed", "open"]);
});

test("faults that come and go under load: everybody is answered in time and by the right one, the record agrees, and it heals", async () => {
  const server = await newServer();
  const { decide, gateway, live, rows } = await chain(server);
  const replies: Awaited<ReturnType<typeof decide>>[] = [];
  let isOver = false;
  const clients = Array.from({ length: 16 }, async (_, i) => {
    for (let n = 0; !isOver; n++) {
      replies.push(await decide((i * 7 + n) % 100));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  });
  for (let i = 0; i < 40; i++) {
    server.fault = i % 3 === 0 ? (FAULTS[(i * 5) % FAULTS.length] ?? null) : null;
    server.isFlapping = i % 2 === 0;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  server.fault = null;
  await vi.waitFor(() => expect(statsOf(live).breaker).toBe("closed"), 10_000);
  isOver = true;
  await Promise.all(clients);
  expect(new Set(replies.map(({ route }) => route))).toEqual(new Set(["live", "standby"]));
  expect(replies.filter(({ route, score }) => route === "standby" && score !== 0.7)).toEqual([]);
  expect(Math.max(...replies.map(({ tookMs }) => tookMs))).toBeLessThan(1500);
  expect(gateway.stats().decided).toBe(replies.length);
  const recorded = new Map((await rows()).map((row) => [row.id, row]));
  expect(recorded.size).toBe(replies.length);
  const wrong = replies.filter(({ id, route, score }) => {
    const row = recorded.get(id);
    return (
      row?.answered_by !== route ||
      row.score !== score ||
      row.arm !== (route === "live" ? "live" : "fallback") ||
      (row.because === null) !== (route === "live")
    );
  });
  expect(wrong).toEqual([]);
});

test("a request is sent once more only where nothing of it was sent before", async () => {
  const server = await newServer();
  const endpoint = newEndpoint();
  const rules = parseEgress([`model.test:${server.port}`]);
  if (!rules.ok) throw new Error("no rules");
  let asked = 0;
  let isAway = false;
  const lookup = (_name: string, _options: unknown, done: (error: null, found: readonly object[]) => void) =>
    // Nothing listens at the second loopback address.
    done(null, [{ address: isAway && asked++ === 0 ? "127.0.0.2" : "127.0.0.1", family: 4 }]);
  const egress = new Egress({ rules: rules.value, lookup: asLookup(lookup) });
  const scorer = asScorer({ kind: "http", protocol: "mlflow", url: `http://model.test:${server.port}`, connections: 1 });
  const bundle = bundleOf(endpoint.name, scorer);
  const release = await loadRelease(
    { id: releaseIdOf(bundle), number: 1, bundle, endpoint },
    { blobs: store.blobs, clock: runtime.clock, http: { egress, random: runtime.random, secrets: {} } },
  );
  if (!release.ok) throw new Error(JSON.stringify(release.error));
  loaded.push(release.value);
  // Its connection breaks while the request is there: the server may have seen it, so it isn't sent again.
  server.fault = "reset";
  const before = server.scored;
  await expect(release.value.scorer.score({ income: 50, debt: 1 }, 1000)).rejects.toMatchObject({ trouble: "failed" });
  expect(server.scored - before).toBe(1);
  // The next one needs a connection, and the first address refuses it.
  server.fault = null;
  isAway = true;
  expect(await release.value.scorer.score({ income: 50, debt: 1 }, 1000)).toEqual({ score: 0.5, reasons: [] });
  expect(asked).toBe(2);
  expect(statsOf(release.value).retries).toBe(1);
});
/** The guard asks for all addresses. */
const asLookup = (lookup: unknown) => lookup as NonNullable<ConstructorParameters<typeof Egress>[0]["lookup"]>;

test("a release that is no longer loaded answers nobody, and leaves no connection open", async () => {
  const server = await newServer();
  const endpoint = newEndpoint();
  const release = await load(endpoint, 1, mlflow(server));
  server.fault = "slow";
  const score = async () => release.scorer.score({ income: 50, debt: 1 }, 5000);
  const ending = score().catch((error: unknown) => error);
  await vi.waitFor(() => expect(server.scored).toBeGreaterThan(2), 10_000);
  await release.close();
  expect(await ending).toMatchObject({ trouble: "closed" });
  await expect(score()).rejects.toMatchObject({ trouble: "closed" });
});

describe("a release is loaded from a server of every protocol", () => {
  test.each<[string, (server: ModelServer) => Readonly<Record<string, unknown>>]>([
    ["oip", () => ({ protocol: "oip", model: "credit", version: "3", output: "predict_proba" })],
    ["oip without an output named", () => ({ protocol: "oip", model: "credit", content_type: "pd" })],
    ["mlflow", () => ({ protocol: "mlflow" })],
    ["kserve_v1", () => ({ protocol: "kserve_v1", model: "credit" })],
    ["sagemaker, CSV", () => ({ protocol: "sagemaker" })],
    ["sagemaker, JSON", () => ({ protocol: "sagemaker", layout: "lists" })],
    [
      "template, one person a request",
      ({ url }) => ({ protocol: "template", url: `${url}/predict`, rows: "/input", layout: "object", scores: "/output", ready: "/health" }),
    ],
    ["the endpoint's inputs instead of features", () => ({ protocol: "mlflow", send: "inputs" })],
  ])("%s", async (_what, change) => {
    const server = await newServer();
    const release = await load(newEndpoint(), 1, mlflow(server, change(server)));
    expect(release.selfTest.samples).toBeGreaterThan(20);
    expect(
      await release.scorer.scoreMany([
        { income: 25, debt: 1 },
        { income: 50, debt: 1 },
      ]),
    ).toEqual([
      { score: 0.25, reasons: [] },
      { score: 0.5, reasons: [] },
    ]);
  });

  test("with headers that it needs, secret ones from the server's environment", async () => {
    const server = await newServer();
    const headers = { "X-API-Key": { secret: "litserve" }, "Seldon-Model": "credit" };
    await load(newEndpoint(), 1, mlflow(server, { headers }), { secrets: { litserve: "s3cret" } });
    expect(server.requests.length).toBeGreaterThan(2);
    for (const request of server.requests)
      expect(request.headers).toMatchObject({ "x-api-key": "s3cret", "seldon-model": "credit", "accept-encoding": "identity" });
  });
});

describe("what can't serve is refused when it is loaded, with what was expected and what came", () => {
  const refusal = async (scorer: ReleaseBundle["scorer"], allowed: Allowed = {}, policy = { bands: bands(0, 0.5) }) => {
    const endpoint = newEndpoint();
    const release = await tryLoad(endpoint, 1, bundleOf(endpoint.name, scorer, policy), allowed);
    return release.ok ? [] : release.error;
  };
  test("a policy over labels instead of scores, as texts and as 0 and 1", async () => {
    const server = await newServer();
    server.scoreOf = ([income]) => (Number(income) > 50 ? "good" : "bad");
    expect(await refusal(mlflow(server))).toEqual([
      expect.objectContaining({ path: "/scorer", expected: "scores from 0 to 1", got: "the server answered labels: texts" }),
    ]);
    server.scoreOf = ([income]) => Number(Number(income) > 50);
    expect(await refusal(mlflow(server))).toEqual([
      expect.objectContaining({
        path: "/scorer",
        expected: "scores from 0 to 1",
        got: expect.stringMatching(/^nothing but 0 and 1 for \d+ different people$/),
        hint: expect.stringContaining("predict_proba"),
      }),
    ]);
    expect(await refusal(mlflow(server, { gives: "labels" }))).toEqual([]);
    expect(await refusal(mlflow(server, { gives: "labels" }), {}, { bands: bands(0, 0.4, 0.6) })).toEqual([
      { path: "/scorer/gives", expected: "scores, for a policy of more than two bands", got: "labels" },
    ]);
    expect(await refusal(asScorer({ kind: "http", protocol: "oip", model: "credit", output: "predict", url: server.url }))).toEqual([
      expect.objectContaining({ got: "the server answered labels: whole numbers (INT64)" }),
    ]);
  });
  test("a server that isn't ready, that isn't there, and a model that gives no probability", async () => {
    const server = await newServer();
    server.isReady = false;
    expect(await refusal(mlflow(server))).toEqual([
      { path: "/scorer/url", expected: "a server that is ready", got: "GET /ping was answered with status 503" },
    ]);
    server.isReady = true;
    server.scoreOf = ([income]) => Number(income);
    expect(await refusal(mlflow(server))).toEqual([expect.objectContaining({ path: "/scorer", hint: "the output must be a probability" })]);
    const { url, port } = server;
    await servers.splice(0)[0]?.close();
    expect(await refusal(asScorer({ kind: "http", protocol: "mlflow", url }), { allow: [`127.0.0.1:${port}`] })).toEqual([
      expect.objectContaining({ path: "/scorer/url", got: "GET /ping: the server can't be reached (ECONNREFUSED)" }),
    ]);
  });
  test("a model that takes other features, and one that hasn't the output", async () => {
    const server = await newServer();
    const oip = (change: object) => asScorer({ kind: "http", protocol: "oip", url: server.url, model: "credit", ...change });
    expect(await refusal(oip({ output: "proba" }))).toEqual([
      expect.objectContaining({ path: "/scorer/output", expected: "an output of the model" }),
    ]);
    expect(await refusal(oip({ layout: "tensor" }))).toEqual([
      expect.objectContaining({ path: "/scorer/input", expected: "an input of the model" }),
    ]);
    expect(await refusal(oip({ send: "inputs", layout: "tensor", input: "income" }))).toEqual([]);
  });
  test("an address that the server may not call, before anything is asked there", async () => {
    const server = await newServer();
    for (const url of [
      server.url,
      `http://localhost:${server.port}`,
      `http://[::ffff:127.0.0.1]:${server.port}`,
      `http://2130706433:${server.port}`,
    ])
      expect(await refusal(asScorer({ kind: "http", protocol: "mlflow", url }), { allow: [] })).toEqual([
        expect.objectContaining({ path: "/scorer/url", hint: expect.stringContaining("--allow-egress") }),
      ]);
    expect(server.requests).toEqual([]);
  });
  test("a server that redirects is not followed", async () => {
    const [server, inner] = [await newServer(), await newServer()];
    server.fault = "redirect";
    server.redirectTo = inner.url;
    expect(await refusal(mlflow(server), { allow: [`127.0.0.1:${server.port}`] })).toEqual([
      expect.objectContaining({ got: expect.stringContaining("status 307") }),
    ]);
    expect(inner.requests).toEqual([]);
  });
  test("a secret that the server doesn't know, and a header that isn't the release's to say", async () => {
    const server = await newServer();
    expect(await refusal(mlflow(server, { headers: { "X-API-Key": { secret: "litserve" }, Host: "inner" } }))).toEqual([
      expect.objectContaining({ path: "/scorer/headers/X-API-Key", hint: expect.stringContaining("EVENKEEL_SECRET_LITSERVE") }),
      expect.objectContaining({ path: "/scorer/headers/Host" }),
    ]);
  });
});

test("inputs that are sent by position have the same order, however the endpoint wrote them", async () => {
  const { income, debt } = INPUTS;
  const rows: unknown[] = [];
  for (const inputs of [INPUTS, { debt, income }]) {
    const server = await newServer();
    server.scoreOf = (row) => (rows.push([...row]), 0.5);
    const endpoint = newEndpoint(inputs);
    const scorer = asScorer({ kind: "http", protocol: "kserve_v1", model: "credit", url: server.url, send: "inputs" });
    const egress = parseEgress([`127.0.0.1:${server.port}`]);
    if (!egress.ok) throw new Error("the address is right");
    const http = { egress: new Egress({ rules: egress.value }), random: runtime.random, secrets: {} };
    const bundle = bundleOf(endpoint.name, scorer);
    const release = await loadRelease(
      { id: releaseIdOf(bundle), number: 1, bundle, endpoint },
      { blobs: store.blobs, clock: runtime.clock, http },
    );
    if (!release.ok) throw new Error(JSON.stringify(release.error));
    loaded.push(release.value);
    rows.length = 0;
    await release.value.scorer.score({ income: 70, debt: 3 }, 1000);
    expect(rows).toEqual([[3, 70]]);
  }
});
