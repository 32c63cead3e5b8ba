import { afterAll, beforeAll, expect, test } from "vitest";
import { endpoint, fairRelease } from "../../test/lender.ts";
import { logisticModel } from "../../test/fixtures/onnx-models.ts";
import { freshServer, problemOf, type FreshServer } from "../../test/server.ts";
import type { EvenkeelClient } from "../client.ts";
import type { BlobView } from "./blob-routes.ts";
import type { AddedDatasetVersionView } from "./dataset-view.ts";
import type { DecidedWithView, DecisionTraceView, MadeWithPageView, RouteAtView } from "./decision-lineage-routes.ts";
import type { DecisionReplyView } from "./decision-routes.ts";
import type { ModelCardView } from "./model-card-view.ts";
import type { ModelVersionView } from "./model-routes.ts";
import type { RunView } from "./run-routes.ts";

let server: FreshServer;
let analyst: EvenkeelClient;
let made: { dataset: string; run: string; model: string };
let decisions: { fallback: string[]; first: string[]; second: string[] };
const today = () => new Date().toISOString().slice(0, 10);

const policy = {
  bands: [
    { action: "deny", from: 0 },
    { action: "approve", from: 0.5 },
  ],
};

beforeAll(async () => {
  server = await freshServer();
  const { admin } = server;
  analyst = await server.as("analyst");
  const trainer = await server.as("trainer");
  const dataset = await trainer.put<AddedDatasetVersionView>("/v1/datasets/credit/versions", Buffer.from("id,income\n1,0\n2,5\n"));
  await trainer.post("/v1/feature-sets", {
    name: "loans",
    features: [
      { name: "income", from: "income" },
      { name: "zero", cel: "0.0" },
    ],
  });
  const inputs = [{ kind: "dataset_version", id: dataset.id }];
  const run = await trainer.post<RunView>("/v1/runs", { experiment: "loans", name: "first", params: { depth: 3 }, inputs });
  await trainer.post(`/v1/runs/${run.id}/log`, { tags: { "git.commit": "c0ffee" }, metrics: [{ key: "auc", value: 0.7 }] });
  const model = async (name: string, weights: number[]) => {
    const { id: blob } = await trainer.put<BlobView>("/v1/blobs", logisticModel(weights));
    return trainer.post<ModelVersionView>(`/v1/models/${name}/versions`, { blob, featureSet: "loans/1", run: run.id });
  };
  const credit = await model("credit", [0.02, -0.01]);
  await model("credit", [0.03, -0.01]);
  made = { dataset: dataset.id, run: run.id, model: credit.id };
  await admin.post("/v1/apply", { yaml: JSON.stringify(endpoint) });
  const application = await server.as("application");
  const decide = async (count: number) => {
    const ids: string[] = [];
    for (let i = 0; i < count; i++) {
      const body = { inputs: { income: 40, education: "university" }, groups: { education: "university" } };
      ids.push((await application.post<DecisionReplyView>("/v1/endpoints/loans/decisions", body)).id);
    }
    return ids;
  };
  const fallback = await decide(2);
  for (const number of [1, 2]) await admin.post("/v1/endpoints/loans/releases", { name: `m${number}`, model: `credit/${number}`, policy });
  await admin.post("/v1/endpoints/loans/promote", { release: "r2", reason: "better than the rule" });
  await admin.post("/v1/endpoints/loans/shadow", { release: "r3", reason: "to see" });
  const first = await decide(5);
  await admin.post("/v1/endpoints/loans/promote", { release: "r3", reason: "better still" });
  decisions = { fallback, first, second: await decide(3) };
}, 60_000);
afterAll(() => server.drop());

const trace = (id: string) => analyst.get<DecisionTraceView>(`/v1/lineage/decisions/${id}`);
const withIt = (query: object) =>
  analyst.get<DecidedWithView>("/v1/lineage/decided-with", { kind: "dataset_version", id: "credit/1", ...query });
const ids = (query: object = {}) =>
  analyst.get<MadeWithPageView>("/v1/lineage/decided-with/decisions", { kind: "dataset_version", id: "credit/1", ...query });

