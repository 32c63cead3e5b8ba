import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { forestModel, hangingModel, logisticModel, nanModel } from "../../test/fixtures/onnx-models.ts";
import { DecisionLog } from "../decisions/index.ts";
import type { BlobId, EndpointName } from "../std.ts";
import { openStore, systemRuntime, type Store } from "../store/index.ts";
import { compileCondition } from "./condition.ts";
import { compileEndpoint, type CompiledEndpoint } from "./endpoint.ts";
import { Gateway, type GatewayOptions, type RequestMeta } from "./gateway.ts";
import { loadRelease, releaseIdOf, type LoadedRelease, type ReleaseBundle } from "./loaded-release.ts";
import { replay } from "./replay.ts";
import type { RouteView } from "./route-view.ts";

let folder = "";
let store: Store;
let log: DecisionLog;
const runtime = systemRuntime();
const models: Record<string, BlobId> = {};
const subjectKey = Buffer.alloc(32, 7);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "evenkeel-gateway-"));
  store = await openStore({ folder }, runtime);
  log = await DecisionLog.open(store);
  models["logistic"] = await store.blobs.put(logisticModel([0.05, -0.1]));
  models["forest"] = await store.blobs.put(forestModel({ width: 2, trees: 20, depth: 5, seed: 3 }));
  models["nan"] = await store.blobs.put(nanModel(2, 1000));
  models["hanging"] = await store.blobs.put(hangingModel(2, 1000));
});
const loaded: LoadedRelease[] = [];
afterEach(async () => {
  for (const release of loaded.splice(0)) await release.close();
});
afterAll(async () => {
  await log.close();
  await store.close();
  await rm(folder, { recursive: true });
});

/** Names are made where endpoints are. */
const asEndpointName = (name: string) => name as EndpointName;
let endpoints = 0;
function newEndpoint(): CompiledEndpoint {
  const compiled = compileEndpoint({
    name: asEndpointName(`loans${++endpoints}`),
    // The self-test stays within the limits, so models that misbehave beyond 1,000 pass it.
    inputs: { income: { type: "number" }, debt: { type: "number" } },
    groups: { sex: ["female", "male"] },
    actions: { approve: { favourable: true }, refer: { favourable: false }, deny: { favourable: false } },
  });
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.error));
  return compiled.value;
}

const policy: ReleaseBundle["policy"] = {
  bands: [
    { action: "deny", from: 0, reason: "too little" },
    { action: "approve", from: 0.5 },
  ],
};
const features: ReleaseBundle["features"] = {
  name: "f",
  features: [
    { name: "income", from: "income" },
    { name: "debt", from: "debt" },
  ],
};
const rules = (score = 1): ReleaseBundle["scorer"] => ({
  kind: "rules",
  rules: [{ when: "income > debt", score, reason: "enough" }],
  otherwise: { score: 0.1 },
});
const onnx = (model: string): ReleaseBundle["scorer"] => ({ kind: "onnx", model: models[model] ?? "" });
async function load(endpoint: CompiledEndpoint, number: number, scorer: ReleaseBundle["scorer"]): Promise<LoadedRelease> {
  const bundle = { endpoint: endpoint.name, scorer, features, policy };
  const release = await loadRelease(
    { id: releaseIdOf(bundle), number, bundle, endpoint },
    { blobs: store.blobs, clock: runtime.clock, startTimeoutMs: 30_000, hangMs: 500 },
  );
  if (!release.ok) throw new Error(JSON.stringify(release.error));
  loaded.push(release.value);
  return release.value;
}
const viewOf = (live: LoadedRelease, change: Partial<RouteView> = {}): RouteView => {
  const view = {
    endpoint: live.endpoint,
    generation: 1,
    live,
    canary: null,
    ab: null,
    shadows: [],
    standby: null,
    fallback: live,
    ...change,
  };
  const all = [
    view.live,
    view.fallback,
    ...[...view.shadows, ...(view.canary ? [view.canary] : []), ...(view.ab ?? [])].map(({ release }) => release),
    ...(view.standby ? [view.standby] : []),
  ];
  return { ...view, releaseNumbers: new Map(all.map(({ id, number }) => [id, number])) };
};
/** Tests ask for a thousand people in one turn; whoever waits for theirs is let in, however busy the machine is. */
const gatewayWith = (options: Partial<GatewayOptions> = {}) => new Gateway({ log, runtime, subjectKey, maxWaitMs: 60_000, ...options });

