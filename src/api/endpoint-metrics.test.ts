/** `GET /v1/endpoints/{endpoint}/metrics`: whom it tells what. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { endpoint } from "../../test/lender.ts";
import { freshServer, problemOf, type FreshServer } from "../../test/server.ts";
import type { EvenkeelClient } from "../client.ts";
import { systemRuntime } from "../store/index.ts";
import type { DecisionReplyView } from "./decision-routes.ts";
import type { SimulationView } from "./guardrail-routes.ts";
import type { EndpointMetricsView } from "./endpoint-metrics-view.ts";

let server: FreshServer;
let application: EvenkeelClient;
let analyst: EvenkeelClient;
let viewer: EvenkeelClient;
const PATH = "/v1/endpoints/loans/metrics";

/** The server's clock goes ahead by so much. */
let aheadMs = 0;
beforeAll(async () => {
  const system = systemRuntime();
  server = await freshServer({ runtime: { ...system, clock: { ...system.clock, nowMs: () => system.clock.nowMs() + aheadMs } } });
  const groups = { education: ["university", "high_school"], sex: ["female", "male"] };
  const spec = {
    ...endpoint,
    groups,
    outcomes: { repaid: { good: true }, defaulted: { good: false } },
    metrics: { references: { education: "university" }, intersections: [["sex", "education"]] },
  };
  await server.admin.post("/v1/apply", { yaml: JSON.stringify(spec) });
  application = await server.as("application");
  analyst = await server.as("analyst", ["protected:read"]);
  viewer = await server.as("viewer");
  await decide(60, 30, "university");
  await decide(60, 15, "high_school");
  await decide(4, 2, undefined);
});
afterAll(() => server.drop());

/** So many people, of whom so many earn enough. */
async function decide(people: number, approved: number, education: string | undefined): Promise<readonly DecisionReplyView[]> {
  const answers: DecisionReplyView[] = [];
  for (let i = 0; i < people; i++)
    answers.push(
      await application.post<DecisionReplyView>("/v1/endpoints/loans/decisions", {
        inputs: { income: i < approved ? 80 : 20, education: education ?? "university" },
        groups: education === undefined ? {} : { education, sex: i % 2 ? "female" : "male" },
      }),
    );
  return answers;
}
const ask = (client: EvenkeelClient, query: Record<string, string> = {}) => client.get<EndpointMetricsView>(PATH, query);
const find = (view: EndpointMetricsView, metric: string, group: Record<string, string> | null) =>
  view.answers.find((one) => one.metric === metric && JSON.stringify(one.group) === JSON.stringify(group));

test("a ratio is told with what it is made of, its interval and its window", async () => {
  const view = await ask(analyst, { by: "education", metric: "adverse_impact_ratio" });
  expect(view).toMatchObject({ release: "r1", arm: "live", arms: [{ arm: "live", decisions: 124 }], favourable: ["approve"], minimum: 30 });
  expect(find(view, "adverse_impact_ratio", { education: "high_school" })).toMatchObject({
    value: 0.5,
    reason: null,
    numerator: { x: 15, n: 60 },
    denominator: { x: 30, n: 60 },
    interval: { level: 0.95, kind: "fixed_window" },
    reference: { education: "university" },
    reference_mode: "declared",
    basis: "automatic",
    window: { from: null },
    labels: null,
    four_fifths: { below_four_fifths: true, significant: true },
  });
});

test("groups and the unknown add up to everybody, in every table", async () => {
  const view = await ask(analyst, { metric: "selection_rate" });
  const sizes = (attributes: number, attribute = "") =>
    view.answers
      .filter(({ group }) => group && Object.keys(group).length === attributes && (attribute === "" || attribute in group))
      .reduce((sum, { numerator }) => sum + (numerator?.n ?? 0), 0);
  expect([sizes(0), sizes(1, "sex"), sizes(1, "education"), sizes(2)]).toEqual([124, 124, 124, 124]);
});

test("nothing in an answer is NaN, infinite or a 0 that means unknown: there is a reason instead", async () => {
  const view = await ask(analyst);
  expect(JSON.stringify(view)).not.toMatch(/NaN|Infinity|-0[,}\]]/);
  for (const { value, reason } of view.answers) expect(value === null).toBe(reason !== null);
  expect(find(view, "true_positive_rate", {})).toMatchObject({ value: null, reason: "no_outcomes" });
});

