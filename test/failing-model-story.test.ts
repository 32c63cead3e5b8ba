/** A live model that stops to answer, and a rollback by hand, on a real server: nobody goes without an answer, and an incident tells. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { stringify } from "yaml";
import type { BlobView } from "../src/api/index.ts";
import type { DecisionReplyView, EndpointView, EvenkeelClient, IncidentDetailView, IncidentHeadView } from "../src/index.ts";
import { hangingModel, nanModel } from "./fixtures/onnx-models.ts";
import { endpoint, fairRelease } from "./lender.ts";
import { freshServer, type FreshServer } from "./server.ts";

const LOANS = "/v1/endpoints/loans";
const inputs = { income: { type: "number" }, debt: { type: "number" } };
const fallback = {
  ...endpoint.fallback,
  features: {
    name: "two",
    features: [
      { name: "income", from: "income" },
      { name: "debt", from: "debt" },
    ],
  },
};
const policy = {
  bands: [
    { action: "deny", from: 0 },
    { action: "approve", from: 0.5 },
  ],
};

let server: FreshServer;
let web: EvenkeelClient;
beforeEach(async () => {
  server = await freshServer({ lookEveryMs: 50 });
  web = await server.as("application");
  await server.admin.post("/v1/apply", { yaml: stringify({ ...endpoint, inputs, fallback, guardrails: [] }) });
  await server.admin.post(`${LOANS}/releases`, { ...fairRelease(40), features: fallback.features });
});
afterEach(() => server.drop());

let people = 0;
const ask = (income: number) =>
  web.post<DecisionReplyView>(`${LOANS}/decisions`, { subject: `person-${people++}`, inputs: { income, debt: 1 } });
const route = async () => (await server.admin.get<EndpointView>(LOANS)).route;
const incidents = async () => (await server.admin.get<{ readonly incidents: readonly IncidentHeadView[] }>("/v1/incidents")).incidents;
const incident = (n: number) => server.admin.get<IncidentDetailView>(`/v1/incidents/${n}`);
const promote = (release: string) => server.admin.post(`${LOANS}/promote`, { release, reason: "next" });

test.each([
  ["gives no number", nanModel],
  ["hangs and has to be killed", hangingModel],
])(
  "a live model that %s is condemned, what was live and good before answers, and an incident is opened",
  async (_what, model) => {
    const blob = await server.admin.put<BlobView>("/v1/blobs", model(2, 1000));
    const scorer = { kind: "onnx", model: blob.id };
    await server.admin.post(`${LOANS}/releases`, { name: "frail", scorer, features: fallback.features, policy });
    await promote("r2");
    for (let i = 0; i < 30; i++) await ask(i * 3);
    await promote("r3");
    // A busy machine may be late with the first.
    await vi.waitFor(async () => expect(await ask(20)).toMatchObject({ release: "r3", route: "live" }), 10_000);
    // One bad moment, however many rows it takes along, is none of it.
    await Promise.all(Array.from({ length: 20 }, () => ask(2000)));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await route()).toMatchObject({ live: "r3", condemned: [] });
    await vi.waitFor(
      async () => {
        await ask(20); // somebody whom it can answer, when it runs
        expect(await ask(2000)).toMatchObject({ release: "r2", action: "approve" });
        expect((await route()).live).toBe("r2");
      },
      { timeout: 20_000, interval: 200 },
    );
    expect(await route()).toMatchObject({ live: "r2", condemned: ["r3"], held: { by: "failures" } });
    expect(await ask(2000)).toMatchObject({ release: "r2", route: "live" });
    const [head] = await incidents();
    expect(head).toMatchObject({
      kind: "failure",
      state: "contained",
      release: "r3",
      restored: "r2",
      title: "r3 failed to answer applicants",
    });
    expect(await incident(head?.n ?? 0)).toMatchObject({
      reason: expect.stringMatching(/\d failures apart within 10 seconds/),
      candidates: [{ release: "r2", passes: true }],
      rollback: { from: "r3", to: "r2", automatic: true, failedRequests: 0 },
    });
  },
  60_000,
);

test("a rollback by hand opens an incident in which the people whom the release answered are found; one that keeps it does not", async () => {
  await server.admin.post(`${LOANS}/releases`, { ...fairRelease(80), features: fallback.features });
  await promote("r2");
  await promote("r3");
  await Promise.all(Array.from({ length: 50 }, (_, i) => ask(i * 2)));
  await server.admin.post(`${LOANS}/rollback`, { reason: "only looking", condemn: false });
  expect(await incidents()).toEqual([]);
  await promote("r3");
  await Promise.all(Array.from({ length: 50 }, (_, i) => ask(i * 2)));
  const command = { reason: "complaints", commandId: "rollback-1" };
  await server.admin.post(`${LOANS}/rollback`, command);
  await server.admin.post(`${LOANS}/rollback`, command);
  const found = await incidents();
  expect(found).toMatchObject([
    { kind: "by-hand", state: "contained", release: "r3", restored: "r2", title: "r3 was rolled back by hand" },
  ]);
  const n = found[0]?.n ?? 0;
  // The last answer of the old table and the look into the incident have no order.
  const kinds = new Set(["rolled-back-by-hand", "rolled-back", "drained", "looked-into"]);
  await vi.waitFor(async () => expect(new Set((await incident(n)).timeline.map(({ kind }) => kind))).toEqual(kinds), { timeout: 10_000 });
  const told = await incident(n);
  expect(told).toMatchObject({ reason: "complaints", proof: null, rollback: { automatic: false, from: "r3", to: "r2" } });
  expect(told.timeline).toHaveLength(kinds.size);
  expect(told.timeline.find(({ kind }) => kind === "looked-into")?.text).toContain("would get a better answer");
  expect(told.openedBy).toContain("admin");
});