const meta = (body: unknown, change: Partial<RequestMeta> = {}): RequestMeta => ({
  payload: JSON.stringify(body),
  source: "app",
  idempotencyKey: null,
  bodyHash: null,
  ...change,
});
const bodyOf = (income: number, subject: string | null = null) => ({ subject, inputs: { income, debt: 10 }, groups: { sex: "female" } });
const decide = async (gateway: Gateway, endpoint: CompiledEndpoint, body: unknown, change: Partial<RequestMeta> = {}) => {
  const decided = await gateway.decide(endpoint.name, body, meta(body, change));
  if (!decided.ok) throw new Error(JSON.stringify(decided.error));
  return decided.value.reply;
};
const rowsOf = (endpoint: CompiledEndpoint) =>
  store.db.selectFrom("decision").selectAll().where("endpoint", "=", endpoint.name).orderBy("seq").execute();

test("a decision is recorded with all that explains it before anybody hears of it", async () => {
  const endpoint = newEndpoint();
  const gateway = gatewayWith();
  const rule = await load(endpoint, 3, rules());
  await gateway.swap(viewOf(rule, { generation: 5 }));
  const body = bodyOf(20, "ann");
  const reply = await decide(gateway, endpoint, body, { idempotencyKey: "k", bodyHash: "h" });
  expect(reply).toEqual({
    id: expect.any(String),
    action: "approve",
    score: 1,
    reasons: ["enough"],
    release: "r3",
    generation: 5,
    route: "live",
    decidedAt: expect.stringMatching(/Z$/),
  });
  expect(await rowsOf(endpoint)).toEqual([
    expect.objectContaining({
      id: reply.id,
      release: rule.id,
      arm: "live",
      generation: 5,
      cell: "sex=female",
      score: 1,
      action: "approve",
      favourable: 1,
      answered_by: "live",
      because: null,
      source: "app",
      idempotency_key: "k",
    }),
  ]);
  const payload = await store.db
    .selectFrom("decision_payload")
    .innerJoin("decision", "decision.seq", "decision_payload.seq")
    .selectAll("decision_payload")
    .where("endpoint", "=", endpoint.name)
    .executeTakeFirstOrThrow();
  expect(payload.payload).toBe(JSON.stringify(body));
  expect(payload.subject).toMatch(/^[0-9a-f]{64}$/);
  expect(await decide(gateway, endpoint, bodyOf(1))).toMatchObject({ action: "deny", score: 0.1, reasons: ["too little"] });
});

test("what can't be decided is refused with its kind, and nothing is recorded", async () => {
  const endpoint = newEndpoint();
  const gateway = gatewayWith({ maxInFlight: 0 });
  const rule = await load(endpoint, 1, rules());
  await gateway.swap(viewOf(rule));
  expect(await gateway.decide("nothing", {}, meta({}))).toEqual({ ok: false, error: { kind: "unknown-endpoint" } });
  expect(await gateway.decide(endpoint.name, bodyOf(1), meta({}))).toEqual({ ok: false, error: { kind: "overloaded" } });
  const roomy = gatewayWith();
  await roomy.swap(viewOf(rule));
  expect(await roomy.decide(endpoint.name, { inputs: { income: "1" } }, meta({}))).toMatchObject({
    ok: false,
    error: { kind: "invalid", issues: [{ path: "/inputs/income" }, { path: "/inputs/debt" }] },
  });
  const old = meta(bodyOf(1), { receivedAtUs: runtime.clock.monotonicUs() - 3_000_000 });
  expect(await roomy.decide(endpoint.name, bodyOf(1), old)).toEqual({ ok: false, error: { kind: "too-late", isRecorded: false } });
  expect(await rowsOf(endpoint)).toEqual([]);
});

test("what is read right after the process stood still may have waited longer than anybody waits, and is refused", async () => {
  const endpoint = newEndpoint();
  let nowUs = 0;
  const gateway = gatewayWith({ runtime: { ...runtime, clock: { nowMs: () => runtime.clock.nowMs(), monotonicUs: () => nowUs } } });
  await gateway.swap(viewOf(await load(endpoint, 1, rules())));
  const after = async (ms: number) => {
    nowUs += ms * 1000;
    const decided = await gateway.decide(endpoint.name, bodyOf(1), meta({}));
    return decided.ok ? "answered" : decided.error.kind;
  };
  expect(await after(60_000)).toBe("answered"); // nobody beats
  gateway.beat();
  expect(await after(1500)).toBe("answered");
  // Read before the timers had their turn, and after it.
  expect(await after(1000)).toBe("too-late");
  gateway.beat();
  expect(await gateway.decideAll(endpoint.name, [], { source: "app" })).toMatchObject({ ok: false, error: { kind: "too-late" } });
  expect(await after(100)).toBe("too-late");
  expect(await after(200)).toBe("answered");
});

