import { createHash } from "node:crypto";
import { deflateSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { educationEndpoint, protocolServer, vectorEndpoint, type ProtocolServer } from "../../test/protocol-server.ts";
import { inferReply } from "./oip-reply.ts";
import type { DecisionReply } from "../serving/index.ts";

let server: ProtocolServer;
beforeAll(async () => {
  server = await protocolServer(vectorEndpoint, educationEndpoint);
});
afterAll(() => server.drop());

const INFER = "/v2/models/loans/infer";
const infer = (body: unknown, headers: Record<string, string> = {}) =>
  server.send("POST", INFER, typeof body === "string" ? body : JSON.stringify(body), headers);
const tensor = (name: string, datatype: string, shape: readonly number[], data: unknown, more: object = {}) => ({
  name,
  shape,
  datatype,
  data,
  ...more,
});
const fp64 = (name: string, data: readonly unknown[]) => tensor(name, "FP64", [data.length], data);
const T1 = { inputs: [fp64("income", [52000, 18000]), fp64("debt", [0.31, 0.62])] };

/** Bodies that the request recorded, oldest first; nothing where it was refused. */
async function rowsOf(body: unknown) {
  const before = (await server.recorded()).length;
  const answer = await infer(body);
  const requests = (await server.recorded()).slice(before).map(({ request }) => request);
  return { answer, requests };
}
const row = (income: number | null, debt: number, more: object = {}) => ({ inputs: { income, debt }, ...more });

describe("vectors of requests", () => {
  test.each([
    ["T1", T1, [row(52000, 0.31), row(18000, 0.62)]],
    [
      "T2",
      { inputs: [tensor("income", "INT64", [2, 1], [[52000], [18000]]), tensor("debt", "FP32", [2, 1], [0.31, 0.62])] },
      [row(52000, 0.3100000023841858), row(18000, 0.6200000047683716)],
    ],
    ["T3", { inputs: [tensor("input-0", "FP64", [2, 2], [52000, 0.31, 18000, 0.62])] }, [row(52000, 0.31), row(18000, 0.62)]],
    [
      "T4",
      {
        inputs: [
          tensor(
            "input-0",
            "FP64",
            [2, 2],
            [
              [52000, 0.31],
              [18000, 0.62],
            ],
          ),
        ],
      },
      [row(52000, 0.31), row(18000, 0.62)],
    ],
    [
      "T5",
      { inputs: [tensor("x", "FP64", [1, 2], [1, 0.1]), tensor("subject", "BYTES", [1], ["app-1"]), tensor("sex", "BYTES", [1], ["f"])] },
      [row(1, 0.1, { subject: "app-1", groups: { sex: "f" } })],
    ],
    [
      "T18",
      {
        id: null,
        outputs: null,
        parameters: { content_type: "pd", headers: null },
        inputs: [tensor("income", "FP64", [1, 1], [1], { parameters: null }), tensor("debt", "FP64", [1, 1], [0.1])],
      },
      [row(1, 0.1)],
    ],
  ])("%s decides about the rows that it says", async (_vector, body, expected) => {
    const { answer, requests } = await rowsOf(body);
    expect(answer.json["error"]).toBeUndefined();
    expect(answer.status).toBe(200);
    expect(requests).toEqual(expected);
  });

  test.each([
    ["T6", { inputs: [fp64("income", [null]), fp64("debt", [0.1])] }, /income.*null|null.*income/],
    ["T7", { inputs: [tensor("income", "INT64", [1], [null]), fp64("debt", [0.1])] }, /element 0/],
    ["T8", { inputs: [tensor("input0", "UINT32", [2, 2], [1, 2, 3, 4]), tensor("input1", "BOOL", [3], [true])] }, /3 elements.*got 1/],
    ["T9", { inputs: [fp64("income", [1, 2]), fp64("debt", [0.1])] }, /rows/],
    ["T10", { inputs: [tensor("x", "FP64", [2, 2], [[1, 2], [3]])] }, /nested/],
    ["T11", { inputs: [fp64("income", ["52000"]), fp64("debt", [0.1])] }, /element 0/],
    ["T12", { inputs: [tensor("income", "fp64", [1], [1]), fp64("debt", [0.1])] }, /fp64/],
    [
      "T13",
      `{"inputs":[{"name":"income","shape":[1],"datatype":"INT64","data":[9007199254740993]},{"name":"debt","shape":[1],"datatype":"FP64","data":[0.1]}]}`,
      /element 0/,
    ],
    ["T14", { inputs: [fp64("income", [1])] }, /missing inputs: debt/],
    ["T15", { inputs: [fp64("incom", [1]), fp64("debt", [0.1])] }, /income, debt.*incom/],
    ["T16", { inputs: [tensor("x", "FP64", [1, 3], [1, 2, 3])] }, /\[1, 2\].*\[1, 3\]/],
    ["T19", { inputs: [tensor("income", "UINT8", [1], [256]), fp64("debt", [0.1])] }, /element 0/],
    ["T20", { inputs: [fp64("income", [1]), fp64("income", [1]), fp64("debt", [0.1])] }, /twice/],
    ["T21", { inputs: [] }, /at least one input/],
    ["T22", [], /object/],
  ])("%s is refused with what is wrong, in both forms, and nothing is recorded", async (_vector, body, wording) => {
    const { answer, requests } = await rowsOf(body);
    expect(answer.status).toBe(400);
    expect(answer.type).toBe("application/json");
    expect(answer.json["error"]).toMatch(wording);
    expect(answer.json).toMatchObject({ status: 400, title: expect.any(String), type: expect.stringContaining("/problems/") });
    expect(answer.json["errors"]).toMatchObject([{ pointer: expect.any(String), detail: expect.any(String) }]);
    expect(requests).toEqual([]);
  });

  test("T17: no rows are answered by empty outputs, and nothing is recorded", async () => {
    const { answer, requests } = await rowsOf({ inputs: [fp64("income", []), fp64("debt", [])] });
    expect(answer.status).toBe(200);
    expect(answer.json["outputs"]).toMatchObject([{ name: "action", shape: [0], data: [] }, {}, {}, {}]);
    expect(answer.json["model_version"]).toBeUndefined();
    expect(requests).toEqual([]);
  });

  test("JSON rows: an object in each element of one text input", async () => {
    const data = ['{"income":1,"debt":0.1,"sex":"m"}', '{"income":2,"debt":0.2,"subject":"b"}'];
    const body = { inputs: [tensor("rows", "BYTES", [2], data, { parameters: { content_type: "json" } })] };
    const { requests } = await rowsOf(body);
    expect(requests).toEqual([row(1, 0.1, { groups: { sex: "m" } }), row(2, 0.2, { subject: "b" })]);
    const [input] = body.inputs;
    const wrong = await infer({ inputs: [{ ...input, data: [data[0], "[]"] }] });
    expect(wrong.json["errors"]).toMatchObject([{ pointer: "/inputs/0/data/1" }]);
    const misspelt = await infer({ inputs: [{ ...input, data: [data[0], '{"incom":1}'] }] });
    expect(misspelt.json["error"]).toContain("'incom' in row 1");
  });

  test("a bad row is named by its input and element, in columns and in one tensor", async () => {
    const columns = await infer({ inputs: [...T1.inputs, tensor("sex", "BYTES", [2], ["f", "x"])] });
    expect(columns.json["errors"]).toMatchObject([
      { pointer: "/inputs/2/data/1", detail: expect.stringContaining("element 1 of input 'sex'") },
    ]);
    const whole = await infer({ inputs: [tensor("x", "FP64", [2, 2], [1, 0.1, 2, null])] });
    expect(whole.json["errors"]).toMatchObject([{ pointer: "/inputs/0/data/3" }]);
  });

  test("subject, key and groups of one person may be parameters; with several rows only groups may", async () => {
    const one = { inputs: [fp64("income", [1]), fp64("debt", [0.1])] };
    const { requests } = await rowsOf({ ...one, parameters: { subject: "s", group_sex: "f", priority: 3, timeout: 400_000, headers: {} } });
    expect(requests).toEqual([row(1, 0.1, { subject: "s", groups: { sex: "f" } })]);
    expect((await infer({ ...T1, parameters: { subject: "s" } })).status).toBe(400);
    expect((await infer({ ...T1, parameters: { group_age: "old" } })).status).toBe(400);
    expect((await rowsOf({ ...T1, parameters: { group_sex: "m" } })).requests).toMatchObject([
      { groups: { sex: "m" } },
      { groups: { sex: "m" } },
    ]);
  });

  test("more than a thousand rows are too many", async () => {
    const many = Array.from({ length: 1001 }, () => 0.1);
    expect((await infer({ inputs: [fp64("income", many), fp64("debt", many)] })).status).toBe(413);
    expect((await infer({ inputs: [fp64("income", many.slice(1)), fp64("debt", many.slice(1))] })).status).toBe(200);
  });
});

describe("answers", () => {
  test("the usual outputs in their order, with version, generation and the id that was sent", async () => {
    const { json, headers } = await infer({ ...T1, id: "req-1" });
    expect(json).toEqual({
      model_name: "loans",
      model_version: "r1",
      id: "req-1",
      parameters: { generation: expect.any(Number) },
      outputs: [
        { name: "action", shape: [2], datatype: "BYTES", data: ["approve", "refer"] },
        { name: "score", shape: [2], datatype: "FP64", data: [0.88, 0.41] },
        { name: "release", shape: [2], datatype: "BYTES", data: ["r1", "r1"] },
        { name: "decision", shape: [2], datatype: "BYTES", data: [expect.any(String), expect.any(String)] },
      ],
    });
    expect(headers.get("content-type")).toBe("application/json");
    const invented = await infer(T1);
    expect(invented.json["id"]).toBe(invented.headers.get("x-request-id"));
  });

  test("those that are asked for, in the order asked; an unknown one is refused with the list", async () => {
    const asked = await infer({ ...T1, outputs: [{ name: "route" }, { name: "reasons" }, { name: "generation" }] });
    expect(asked.json["outputs"]).toMatchObject([
      { name: "route", data: ["live", "live"] },
      { name: "reasons", parameters: { content_type: "json" }, data: ['["little debt"]', "[]"] },
      { name: "generation", datatype: "INT64" },
    ]);
    const unknown = await infer({ ...T1, outputs: [{ name: "predict" }] });
    expect(unknown.json["error"]).toContain("action, score, release");
  });

  test("B1's answer is written byte for byte", () => {
    const reply = (action: string, score: number) => ({ action, score, release: "rel_7", reasons: [] }) as unknown as DecisionReply;
    // The vector is of an answer whose rows have no generation in common.
    const replies = [
      { ...reply("approve", 0.12), generation: 1 },
      { ...reply("refer", 0.41), generation: 2 },
    ];
    const outputs = (["action", "score"] as const).map((name) => ({ name, isBinary: true }));
    const { body, jsonBytes } = inferReply({ model: "loans", id: "req-1", replies, outputs });
    expect([jsonBytes, body.length]).toEqual([241, 277]);
    expect(createHash("sha256").update(body).digest("hex")).toBe("431a51ebb51db754f03a9ddf76ed0641ce3c85c7dfa3675f5591ec5e04012469");
  });
});

describe("binary tensors", () => {
  const json =
    '{"id":"req-1","inputs":[{"name":"income","shape":[2],"datatype":"FP64","parameters":{"binary_data_size":16}},{"name":"education","shape":[2],"datatype":"BYTES","parameters":{"binary_data_size":29}}],"parameters":{"binary_data_output":true}}';
  const bytes = Buffer.from("000000000064e940000000000094d1400b00000068696768207363686f6f6c0a000000756e6976657273697479", "hex");
  const B1 = Buffer.concat([Buffer.from(json), bytes]);
  const SCHOOLING = "/v2/models/schooling/infer";
  const header = (length: number) => ({ "inference-header-content-length": String(length), "content-type": "application/octet-stream" });

  test("B1 decides about its two rows and is answered in binary", async () => {
    expect(createHash("sha256").update(B1).digest("hex")).toBe("44813ea03ffa442d88b88d11327c8d4dccb1d11a3cf466fcb2ede94df7484311");
    const answer = await server.send("POST", SCHOOLING, B1, header(240));
    expect([answer.status, answer.type]).toEqual([200, "application/octet-stream"]);
    const length = Number(answer.headers.get("inference-header-content-length"));
    const reply = JSON.parse(answer.bytes.subarray(0, length).toString());
    expect(reply).toMatchObject({
      id: "req-1",
      outputs: [{ name: "action", parameters: { binary_data_size: 20 } }, { name: "score" }, {}, {}],
    });
    expect(answer.bytes.subarray(length, length + 20).toString("hex")).toBe("07000000617070726f7665050000007265666572");
    expect((await server.recorded("schooling")).slice(-2).map(({ request }) => request)).toEqual([
      { inputs: { income: 52000, education: "high school" } },
      { inputs: { income: 18000, education: "university" } },
    ]);
  });

  test.each([
    ["B2", B1, {}, /Inference-Header-Content-Length/],
    ["B3", B1.subarray(0, -5), header(240), /29 bytes.*24 left/],
    ["B4", Buffer.concat([B1, Buffer.alloc(1)]), header(240), /1 bytes that belong to no input/],
    ["B5", B1, header(999), /285 bytes/],
    ["B6", B1, header(239), /JSON/],
  ])("%s is refused", async (_vector, body, headers, wording) => {
    const answer = await server.send("POST", SCHOOLING, body, headers as Record<string, string>);
    expect(answer.status).toBe(400);
    expect(answer.json["error"]).toMatch(wording);
  });

  test("an output's own wish wins over the request's, and compressed requests are read", async () => {
    const body = JSON.stringify({
      ...T1,
      parameters: { binary_data_output: true },
      outputs: [{ name: "score", parameters: { binary_data: false } }, { name: "action" }],
    });
    for (const [encoding, compressed] of [
      ["gzip", gzipSync(body)],
      ["deflate", deflateSync(body)],
    ] as const) {
      const answer = await server.send("POST", INFER, compressed, { "content-encoding": encoding });
      expect(answer.status).toBe(200);
      const length = Number(answer.headers.get("inference-header-content-length"));
      expect(JSON.parse(answer.bytes.subarray(0, length).toString()).outputs).toMatchObject([
        { name: "score", data: [0.88, 0.41] },
        { name: "action", parameters: { binary_data_size: 20 } },
      ]);
    }
    expect((await server.send("POST", INFER, body, { "content-encoding": "br" })).status).toBe(415);
    expect((await server.send("POST", INFER, gzipSync(Buffer.alloc(40_000_000)), { "content-encoding": "gzip" })).status).toBe(413);
    expect((await server.send("POST", INFER, "no gzip", { "content-encoding": "gzip" })).status).toBe(400);
  });

  test("shared memory, short floats and both forms of data at once are refused", async () => {
    const input = (more: object) => infer({ inputs: [{ name: "income", shape: [1], datatype: "FP64", ...more }, fp64("debt", [1])] });
    expect((await input({ parameters: { shared_memory_region: "r" } })).json["error"]).toContain("not supported");
    expect((await input({ datatype: "FP16", data: [1] })).json["error"]).toContain("send FP32");
    expect((await input({ data: [1], parameters: { binary_data_size: 8 } })).status).toBe(400);
  });
});

describe("idempotency", () => {
  test("a row's key, and a request's, give the same decision again; with another body they are refused", async () => {
    const keyed = (debt: number) => ({
      inputs: [fp64("income", [1, 2]), fp64("debt", [debt, 0.2]), tensor("key", "BYTES", [2], ["k1", "k2"])],
    });
    const first = await infer(keyed(0.1));
    const again = await infer(keyed(0.1));
    expect(again.json["outputs"]).toEqual(first.json["outputs"]);
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    expect((await infer(keyed(0.3))).status).toBe(422);
    const whole = await infer(T1, { "idempotency-key": "whole" });
    expect((await infer(T1, { "idempotency-key": "whole" })).json["outputs"]).toEqual(whole.json["outputs"]);
    expect((await infer({ inputs: [fp64("income", [52000, 1]), fp64("debt", [0.31, 0.62])] }, { "idempotency-key": "whole" })).status).toBe(
      422,
    );
    expect((await infer(keyed(0.1), { "idempotency-key": "both" })).status).toBe(400);
  });
});

describe("what clients ask besides", () => {
  const get = (path: string, token?: string | null) => server.send("GET", path, undefined, {}, token);

  test("server, health and readiness are told to anybody", async () => {
    const about = { name: "evenkeel", version: expect.any(String), extensions: ["binary_tensor_data"] };
    expect((await get("/v2", null)).json).toEqual(about);
    expect((await get("/v2/", null)).json).toEqual(about);
    expect((await get("/v2/health/live", null)).json).toEqual({ live: true });
    expect((await get("/v2/health/ready", null)).json).toEqual({ ready: true, live: true });
  });

  test("metadata lists what may be sent, and the releases that are loaded", async () => {
    const { json } = await get("/v2/models/loans");
    expect(json).toEqual({
      name: "loans",
      versions: ["r1"],
      platform: "evenkeel_endpoint",
      inputs: [
        { name: "income", datatype: "FP64", shape: [-1] },
        { name: "debt", datatype: "FP64", shape: [-1] },
        { name: "sex", datatype: "BYTES", shape: [-1], parameters: { required: false, role: "group", attribute: "sex" } },
        { name: "subject", datatype: "BYTES", shape: [-1], parameters: { required: false, role: "subject" } },
      ],
      outputs: [
        { name: "action", datatype: "BYTES", shape: [-1] },
        { name: "score", datatype: "FP64", shape: [-1] },
        { name: "release", datatype: "BYTES", shape: [-1] },
        { name: "decision", datatype: "BYTES", shape: [-1] },
      ],
    });
    expect((await get("/v2/models/loans/versions/r1")).json).toEqual(json);
    expect((await get("/v2/models")).json).toEqual({ models: ["loans", "schooling"] });
    expect((await get("/v2/models/loans/ready")).json).toEqual({ name: "loans", ready: true });
    expect((await get("/v2/models/loans/versions/fallback/ready")).json).toEqual({ name: "loans", ready: true });
    expect((await server.send("POST", "/v2/repository/index", "{}")).bytes.toString()).toBe(
      JSON.stringify(["loans", "schooling"].map((name) => ({ name, version: "r1", state: "READY", reason: "" }))),
    );
  });

  test("what isn't there, isn't allowed or isn't a method is said in `error`", async () => {
    for (const [method, path, status] of [
      ["GET", "/v2/models/nothing", 404],
      ["GET", "/v2/models/loans/versions/r9", 404],
      ["GET", "/v2/models/loans/versions/r9/ready", 404],
      ["GET", "/v2/nothing", 404],
      ["GET", "/v2/models/loans/infer", 405],
      ["POST", "/v2/models/loans", 405],
      ["POST", "/v2/repository/models/loans/load", 403],
      ["POST", "/v2/repository/models/loans/unload", 403],
    ] as const) {
      const answer = await server.send(method, path, method === "POST" ? "{}" : undefined);
      expect([path, answer.status, answer.type]).toEqual([path, status, "application/json"]);
      expect(answer.json["error"]).toEqual(expect.any(String));
      if (status === 405) expect(answer.headers.get("allow")).toBe(method === "GET" ? "POST" : "GET");
    }
    expect((await server.send("POST", INFER, "{}", {}, null)).json["error"]).toContain("Bearer");
    expect((await server.send("POST", INFER, "{}", {}, server.tokens.analyst)).status).toBe(403);
    expect((await server.send("POST", INFER, "<a/>", { "content-type": "text/xml" })).status).toBe(415);
    expect((await infer("")).status).toBe(400);
    expect((await infer('{"inputs": [NaN]}')).status).toBe(400);
  });

  test("a request without a content type, or as octets, decides", async () => {
    const body = JSON.stringify(T1);
    const raw = async (headers: Record<string, string>) => (await server.send("POST", INFER, Buffer.from(body), headers)).status;
    expect(await raw({})).toBe(200);
    expect(await raw({ "content-type": "application/octet-stream" })).toBe(200);
    expect(await raw({ "content-type": "application/json; charset=utf-8" })).toBe(200);
  });
});

describe("versions", () => {
  const pinned = (version: string, token = server.tokens.operator) =>
    server.send("POST", `/v2/models/loans/versions/${version}/infer`, JSON.stringify(T1), {}, token);

  test("a release by name or place decides for those who may pin, recorded as pinned and no evidence", async () => {
    const answer = await pinned("r1");
    expect(answer.json).toMatchObject({ model_version: "r1" });
    expect((await pinned("live")).status).toBe(200);
    expect((await server.recorded()).slice(-2)).toMatchObject([
      { route: "pinned", isCounted: false },
      { route: "pinned", isCounted: false },
    ]);
    expect((await pinned("r1", server.tokens.application)).status).toBe(403);
    expect((await pinned("r9")).status).toBe(404);
    expect((await pinned("canary")).status).toBe(404);
  });

  test("a release that isn't loaded, or is condemned, decides about nobody", async () => {
    const release = await server.admin.post<{ readonly release: string }>("/v1/endpoints/loans/releases", {
      name: "strict",
      scorer: { kind: "rules", rules: [], otherwise: { score: 0.1 } },
      policy: vectorEndpoint.fallback.policy,
    });
    expect((await pinned(release.release)).json["error"]).toContain("not loaded");
    await server.admin.post("/v1/endpoints/loans/promote", { release: release.release, reason: "try it" });
    expect((await pinned(release.release)).json).toMatchObject({ model_version: release.release });
    await server.admin.post("/v1/endpoints/loans/rollback", { reason: "bad", condemn: true });
    const condemned = await pinned(release.release);
    expect([condemned.status, condemned.json["error"]]).toEqual([409, expect.stringContaining("condemned")]);
  });
});
