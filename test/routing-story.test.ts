/** Whom a release answers, as people say it: over HTTP and the command line, on a real server. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { stringify } from "yaml";
import type { AbView, DecisionPageView, DecisionReplyView, EndpointView, EvenkeelClient, ReleaseView, SwitchView } from "../src/index.ts";
import { endpoint, fairRelease, harmfulRelease } from "./lender.ts";
import { said } from "./said.ts";
import { freshServer, problemOf, type FreshServer } from "./server.ts";

const LOANS = "/v1/endpoints/loans";

const inputs = {
  ...endpoint.inputs,
  amount: { type: "number", optional: true },
  retired: { type: "boolean", optional: true, twin_of: "age" },
};
const defined = { ...endpoint, inputs, groups: { ...endpoint.groups, age: ["young", "old"] } };

let server: FreshServer;
let web: EvenkeelClient;
beforeEach(async () => {
  server = await freshServer();
  web = await server.as("application");
  await server.admin.post("/v1/apply", { yaml: stringify(defined) });
  for (const income of [40, 50, 30]) await server.admin.post(`${LOANS}/releases`, fairRelease(income));
  await server.admin.post(`${LOANS}/promote`, { release: "r2", reason: "first" });
});
afterEach(() => server.drop());

const application = (i: number, amount: number | null = 100) => ({
  subject: `person-${i}`,
  inputs: { income: i % 100, education: i % 2 ? "university" : "high_school", ...(amount === null ? {} : { amount }) },
});
const ask = (i: number, amount?: number | null) => web.post<DecisionReplyView>(`${LOANS}/decisions`, application(i, amount));
/** A few at a time: on a busy machine more are refused at the door. */
async function askMany(count: number, amount?: number | null): Promise<readonly DecisionReplyView[]> {
  const replies: DecisionReplyView[] = [];
  for (let at = 0; at < count; at += 10)
    replies.push(...(await Promise.all(Array.from({ length: Math.min(10, count - at) }, (_, i) => ask(at + i, amount)))));
  return replies;
}
const routes = (replies: readonly DecisionReplyView[], route: string) => replies.filter((reply) => reply.route === route).length;
const route = async () => (await server.admin.get<EndpointView>(LOANS)).route;

/** The command line on the machine itself, where the socket in the data folder needs no token. */
const evenkeel = (words: readonly string[]) => said(words, { EVENKEEL_DATA: server.folder }, server.folder);