test("the same key again gives the same reply, also under another release; with another body it is refused", async () => {
  const endpoint = newEndpoint();
  const gateway = gatewayWith();
  const [one, two] = [await load(endpoint, 1, rules()), await load(endpoint, 2, rules(0.9))];
  await gateway.swap(viewOf(one));
  const key = { idempotencyKey: "k", bodyHash: "h" };
  const first = await gateway.decide(endpoint.name, bodyOf(20), meta(bodyOf(20), key));
  await gateway.swap(viewOf(two, { generation: 2, standby: one }));
  const again = await gateway.decide(endpoint.name, bodyOf(20), meta(bodyOf(20), key));
  expect(again).toEqual({ ok: true, value: { ...(first.ok ? first.value : {}), isReplay: true } });
  expect(await gateway.decide(endpoint.name, bodyOf(21), meta(bodyOf(21), { ...key, bodyHash: "other" }))).toEqual({
    ok: false,
    error: { kind: "key-reused" },
  });
  expect(await rowsOf(endpoint)).toHaveLength(1);
});

describe("when the planned release fails, somebody else answers in time, and the record says why", () => {
  test("NaN: the rule answers that one, the model all others; three times within ten seconds are told, and not three at once", async () => {
    const endpoint = newEndpoint();
    const onTrouble = vi.fn<NonNullable<GatewayOptions["onTrouble"]>>();
    let aheadUs = 0;
    const clock = { ...runtime.clock, nowMs: () => runtime.clock.nowMs(), monotonicUs: () => runtime.clock.monotonicUs() + aheadUs };
    const gateway = gatewayWith({ onTrouble, runtime: { ...runtime, clock } });
    const [rule, model] = [await load(endpoint, 1, rules()), await load(endpoint, 2, onnx("nan"))];
    await gateway.swap(viewOf(model, { fallback: rule }));
    expect(await decide(gateway, endpoint, bodyOf(20))).toMatchObject({ score: 0.5, route: "live", release: "r2" });
    for (let i = 0; i < 4; i++)
      expect(await decide(gateway, endpoint, bodyOf(2000))).toMatchObject({ score: 1, route: "fallback", release: "r1" });
    expect((await rowsOf(endpoint)).at(-1)).toMatchObject({
      release: rule.id,
      arm: "fallback",
      answered_by: "fallback",
      because: "r2 bad-score: expected a score from 0 to 1, the model gave NaN",
    });
    expect(onTrouble.mock.calls).toEqual([]);
    for (let i = 0; i < 2; i++) {
      aheadUs += 3_500_000;
      await decide(gateway, endpoint, bodyOf(2000));
    }
    expect(onTrouble.mock.calls).toEqual([[expect.objectContaining({ release: model.id, trouble: "bad-score", events: 3, failures: 6 })]]);
    expect(gateway.stats()).toMatchObject({ decided: 7, fellBack: 6 });
    expect(gateway.planned()).toEqual([{ endpoint: endpoint.name, release: model.id, arm: "live", asked: 7, failed: 6 }]);
  });

  test("a hang: standby, else fallback, within the scorer's time; then at once; and the process is replaced", async () => {
    const endpoint = newEndpoint();
    const gateway = gatewayWith();
    const [rule, model, standby] = [
      await load(endpoint, 1, rules()),
      await load(endpoint, 3, onnx("hanging")),
      await load(endpoint, 2, onnx("logistic")),
    ];
    await gateway.swap(viewOf(model, { standby, fallback: rule }));
    const pid = model.pid;
    const started = performance.now();
    expect(await decide(gateway, endpoint, bodyOf(2000))).toMatchObject({ route: "standby", release: "r2" });
    expect(performance.now() - started).toBeLessThan(1500);
    await vi.waitFor(() => expect(model.pid === undefined || model.pid !== pid).toBe(true), 5000);
    await vi.waitFor(async () => expect(await decide(gateway, endpoint, bodyOf(20))).toMatchObject({ route: "live" }), 10_000);
  });

  test("a killed process under load: every request is answered in time, and it comes back", async () => {
    const endpoint = newEndpoint();
    const gateway = gatewayWith();
    const [rule, model] = [await load(endpoint, 1, rules()), await load(endpoint, 2, onnx("forest"))];
    await gateway.swap(viewOf(model, { fallback: rule }));
    const slowest: number[] = [];
    const routes = new Set<string>();
    let isOver = false;
    const clients = Array.from({ length: 16 }, async (_, i) => {
      while (!isOver) {
        const started = performance.now();
        routes.add((await decide(gateway, endpoint, bodyOf(i))).route);
        slowest.push(performance.now() - started);
      }
    });
    for (let i = 0; i < 2; i++) {
      const { pid } = model;
      if (pid) process.kill(pid, "SIGKILL");
      await vi.waitFor(() => expect(model.pid !== undefined && model.pid !== pid).toBe(true), 10_000);
      routes.delete("live");
      await vi.waitFor(() => expect(routes).toContain("live"), 5000);
    }
    isOver = true;
    await Promise.all(clients);
    expect(routes).toEqual(new Set(["live", "fallback"]));
    expect(Math.max(...slowest)).toBeLessThan(2000);
    expect(gateway.stats().unanswered).toBe(0);
  });

  test("a stopped process costs each request the scorer's time at most, and later ones nothing", async () => {
    const endpoint = newEndpoint();
    const gateway = gatewayWith({ scorerTimeoutMs: 400 });
    const [rule, model] = [await load(endpoint, 1, rules()), await load(endpoint, 2, onnx("logistic"))];
    await gateway.swap(viewOf(model, { fallback: rule }));
    process.kill(model.pid ?? 0, "SIGSTOP");
    const started = performance.now();
    const replies = await Promise.all(Array.from({ length: 50 }, () => decide(gateway, endpoint, bodyOf(20))));
    expect(new Set(replies.map(({ route }) => route))).toEqual(new Set(["fallback"]));
    expect(performance.now() - started).toBeLessThan(2000);
    // The quickest of some: had each waited for the scorer, none would take less than its 400 ms, however busy the machine.
    const laterMs: number[] = [];
    for (let i = 0; i < 5; i++) {
      const again = performance.now();
      await decide(gateway, endpoint, bodyOf(20));
      laterMs.push(performance.now() - again);
    }
    expect(Math.min(...laterMs)).toBeLessThan(300);
  });
});

