/** `GET /metrics` as Prometheus reads it. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { HISTOGRAMS, NUMBERS } from "../src/api/metrics/families.ts";
import { parsedMetrics, type Scraped } from "./prometheus.ts";
import { freshServer, type FreshServer } from "./server.ts";
import { LENDING, applied, caughtUp, decided } from "./sinks.ts";

let server: FreshServer;
beforeAll(async () => {
  server = await freshServer();
  await applied(server.admin, `${LENDING}---\nkind: sink\nname: archive\ntarget: { kind: ndjson }\n`);
});
afterAll(() => server.drop());

const scrape = async (role = "viewer", limits: Parameters<FreshServer["token"]>[1] = {}) => {
  const answer = await fetch(`${server.url}/metrics`, { headers: { authorization: `Bearer ${await server.token(role, limits)}` } });
  expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8"]);
  return parsedMetrics(await answer.text());
};
const samples = (metrics: ReadonlyMap<string, Scraped>, name: string) => metrics.get(name)?.samples ?? [];
const sum = (metrics: ReadonlyMap<string, Scraped>, name: string) => samples(metrics, name).reduce((all, { value }) => all + value, 0);

test("counts equal what was decided, and a scrape names nobody and no group", async () => {
  const application = await server.as("application");
  await decided(application, "a", 40);
  await caughtUp(server.admin, "archive");
  const metrics = await scrape();
  expect(sum(metrics, "evenkeel_decisions_total")).toBe(40);
  expect(new Set(samples(metrics, "evenkeel_decisions_total").map(({ labels }) => Object.keys(labels).join()))).toEqual(
    new Set(["endpoint,release,route,action"]),
  );
  expect(samples(metrics, "evenkeel_route_share")).toContainEqual({
    labels: { endpoint: "loans", release: "r1", route: "live" },
    value: 1,
  });
  expect(samples(metrics, "evenkeel_sink_delivered_total")).toContainEqual({ labels: { sink: "archive", kind: "decision" }, value: 40 });
  expect(sum(metrics, "evenkeel_sink_lag_decisions")).toBe(0);
  expect(samples(metrics, "evenkeel_build_info")[0]?.value).toBe(1);
  expect(sum(metrics, "evenkeel_unanswered_requests_total")).toBe(0);
  expect(samples(metrics, "evenkeel_release_requests_total")).toEqual([
    { labels: { endpoint: "loans", release: "r1", route: "live" }, value: 40 },
  ]);
  expect(sum(metrics, "evenkeel_release_errors_total")).toBe(0);
  expect(samples(metrics, "evenkeel_log_dropped_total")).toEqual([{ labels: {}, value: 0 }]);
  for (const [name, { type }] of metrics) {
    const isHistogram = Object.hasOwn(HISTOGRAMS, name);
    expect([name, type]).toEqual([name, isHistogram ? "histogram" : name.endsWith("_total") ? "counter" : "gauge"]);
  }
  expect(JSON.stringify([...metrics])).not.toMatch(/university|high_school|education/);
});

test("a batch counts each of its decisions, and a replayed request none", async () => {
  const application = await server.as("application");
  const before = sum(await scrape(), "evenkeel_decisions_total");
  const applications = [10, 90].map((income) => ({ inputs: { income, education: "university" }, groups: { education: "university" } }));
  await application.post("/v1/endpoints/loans/decisions/batch", { applications });
  for (let i = 0; i < 2; i++)
    await application.post("/v1/endpoints/loans/decisions", applications[0], { headers: { "idempotency-key": "the-same" } });
  expect(sum(await scrape(), "evenkeel_decisions_total")).toBe(before + 3);
});

test("every sample carries the labels that the table of families says, and nothing else", async () => {
  const labelsIn: ReadonlyMap<string, readonly string[]> = new Map(
    Object.entries({ ...NUMBERS, ...HISTOGRAMS }).map(([name, { labels }]) => [name, labels]),
  );
  const metrics = await scrape();
  expect(metrics.size).toBeGreaterThan(40);
  for (const [name, { samples: all, help }] of metrics) {
    expect(help).not.toBe("");
    for (const { labels, part } of all)
      expect([name, Object.keys(labels)]).toEqual([name, [...(labelsIn.get(name) ?? ["?"]), ...(part === "_bucket" ? ["le"] : [])]]);
  }
});

test("durations of decisions, of requests and of commits are counted once for each", async () => {
  const metrics = await scrape();
  const count = (name: string) =>
    samples(metrics, name)
      .filter(({ part }) => part === "_count")
      .reduce((all, { value }) => all + value, 0);
  const decisions = sum(metrics, "evenkeel_decisions_total");
  expect(count("evenkeel_decision_duration_seconds")).toBe(decisions);
  expect(count("evenkeel_decision_score")).toBe(decisions);
  // A batch is no single request, and a replayed one is.
  expect(count("evenkeel_request_duration_seconds")).toBe(decisions - 2 + 1);
  expect(count("evenkeel_commit_duration_seconds")).toBeGreaterThan(0);
  expect(samples(metrics, "evenkeel_scorer_up")).toEqual([{ labels: { endpoint: "loans", release: "r1", kind: "rules" }, value: 1 }]);
});

test("groups are letters, for a token that may see them their names, and the small cells of others are hidden", async () => {
  const groupsOf = (metrics: ReadonlyMap<string, Scraped>, name: string) =>
    samples(metrics, name)
      .map(({ labels }) => String(labels["group"]))
      .toSorted();
  const seen = async (grants?: readonly string[]) =>
    groupsOf(await scrape("analyst", grants ? { grants } : {}), "evenkeel_guardrail_limit");
  await expect.poll(() => seen()).toEqual(["A", "B"]);
  expect(await seen(["protected:read"])).toEqual(["education=high_school", "education=university"]);
  // All but one of those who were decided about have been to university.
  expect(groupsOf(await scrape(), "evenkeel_guardrail_estimate")).toEqual([]);
});

test("a token that is limited to another endpoint gets nothing of this one, nor of the process", async () => {
  const metrics = await scrape("viewer", { endpoints: ["cards"] });
  expect([...metrics.keys()]).toEqual(["evenkeel_build_info"]);
});

test("without a token nobody scrapes", async () => {
  expect((await fetch(`${server.url}/metrics`)).status).toBe(401);
  const token = await server.token("application");
  expect((await fetch(`${server.url}/metrics`, { headers: { authorization: `Bearer ${token}` } })).status).toBe(403);
});