describe("a canary with a condition", () => {
  test("answers its share of those for whom it holds, one by one, in batches and through other protocols", async () => {
    const said = await evenkeel([
      "deploy",
      "loans",
      "--release",
      "r3",
      "--as",
      "canary:50",
      "--when",
      "amount < 5000",
      "--reason",
      "small",
    ]);
    expect(said.out).toContain("canary for 50 % where amount < 5000");
    expect((await route()).canary).toEqual({ release: "r3", share: 0.5, when: "amount < 5000" });
    expect((await evenkeel(["status", "loans"])).out).toContain("50 % where amount < 5000");
    const small = await askMany(120, 100);
    expect(routes(small, "canary")).toBeGreaterThan(35);
    expect(routes(small, "canary")).toBeLessThan(85);
    expect(routes(await askMany(60, 9000), "canary")).toBe(0);
    expect(routes(await askMany(60, null), "canary")).toBe(0);
    const applications = Array.from({ length: 120 }, (_, i) => application(i, i < 60 ? 100 : 9000));
    const batch = await web.post<{ readonly decisions: readonly DecisionReplyView[] }>(`${LOANS}/decisions/batch`, { applications });
    expect(batch.decisions.slice(0, 60).map((one) => one.route)).toEqual(small.slice(0, 60).map((one) => one.route));
    expect(routes(batch.decisions.slice(60), "canary")).toBe(0);
    const infer = async (amount: number) => {
      const column = (name: string, datatype: string, data: readonly unknown[]) => ({ name, datatype, shape: [60], data });
      const rows = Array.from({ length: 60 }, (_, i) => application(i, amount));
      const body = {
        inputs: [
          column(
            "subject",
            "BYTES",
            rows.map(({ subject }) => subject),
          ),
          column(
            "income",
            "FP64",
            rows.map(({ inputs }) => inputs.income),
          ),
          column(
            "education",
            "BYTES",
            rows.map(({ inputs }) => inputs.education),
          ),
          column(
            "amount",
            "FP64",
            rows.map(({ inputs }) => inputs.amount),
          ),
        ],
        outputs: [{ name: "route" }],
      };
      const answer = await web.post<{ readonly outputs: readonly { readonly data: readonly string[] }[] }>("/v2/models/loans/infer", body);
      return answer.outputs[0]?.data;
    };
    expect(await infer(100)).toEqual(small.slice(0, 60).map((one) => one.route));
    expect(await infer(9000)).not.toContain("canary");
  });

  test("is refused where it would look at groups, or isn't one over the inputs, and nothing changes", async () => {
    const before = await route();
    const refusal = (when: string) => problemOf(server.admin.post(`${LOANS}/canary`, { release: "r3", share: 0.5, when, reason: "x" }));
    expect((await refusal('education == "university"')).errors).toMatchObject([{ path: "/when", got: "education, a protected attribute" }]);
    expect((await refusal('age == "old"')).errors).toMatchObject([{ got: "age, a protected attribute" }]);
    expect((await refusal("retired == true")).errors).toMatchObject([{ got: "retired, which is declared as a twin of age" }]);
    expect((await refusal("amount + 1")).errors).toMatchObject([{ expected: "a condition that is true or false" }]);
    expect((await refusal("amont < 5")).errors).toMatchObject([{ hint: expect.stringContaining("amount") }]);
    const rollout = { steps: [{ place: "canary", share: 0.2, when: 'age == "old"' }] };
    const made = await problemOf(server.admin.post(`${LOANS}/releases`, { ...fairRelease(35), rollout }));
    expect(made.errors).toMatchObject([{ path: "/rollout/steps/0/when", got: "age, a protected attribute" }]);
    expect(await route()).toEqual(before);
  });

  test("goes on after a restart's fold, and a definition that it doesn't fit is refused", async () => {
    await server.admin.post(`${LOANS}/canary`, { release: "r3", share: 0.5, when: "amount < 5000", reason: "small" });
    const problem = await problemOf(server.admin.post("/v1/apply", { yaml: stringify(endpoint) }));
    expect(problem.errors).toMatchObject([{ hint: expect.stringContaining("stop it first") }]);
    expect(await server.admin.get(`${LOANS}/transitions`, { limit: 1 })).toMatchObject({
      transitions: [{ kind: "canary-started", share: 0.5, when: "amount < 5000" }],
    });
  });
});

describe("a tester's header", () => {
  test("asks one release for those who may pin, whatever was planned; it is no evidence, and shadows don't see it", async () => {
    await server.admin.post(`${LOANS}/shadow`, { release: "r4", reason: "look" });
    await server.admin.post(`${LOANS}/canary`, { release: "r3", share: 0.01, reason: "little" });
    const operator = await server.as("operator");
    const tester = await server.as("application", ["decide:pinned"]);
    for (const client of [operator, tester]) {
      const pinned = (release: string) =>
        client.post<DecisionReplyView>(`${LOANS}/decisions`, application(1), { headers: { "evenkeel-release": release } });
      expect(await pinned("r3")).toMatchObject({ release: "r3", route: "pinned" });
      expect(await pinned("canary")).toMatchObject({ release: "r3", route: "pinned" });
      expect(await pinned("live")).toMatchObject({ release: "r2", route: "pinned" });
      expect(await problemOf(pinned("r9"))).toMatchObject({ status: 404 });
      expect(await problemOf(pinned("standby"))).toMatchObject({ status: 404 });
      const batch = await client.post<{ readonly decisions: readonly DecisionReplyView[] }>(
        `${LOANS}/decisions/batch`,
        { applications: [application(1), application(2)] },
        { headers: { "evenkeel-release": "r3" } },
      );
      expect(batch.decisions.map((one) => one.route)).toEqual(["pinned", "pinned"]);
    }
    const analyst = await server.as("analyst");
    await vi.waitFor(async () => {
      const { decisions } = await analyst.get<DecisionPageView>(`${LOANS}/decisions`, { limit: 100 });
      expect(decisions).toHaveLength(10);
      expect(decisions.filter(({ isCounted }) => isCounted)).toEqual([]);
      const shadowed = await Promise.all(decisions.map(({ id }) => analyst.get<{ shadows: unknown[] }>(`${LOANS}/decisions/${id}`)));
      expect(shadowed.flatMap(({ shadows }) => shadows)).toEqual([]);
    }, 10_000);
  });

  test("is refused to an application without the grant, and an operator without it still can't decide", async () => {
    const headers = { "evenkeel-release": "r3" };
    expect(await problemOf(web.post(`${LOANS}/decisions`, application(1), { headers }))).toMatchObject({ status: 403 });
    expect(await problemOf((await server.as("operator")).post(`${LOANS}/decisions`, application(1)))).toMatchObject({ status: 403 });
    const tried = await evenkeel(["decide", "loans", "--input", "income=70", "--input", "education=university", "--release", "r2"]);
    expect(tried).toMatchObject({ code: 0, out: expect.stringContaining("by r2 (pinned)") });
  });
});