test("a canary answers its share, the same people each time, more of them when it grows", async () => {
  const endpoint = newEndpoint();
  const gateway = gatewayWith({ log: await DecisionLog.open(store, { ack: "off" }), maxInFlight: 10_000 });
  const [rule, canary] = [await load(endpoint, 1, rules()), await load(endpoint, 2, rules(0.9))];
  const people = Array.from({ length: 4000 }, (_, i) => `person-${i}`);
  const canaried = async (share: number, generation: number) => {
    await gateway.swap(viewOf(rule, { generation, canary: { release: canary, share, when: null } }));
    const replies = await Promise.all(people.map((person) => decide(gateway, endpoint, bodyOf(20, person))));
    return people.filter((_person, i) => replies[i]?.route === "canary");
  };
  const tenth = await canaried(0.1, 1);
  expect(tenth.length / people.length).toBeCloseTo(0.1, 1);
  expect(await canaried(0.1, 2)).toEqual(tenth);
  const half = await canaried(0.5, 3);
  expect(half.length / people.length).toBeCloseTo(0.5, 1);
  expect(half).toEqual(expect.arrayContaining(tenth));
});

test("200 requests at once share the batches of the scorer process", async () => {
  const endpoint = newEndpoint();
  const gateway = gatewayWith();
  const [rule, model] = [await load(endpoint, 1, rules()), await load(endpoint, 2, onnx("forest"))];
  await gateway.swap(viewOf(model, { fallback: rule }));
  const replies = await Promise.all(Array.from({ length: 200 }, (_, i) => decide(gateway, endpoint, bodyOf(i))));
  const alone = await model.scorer.scoreMany(replies.map((_reply, i) => ({ income: i, debt: 10 })));
  expect(replies.map(({ score }) => ({ score, reasons: [] }))).toEqual(alone);
  expect(new Set(replies.map(({ route }) => route))).toEqual(new Set(["live"]));
});

