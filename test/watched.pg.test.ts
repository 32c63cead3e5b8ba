/** What is watched and told, by a server on PostgreSQL: one story over metrics, alerts, incidents and reports, whose SQL both databases must take. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { AlertView, DrillView, EndpointMetricsView, IncidentDetailView, ReportView, SilenceView } from "../src/api/index.ts";
import { HISTOGRAMS, NUMBERS } from "../src/api/metrics/families.ts";
import { Receiver } from "./fixtures/receiver.ts";
import { describePostgres, freshDatabase } from "./postgres.ts";
import { parsedMetrics } from "./prometheus.ts";
import { freshServer, type FreshServer } from "./server.ts";
import { LENDING, applied, caughtUp, decided, told } from "./sinks.ts";
import { RELEASES } from "./torture/applications.ts";

/**
 * Families that nothing in this story gives a value to: no rollout, no schedule of drills, no model in a process, nothing hidden, too few people
 * for drift; and one that depends on what the last blocks brought.
 */
const WITHOUT: ReadonlySet<string> = new Set([
  "evenkeel_rollout_step",
  "evenkeel_rollout_steps",
  "evenkeel_rollout_paused",
  "evenkeel_drill_duration_seconds",
  "evenkeel_drill_due_timestamp_seconds",
  "evenkeel_drift_index",
  "evenkeel_drift_detected",
  "evenkeel_writers_with_another_mix",
  "evenkeel_scorer_failures_total",
  "evenkeel_scorer_memory_bytes",
  "evenkeel_scorer_memory_budget_bytes",
  "evenkeel_guardrail_forecast_decisions",
  "evenkeel_metrics_hidden_series",
]);
const EXPECTS = "expectations: [{ input: income, max: 10, on_breach: warn, limit: 0 }]\n";

describePostgres("a server on PostgreSQL", () => {
  let database: Awaited<ReturnType<typeof freshDatabase>>;
  let receiver: Receiver;
  let server: FreshServer;
  beforeAll(async () => {
    database = await freshDatabase();
    receiver = await new Receiver().listen();
    server = await freshServer({
      postgresUrl: database.url,
      lookEveryMs: 100,
      egress: { allow: [`127.0.0.1:${receiver.port}`] },
      secrets: { hook: `whsec_${Buffer.alloc(24, 5).toString("base64")}` },
    });
    const channel = `kind: channel\nname: hook\ntarget: { kind: webhook, url: "http://127.0.0.1:${receiver.port}/in", secrets: [hook] }\n`;
    const alerts = "kind: alerts\nname: all\ntell: [hook]\ngroup_wait: 0s\ngroup_interval: 1s\n";
    await applied(
      server.admin,
      [`${LENDING}${EXPECTS}`, "kind: sink\nname: archive\ntarget: { kind: ndjson }\n", channel, alerts].join("---\n"),
    );
    for (const spec of RELEASES) await server.admin.post("/v1/endpoints/loans/releases", spec);
    for (const release of ["r2", "r3"]) await server.admin.post("/v1/endpoints/loans/promote", { release, reason: "next" });
  });
  afterAll(async () => {
    await server.drop();
    await receiver.close();
    await database.drop();
  });

  const scraped = async () => {
    const answer = await fetch(`${server.url}/metrics`, {
      headers: { authorization: `Bearer ${await server.token("analyst", { grants: ["protected:read"] })}` },
    });
    return parsedMetrics(await answer.text());
  };
  const alerts = async (state: string) =>
    (await server.admin.get<{ readonly alerts: readonly AlertView[] }>("/v1/alerts", { state })).alerts.map(({ about }) => about);

  test("counts, tells and reports what one on SQLite does", { timeout: 120_000 }, async () => {
    const application = await server.as("application");
    const decisions = await decided(application, "pg", 60, 70); // of both groups
    await told(await server.as("outcomes"), decisions.slice(0, 30), "repaid");
    await caughtUp(server.admin, "archive");
    const drill = await server.admin.post<DrillView>("/v1/endpoints/loans/drills", { mode: "replay", reason: "the suite" });
    expect(drill.passed).toBe(true);
    await server.admin.post("/v1/endpoints/loans/rollback", { reason: "complaints" });
    await decided(application, "pg", 60, 270);
    const silence = await server.admin.post<SilenceView>("/v1/alert-silences", {
      endpoint: "loans",
      kind: "sink",
      for: "1h",
      reason: "tests",
    });
    await server.admin.post(`/v1/alert-silences/${silence.id}/end`, { reason: "over" });

    // Every family that can have a value here has one.
    const empty = async () => {
      const metrics = await scraped();
      return [...Object.keys(NUMBERS), ...Object.keys(HISTOGRAMS)].filter(
        (name) => !WITHOUT.has(name) && (metrics.get(name)?.samples ?? []).length === 0,
      );
    };
    await expect.poll(empty, { timeout: 30_000 }).toEqual([]);
    const metrics = await scraped();
    const of = (name: string, labels: object) =>
      (metrics.get(name)?.samples ?? []).find((one) => Object.entries(labels).every(([label, value]) => one.labels[label] === value))
        ?.value;
    expect(of("evenkeel_release_requests_total", { release: "r3", route: "live" })).toBe(60);
    expect(of("evenkeel_release_errors_total", { release: "r3", route: "live" })).toBe(0);
    expect(of("evenkeel_incidents_open", { state: "contained" })).toBe(1);
    expect(of("evenkeel_rollbacks_total", { trigger: "person" })).toBe(1);
    expect(of("evenkeel_expectation_warned", { expectation: "income", breach: "above" })).toBe(1);

    // The same in the metrics of the release, once they are written.
    const analyst = await server.as("analyst", ["protected:read"]);
    const errors = async () =>
      (await analyst.get<EndpointMetricsView>("/v1/endpoints/loans/metrics", { release: "r3", metric: "release_error_rate" })).answers.map(
        ({ value }) => value,
      );
    await expect.poll(errors, { timeout: 20_000 }).toEqual([0]);

    // Told, and told that it is over once a person says so.
    await expect.poll(() => alerts("open"), { timeout: 20_000 }).toContain("incident/1");
    const settled = await server.admin.post<IncidentDetailView>("/v1/incidents/1/state", { to: "resolved", reason: "nobody was harmed" });
    expect(settled).toMatchObject({ state: "resolved", next: ["in_review", "closed"] });
    await expect.poll(() => alerts("resolved"), { timeout: 20_000 }).toContain("incident/1");
    await expect.poll(() => receiver.taken.some(({ body }) => body.includes('"news":"resolved"')), { timeout: 20_000 }).toBe(true);

    const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);
    const period = { from: dayOf(Date.now()), to: dayOf(Date.now() + 86_400_000) };
    const report = await analyst.get<ReportView>("/v1/endpoints/loans/report", period);
    expect(JSON.stringify(report)).toContain("r3 was rolled back by hand");
  });
});
