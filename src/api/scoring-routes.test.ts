import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { protocolServer, vectorEndpoint, type ProtocolServer } from "../../test/protocol-server.ts";

let server: ProtocolServer;
beforeAll(async () => {
  server = await protocolServer();
});
afterAll(() => server.drop());

const INVOCATIONS = "/endpoints/loans/invocations";
const JSON_TYPE = { "content-type": "application/json" };
const post = (path: string, body: unknown, headers: Record<string, string> = JSON_TYPE) =>
  server.send("POST", path, typeof body === "string" ? body : JSON.stringify(body), headers);
const invoke = (body: unknown, headers?: Record<string, string>) => post(INVOCATIONS, body, headers);
const row = (income: number, debt: number, more: object = {}) => ({ inputs: { income, debt }, ...more });
const TWO = [row(52000, 0.31), row(18000, 0.62)];

async function rowsOf(body: unknown, headers?: Record<string, string>, path = INVOCATIONS) {
  const before = (await server.recorded()).length;
  const answer = await post(path, body, headers);
  return { answer, requests: (await server.recorded()).slice(before).map(({ request }) => request) };
}

describe("MLflow's vectors", () => {
  test.each([
    [
      "M1",
      {
        dataframe_split: {
          columns: ["income", "debt"],
          data: [
            [52000, 0.31],
            [18000, 0.62],
          ],
        },
      },
      TWO,
    ],
    [
      "M2",
      {
        dataframe_records: [
          { income: 52000, debt: 0.31 },
          { income: 18000, debt: 0.62 },
        ],
      },
      TWO,
    ],
    [
      "M3",
      {
        instances: [
          [52000, 0.31],
          [18000, 0.62],
        ],
      },
      TWO,
    ],
    ["M4", { inputs: { income: [52000, 18000], debt: [0.31, 0.62] } }, TWO],
    ["M5", { dataframe_split: { data: [[52000, 0.31]] } }, TWO.slice(0, 1)],
    ["M6", { dataframe_split: { columns: ["debt", "income"], data: [[0.31, 52000]] } }, TWO.slice(0, 1)],
    ["M3 as objects", { instances: [{ income: 52000, debt: 0.31, zip: 1 }], signature_name: "x" }, TWO.slice(0, 1)],
    ["M4 as a tensor", { inputs: [[52000, 0.31]] }, TWO.slice(0, 1)],
  ])("%s decides about its rows", async (_vector, body, expected) => {
    const { answer, requests } = await rowsOf(body);
    expect(answer.json["message"]).toBeUndefined();
    expect([answer.status, answer.type]).toEqual([200, "application/json"]);
    expect(answer.json["predictions"]).toEqual(["approve", "refer"].slice(0, expected.length));
    expect(answer.json["decisions"]).toMatchObject(
      [
        { action: "approve", score: 0.88, release: "r1", id: expect.any(String) },
        { action: "refer", score: 0.41 },
      ].slice(0, expected.length),
    );
    expect(requests).toEqual(expected);
  });

  test.each([
    ["M7", { dataframe_records: [{ income: 1, debt: 0.1 }, { income: 2 }] }, /row 1 lacks.*debt/],
    ["M8", { instances: [[1, 0.1]], inputs: [[1, 0.1]] }, /exactly one of/],
    ["M9", { data: [[1, 0.1]] }, /none of them/],
    ["M10", { dataframe_split: { columns: ["income", "debt"], data: [[1, 0.1, 5]] } }, /row 0 has 3 values for 2 columns/],
    ["M11", { inputs: { income: [1, 2], debt: [0.1] } }, /equal length/],
    ["M12", { dataframe_split: { columns: ["income", "income"], data: [[1, 2]] } }, /'income' twice/],
    ["M16", '{"instances":[[NaN, 1]]}', /JSON/],
    ["a missing column", { dataframe_split: { columns: ["debt"], data: [[1]] } }, /Model is missing inputs \['income'\]/],
    [
      "text for a number",
      {
        instances: [
          [1, 0.1],
          [2, "high"],
        ],
      },
      /row 1: 'debt' must be a number, got "high"/,
    ],
    ["null in a required column", { inputs: { income: [1, null], debt: [0.1, 0.2] } }, /row 1: 'income'/],
    ["other keys in a split", { dataframe_split: { columns: ["income", "debt"], data: [], dtype: {} } }, /dtype/],
  ])("%s is refused as MLflow refuses, with what is wrong, and nothing is recorded", async (_vector, body, wording) => {
    const { answer, requests } = await rowsOf(body);
    expect([answer.status, answer.type]).toEqual([400, "application/json"]);
    expect(answer.json["message"]).toMatch(wording);
    expect(answer.json["error_code"]).toMatch(/^(INVALID_PARAMETER_VALUE|BAD_REQUEST)$/);
    expect(answer.json).toMatchObject({ status: 400, type: expect.stringContaining("/problems/") });
    expect(answer.json["stack_trace"]).toBeUndefined();
    expect(requests).toEqual([]);
  });

  test("M13 and M14: CSV by the endpoint's schema, columns that it doesn't know dropped", async () => {
    const csv = { "content-type": "text/csv" };
    expect((await rowsOf("income,debt\n52000,0.31\n18000,0.62\n", csv)).requests).toEqual(TWO);
    expect((await rowsOf('\uFEFFincome,debt,zip\r\n52000,0.31,"a,b"\r\n', csv)).requests).toEqual(TWO.slice(0, 1));
    expect((await rowsOf("debt,subject,sex,income\n.5,p-1,f,1e3\n", csv)).requests).toEqual([
      row(1000, 0.5, { subject: "p-1", groups: { sex: "f" } }),
    ]);
    const bad = await invoke("income,debt\n1,0.1\n2,high\n", csv);
    expect([bad.status, bad.json["message"]]).toEqual([400, `row 1: 'debt' must be a number, got "high"`]);
    expect((await invoke("income\n1\n", csv)).json["message"]).toContain("Model is missing inputs ['debt']");
    expect((await invoke('income,debt\n"1,2\n', csv)).status).toBe(400);
    expect((await server.send("POST", INVOCATIONS, Buffer.from([0x69, 0xff]), csv)).status).toBe(400);
  });

  test("M15: no rows are answered by none", async () => {
    expect((await invoke({ instances: [] })).json).toEqual({ predictions: [], decisions: [] });
  });
});

