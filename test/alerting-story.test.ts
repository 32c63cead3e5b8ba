/** Harm in, alert at a webhook out: the whole product, the real Prometheus and Alertmanager, and every query of the dashboard. */
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EvenkeelProblem, type EvenkeelClient } from "../src/client.ts";
import { Receiver } from "./fixtures/receiver.ts";
import { dashboardQueries } from "./grafana.ts";
import { endpoint, fairRelease, harmfulRelease } from "./lender.ts";
import { hasPrometheus, startPrometheus, type Found, type RealPrometheus } from "./real-prometheus.ts";
import { freshServer, type FreshServer } from "./server.ts";
import { applied, caughtUp } from "./sinks.ts";

const RULES = new URL("../deploy/prometheus/rules/", import.meta.url);
const LOANS = "/v1/endpoints/loans";

/** What this story has nothing of: no day before, no training data and no first week, no warning of inputs, no rollout, no model that takes memory or fails, no channel. */
const EMPTY_HERE = [
  "Answers, against the day before A",
  "Moved from what it was made for A",
  "Warned of, and refused A",
  "Failures A",
  "Memory A",
  "Rollouts A",
  "Rollouts B",
  "Notices of Evenkeel's own alerts A",
];

interface Notification {
  readonly status: string;
  readonly alerts: readonly {
    readonly status: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  }[];
}

describe.skipIf(!hasPrometheus)("with the real Prometheus and Alertmanager", { timeout: 90_000 }, () => {
  let server: FreshServer;
  let application: EvenkeelClient;
  let receiver: Receiver;
  let prometheus: RealPrometheus;
  const told = () => receiver.taken.flatMap(({ body }): Notification["alerts"] => asNotification(JSON.parse(body)).alerts);
  const first = async (query: string): Promise<Found | undefined> => (await prometheus.query(query))[0];

  /** `count` people of each education, all incomes alike; a machine that is busy with other tests takes a little longer. */
  const apply = async (run: string, count: number) => {
    for (let i = 0; i < count; i++)
      await Promise.all(
        ["university", "high_school"].map((education) =>
          decide({ subject: `${run}-${education}-${i}`, inputs: { income: (i * 37) % 100, education }, groups: { education } }),
        ),
      );
  };
  const decide = async (body: object, tries = 20): Promise<void> => {
    try {
      await application.post(`${LOANS}/decisions`, body);
    } catch (error) {
      if (!(error instanceof EvenkeelProblem) || error.problem.status !== 503 || tries === 0) throw error;
      await decide(body, tries - 1);
    }
  };

  beforeAll(async () => {
    receiver = await new Receiver().listen();
    server = await freshServer({ lookEveryMs: 200, memoryBudgetBytes: 1e9 });
    application = await server.as("application");
    const { admin } = server;
    await applied(
      admin,
      [
        JSON.stringify({ ...endpoint, drills: { every: "1d" }, expectations: [{ input: "income", max: 95, on_breach: "count" }] }),
        JSON.stringify({ kind: "sink", name: "archive", target: { kind: "ndjson" } }),
      ].join("\n---\n"),
    );
    for (const release of [fairRelease(50), harmfulRelease(40, 90)]) await admin.post(`${LOANS}/releases`, release);
    await admin.post(`${LOANS}/promote`, { release: "r2", reason: "good" });
    prometheus = await startPrometheus({
      target: new URL(server.url).host,
      token: await server.token("analyst", { grants: ["protected:read"] }),
      rules: readdirSync(RULES).map((name) => fileURLToPath(new URL(name, RULES))),
      webhook: `http://127.0.0.1:${receiver.port}/`,
    });
  }, 180_000);
  afterAll(async () => {
    await prometheus?.down();
    await server?.drop();
    await receiver?.close();
  });

  test("a harmful release is rolled back, and somebody is told within seconds", async () => {
    await apply("before", 300);
    await expect
      .poll(() => first('evenkeel_guardrail_estimate{release="r2",group="education=high_school"}'), { timeout: 30_000 })
      .toMatchObject({
        metric: { endpoint: "loans", guardrail: "parity", reference: "rest", arm: "serving" },
        value: 1,
      });
    expect(told()).toEqual([]);

    await server.admin.post(`${LOANS}/promote`, { release: "r3", reason: "looks better" });
    for (let round = 0; round < 20 && told().length === 0; round++) {
      await apply(`after-${round}`, 50);
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    const isIt = ({ labels }: Notification["alerts"][number]) => labels["alertname"] === "EvenkeelRolledBack";
    await expect.poll(() => told().some(isIt), { timeout: 30_000 }).toBe(true);
    expect(told().find(isIt)).toMatchObject({
      status: "firing",
      labels: { endpoint: "loans", trigger: "guardrail" },
      annotations: { summary: "loans was rolled back by itself (guardrail)" },
    });
    expect(await first('evenkeel_route_share{route="live"}')).toMatchObject({ metric: { release: "r2" }, value: 1 });
    expect(await first('evenkeel_incidents_open{state="contained"}')).toMatchObject({ value: 1 });
  });

  test("every query of the dashboard is one that Prometheus answers, with data where there is some", async () => {
    await server.admin.post(`${LOANS}/drills`, { mode: "replay", reason: "shown" });
    await caughtUp(server.admin, "archive");
    await apply("after all", 50);
    const known = { endpoint: "loans", release: "r2", guardrail: "parity", group: "education=high_school" };
    const filled = (expr: string) =>
      Object.entries(known)
        .reduce((text, [name, value]) => text.replaceAll(`$${name}`, value), expr)
        .replaceAll(/\$__(rate_interval|interval|range)/g, "1m");
    const empty = async () => {
      const without: string[] = [];
      for (const { where, expr } of dashboardQueries()) if ((await prometheus.query(filled(expr))).length === 0) without.push(where);
      return without;
    };
    await expect.poll(empty, { timeout: 30_000, interval: 1000 }).toEqual(EMPTY_HERE);
  });

  test("when it is over, that is told as well", async () => {
    const names = (status: string) =>
      told()
        .filter((one) => one.status === status)
        .map(({ labels }) => labels["alertname"]);
    const [guardrail] = endpoint.guardrails;
    const warning = { ...endpoint, guardrails: [{ ...guardrail, action: "warn" }] };
    await applied(server.admin, JSON.stringify(warning));
    await server.admin.post(`${LOANS}/releases`, harmfulRelease(30, 95));
    await server.admin.post(`${LOANS}/promote`, { release: "r4", reason: "whatever it does, people are only warned" });
    for (let round = 0; round < 20 && !names("firing").includes("EvenkeelHarmProven"); round++) {
      await apply(`warned-${round}`, 50);
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    expect(names("firing")).toContain("EvenkeelHarmProven");
    await server.admin.post(`${LOANS}/rollback`, { reason: "harm was proven" });
    await expect.poll(() => names("resolved"), { timeout: 30_000 }).toContain("EvenkeelHarmProven");
  });
});

/** Alertmanager's webhook, version 4. */
const asNotification = (value: unknown): Notification => value as Notification;
