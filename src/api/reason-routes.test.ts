/** Reasons of decisions, asked of the whole server: with the answer, afterwards, of every kind of scorer. */
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { forestModel, logisticModel } from "../../test/fixtures/onnx-models.ts";
import { ModelServer } from "../../test/fixtures/model-server.ts";
import { freshServer, problemOf, type FreshServer } from "../../test/server.ts";
import type { EvenkeelClient } from "../client.ts";
import type { BlobView } from "./blob-routes.ts";
import type { DecisionReplyView } from "./decision-routes.ts";
import type { ReasonsView } from "./reason-routes.ts";

const names = ["income", "debt", "late", "later", "months"] as const;
const WEIGHTS = [3, -2, -1.5, -0.5, 0];
const features = {
  name: "loans",
  features: [
    { name: "income", from: "income", text: "what they earn", reason: "The income is low", code: "R01" },
    { name: "debt", from: "debt", reason: "The debts are high" },
    { name: "late", from: "late", reason: "Recent payments were late", code: "R07" },
    { name: "later", from: "later", code: "R07" },
    { name: "months", from: "months" },
  ],
};
const policy = {
  bands: [
    { action: "deny", from: 0 },
    { action: "approve", from: 0.5, reason: "Enough" },
  ],
};
const endpoint = (name: string) => ({
  kind: "endpoint",
  name,
  inputs: {
    ...Object.fromEntries(names.map((each) => [each, { type: "number", min: 0, max: 1 }])),
    education: { type: "string", values: ["university", "high_school"] },
  },
  groups: { education: ["university", "high_school"] },
  actions: { approve: { favourable: true }, deny: { favourable: false } },
  fallback: {
    name: "rule",
    scorer: {
      kind: "rules",
      rules: [{ when: "income >= 0.9", score: 1 }],
      otherwise: { score: 0, reason: "The income is below the rule's" },
    },
    policy,
  },
});

/** Numbers that are the same in every run. */
const unit = (i: number, k: number) => ((Math.imul(i * 31 + k * 17 + 7, 2654435761) >>> 8) % 1000) / 1000;
const personOf = (i: number) => ({
  inputs: { ...Object.fromEntries(names.map((name, k) => [name, unit(i, k)])), education: i % 2 ? "university" : "high_school" },
  subject: `person-${i}`,
});
const denied = { inputs: { income: 0.1, debt: 0.9, late: 1, later: 0.5, months: 0.3, education: "university" }, subject: "denied" };

let server: FreshServer;
let application: EvenkeelClient;
let analyst: EvenkeelClient;
let reader: EvenkeelClient;
const models = new ModelServer();

beforeAll(async () => {
  await models.listen();
  server = await freshServer({ egress: { allow: [`127.0.0.1:${models.port}`] } });
  application = await server.as("application");
  analyst = await server.as("analyst");
  reader = await server.as("analyst", ["protected:read"]);
});
afterAll(async () => {
  await server.drop();
  await models.close();
});

const decide = (name: string, body: unknown, query = "") =>
  application.post<DecisionReplyView>(`/v1/endpoints/${name}/decisions${query}`, body);
const reasonsOf = (name: string, id: string, client = analyst) => client.get<ReasonsView>(`/v1/endpoints/${name}/decisions/${id}/reasons`);
/** On a busy machine there may be no time for reasons in an answer: then it is another one's turn. */
async function explained(name: string, person: object) {
  for (let i = 0; i < 30; i++) {
    const reply = await decide(name, { ...person, subject: `explained-${i}` }, "?reasons=true");
    const told = reply.explanation?.reasons;
    if (told) return { reply, told };
  }
  throw new Error("no answer had time for its reasons");
}
const sum = (values: readonly number[]) => values.reduce((all, each) => all + each, 0);
/** What everything moved together. */
const movedIn = ({ reasons, withheld, others }: Pick<ReasonsView, "reasons" | "withheld" | "others">) =>
  sum(reasons.map(({ contribution }) => contribution ?? 0)) + (withheld?.contribution ?? 0) + (others ?? 0);

async function serve(name: string, release: object): Promise<void> {
  await server.admin.post("/v1/apply", { yaml: JSON.stringify(endpoint(name)) });
  await server.admin.post(`/v1/endpoints/${name}/releases`, { features, policy, name: "new", ...release });
  await server.admin.post(`/v1/endpoints/${name}/promote`, { release: "r2", reason: "it is better" });
}
async function onnx(bytes: Buffer): Promise<object> {
  const { id } = await server.admin.put<BlobView>("/v1/blobs", bytes);
  return { scorer: { kind: "onnx", model: id } };
}
/** In one batch: so many at once would be turned away from a busy server one by one. */
const decideAll = (name: string, applications: readonly object[]) =>
  application.post<{ readonly decisions: readonly DecisionReplyView[] }>(`/v1/endpoints/${name}/decisions/batch`, { applications });
