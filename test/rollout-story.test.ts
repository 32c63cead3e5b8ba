/** A rollout as people live it: over HTTP and the command line, on a real server with its own looks. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { stringify } from "yaml";
import type { DrillView, EvenkeelClient, RolloutView } from "../src/index.ts";
import { endpoint, fairRelease } from "./lender.ts";
import { said } from "./said.ts";
import { freshServer, problemOf, type FreshServer } from "./server.ts";

const LOANS = "/v1/endpoints/loans";

let server: FreshServer;
let web: EvenkeelClient;
let people = 0;
beforeEach(async () => {
  server = await freshServer();
  web = await server.as("application");
});
afterEach(() => server.drop());

async function apply(count: number): Promise<void> {
  const asked = Array.from({ length: count }, () => people++).map((i) => {
    const education = i % 2 ? "university" : "high_school";
    return web.post(`${LOANS}/decisions`, { subject: `person-${i}`, inputs: { income: i % 100, education }, groups: { education } });
  });
  await Promise.all(asked);
}
const rolloutOf = async () => (await server.admin.get<{ readonly rollout: RolloutView | null }>(`${LOANS}/rollout`)).rollout;

/** The command line on the machine itself, where the socket in the data folder needs no token. */
const evenkeel = (words: readonly string[]) => said(words, { EVENKEEL_DATA: server.folder }, server.folder);

test("a release declared with a rollout goes live by itself, waits for a second person where it must, and a drill proves the way back", async () => {
  const rollout = {
    steps: [
      { place: "shadow", min_decisions: 20 },
      { place: "canary", share: 0.5, min_decisions: 20, approval: true },
    ],
  };
  const file = [{ ...endpoint }, { kind: "release", ...fairRelease(40), rollout }].map((one) => stringify(one)).join("---\n");
  await server.admin.post("/v1/apply", { yaml: file });
  expect(await rolloutOf()).toMatchObject({ release: "r2", step: 1, waitsFor: ["20 more people (0 of 20)"] });
  expect((await evenkeel(["rollout", "loans"])).out).toContain("r2 is in step 1 of 2");

  await apply(40);
  await vi.waitFor(async () => expect(await rolloutOf()).toMatchObject({ step: 2 }), { timeout: 10_000 });
  expect(await problemOf(server.admin.post(`${LOANS}/promote`, { release: "r2", reason: "now" }))).toMatchObject({ status: 409 });
  await apply(120);
  await vi.waitFor(async () => expect((await rolloutOf())?.waitsFor).toEqual([expect.stringContaining("an approval by somebody else")]), {
    timeout: 10_000,
  });
  expect(await problemOf(server.admin.post(`${LOANS}/rollout/approve`, { reason: "mine" }))).toMatchObject({ status: 409 });
  const operator = await server.as("operator");
  await operator.post(`${LOANS}/rollout/approve`, { reason: "looked at the shadow's answers" });
  await vi.waitFor(async () => expect(await server.admin.get(LOANS)).toMatchObject({ route: { live: "r2", standby: null } }), {
    timeout: 10_000,
  });
  // Applied again it is known, and its rollout is not started again.
  await server.admin.post("/v1/apply", { yaml: file });
  expect(await rolloutOf()).toBeNull();

  await apply(40);
  const preview = await evenkeel(["rollback", "loans", "--dry-run"]);
  expect(preview.code).toBe(0);
  expect(preview.out).toContain("r2 → r1 (the fallback): loaded and proven");
  expect(preview.out).toContain("nothing was changed");
  const drilled = await evenkeel(["drill", "loans", "--mode", "live", "--reason", "a test", "--json"]);
  expect(drilled.code).toBe(0);
  const drill = asDrill(JSON.parse(drilled.out));
  expect(drill).toMatchObject({ mode: "live", live: "r2", target: "r1", passed: true, failed: 0 });
  expect((await evenkeel(["status", "loans"])).out).toMatch(/rollback last rehearsed .* \(live\): passed/);
  expect(await server.admin.get(LOANS)).toMatchObject({ route: { live: "r2" } });
});
/** What `evenkeel drill --json` prints. */
const asDrill = (value: unknown): DrillView => value as DrillView;

test("a plan that can't be meant is refused where it stands in the file, and nothing of the file is applied", async () => {
  const wrong = { kind: "release", ...fairRelease(40), rollout: { steps: [{ place: "canary", share: 0.5 }, { place: "shadow" }] } };
  await server.admin.post("/v1/apply", { yaml: stringify(endpoint) });
  const problem = await problemOf(server.admin.post("/v1/apply", { yaml: stringify(wrong) }));
  expect(problem).toMatchObject({
    status: 400,
    errors: [{ path: "/rollout/steps/1/place", expected: "canary or further on", got: "shadow" }],
  });
  expect(problem.errors?.[0]?.line).toBeGreaterThan(1);
  expect(await server.admin.get(`${LOANS}/releases`)).toMatchObject({ releases: [{ release: "r1" }] });
});

test("in a frozen period nothing new goes to people, and a rollback goes through", async () => {
  const [yesterday, tomorrow] = [-1, 1].map((days) => new Date(Date.now() + days * 86_400_000).toISOString());
  await server.admin.post("/v1/apply", {
    yaml: [endpoint, { kind: "release", ...fairRelease(40) }].map((one) => stringify(one)).join("---\n"),
  });
  await server.admin.post(`${LOANS}/promote`, { release: "r2", reason: "before" });
  await server.admin.post("/v1/apply", {
    yaml: stringify({ ...endpoint, frozen: [{ from: yesterday, to: tomorrow, why: "end of year" }] }),
  });
  const refused = await evenkeel(["rollout", "start", "loans", "r1", "--reason", "x"]);
  expect(refused.code).toBe(1);
  expect(refused.err).toContain("end of year");
  expect((await evenkeel(["rollback", "loans", "--reason", "complaints"])).code).toBe(0);
});
