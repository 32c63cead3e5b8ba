import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { said } from "../../test/said.ts";
import { educationEndpoint, protocolServer, vectorEndpoint, type ProtocolServer } from "../../test/protocol-server.ts";
import { problemOf } from "../../test/server.ts";
import type { EndpointView } from "./endpoint-view.ts";
import type { ExpectationsView } from "./expectation-view.ts";

const loans = {
  ...vectorEndpoint,
  inputs: { ...vectorEndpoint.inputs, employer: { type: "string", optional: true } },
  expectations: [
    { input: "income", min: 0, max: 500_000, on_breach: "refuse" },
    { input: "debt", max: 1, on_breach: "warn" },
    { input: "employer", missing: 0.5, on_breach: "count" },
    { name: "debt-by-income", condition: "debt < 0.9 || income > 1000", on_breach: "refuse" },
  ],
};
const schooling = {
  ...educationEndpoint,
  expectations: [{ input: "education", categories: ["high school", "university"], on_breach: "refuse" }],
};

let server: ProtocolServer;
beforeAll(async () => {
  server = await protocolServer(loans, schooling);
});
afterAll(() => server.drop());

const JSON_TYPE = { "content-type": "application/json" };
const post = (path: string, body: unknown) => server.send("POST", path, JSON.stringify(body), JSON_TYPE);
const expectationsOf = async (role: string, grants: readonly string[] = [], endpoint = "loans") =>
  (await server.as(role, grants)).get<ExpectationsView>(`/v1/endpoints/${endpoint}/expectations`);

describe("a request that an expectation refuses", () => {
  test("is a problem that names field, expected and got, and nothing is recorded", async () => {
    const answer = await post("/v1/endpoints/loans/decisions", { inputs: { income: 600_000, debt: 0.2 } });
    expect([answer.status, answer.type]).toEqual([400, "application/problem+json; charset=utf-8"]);
    expect(JSON.parse(answer.bytes.toString())).toMatchObject({
      detail: "Nothing was decided and nothing recorded.",
      errors: [
        {
          path: "/inputs/income",
          expected: "a number from 0 to 500000",
          got: "600000",
          hint: `the endpoint's expectation "income" refuses it`,
        },
      ],
    });
    expect(await server.recorded()).toEqual([]);
  });

  test("refuses a whole batch and names its row", async () => {
    const rows = [{ inputs: { income: 1, debt: 0.2 } }, { inputs: { income: 2, debt: 0.95 } }, { inputs: { income: -1, debt: 0.2 } }];
    const answer = await post("/v1/endpoints/loans/decisions/batch", { applications: rows });
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.bytes.toString()).errors).toMatchObject([
      { path: "/applications/1/inputs/debt", expected: "debt < 0.9 || income > 1000", got: "debt 0.95, income 2" },
      { path: "/applications/2/inputs/income", got: "-1" },
    ]);
    expect(await server.recorded()).toEqual([]);
  });

  test("is refused in the words of other protocols, by row", async () => {
    const infer = await server.send(
      "POST",
      "/v2/models/loans/infer",
      JSON.stringify({
        inputs: [
          { name: "income", shape: [2], datatype: "FP64", data: [10, -5] },
          { name: "debt", shape: [2], datatype: "FP64", data: [0.1, 0.1] },
        ],
      }),
      JSON_TYPE,
    );
    expect(infer.status).toBe(400);
    expect(infer.json["error"]).toContain("income");
    expect(infer.json["error"]).toContain("-5");
    const rows = {
      dataframe_split: {
        columns: ["income", "debt"],
        data: [
          [10, 0.1],
          [-5, 0.1],
        ],
      },
    };
    const invoked = await post("/endpoints/loans/invocations", rows);
    expect([invoked.status, invoked.json["message"]]).toEqual([
      400,
      expect.stringContaining("row 1: 'income' must be a number from 0 to 500000, got -5"),
    ]);
    const predicted = await post("/v1/models/loans:predict", { instances: [{ income: -5, debt: 0.1 }] });
    expect([predicted.status, JSON.stringify(predicted.json)]).toEqual([400, expect.stringContaining("income")]);
    expect(await server.recorded()).toEqual([]);
  });

  test("echoes nothing of a protected attribute", async () => {
    const body = { inputs: { income: 1, education: "night school" } };
    const answers = [
      await post("/v1/endpoints/schooling/decisions", body),
      await post("/v1/endpoints/schooling/decisions/batch", { applications: [body] }),
      await post("/endpoints/schooling/invocations", { dataframe_records: [body.inputs] }),
    ];
    for (const { status, bytes } of answers) {
      expect(status).toBe(400);
      expect(bytes.toString()).toContain("education");
      expect(bytes.toString()).not.toMatch(/night school|high school|university/);
    }
  });
});

