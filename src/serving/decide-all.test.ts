import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { hangingModel, nanModel } from "../../test/fixtures/onnx-models.ts";
import { DecisionLog } from "../decisions/index.ts";
import type { EndpointName } from "../std.ts";
import { openStore, systemRuntime, type Store } from "../store/index.ts";
import { compileEndpoint } from "./endpoint.ts";
import { Gateway } from "./gateway.ts";
import { loadRelease, releaseIdOf, type LoadedRelease } from "./loaded-release.ts";

const runtime = systemRuntime();
let folder = "";
let store: Store;
let log: DecisionLog;
const loaded: LoadedRelease[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "evenkeel-many-"));
  store = await openStore({ folder }, runtime);
  log = await DecisionLog.open(store);
});
afterAll(async () => {
  for (const release of loaded) await release.close();
  await log.close();
  await store.close();
  await rm(folder, { recursive: true });
});

const name = (text: string) => text as EndpointName;
/** A live release with this model, a fallback by rule behind it, and a gateway for both. */
async function gatewayOn(endpointName: string, model: Buffer, options: Partial<ConstructorParameters<typeof Gateway>[0]> = {}) {
  const compiled = compileEndpoint({
    name: name(endpointName),
    inputs: { income: { type: "number" }, debt: { type: "number" } },
    groups: {},
    actions: { approve: { favourable: true }, deny: { favourable: false } },
  });
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.error));
  const common = {
    endpoint: endpointName,
    features: {
      name: "f",
      features: [
        { name: "income", from: "income" },
        { name: "debt", from: "debt" },
      ],
    },
    policy: {
      bands: [
        { action: "deny", from: 0 },
        { action: "approve", from: 0.5 },
      ],
    },
  };
  const load = async (number: number, scorer: Parameters<typeof releaseIdOf>[0]["scorer"]) => {
    const bundle = { ...common, scorer };
    const release = await loadRelease(
      { id: releaseIdOf(bundle), number, bundle, endpoint: compiled.value },
      { blobs: store.blobs, clock: runtime.clock, startTimeoutMs: 30_000, hangMs: 300 },
    );
    if (!release.ok) throw new Error(JSON.stringify(release.error));
    loaded.push(release.value);
    return release.value;
  };
  const fallback = await load(1, { kind: "rules", rules: [], otherwise: { score: 0.25 } });
  const live = await load(2, { kind: "onnx", model: await store.blobs.put(model) });
  const gateway = new Gateway({ log, runtime, subjectKey: Buffer.alloc(32, 7), ...options });
  await gateway.swap({
    endpoint: compiled.value,
    generation: 1,
    live,
    canary: null,
    ab: null,
    shadows: [],
    standby: null,
    fallback,
    releaseNumbers: new Map([
      [live.id, 2],
      [fallback.id, 1],
    ]),
  });
  return { gateway, live, fallback };
}
const rows = (incomes: readonly number[]) =>
  incomes.map((income) => {
    const body = { inputs: { income, debt: 1 } };
    return { body, payload: JSON.stringify(body), idempotencyKey: null, bodyHash: null };
  });

test("rows that the model can't score are answered by the fallback, the others by the model, and the log says why", async () => {
  const { gateway } = await gatewayOn("nan", nanModel(2, 1000));
  const decided = await gateway.decideAll("nan", rows(Array.from({ length: 300 }, (_, i) => (i % 3 === 0 ? 2000 : 1))), { source: "app" });
  if (!decided.ok) throw new Error(JSON.stringify(decided.error));
  expect(decided.value.map(({ reply }) => reply.route)).toEqual(Array.from({ length: 300 }, (_, i) => (i % 3 === 0 ? "fallback" : "live")));
  const recorded = await store.db.selectFrom("decision").selectAll().where("endpoint", "=", "nan").orderBy("seq").execute();
  expect(recorded.map(({ id }) => id)).toEqual(decided.value.map(({ reply }) => reply.id));
  expect(recorded.slice(0, 2)).toMatchObject([
    { arm: "fallback", answered_by: "fallback", because: expect.stringContaining("bad-score") },
    { arm: "live", because: null },
  ]);
  expect(new Set(recorded.map(({ batch }) => batch)).size).toBe(1);
  expect(gateway.stats()).toMatchObject({ decided: 300, fellBack: 100 });
});