test("params: what to return, who it is about, and idempotency keys; unknown ones are dropped", async () => {
  const { answer, requests } = await rowsOf({
    instances: [
      [52000, 0.31],
      [18000, 0.62],
    ],
    params: { subject: ["a", "b"], group_sex: "f", return: ["score", "label"], temperature: 1 },
  });
  expect(answer.json["predictions"]).toEqual([
    { score: 0.88, label: 1 },
    { score: 0.41, label: 0 },
  ]);
  expect(requests).toEqual([
    row(52000, 0.31, { subject: "a", groups: { sex: "f" } }),
    row(18000, 0.62, { subject: "b", groups: { sex: "f" } }),
  ]);
  expect((await invoke({ instances: [[1, 0.1]], params: { return: "score" } })).json["predictions"]).toEqual([0.88]);
  expect((await invoke({ instances: [[1, 0.1]], params: { return: "class" } })).status).toBe(400);
  expect(
    (
      await invoke({
        instances: [
          [1, 0.1],
          [1, 0.2],
        ],
        params: { subject: "one" },
      })
    ).status,
  ).toBe(400);
  expect(
    (
      await invoke({
        instances: [
          [1, 0.1],
          [1, 0.2],
        ],
        params: { subject: ["one"] },
      })
    ).status,
  ).toBe(400);
  const keyed = { instances: [[1, 0.1]], params: { key: "m-1" } };
  const first = await invoke(keyed);
  expect((await invoke(keyed)).json).toEqual(first.json);
  expect((await invoke({ ...keyed, instances: [[2, 0.1]] })).status).toBe(422);
});