test("a reader who may not see groups gets letters once the week is over, and neither the four unknown nor what would give them away", async () => {
  // Today grows person by person: what one look has more than the one before is one person's answer.
  const now = await ask(viewer, { by: "education" });
  expect(find(now, "selection_rate", {})).toMatchObject({ value: null, reason: "no_decisions" });
  aheadMs += 8 * 86_400_000;
  const view = await ask(viewer, { by: "education" });
  aheadMs = 0;
  expect(find(view, "selection_rate", {})).toMatchObject({ numerator: { n: 124 } });
  expect(view.notices[0]).toContain("days that are over");
  const text = JSON.stringify(view);
  expect(text).not.toContain("university");
  expect(text).not.toContain("high_school");
  expect(find(view, "selection_rate", { education: "unknown" })).toMatchObject({ value: null, reason: "suppressed" });
  expect(view.answers.filter(({ metric, reason }) => metric === "selection_rate" && reason === "suppressed").length).toBe(2);
});

test("a reader who may not see groups asks for whole days, others for minutes", async () => {
  expect(await problemOf(ask(viewer, { from: "2026-11-25T10:00:00Z" }))).toMatchObject({ status: 400, errors: [{ path: "/from" }] });
  expect(await ask(viewer, { from: "2026-01-01" })).toMatchObject({ window: { from: "2026-01-01T00:00:00.000Z" } });
  const view = await ask(analyst, { from: "2026-01-01T10:00:00Z", metric: "selection_rate" });
  expect(find(view, "selection_rate", {})).toMatchObject({ numerator: { n: 124 } });
});

test("how guardrails would have done in a span that a reader chooses comes without counts where it may not see groups", async () => {
  const simulated = async (client: EvenkeelClient) =>
    (await client.post<SimulationView>("/v1/endpoints/loans/guardrails/simulation", {})).tests.map(({ groupDecisions, estimate, band }) => [
      groupDecisions !== null,
      estimate !== null,
      band !== null,
    ]);
  expect(await simulated(analyst)).toContainEqual([true, true, true]);
  for (const told of await simulated(viewer)) expect(told).toEqual([false, false, false]);
});

test("a window before anybody was decided about holds nobody", async () => {
  const view = await ask(analyst, { from: "2020-01-01", to: "2020-02-01" });
  expect(find(view, "selection_rate", {})).toMatchObject({ value: null, reason: "no_decisions" });
  expect(find(view, "adverse_impact_ratio", { education: "high_school" })).toMatchObject({ value: null, reason: "no_decisions" });
});

test("nonsense is refused with what was meant", async () => {
  const problem = await problemOf(ask(analyst, { metric: "advers_impact_ratio", by: "educaton", from: "yesterday" }));
  expect(problem).toMatchObject({
    status: 400,
    errors: [
      { path: "/metric", got: "advers_impact_ratio", hint: 'did you mean "adverse_impact_ratio"?' },
      { path: "/by", got: "educaton", hint: 'did you mean "education"?' },
      { path: "/from", got: "yesterday" },
    ],
  });
  expect(await problemOf(ask(analyst, { from: "2026-01-02", to: "2026-01-01" }))).toMatchObject({
    status: 400,
    errors: [{ path: "/from" }],
  });
  expect(await problemOf(ask(analyst, { release: "r99" }))).toMatchObject({ status: 404 });
  expect(await problemOf(analyst.get("/v1/endpoints/lons/metrics"))).toMatchObject({ status: 404 });
  expect(await problemOf(ask(analyst, { arm: "somewhere" }))).toMatchObject({ status: 400 });
});

test("a reference that is no group of the endpoint isn't applied", async () => {
  const yaml = JSON.stringify({ ...endpoint, metrics: { references: { education: "universty" }, intersections: [["education", "sexx"]] } });
  expect(await problemOf(server.admin.post("/v1/apply", { yaml }))).toMatchObject({
    errors: [
      { path: "/metrics/references/education", hint: 'did you mean "university"?' },
      { path: "/metrics/intersections/0/1", got: "sexx" },
    ],
  });
});