test("swaps under load: nobody fails, and nobody who comes after a swap is decided on by the table before", async () => {
  const endpoint = newEndpoint();
  const gateway = gatewayWith();
  const [rule, model] = [await load(endpoint, 1, rules()), await load(endpoint, 2, onnx("forest"))];
  const views = (generation: number) =>
    generation % 2 ? viewOf(model, { generation, fallback: rule, standby: rule }) : viewOf(rule, { generation, standby: model });
  await gateway.swap(views(0));
  let newest = 0;
  let isOver = false;
  let answered = 0;
  const clients = Array.from({ length: 32 }, async (_, i) => {
    while (!isOver) {
      const atLeast = newest;
      const reply = await decide(gateway, endpoint, bodyOf(i, `p${i}`));
      expect(reply.generation).toBeGreaterThanOrEqual(atLeast);
      answered++;
    }
  });
  for (let generation = 1; generation <= 60; generation++) {
    const swapped = gateway.swap(views(generation));
    newest = generation;
    await swapped;
    const highest = await store.db
      .selectFrom("decision")
      .select(({ fn }) => fn.max("seq").as("seq"))
      .executeTakeFirstOrThrow();
    await new Promise((resolve) => setTimeout(resolve, 5));
    const late = await store.db
      .selectFrom("decision")
      .select("id")
      .where("endpoint", "=", endpoint.name)
      .where("generation", "<", generation)
      .where("seq", ">", highest.seq)
      .execute();
    expect(late).toEqual([]);
  }
  isOver = true;
  await Promise.all(clients);
  expect(gateway.stats()).toMatchObject({ decided: answered, unanswered: 0, inFlight: 0 });
  expect(await rowsOf(endpoint)).toHaveLength(answered);
});

test("a canary with a condition answers its share of those for whom it holds, and nobody else", async () => {
  const endpoint = newEndpoint();
  const gateway = gatewayWith({ log: await DecisionLog.open(store, { ack: "off" }), maxInFlight: 10_000 });
  const [rule, canary] = [await load(endpoint, 1, rules()), await load(endpoint, 2, rules(0.9))];
  const when = compileCondition("income < 10", endpoint, "/when");
  if (!when.ok) throw new Error(JSON.stringify(when.error));
  await gateway.swap(viewOf(rule, { canary: { release: canary, share: 0.5, when: when.value } }));
  const routes = async (income: number) => {
    const people = Array.from({ length: 1000 }, (_, i) => `person-${i}`);
    const replies = await Promise.all(people.map((person) => decide(gateway, endpoint, bodyOf(income, person))));
    return replies.filter(({ route }) => route === "canary").length;
  };
  expect(await routes(20)).toBe(0);
  const matching = await routes(5);
  expect(matching).toBeGreaterThan(430);
  expect(matching).toBeLessThan(570);
});

test("the arms of an A/B test answer by their weights, the same people each time, and are recorded alike; batches obey too", async () => {
  const endpoint = newEndpoint();
  const gateway = gatewayWith();
  const [rule, other] = [await load(endpoint, 1, rules()), await load(endpoint, 2, rules(0.9))];
  const ab = [
    { release: rule, weight: 1 },
    { release: other, weight: 3 },
  ];
  await gateway.swap(viewOf(rule, { ab }));
  const people = Array.from({ length: 400 }, (_, i) => `person-${i}`);
  const singles = await Promise.all(people.map((person) => decide(gateway, endpoint, bodyOf(20, person))));
  expect(new Set(singles.map(({ route }) => route))).toEqual(new Set(["ab"]));
  const ofOther = singles.filter(({ release }) => release === "r2").length;
  expect(ofOther).toBeGreaterThan(260);
  expect(ofOther).toBeLessThan(340);
  const applications = people.map((person) => {
    const body = bodyOf(20, person);
    return { body, payload: JSON.stringify(body), idempotencyKey: null, bodyHash: null };
  });
  const batch = await gateway.decideAll(endpoint.name, applications, { source: "app" });
  if (!batch.ok) throw new Error(JSON.stringify(batch.error));
  expect(batch.value.map(({ reply }) => reply.release)).toEqual(singles.map(({ release }) => release));
  await log.flush();
  const rows = await store.db.selectFrom("decision").select(["arm", "release"]).where("endpoint", "=", endpoint.name).execute();
  expect(new Set(rows.map(({ arm, release }) => `${arm} ${release}`))).toEqual(new Set([`ab ${rule.id}`, `ab ${other.id}`]));
});