test("content types that can't be read are refused in the original's words", async () => {
  const refused = async (type: string) => {
    const answer = await invoke("{}", { "content-type": type });
    expect([answer.status, answer.type]).toEqual([415, "text/plain; charset=utf-8"]);
    return answer.bytes.toString();
  };
  expect(await refused("application/xml")).toBe(
    "This predictor only supports the following content types: Types: ['text/csv', 'application/json', 'application/vnd.apache.parquet']. Got 'application/xml'.",
  );
  expect(await refused("application/vnd.apache.parquet")).toContain("Got 'application/vnd.apache.parquet'.");
  expect(await refused("application/json; charset=latin1")).toBe("The scoring server only supports UTF-8");
  expect(await refused("application/json; format=pandas-split")).toContain("Unrecognized content type parameters: format.");
  expect((await invoke({ instances: [] }, { "content-type": "application/json; charset=UTF-8" })).status).toBe(200);
});

test("probes are answered as by MLflow, and errors carry its codes", async () => {
  for (const path of ["/ping", "/health", "/endpoints/loans/ping"]) {
    const answer = await server.send("GET", path, undefined, {}, path === "/endpoints/loans/ping" ? undefined : null);
    expect([answer.status, answer.type, answer.bytes.toString()]).toEqual([200, "application/json", "\n"]);
  }
  expect((await server.send("GET", "/version", undefined, {}, null)).bytes.toString()).toMatch(/^\d+\.\d+\.\d+$/);
  expect((await server.send("GET", "/endpoints/nothing/ping")).json).toMatchObject({ error_code: "RESOURCE_DOES_NOT_EXIST" });
  expect((await post("/endpoints/nothing/invocations", { instances: [] })).status).toBe(404);
  const forbidden = await server.send("POST", INVOCATIONS, "{}", JSON_TYPE, server.tokens.analyst);
  expect(forbidden.json).toMatchObject({ status: 403, error_code: "PERMISSION_DENIED" });
});

test("KServe's first protocol: rows in, predictions out, errors in `error`", async () => {
  const path = "/v1/models/loans:predict";
  const { answer, requests } = await rowsOf(
    {
      instances: [
        { income: 52000, debt: 0.31 },
        { income: 18000, debt: 0.62 },
      ],
    },
    {},
    path,
  );
  expect([answer.status, answer.type, answer.json]).toEqual([200, "application/json", { predictions: ["approve", "refer"] }]);
  expect(requests).toEqual(TWO);
  expect((await post(path, { inputs: { income: [1], debt: [0.1] }, signature_name: "s" })).json).toEqual({ predictions: ["approve"] });
  const bad = await post(path, { instances: [[1, "x"]] });
  expect([bad.status, bad.type]).toEqual([400, "application/json"]);
  expect(bad.json["error"]).toMatch(/row 0: 'debt' must be a number/);
  expect((await post(path, { dataframe_records: [] })).status).toBe(400);
  expect((await post("/v1/models/nothing:predict", { instances: [] })).json).toMatchObject({ error: expect.any(String), status: 404 });
  expect((await server.send("POST", path, "{}", {}, server.tokens.analyst)).status).toBe(403);
});

test("an endpoint's settings say what its answers hold, and one that is the only one answers /invocations", async () => {
  expect((await post("/invocations", { instances: [[1, 0.1]] })).json["predictions"]).toEqual(["approve"]);
  await server.drop();
  server = await protocolServer(
    { ...vectorEndpoint, oip: { outputs: ["score", "route"] }, mlflow: { predictions: ["label"] } },
    { ...vectorEndpoint, name: "cards" },
  );
  expect((await invoke({ instances: [[1, 0.1]] })).json["predictions"]).toEqual([1]);
  const x = { name: "x", shape: [1, 2], datatype: "FP64", data: [1, 0.1] };
  const infer = await post("/v2/models/loans/infer", { inputs: [x] });
  expect(infer.json["outputs"]).toMatchObject([{ name: "score" }, { name: "route" }]);
  expect((await server.send("GET", "/v2/models/loans")).json["outputs"]).toMatchObject([{ name: "score" }, { name: "route" }]);
  expect((await post("/invocations", { instances: [[1, 0.1]] })).json).toMatchObject({
    status: 404,
    message: expect.stringContaining("2"),
  });
});