test("a decision leads back to its release, model, run, features, data and code", async () => {
  const { decision, placedBy, madeOf } = await trace(decisions.first[0] ?? "");
  expect(decision).toMatchObject({ endpoint: "loans", arm: "live", because: null });
  expect(placedBy).toMatchObject({ kind: "promoted", reason: "better than the rule" });
  expect(madeOf).toMatchObject({
    release: "r2",
    scorer: "onnx",
    models: [{ version: "credit/1", id: made.model }],
    featureSets: [{ version: "loans/1" }],
    runs: [{ id: made.run, params: { depth: 3 }, metrics: { auc: 0.7 }, code: { commit: "c0ffee", recipe: null } }],
    datasets: [{ version: "credit/1", id: made.dataset, rows: 2 }],
    unknown: [],
  });
});

test("a rule knows all that it is made of, which is nothing upstream", async () => {
  const { madeOf, placedBy } = await trace(decisions.fallback[0] ?? "");
  expect(madeOf).toMatchObject({ release: "r1", scorer: "rules", models: [], runs: [], datasets: [], unknown: [] });
  expect(placedBy?.kind).toBe("fallback-set");
});

test("forward, decisions are counted by endpoint, release and day, apart from answers that nobody received", async () => {
  // Shadows are recorded after the answer was given.
  await expect.poll(async () => (await withIt({})).shadows).toBe(5);
  const counted = await withIt({});
  expect(counted).toMatchObject({ decisions: 8, pinned: 0, endpoints: [{ endpoint: "loans", decisions: 8, shadows: 5 }] });
  expect(counted.releases.map(({ release, name, decisions: count, days }) => [release, name, count, days])).toEqual([
    ["r2", "m1", 5, [{ day: today(), decisions: 5, pinned: 0, shadows: 0 }]],
    ["r3", "m2", 3, [{ day: today(), decisions: 3, pinned: 0, shadows: 5 }]],
  ]);
  for (const query of [
    { kind: "run", id: made.run },
    { kind: "feature_set", id: "loans/1" },
  ])
    expect((await withIt(query)).decisions).toBe(8);
  expect((await withIt({ kind: "model_version", id: "credit/1" })).decisions).toBe(5);
  expect((await withIt({ kind: "release", id: "loans/r3" })).decisions).toBe(3);
});

test("the ids come page by page, none twice, none left out", async () => {
  const found: string[] = [];
  let after: string | null | undefined;
  while (after !== null) {
    const page = await ids({ limit: 3, ...(after === undefined ? {} : { after }) });
    found.push(...page.decisions.map(({ id }) => id));
    after = page.next;
  }
  expect(found).toEqual([...decisions.first, ...decisions.second]);
  const some = await ids({ endpoint: "loans", release: "r3", day: today() });
  expect([some.decisions.map(({ id }) => id), some.next]).toEqual([decisions.second, null]);
  expect((await ids({ day: "2020-01-01" })).decisions).toEqual([]);
});

test("a time leads to the release that answered then, with its upstream", async () => {
  const at = (query: { readonly at?: string }) => analyst.get<RouteAtView>("/v1/endpoints/loans/lineage", query);
  const now = await at({});
  expect(now.since?.reason).toBe("better still");
  expect(now.releases.map(({ places, madeOf }) => [madeOf.release, places])).toEqual([
    ["r3", ["live"]],
    ["r2", ["standby"]],
    ["r1", ["fallback"]],
  ]);
  expect(now.releases[0]?.madeOf.datasets).toMatchObject([{ version: "credit/1" }]);
  expect(await at({ at: "2020-01-01" })).toMatchObject({ generation: null, releases: [], since: null });
  for (const wrong of ["yesterday", "2026-01-01T00:00:00", "2999-01-01T00:00:00Z"])
    expect(await problemOf(at({ at: wrong }))).toMatchObject({ status: 400, errors: [{ path: "/at" }] });
});