test("several shadows answer each its share, and their answers stand beside those that people got", async () => {
  expect((await evenkeel(["deploy", "loans", "--release", "r3", "--as", "shadow:25", "--reason", "x"])).out).toContain("shadow for 25 %");
  await server.admin.post(`${LOANS}/shadow`, { release: "r4", reason: "all" });
  expect((await route()).shadows).toEqual([
    { release: "r3", share: 0.25 },
    { release: "r4", share: 1 },
  ]);
  const replies = await askMany(120);
  const analyst = await server.as("analyst");
  await vi.waitFor(
    async () => {
      const all = await Promise.all(
        replies.map(({ id }) => analyst.get<{ shadows: { release: string; action: string }[] }>(`${LOANS}/decisions/${id}`)),
      );
      const shadows = all.flatMap(({ shadows: each }) => each.map(({ release }) => release));
      expect(shadows.filter((release) => release === "r4")).toHaveLength(120);
      const some = shadows.filter((release) => release === "r3").length;
      expect(some).toBeGreaterThan(10);
      expect(some).toBeLessThan(55);
    },
    { timeout: 10_000 },
  );
  const changed = await server.admin.post<SwitchView>(`${LOANS}/shadow`, { release: "r4", share: 0.1, reason: "less" });
  expect(changed.route.shadows).toContainEqual({ release: "r4", share: 0.1 });
  expect(await problemOf(server.admin.post(`${LOANS}/shadow`, { release: "r4", share: 0.1, reason: "same" }))).toMatchObject({
    status: 409,
  });
  expect(await problemOf(server.admin.post(`${LOANS}/shadow`, { release: "r4", share: 0, reason: "none" }))).toMatchObject({ status: 400 });
});