test("a model that hangs in the middle of a batch leaves no row unanswered", async () => {
  const { gateway } = await gatewayOn("hanging", hangingModel(2, 1000), { manyDeadlineMs: 500 });
  const startedMs = performance.now();
  const decided = await gateway.decideAll("hanging", rows(Array.from({ length: 600 }, (_, i) => (i === 200 ? 2000 : 1))), {
    source: "app",
  });
  if (!decided.ok) throw new Error(JSON.stringify(decided.error));
  expect(decided.value.slice(0, 128).every(({ reply }) => reply.route === "live")).toBe(true);
  expect(decided.value[200]?.reply.route).toBe("fallback");
  expect(performance.now() - startedMs).toBeLessThan(5000);
});

test("a batch is refused while single decisions need the room, and rows beyond what may be under way are too", async () => {
  const { gateway } = await gatewayOn("full", nanModel(2, 1000), { maxInFlight: 4, maxManyInFlight: 10 });
  const single = rows([1])[0];
  const one = gateway.decide("full", single?.body, { payload: "{}", source: "app", idempotencyKey: null, bodyHash: null });
  expect(await gateway.decideAll("full", rows([1]), { source: "app" })).toEqual({ ok: false, error: { kind: "overloaded" } });
  expect((await one).ok).toBe(true);
  expect(await gateway.decideAll("full", rows(Array.from({ length: 11 }, () => 1)), { source: "app" })).toMatchObject({ ok: false });
  expect(await gateway.decideAll("full", rows([1]), { source: "app" })).toMatchObject({ ok: true });
});

test("while memory runs short a batch is refused, and single decisions go on", async () => {
  let isShortOfMemory = true;
  const { gateway } = await gatewayOn("short", nanModel(2, 1000), { isShortOfMemory: () => isShortOfMemory });
  expect(await gateway.decideAll("short", rows([1, 1]), { source: "app" })).toEqual({ ok: false, error: { kind: "overloaded" } });
  const meta = { payload: "{}", source: "app", idempotencyKey: null, bodyHash: null };
  expect((await gateway.decide("short", rows([1])[0]?.body, meta)).ok).toBe(true);
  isShortOfMemory = false;
  expect((await gateway.decideAll("short", rows([1, 1]), { source: "app" })).ok).toBe(true);
});

test("a release that is asked for by name answers, recorded as such, and one that isn't loaded does not", async () => {
  const { gateway, live, fallback } = await gatewayOn("pinned", nanModel(2, 1000));
  const routes = async (release: LoadedRelease, incomes: readonly number[]) => {
    const decided = await gateway.decideAll("pinned", rows(incomes), { source: "op", pinned: release.id });
    if (!decided.ok) throw new Error(JSON.stringify(decided.error));
    return decided.value.map(({ reply }) => `${reply.release} ${reply.route}`);
  };
  expect(await routes(fallback, [1])).toEqual(["r1 pinned"]);
  expect(await routes(live, [1, 2000])).toEqual(["r2 pinned", "r1 fallback"]);
  const meta = { payload: "{}", source: "op", idempotencyKey: null, bodyHash: null, pinned: fallback.id };
  expect(await gateway.decide("pinned", { inputs: { income: 1, debt: 1 } }, meta)).toMatchObject({ value: { reply: { route: "pinned" } } });
  const arms = await store.db.selectFrom("decision").select(["arm", "counted"]).where("endpoint", "=", "pinned").execute();
  expect(arms).toEqual(Array.from({ length: 4 }, () => ({ arm: "pinned", counted: 0 })));
  const other = releaseIdOf({ ...live.bundle, endpoint: "other" });
  expect(await gateway.decideAll("pinned", rows([1]), { source: "op", pinned: other })).toMatchObject({ error: { kind: "not-loaded" } });
  expect(await gateway.decide("pinned", {}, { ...meta, pinned: other })).toMatchObject({ ok: false });
});