const approvals = async (name: string, count: number) => {
  const { decisions } = await decideAll(
    name,
    Array.from({ length: count }, (_, i) => personOf(i)),
  );
  return decisions.filter(({ action }) => action === "approve").length;
};

describe("a weighted sum", () => {
  let first: DecisionReplyView;
  beforeAll(() => onnx(logisticModel(WEIGHTS)).then((release) => serve("linear", release)));

  test("before there are enough approved people to compare with, the answer says how many are missing and comes all the same", async () => {
    const reply = await decide("linear", denied, "?reasons=true");
    expect(reply.action).toBe("deny");
    expect(reply.explanation?.reasons).toBe(null);
    expect(reply.explanation?.why).toMatch(/30 are needed, 0 there|no time left/);
    const problem = await problemOf(reasonsOf("linear", reply.id));
    expect([problem.status, problem.detail]).toEqual([409, expect.stringContaining("30 are needed, 0 there")]);
    first = reply;
  });

  test("the answer gives reasons when it is asked to, and they are the same afterwards", async () => {
    expect(await approvals("linear", 120)).toBeGreaterThan(30);
    const { reply, told } = await explained("linear", denied);
    expect(told).toMatchObject({ decision: reply.id, action: "deny", score: reply.score, method: "linear", scale: "log-odds" });
    // late and later have one code, months weighs nothing.
    expect(new Map(told.reasons.map(({ code, text }) => [code, text]))).toEqual(
      new Map([
        ["R01", "The income is low"],
        ["R07", "Recent payments were late"],
        ["debt", "The debts are high"],
      ]),
    );
    const shares = told.reasons.map(({ share }) => share ?? 0);
    expect(shares).toEqual(shares.toSorted((a, b) => b - a));
    expect(sum(shares)).toBeCloseTo(1, 9);
    expect(movedIn(told)).toBeCloseTo((told.to ?? 0) - (told.from ?? 0), 9);
    expect(1 / (1 + Math.exp(-(told.to ?? 0)))).toBeCloseTo(reply.score ?? 0, 6);
    expect(told.reference?.source).toBe("approved");
    expect("values" in told).toBe(false);
    const after = await reasonsOf("linear", reply.id);
    expect(after).toEqual({ ...told, values: null });
    await approvals("linear", 40);
    expect(await reasonsOf("linear", reply.id)).toEqual(after);
    expect(JSON.parse(reply.explanation?.address ? JSON.stringify(await analyst.get(reply.explanation.address)) : "null")).toEqual(after);
  });

  test("who was decided about before there was a reference gets reasons later", async () => {
    expect((await reasonsOf("linear", first.id)).reasons).toHaveLength(3);
  });

  test("values of inputs are for those who may read them, and that is noted", async () => {
    const { values } = await reasonsOf("linear", first.id, reader);
    expect(values).toEqual({ income: 0.1, debt: 0.9, late: 1, later: 0.5 });
    const audit = await server.admin.get<{ readonly entries: readonly { readonly action: string; readonly object: string }[] }>(
      "/v1/audit",
    );
    expect(audit.entries.some(({ action, object }) => action === "protected.read" && object === `decision/${first.id}`)).toBe(true);
  });

  test("an approval is explained by what counted for it, in words that don't speak of faults", async () => {
    const good = { inputs: { income: 1, debt: 0, late: 0, later: 0, months: 0, education: "university" }, subject: "good" };
    const { told } = await explained("linear", good);
    expect(told.favourable).toBe(true);
    expect(told.reasons.every(({ contribution }) => (contribution ?? 0) > 0)).toBe(true);
    expect(told.reasons.find(({ code }) => code === "R01")?.text).toBe("what they earn");
  });

  test("the same request again gives the same reasons; a plain one has no such field", async () => {
    const send = () =>
      application.post<DecisionReplyView>("/v1/endpoints/linear/decisions?reasons=true", denied, { headers: { "idempotency-key": "k" } });
    await reasonsOf("linear", (await send()).id);
    const { explanation: _first, ...again } = await send();
    expect(await send()).toMatchObject(again);
    expect("explanation" in (await decide("linear", denied))).toBe(false);
    expect((await problemOf(decide("linear", denied, "?reasons=please"))).status).toBe(400);
    expect((await problemOf(decide("linear", denied, "?explain=true"))).status).toBe(400);
  });

  test("a release that no longer serves explains what it answered", async () => {
    await server.admin.post("/v1/endpoints/linear/releases", { ...(await onnx(logisticModel([1, 1, 1, 1, 1]))), features, policy });
    const reply = await decide("linear", { ...denied, subject: "denied-3" });
    await server.admin.post("/v1/endpoints/linear/promote", { release: "r3", reason: "newer" });
    await server.admin.post("/v1/endpoints/linear/releases", { ...(await onnx(logisticModel([1, 2, 1, 1, 1]))), features, policy });
    await server.admin.post("/v1/endpoints/linear/promote", { release: "r4", reason: "newer" });
    const told = await reasonsOf("linear", reply.id);
    expect([reply.release, told.method, told.reasons.length]).toEqual(["r2", "linear", 3]);
  });

  test("a new release without approvals of its own is compared with recorded people whom it would approve", async () => {
    const reply = await decide("linear", { ...denied, subject: "denied-4" }, "?reasons=true");
    expect(reply.release).toBe("r4");
    expect((await reasonsOf("linear", reply.id)).reference?.source).toBe("approved_on_replay");
  });

  test("an erased person's decision keeps the reasons that were told, and gets no others", async () => {
    const [told, untold] = [await decide("linear", { ...denied, subject: "e-1" }), await decide("linear", { ...denied, subject: "e-2" })];
    const before = await reasonsOf("linear", told.id, reader);
    erase(told.id, untold.id);
    expect(await reasonsOf("linear", told.id, reader)).toEqual({ ...before, values: null });
    const problem = await problemOf(reasonsOf("linear", untold.id));
    expect([problem.status, problem.detail]).toEqual([409, expect.stringContaining("erased")]);
  });
});

