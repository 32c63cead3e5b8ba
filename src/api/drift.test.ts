/** Drift of scores and of the mix of groups, of a release that was trained on a known table and is asked by two tokens. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { logisticModel } from "../../test/fixtures/onnx-models.ts";
import { endpoint, policy } from "../../test/lender.ts";
import { freshServer, type FreshServer } from "../../test/server.ts";
import type { EvenkeelClient } from "../client.ts";
import type { AddedDatasetVersionView } from "./dataset-view.ts";
import type { EndpointMetricsView } from "./endpoint-metrics-view.ts";
import type { BlobView } from "./blob-routes.ts";
import type { RunView } from "./run-routes.ts";

let server: FreshServer;
let analyst: EvenkeelClient;
const PSI = "population_stability_index";
const ask = (metric: string, query: Record<string, string> = {}) =>
  analyst.get<EndpointMetricsView>("/v1/endpoints/loans/metrics", { metric, ...query });

beforeAll(async () => {
  server = await freshServer();
  analyst = await server.as("analyst", ["protected:read"]);
  const trainer = await server.as("trainer");
  // Codes of education as the table has them, words as the endpoint asks for them; incomes 0 to 99 in every group.
  const rows = Array.from({ length: 400 }, (_, i) => `${i},${i % 100},${i % 2 ? 3 : 2}`);
  const spec = { key: ["id"], protected: [{ column: "education", words: { "2": "university", "3": "high_school" } }] };
  const table = Buffer.from(`id,income,education\n${rows.join("\n")}\n`);
  const dataset = await trainer.put<AddedDatasetVersionView>(
    `/v1/datasets/credit/versions?spec=${encodeURIComponent(JSON.stringify(spec))}`,
    table,
  );
  await trainer.post("/v1/feature-sets", { name: "loans", features: [{ name: "income", from: "income" }] });
  const inputs = [{ kind: "dataset_version", id: dataset.id }];
  const run = await trainer.post<RunView>("/v1/runs", { experiment: "loans", name: "first", inputs });
  const { id: blob } = await trainer.put<BlobView>("/v1/blobs", logisticModel([0.05], -2.5));
  await trainer.post("/v1/models/credit/versions", { blob, featureSet: "loans/1", run: run.id });
  await server.admin.post("/v1/apply", { yaml: JSON.stringify(endpoint) });
  await server.admin.post("/v1/endpoints/loans/releases", { name: "m1", model: "credit/1", policy });
  await server.admin.post("/v1/endpoints/loans/promote", { release: "r2", reason: "better than the rule" });
  // Inputs are counted once it is known how.
  await vi.waitUntil(async () => (await ask(PSI)).trainedOn === "credit/1", { timeout: 60_000, interval: 200 });
  const decide = async (client: EvenkeelClient, count: number, of: (i: number) => { income: number; education: string }) => {
    const applications = Array.from({ length: count }, (_, i) => of(i)).map(({ income, education }) => ({
      inputs: { income, education },
      groups: { education },
    }));
    await client.post("/v1/endpoints/loans/decisions/batch", { applications });
  };
  await decide(await server.as("application"), 200, (i) => ({ income: (i * 37) % 100, education: i % 2 ? "high_school" : "university" }));
  await decide(await server.as("application"), 200, (i) => ({ income: 60 + (i % 40), education: "university" }));
}, 120_000);
afterAll(() => server.drop());

test("scores are held against what the release says of its own training data, its table's codes put into the endpoint's words", async () => {
  // Scores are counted, and the release is asked about its training data, when nobody waits for it.
  const counted = async (side: "n" | "reference") =>
    (await ask(PSI)).answers
      .find((one) => one.drift_of === "scores" && one.against === "training")
      ?.bins?.reduce((n, bin) => n + bin[side], 0);
  await expect.poll(() => counted("n"), { timeout: 60_000 }).toBe(400);
  const { answers, trainedOn } = await ask(PSI);
  const index = answers.find((one) => one.drift_of === "scores");
  expect(trainedOn).toBe("credit/1");
  expect(index).toMatchObject({ status: "drift", against: "training" });
  expect(await counted("reference")).toBe(400);
});

test("the token that sends only easy cases is told apart, with how they fare", async () => {
  const { answers } = await ask(PSI, { by: "education" });
  const mix = answers.filter((one) => one.drift_of === "groups");
  expect(mix.find(({ writer }) => writer === undefined)).toMatchObject({
    attributes: ["education"],
    against: "training",
    status: "drift",
    bins: [
      { label: "university", n: 300, reference: 200 },
      { label: "high_school", n: 100, reference: 200 },
    ],
  });
  const writers = mix.filter(({ writer }) => writer !== undefined);
  const share = { value: 0.5, reason: null };
  expect(writers.map(({ status, parts }) => [status, parts?.["selection_rate"]?.value, parts?.["share"]])).toEqual(
    expect.arrayContaining([
      ["ok", expect.closeTo(0.5, 1), share],
      ["drift", 1, share],
    ]),
  );
});

test("before the first week is over nothing can be held against it, and a week ago there was nobody", async () => {
  const { answers } = await ask("jensen_shannon_distance", { against: "launch" });
  expect(answers.find((one) => one.drift_of === "scores")).toMatchObject({ value: null, reason: "no_profile", against: "launch" });
  const from = new Date(Date.now() - 86_400_000).toISOString();
  const before = await ask("jensen_shannon_distance", { against: "previous", from });
  expect(before.answers.find((one) => one.drift_of === "groups")).toMatchObject({ value: null, reason: "no_profile", against: "previous" });
});

test("a scrape shows the same index, of inputs that say what group somebody is in only to those who may see groups", async () => {
  const scrape = async (role: string, grants: readonly string[]) => {
    const answer = await fetch(`${server.url}/metrics`, { headers: { authorization: `Bearer ${await server.token(role, { grants })}` } });
    return (await answer.text()).split("\n").filter((line) => line.startsWith("evenkeel_drift_"));
  };
  const index = (await ask(PSI)).answers.find((one) => one.drift_of === "scores")?.value;
  const seen = await scrape("analyst", ["protected:read"]);
  expect(seen).toContain(`evenkeel_drift_index{endpoint="loans",release="r2",of="scores",name="scores"} ${index}`);
  expect(seen).toContain('evenkeel_drift_detected{endpoint="loans",release="r2",of="scores",name="scores"} 1');
  expect(seen.some((line) => line.includes('of="input",name="income"'))).toBe(true);
  // Who applied today is told tomorrow.
  expect(seen.some((line) => line.includes('of="groups"'))).toBe(false);
  expect(JSON.stringify(await scrape("viewer", []))).not.toContain('name=\\"education');
});

test("a reader who may not see groups is told of no token, and of groups by letters", async () => {
  const viewer = await server.as("viewer");
  const { answers } = await viewer.get<EndpointMetricsView>("/v1/endpoints/loans/metrics");
  expect(answers.some(({ writer }) => writer !== undefined)).toBe(false);
  expect(JSON.stringify(answers)).not.toMatch(/university|high_school/);
});
