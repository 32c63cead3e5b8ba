/** What the pages are given, over HTTP: an endpoint whose harmful release is rolled back by its guardrail, seen by people with different rights. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { EvenkeelClient } from "../client.ts";
import { endpoint, fairRelease, harmfulRelease } from "../../test/lender.ts";
import { freshServer, type FreshServer } from "../../test/server.ts";
import type { NewTokenView } from "./access-routes.ts";
import type { AffectedPage, HomeView, IncidentView } from "./ui-view.ts";

let server: FreshServer;
let analyst: EvenkeelClient;
let viewer: EvenkeelClient;
const PROTECTED = /high.school|university/;

beforeAll(async () => {
  server = await freshServer();
  const { admin } = server;
  analyst = await server.as("analyst", ["protected:read"]);
  viewer = await server.as("viewer");
  const application = await server.as("application");
  await admin.post("/v1/apply", { yaml: JSON.stringify({ ...endpoint, description: "Loan applications" }) });
  await admin.post("/v1/apply", { yaml: JSON.stringify({ ...endpoint, name: "cards" }) });
  await admin.post("/v1/endpoints/loans/releases", fairRelease(40));
  await admin.post("/v1/endpoints/loans/releases", harmfulRelease(40, 85));
  for (const release of ["r2", "r3"]) await admin.post("/v1/endpoints/loans/promote", { release, reason: "a step of the test" });
  const isRolledBack = async () => (await analyst.get<HomeView>("/v1/ui/home")).needsYou.length > 0;
  for (let i = 0; i < 1000 && !(i % 20 === 0 && (await isRolledBack())); i++) {
    await Promise.all(
      ["university", "high_school"].map((education) =>
        application.post("/v1/endpoints/loans/decisions", {
          subject: `${education} ${i}`,
          inputs: { income: (i * 37) % 100, education },
          groups: { education },
        }),
      ),
    );
  }
  // The incident is told first; whom it touched and its cause are looked for then.
  await vi.waitUntil(async () => (await analyst.get<IncidentView>("/v1/ui/incidents/1")).blame.length > 0, {
    timeout: 10_000,
    interval: 100,
  });
});
afterAll(() => server.drop());

test("home says what was put back, for how many people, and that no request failed", async () => {
  const { totals, needsYou, endpoints } = await analyst.get<HomeView>("/v1/ui/home");
  expect(totals).toMatchObject({ endpoints: 2, withLiveRelease: 1, openIncidents: 1, failed: { requests: 0 } });
  expect(totals.failed.of).toBeGreaterThan(50);
  expect(totals.lastRollback?.switchedUs).toBeGreaterThan(0);
  expect(needsYou).toMatchObject([
    { incident: 1, endpoint: "loans", failedRequests: 0, finding: "r3 turned down applicants with education high school" },
  ]);
  expect(needsYou[0]?.affected).toBeGreaterThan(0);
  expect(endpoints.map(({ name }) => name)).toEqual(["loans", "cards"]);
  expect(endpoints[0]).toMatchObject({
    failedDrill: null,
    live: { release: "r2", isFallback: false },
    lastTransition: { kind: "rolled-back", release: "r2", actor: "parity" },
    incident: { n: 1, state: "contained" },
  });
});

test("an incident tells how its release came to answer people, the proof with its band, and what was done", async () => {
  const view = await analyst.get<IncidentView>("/v1/ui/incidents/1");
  expect(view).toMatchObject({ openedBy: "parity", kind: "breach", restored: "r2", isCondemned: true, rollback: { failedRequests: 0 } });
  expect(view.happenings.map(({ text }) => text)).toEqual([
    "r3 live",
    "Guardrail parity has its proof",
    expect.stringMatching(/^r2 answers \d+ recent applications/),
    "r2 answers every new request; r3 is condemned",
    "The last answer of r3 has been given",
    "Cause looked for in the log",
    expect.stringMatching(/^\d+ people were decided about; \d+ would get a better answer/),
  ]);
  expect(view.happenings[0]?.detail).toBe("first admin: a step of the test");
  const { evidence } = view;
  if (!evidence || evidence.band.high === null || evidence.estimate === null) throw new Error("no evidence");
  expect(evidence).toMatchObject({ counts: "selections", harmed: { group: "high school" }, reference: { group: null } });
  expect(evidence.band.low).toBeLessThan(evidence.estimate);
  expect(evidence.estimate).toBeLessThan(evidence.band.high);
  expect(evidence.band.high).toBeLessThan(1);
  expect(evidence.sources).toEqual([{ name: "a application", share: 1 }]);
});

test("whoever may not see groups is told none, in no view and no sentence", async () => {
  const paths = ["/v1/ui/home", "/v1/ui/incidents/1", "/v1/incidents", "/v1/incidents/1", "/v1/incidents/1/blame"].concat(
    ["", "/transitions", "/releases"].map((path) => `/v1/endpoints/loans${path}`),
  );
  const [seen, hidden] = [await texts(analyst, paths), await texts(viewer, paths)];
  // Each of these does name groups to those who may see them; the releases' own rules are not about anybody.
  expect(seen.filter((text) => PROTECTED.test(text)).length).toBeGreaterThan(4);
  expect(hidden.filter((text) => PROTECTED.test(text))).toEqual([]);
  expect((await viewer.get<HomeView>("/v1/ui/home")).needsYou[0]?.finding).toBe("r3 turned down applicants of group A");
});

test("people are listed without their groups to an analyst who may not see these", async () => {
  const plain = await server.as("analyst");
  const [some, all] = [
    await plain.get<AffectedPage>("/v1/ui/incidents/1/affected"),
    await analyst.get<AffectedPage>("/v1/ui/incidents/1/affected"),
  ];
  expect(all.people[0]?.groups).toEqual(["high school"]);
  expect(some.people.map(({ decision }) => decision)).toEqual(all.people.map(({ decision }) => decision));
  expect(JSON.stringify(some)).not.toMatch(PROTECTED);
});

test("a token for one endpoint is told of that one only, in totals as well", async () => {
  const { token } = await server.admin.post<NewTokenView>("/v1/tokens", { name: "cards only", role: "viewer", endpoints: ["cards"] });
  const response = await fetch(`${server.url}/v1/ui/home`, { headers: { authorization: `Bearer ${token}` } });
  expect(await response.json()).toMatchObject({
    endpoints: [{ name: "cards" }],
    needsYou: [],
    totals: { endpoints: 1, openIncidents: 0, failed: { requests: 0, of: 0 }, lastRollback: null },
  });
});

test("guardrails that have too few decisions say how many they need", async () => {
  const { endpoints } = await analyst.get<HomeView>("/v1/ui/home");
  const cards = endpoints.find(({ name }) => name === "cards");
  expect(cards?.guardrails).toMatchObject({ kind: "waits", closest: { needed: 30, decisions: 0 } });
});

async function texts(client: EvenkeelClient, paths: readonly string[]): Promise<readonly string[]> {
  const answers: string[] = [];
  for (const path of paths) answers.push(`${path}: ${JSON.stringify(await client.get(path))}`);
  return answers;
}
