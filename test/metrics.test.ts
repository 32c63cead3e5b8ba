/** `GET /metrics` as Prometheus reads it. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { parsedMetrics, type Scraped } from "./prometheus.ts";
import { freshServer, type FreshServer } from "./server.ts";
import { LENDING, applied, caughtUp, decided } from "./sinks.ts";

let server: FreshServer;
beforeAll(async () => {
  server = await freshServer();
  await applied(server.admin, `${LENDING}---\nkind: sink\nname: archive\ntarget: { kind: ndjson }\n`);
});
afterAll(() => server.drop());

const scrape = async () => {
  const answer = await fetch(`${server.url}/metrics`, { headers: { authorization: `Bearer ${await server.token("viewer")}` } });
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
  expect(samples(metrics, "evenkeel_log_dropped_total")).toEqual([{ labels: {}, value: 0 }]);
  for (const [name, { type }] of metrics) expect([name, type]).toEqual([name, name.endsWith("_total") ? "counter" : "gauge"]);
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

test("without a token nobody scrapes", async () => {
  expect((await fetch(`${server.url}/metrics`)).status).toBe(401);
  const token = await server.token("application");
  expect((await fetch(`${server.url}/metrics`, { headers: { authorization: `Bearer ${token}` } })).status).toBe(403);
});