describe("shadows", () => {
  test("with a share answer the same people whenever they come, and only those", async () => {
    const endpoint = newEndpoint();
    const gateway = gatewayWith();
    const [rule, model] = [await load(endpoint, 1, rules()), await load(endpoint, 2, rules(0.9))];
    await gateway.swap(viewOf(rule, { shadows: [{ release: model, share: 0.25 }] }));
    const people = Array.from({ length: 200 }, (_, i) => `p${i}`);
    for (let time = 0; time < 2; time++) await Promise.all(people.map((person) => decide(gateway, endpoint, bodyOf(20, person))));
    await gateway.idle();
    await log.flush();
    const answers = await store.db
      .selectFrom("shadow_answer")
      .innerJoin("decision", "decision.id", "shadow_answer.decision")
      .innerJoin("decision_payload", "decision_payload.seq", "decision.seq")
      .select("decision_payload.subject")
      .where("shadow_answer.endpoint", "=", endpoint.name)
      .execute();
    const times = new Map<string, number>();
    for (const { subject } of answers) times.set(subject ?? "", (times.get(subject ?? "") ?? 0) + 1);
    expect(new Set(times.values())).toEqual(new Set([2]));
    expect(times.size).toBeGreaterThan(25);
    expect(times.size).toBeLessThan(75);
  });
  test("answer the same people after the real answer, and are recorded as such", async () => {
    const endpoint = newEndpoint();
    const gateway = gatewayWith();
    const [rule, model] = [await load(endpoint, 1, rules()), await load(endpoint, 2, onnx("logistic"))];
    await gateway.swap(viewOf(rule, { shadows: [{ release: model, share: 1 }] }));
    const replies = await Promise.all(Array.from({ length: 150 }, (_, i) => decide(gateway, endpoint, bodyOf(i, `p${i}`))));
    await gateway.idle();
    await log.flush();
    const answers = await store.db.selectFrom("shadow_answer").selectAll().where("endpoint", "=", endpoint.name).execute();
    expect(answers).toHaveLength(150);
    expect(new Set(answers.map(({ decision }) => decision))).toEqual(new Set(replies.map(({ id }) => id)));
    expect(gateway.stats().shadows).toEqual({ queued: 0, answered: 150, shed: 0, failed: 0 });
  });
  test("are dropped before anybody waits for them", async () => {
    const endpoint = newEndpoint();
    const gateway = gatewayWith({ maxShadows: 10 });
    const [rule, model] = [await load(endpoint, 1, rules()), await load(endpoint, 2, onnx("logistic"))];
    await gateway.swap(viewOf(rule, { shadows: [{ release: model, share: 1 }] }));
    process.kill(model.pid ?? 0, "SIGSTOP");
    const started = performance.now();
    await Promise.all(Array.from({ length: 300 }, (_, i) => decide(gateway, endpoint, bodyOf(i))));
    expect(performance.now() - started).toBeLessThan(2000);
    expect(gateway.stats().shadows.shed).toBeGreaterThan(100);
    await model.close();
    await gateway.idle();
    expect(gateway.stats()).toMatchObject({ decided: 300, fellBack: 0 });
  });
});

test("a replay says what was said, and leaves no trace", async () => {
  const endpoint = newEndpoint();
  const gateway = gatewayWith();
  const [rule, model] = [await load(endpoint, 1, rules()), await load(endpoint, 2, onnx("forest"))];
  await gateway.swap(viewOf(model, { fallback: rule }));
  const replies = [];
  const records = [];
  for (let i = 0; i < 40; i++) {
    const body = bodyOf(i * 3, `p${i}`);
    const reply = await decide(gateway, endpoint, body);
    replies.push(reply);
    records.push({ id: reply.id, payload: JSON.stringify(body) });
  }
  const answers = await replay(model, records);
  expect(answers).toEqual(
    replies.map(({ id, action, score, reasons }) => ({
      kind: "answered",
      id,
      cell: "sex=female",
      action,
      score,
      reasons,
      favourable: action === "approve",
    })),
  );
  expect(await replay(rule, [{ ...records[0], id: replies[0]?.id ?? asId(""), payload: '{"inputs":{"income":"x","debt":1}}' }])).toEqual([
    expect.objectContaining({
      kind: "failed",
      because: 'the endpoint no longer takes the request: /inputs/income expected a number, got "x"',
    }),
  ]);
  expect(await rowsOf(endpoint)).toHaveLength(40);
  expect(gateway.stats().decided).toBe(40);
});
const asId = (id: string) => id as import("../std.ts").DecisionId;
