import { afterAll, beforeAll, expect, test } from "vitest";
import { stringify } from "yaml";
import { endpoint } from "../../test/lender.ts";
import { freshServer, problemOf, type FreshServer } from "../../test/server.ts";
import type { EvenkeelClient } from "../client.ts";
import type { DecisionPageView, DecisionReplyView } from "./decision-routes.ts";

const BATCH = "/v1/endpoints/loans/decisions/batch";
const SINGLE = "/v1/endpoints/loans/decisions";
interface Reply {
  readonly decisions: readonly DecisionReplyView[];
  readonly replayed: readonly number[];
}

let server: FreshServer;
let app: EvenkeelClient;
let analyst: EvenkeelClient;
beforeAll(async () => {
  server = await freshServer();
  await server.admin.post("/v1/apply", { yaml: stringify(endpoint) });
  app = await server.as("application");
  analyst = await server.as("analyst");
});
afterAll(() => server.drop());

const application = (income: unknown, extra: object = {}) => ({ inputs: { income, education: "university" }, ...extra });
const ask = (applications: readonly unknown[]) => app.post<Reply>(BATCH, { applications });
const recorded = async () => (await analyst.get<DecisionPageView>(SINGLE, { limit: 1000 })).decisions.length;

test("a batch gets the answers that single requests would have got, in order, and each is recorded", async () => {
  const incomes = Array.from({ length: 300 }, (_, i) => (i * 37) % 100);
  const before = await recorded();
  const { decisions, replayed } = await ask(incomes.map((income, i) => application(income, { subject: `p${i}` })));
  expect(decisions.map(({ action }) => action)).toEqual(incomes.map((income) => (income >= 60 ? "approve" : "refer")));
  expect(replayed).toEqual([]);
  expect((await recorded()) - before).toBe(300);
  const one = await analyst.get<{ readonly action: string; readonly isCounted: boolean }>(`${SINGLE}/${decisions[1]?.id}`);
  expect(one).toMatchObject({ action: "refer", isCounted: true });
});

test("one bad row refuses the batch and is named; nothing is recorded", async () => {
  const before = await recorded();
  const rows: unknown[] = Array.from({ length: 40 }, () => application(50));
  rows[17] = application("high");
  rows[30] = { inputs: { income: 1 }, nonsense: 1 };
  const problem = await problemOf(ask(rows));
  expect(problem).toMatchObject({ status: 400, type: expect.stringContaining("invalid") });
  expect(problem.errors?.map(({ path }) => path)).toEqual([
    "/applications/17/inputs/income",
    "/applications/30/inputs/education",
    "/applications/30/nonsense",
  ]);
  expect((await problemOf(ask([7]))).errors).toMatchObject([{ path: "/applications/0" }]);
  expect((await problemOf(app.post(BATCH, { rows: [] }))).errors).toMatchObject([{ path: "/applications" }]);
  expect((await problemOf(app.post(BATCH, { applications: [], more: 1 }))).errors).toMatchObject([{ path: "/more" }]);
  expect(await recorded()).toBe(before);
});

test("a row's key makes it one decision however often it is sent, in a batch or by itself", async () => {
  const single = application(70);
  const first = await app.post<DecisionReplyView>(SINGLE, single, { headers: { "idempotency-key": "row-1" } });
  const before = await recorded();
  const again = await ask([
    { ...application(20), key: "row-0" },
    { ...single, key: "row-1" },
  ]);
  expect(again.replayed).toEqual([1]);
  expect(again.decisions[1]).toEqual(first);
  expect(await recorded()).toBe(before + 1);
  expect(await ask([{ ...application(20), key: "row-0" }])).toEqual({ decisions: [again.decisions[0]], replayed: [0] });
});

test("a request's own key stands for all of its rows, and can't stand beside theirs", async () => {
  const batch = { applications: [application(20), application(70)] };
  const headers = { "idempotency-key": '"whole-1"' };
  const first = await app.post<Reply>(BATCH, batch, { headers });
  expect(await app.post<Reply>(BATCH, batch, { headers })).toEqual({ ...first, replayed: [0, 1] });
  const changed = { applications: [application(20), application(71)] };
  expect((await problemOf(app.post(BATCH, changed, { headers }))).status).toBe(422);
  const both = { applications: [{ ...application(20), key: "a" }] };
  expect((await problemOf(app.post(BATCH, both, { headers }))).errors).toMatchObject([{ path: "/applications/0/key" }]);
});

test("a key that was used with another application refuses the batch and is named", async () => {
  await ask([{ ...application(20), key: "used" }]);
  const before = await recorded();
  const problem = await problemOf(ask([application(1), { ...application(21), key: "used" }]));
  expect(problem).toMatchObject({ status: 422, errors: [{ path: "/applications/1/key" }] });
  const twice = await problemOf(
    ask([
      { ...application(1), key: "a" },
      { ...application(1), key: "a" },
      { ...application(1), key: "ä" },
    ]),
  );
  expect(twice).toMatchObject({ status: 400, errors: [{ path: "/applications/1/key" }, { path: "/applications/2/key" }] });
  expect(await recorded()).toBe(before);
});

test("ten thousand rows are taken, one more is too many, and an empty batch is answered by nothing", async () => {
  const { decisions } = await ask(Array.from({ length: 10_000 }, (_, i) => application(i % 100)));
  expect(decisions).toHaveLength(10_000);
  expect(new Set(decisions.map(({ id }) => id)).size).toBe(10_000);
  expect((await problemOf(ask(Array.from({ length: 10_001 }, () => 1)))).status).toBe(413);
  expect(await ask([])).toEqual({ decisions: [], replayed: [] });
});

test("who may not decide, and an unknown endpoint, are told so", async () => {
  expect((await problemOf(analyst.post(BATCH, { applications: [] }))).status).toBe(403);
  expect((await problemOf(app.post("/v1/endpoints/nothing/decisions/batch", { applications: [application(1)] }))).status).toBe(404);
});