test("what only warns or counts decides and is counted, and the warning stands in status and the API", async () => {
  for (let i = 0; i < 30; i++) {
    const answer = await post("/v1/endpoints/loans/decisions", { inputs: { income: 2000, debt: 40 } });
    expect(answer.status).toBe(200);
  }
  const expectations = await expectationsOf("viewer");
  const debt = expectations.expectations.find(({ name }) => name === "debt");
  expect(debt?.breaches).toMatchObject([{ breach: "above", count: 30, limit: 0.01 }]);
  expect(expectations.expectations.find(({ name }) => name === "employer")?.breaches).toMatchObject([
    { breach: "missing", limit: null, state: "ok" },
  ]);
  expect(expectations.refused).toBeGreaterThan(3);
  await expect
    .poll(async () => (await server.admin.get<EndpointView>("/v1/endpoints/loans")).inputWarnings, { timeout: 20_000 })
    .toMatchObject([{ expectation: "debt", breach: "above", limit: 0.01 }]);
  const status = await said(["status", "loans"], { EVENKEEL_DATA: server.folder }, server.folder);
  expect(status.out).toContain("inputs are not as expected today: debt (evenkeel expectations show loans)");
  const show = await said(["expectations", "show", "loans"], { EVENKEEL_DATA: server.folder }, server.folder);
  expect([show.code, show.out]).toEqual([3, expect.stringMatching(/debt +≤ 1 +warn +\d+ +30 .*warned/)]);
});

test("names of groups in expectations are for those who may see groups", async () => {
  const [hidden] = (await expectationsOf("viewer", [], "schooling")).expectations;
  expect([hidden?.isHidden, JSON.stringify(hidden)]).toEqual([true, expect.not.stringContaining("university")]);
  const [shown] = (await expectationsOf("analyst", ["protected:read"], "schooling")).expectations;
  expect([shown?.isHidden, JSON.stringify(shown)]).toEqual([false, expect.stringContaining("university")]);
});

test("an unknown input is refused when it is applied, with line and nearest name, and changes nothing", async () => {
  const wrong = { ...loans, expectations: [{ input: "incom", min: 0, on_breach: "warn" }] };
  const problem = await problemOf(server.admin.post("/v1/apply", { yaml: stringify(wrong) }));
  expect(problem).toMatchObject({
    status: 400,
    errors: [{ path: "/expectations/0/input", got: "incom", hint: 'did you mean "income"?', line: expect.any(Number) }],
  });
  expect((await expectationsOf("viewer")).expectations).toHaveLength(4);
});

test("expectations are inferred from a dataset version, and can be applied as they are printed", async () => {
  const rows = Array.from({ length: 50 }, (_, i) => `${i},${i % 10},${i / 50}`);
  await server.admin.put("/v1/datasets/credit/versions", Buffer.from(["id,income,debt", ...rows, ""].join("\n")), {
    query: { tag: "clean", reason: "first" },
  });
  const evenkeel = (...words: string[]) => said(words, { EVENKEEL_DATA: server.folder }, server.folder);
  const { code, out } = await evenkeel("expectations", "infer", "loans", "--dataset", "credit@clean");
  expect([code, out]).toEqual([0, expect.stringContaining("inferred from credit/1 (50 rows)")]);
  const { expectations: _old, ...endpoint } = loans;
  await server.admin.post("/v1/apply", { yaml: `${stringify(endpoint)}${out}`, dryRun: true });
  expect(out).toContain("- { input: income, type: integer, min: 0, max: 9, on_breach: warn }");
  expect(await evenkeel("expectations", "infer", "loans")).toMatchObject({ code: 2, err: expect.stringContaining("--dataset") });
  expect(await evenkeel("expectations", "infer", "nowhere", "--dataset", "credit@clean")).toMatchObject({ code: 1 });
  expect(await evenkeel("expectations", "look", "loans")).toMatchObject({ code: 2 });
});