/** As erasing a person does. */
function erase(...ids: readonly string[]): void {
  const db = new Database(join(server.folder, "evenkeel.db"));
  for (const id of ids) db.prepare("delete from decision_payload where seq = (select seq from decision where id = ?)").run(id);
  db.close();
}

test("a decision that isn't there, or is another endpoint's, has no reasons", async () => {
  expect((await problemOf(reasonsOf("linear", "019ab3c4-0000-7000-8000-000000000000"))).status).toBe(404);
});

describe("a forest", () => {
  test("is explained exactly, and a protected attribute is told apart and never as a reason", async () => {
    const withEducation = { name: "all", features: [...features.features, { name: "studied", cel: 'education == "university"' }] };
    await serve("forest", { ...(await onnx(forestModel({ width: 6, trees: 20, depth: 5, seed: 3 }))), features: withEducation });
    expect(await approvals("forest", 150)).toBeGreaterThan(30);
    let withheld = 0;
    for (let i = 200; i < 220; i++) {
      const { id, action, score } = await decide("forest", personOf(i));
      const told = await reasonsOf("forest", id);
      expect([told.method, told.scale]).toEqual(["trees", "score"]);
      expect(movedIn(told)).toBeCloseTo((told.to ?? 0) - (told.from ?? 0), 9);
      expect(told.from).toBeCloseTo(told.reference?.meanScore ?? 0, 6);
      expect(told.to).toBeCloseTo(score ?? 0, 6);
      expect(told.reasons.length).toBeLessThanOrEqual(4);
      expect(told.reasons.every(({ contribution }) => Math.sign(contribution ?? 0) === (action === "approve" ? 1 : -1))).toBe(true);
      expect(told.reasons.some(({ features: named }) => named.includes("studied"))).toBe(false);
      if (told.withheld !== null) {
        withheld++;
        expect(told.withheld).toMatchObject({ attributes: ["education"], features: ["studied"] });
      }
    }
    expect(withheld).toBeGreaterThan(10);
  });

  test("of 100 trees over 23 features against 100 people is explained while decisions go on", async () => {
    const inputs = Object.fromEntries(Array.from({ length: 23 }, (_, i) => [`x${i}`, { type: "number", min: 0, max: 1 }]));
    const { fallback } = endpoint("big");
    const big = {
      ...endpoint("big"),
      inputs,
      groups: {},
      fallback: { ...fallback, scorer: { kind: "rules", rules: [], otherwise: { score: 0 } } },
    };
    await server.admin.post("/v1/apply", { yaml: JSON.stringify(big) });
    const all = { name: "big", features: Object.keys(inputs).map((name) => ({ name, from: name })) };
    const model = await onnx(forestModel({ width: 23, trees: 100, depth: 10, seed: 1 }));
    await server.admin.post("/v1/endpoints/big/releases", { ...model, features: all, policy });
    await server.admin.post("/v1/endpoints/big/promote", { release: "r2", reason: "it is better" });
    const person = (i: number) => ({
      inputs: Object.fromEntries(Object.keys(inputs).map((name, k) => [name, unit(i, k)])),
      subject: `b-${i}`,
    });
    await decideAll(
      "big",
      Array.from({ length: 300 }, (_, i) => person(i)),
    );
    const { id } = await decide("big", person(1000));
    let turns = 0;
    const turn = setInterval(() => turns++, 1);
    const told = await reasonsOf("big", id);
    clearInterval(turn);
    expect([told.method, told.reference?.people]).toEqual(["trees", 100]);
    expect(turns).toBeGreaterThan(5);
  });
});