test("a model's card says its data, its use by group, its limits and its lineage, and groups only to those who may see them", async () => {
  const card = await analyst.get<ModelCardView>("/v1/model-card", { reference: "credit/1" });
  expect(card).toMatchObject({
    model: "credit",
    version: 1,
    features: ["income", "zero"],
    runs: [{ params: { depth: 3 }, metrics: { auc: 0.7 } }],
    data: [{ version: "credit/1", rows: 2, groups: null }],
    uses: [
      {
        endpoint: "loans",
        release: "r2",
        places: ["standby"],
        served: { counted: 5, favourableRate: expect.any(Number), outcomes: 0, goodRate: null },
        groups: [{ group: expect.stringMatching(/^[A-Z]$/), counted: null }],
        limits: {
          guardrails: [{ metric: "adverse_impact_ratio", limit: 0.8, action: "roll_back" }],
          inputs: [{ takes: "number, 0 to 100" }, {}],
        },
      },
    ],
    unknown: [
      "No protected attribute is declared in its training data: how groups are represented there is not known.",
      "No outcome of a decision by loans/r2 is known yet: whether it errs more for some is not known.",
    ],
  });
  const reader = await server.as("analyst", ["protected:read"]);
  const seen = await reader.get<ModelCardView>("/v1/model-card", { reference: "credit/1" });
  expect(seen.uses[0]?.groups).toMatchObject([{ group: "education=university", counted: 5 }]);
  const document = (query: object) => reader.getText("/v1/model-card/document", { reference: "credit/1", ...query });
  expect(await document({ format: "markdown" })).toMatch(
    /^# Model card: credit\/1\n[^]*education=university \| 5 \|[^]*## What is not known/,
  );
  expect(await document({})).toMatch(/^<!doctype html>[^]*<td>education=university<\/td><td>5<\/td>/);
});

test("a gap in the record is said, not filled", async () => {
  const { admin } = server;
  const { id: blob } = await admin.put<BlobView>("/v1/blobs", logisticModel([0.04, -0.01]));
  await admin.post("/v1/models/found/versions", { blob, featureSet: "loans/1" });
  await admin.post("/v1/endpoints/loans/releases", { name: "found", model: "found/1", policy });
  await admin.post("/v1/endpoints/loans/promote", { release: "r4", reason: "to see" });
  const { releases } = await analyst.get<RouteAtView>("/v1/endpoints/loans/lineage");
  expect(releases[0]?.madeOf.unknown).toEqual(["No run is known that made found/1: its data, parameters and code are not known."]);
});

test("what isn't there, and what another endpoint's token may not know, is not found", async () => {
  expect(await problemOf(trace("dec:nothing"))).toMatchObject({ status: 404 });
  expect(await problemOf(withIt({ kind: "release", id: "loans/r99" }))).toMatchObject({ status: 404 });
  expect(await problemOf(withIt({ id: "credit/9" }))).toMatchObject({ status: 404 });
  expect(await problemOf(ids({ release: "r3" }))).toMatchObject({ errors: [{ path: "/endpoint" }] });
  expect(await problemOf(ids({ after: "17" }))).toMatchObject({ errors: [{ path: "/after" }] });
  await server.admin.post("/v1/apply", { yaml: JSON.stringify({ ...endpoint, name: "cards" }) });
  await server.admin.post("/v1/endpoints/cards/releases", { ...fairRelease(10), endpoint: "cards" });
  const token = await server.token("analyst", { endpoints: ["cards"] });
  const headers = { authorization: `Bearer ${token}` };
  const limited = async (path: string) => (await fetch(`${server.url}${path}`, { headers })).json();
  expect(await limited(`/v1/lineage/decisions/${decisions.first[0]}`)).toMatchObject({ status: 404 });
  expect(await limited("/v1/lineage/decided-with?kind=dataset_version&id=credit/1")).toMatchObject({ decisions: 0, releases: [] });
  expect(await limited("/v1/lineage/decided-with/decisions?kind=dataset_version&id=credit/1")).toEqual({ decisions: [], next: null });
});