describe("an A/B test", () => {
  const abOf = async () => (await server.admin.get<{ readonly ab: AbView | null }>(`${LOANS}/ab`)).ab;

  test("gives its arms their shares, is recorded and compared arm by arm, and ends by itself; nothing is promoted", async () => {
    const started = await evenkeel(["ab", "start", "loans", "r2", "r3=3", "--answers", "200", "--reason", "which of the two"]);
    expect(started).toMatchObject({ code: 0, out: expect.stringContaining("r2 25 %, r3 75 %") });
    expect(await problemOf(server.admin.post(`${LOANS}/canary`, { release: "r4", share: 0.1, reason: "also" }))).toMatchObject({
      status: 409,
      detail: expect.stringContaining("A/B test is under way"),
    });
    const first = await askMany(100);
    expect(new Set(first.map((one) => one.route))).toEqual(new Set(["ab"]));
    expect((await evenkeel(["status", "loans"])).out).toContain("A/B");
    expect(await askMany(100).then((again) => again.map(({ release }) => release))).toEqual(first.map(({ release }) => release));
    await vi.waitFor(async () => expect((await route()).ab).toBeNull(), { timeout: 10_000 });
    const found = await abOf();
    expect(found).toMatchObject({
      endsAfterAnswers: 200,
      ended: { how: "ab-ended", by: "ab", reason: "it has 200 answers" },
      sampleRatio: { isMismatch: false },
    });
    expect(found?.arms.reduce((sum, { answers }) => sum + (answers ?? 0), 0)).toBe(200);
    expect(found?.arms.map(({ answers }) => answers)).toEqual(
      ["r2", "r3"].map((name) => 2 * first.filter(({ release }) => release === name).length),
    );
    expect((await evenkeel(["ab", "loans"])).out).toMatch(/r3 +everybody +75 %/);
    expect(routes(await askMany(10), "live")).toBe(10);
    expect((await route()).live).toBe("r2");
    // A second one of the same arms begins to count anew.
    await server.admin.post(`${LOANS}/ab`, { arms: [{ release: "r2" }, { release: "r3" }], answers: 50, reason: "again" });
    await askMany(20);
    expect((await route()).ab).toMatchObject({ arms: [{ share: 0.5 }, { share: 0.5 }] });
    const undo = await server.admin.post<SwitchView>(`${LOANS}/ab/end`, { reason: "enough" });
    expect(undo.route.ab).toBeNull();
  });

  test("watches every arm: one that harms is condemned, the test ends with it, and an incident tells", async () => {
    const harmful = harmfulRelease(40, 95);
    await server.admin.post(`${LOANS}/releases`, harmful);
    await server.admin.post(`${LOANS}/ab`, { arms: [{ release: "r5" }, { release: "r2" }], reason: "compare" });
    for (let round = 0; round < 200 && (await route()).ab !== null; round++)
      await Promise.all(
        Array.from({ length: 20 }, (_, i) => {
          const education = i % 2 ? "university" : "high_school";
          const subject = `person-${round}-${i}`;
          return web.post(`${LOANS}/decisions`, { subject, inputs: { income: 50 + (i % 40), education }, groups: { education } });
        }),
      );
    expect(await route()).toMatchObject({ live: "r2", ab: null, condemned: ["r5"], held: { by: "guardrail:parity" } });
    expect(await abOf()).toMatchObject({ ended: { how: "condemned" } });
    const { incidents } = await server.admin.get<{ readonly incidents: readonly { readonly release: string }[] }>("/v1/incidents");
    expect(incidents).toMatchObject([{ release: "r5" }]);
  });

  test("that can't be is refused in words", async () => {
    const refusal = (body: object) => problemOf(server.admin.post(`${LOANS}/ab`, { reason: "x", ...body }));
    expect(await refusal({ arms: [{ release: "r3" }, { release: "r4" }] })).toMatchObject({
      status: 409,
      detail: expect.stringContaining("the release that is live, r2"),
    });
    expect(await refusal({ arms: [{ release: "r2" }, { release: "r2" }] })).toMatchObject({ status: 409 });
    expect(await refusal({ arms: [{ release: "r2" }] })).toMatchObject({ status: 400 });
    expect(await refusal({ arms: [{ release: "r2" }, { release: "r3", weight: 0.5 }] })).toMatchObject({ status: 400 });
    expect(await refusal({ arms: [{ release: "r2" }, { release: "r9" }] })).toMatchObject({ status: 404 });
    expect(await problemOf(server.admin.post(`${LOANS}/ab/end`, { reason: "x" }))).toMatchObject({ status: 409 });
    expect(await abOf()).toBeNull();
    expect((await evenkeel(["ab", "begin", "loans", "--reason", "x"])).code).toBe(2);
    expect((await evenkeel(["ab", "start", "loans", "r2=x", "--reason", "x"])).code).toBe(2);
  });
});

test("thresholds by group are refused in words, unless the endpoint allows them in words; then a release shows both", async () => {
  const { policy } = fairRelease(40);
  const always = { bands: [{ action: "approve", from: 0 }] };
  const made = { ...fairRelease(70), policy: { ...policy, by: { attribute: "education", groups: { high_school: always } } } };
  const refused = await problemOf(server.admin.post(`${LOANS}/releases`, made));
  expect(refused.errors).toMatchObject([{ path: "/policy/by", hint: expect.stringContaining("unlawful in many places") }]);
  const words = "Section 4 of the promotion act; approved by the board on 2026-11-02";
  await server.admin.post("/v1/apply", { yaml: stringify({ ...defined, allow_group_thresholds: words }) });
  const release = await server.admin.post<ReleaseView>(`${LOANS}/releases`, made);
  expect(release).toMatchObject({ groupThresholds: words, policy: { by: { attribute: "education" } } });
  await server.admin.post(`${LOANS}/promote`, { release: release.release, reason: "allowed" });
  const answer = (groups: object) =>
    web.post<DecisionReplyView>(`${LOANS}/decisions`, { inputs: { income: 10, education: "high_school" }, groups });
  expect(await answer({ education: "high_school" })).toMatchObject({ action: "approve" });
  expect(await answer({ education: "university" })).toMatchObject({ action: "deny" });
  expect(await answer({})).toMatchObject({ action: "deny" });
  // The permission can't be taken away under a release that rests on it.
  const withdrawn = await problemOf(server.admin.post("/v1/apply", { yaml: stringify(defined) }));
  expect(withdrawn.errors).toMatchObject([{ path: "/policy/by" }]);
});