describe("a model behind a server", () => {
  test("is asked about mixtures of people, and says how far off that may be", async () => {
    models.scoreOf = ([income, debt, late]) => Math.min(1, Math.max(0, Number(income) * (1 - 0.5 * Number(debt) * Number(late)) + 0.1));
    await serve("remote", { scorer: { kind: "http", protocol: "mlflow", url: models.url } });
    expect(await approvals("remote", 120)).toBeGreaterThan(30);
    const { id } = await decide("remote", denied);
    const told = await reasonsOf("remote", id);
    expect([told.method, told.scale]).toEqual(["sampled", "score"]);
    expect(told.reasons[0]).toMatchObject({ code: "R01", text: "The income is low" });
    expect(told.reasons.every(({ standardError }) => (standardError ?? 0) >= 0)).toBe(true);
    expect(movedIn(told)).toBeCloseTo((told.to ?? 0) - (told.from ?? 0), 9);
    expect(await reasonsOf("remote", id)).toEqual(told);
  });

  test("that says something else now than it did then isn't explained", async () => {
    const { id } = await decide("remote", { ...denied, subject: "other" });
    const before = models.scoreOf;
    models.scoreOf = () => 0.4321;
    const problem = await problemOf(reasonsOf("remote", id));
    models.scoreOf = before;
    expect(problem.detail).toContain("no longer gives the score that was recorded");
  });

  test("that fails is explained as little as it answered: the fallback did, and gives its rule's own reason", async () => {
    models.fault = "status 500";
    const reply = await decide("remote", { ...denied, subject: "falls back" }, "?reasons=true");
    models.fault = null;
    expect([reply.release, reply.route]).toEqual(["r1", "fallback"]);
    const told = reply.explanation?.reasons;
    expect(told).toMatchObject({ method: "rules", reference: null, reasons: [{ text: "The income is below the rule's" }] });
  });

  test("that is sent the inputs themselves is explained in their terms, texts too", async () => {
    models.scoreOf = (row) => Math.min(1, Number(row[0]) + (row.includes("university") ? 0.2 : 0));
    await serve("texts", { scorer: { kind: "http", protocol: "mlflow", url: models.url, send: "inputs" } });
    expect(await approvals("texts", 120)).toBeGreaterThan(30);
    const { id } = await decide("texts", { inputs: { ...denied.inputs, education: "high_school" }, subject: "in words" });
    const told = await reasonsOf("texts", id, reader);
    expect(told).toMatchObject({ method: "sampled", reasons: [{ code: "R01" }], values: { income: 0.1 } });
    expect(told.withheld).toMatchObject({ attributes: ["education"], features: ["education"] });
    expect(told.withheld?.contribution).toBeLessThan(0);
  });
});

describe("what is declared", () => {
  const issuesOf = async (changed: readonly object[]) =>
    (
      await problemOf(
        server.admin.post("/v1/endpoints/linear/releases", {
          ...(await onnx(logisticModel([1]))),
          policy,
          features: { name: "one", features: changed },
        }),
      )
    ).errors;

  test("a reason for what comes from a protected attribute is refused", async () => {
    const [issue] = (await issuesOf([{ name: "studied", cel: 'education == "university"', reason: "No university degree" }])) ?? [];
    expect(issue?.path).toBe("/features/features/0/reason");
    expect(issue?.got).toContain("made of education");
  });

  test("a code has one text", async () => {
    const two = [
      { name: "a", from: "income", reason: "The income is low", code: "R1" },
      { name: "b", from: "debt", reason: "The debts are high", code: "R1" },
    ];
    const [issue] = (await issuesOf(two)) ?? [];
    expect([issue?.path, issue?.expected]).toEqual(["/features/features/1/reason", "the text that code R1 has already: The income is low"]);
  });
});
