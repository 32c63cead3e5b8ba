/** Whatever a client sends to a route of MLflow's protocol: its mistake is told as such, since clients retry what is 5xx for minutes. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { mlflowClient } from "../../../test/mlflow.ts";
import { foreignOperationsOf, type Operation } from "../../../test/operations.ts";
import { freshServer, type FreshServer } from "../../../test/server.ts";
import { valueAt } from "../../checked.ts";

let server: FreshServer;
let token: string;
let operations: readonly Operation[];
const known: Record<string, unknown> = {};
const errors: string[] = [];

beforeAll(async () => {
  server = await freshServer({ onError: (error: unknown, where: string) => void errors.push(`${where}: ${String(error)}`) });
  token = await server.token("admin", { grants: ["protected:read"] });
  operations = (await foreignOperationsOf(server.url)).filter(({ path }) => /^\/api\/[23]\.0\/mlflow/.test(path));
  const client = mlflowClient(server, token);
  const run = await client.post("runs/create", { experiment_id: "0" });
  const model = await client.post("logged-models", { experiment_id: "0", name: "net" });
  await client.post("registered-models/create", { name: "net" });
  await client.post("model-versions/create", { name: "net", source: "s3://bucket/x" });
  Object.assign(known, {
    run_id: valueAt(run.body, "/run/info/run_id"),
    model_id: valueAt(model.body, "/model/info/model_id"),
    experiment_id: "0",
    name: "net",
    version: "1",
    key: "k",
    value: "1",
    timestamp: 1,
  });
});
afterAll(() => server.drop());

/** Every field of every request. */
const FIELDS = [
  ..."experiment_id experiment_name experiment_ids name new_name artifact_location run_id run_uuid run_ids run_name user_id status start_time end_time".split(
    " ",
  ),
  ..."key value timestamp step model_id dataset_name dataset_digest metrics params tags datasets models metric_key max_results page_token".split(
    " ",
  ),
  ..."filter order_by view_type run_view_type model_type source_run_id allow_deleted version source run_link description alias stage stages".split(
    " ",
  ),
  ..."archive_existing_versions path model_json artifact_directory_path artifact_file_path start_step end_step metric_keys".split(" "),
];
const LONG = "x".repeat(20_000);
const NASTY: readonly unknown[] = [
  null,
  "",
  " ",
  "a",
  "0",
  "-1",
  "\u0000",
  "\ud800",
  "‮",
  "../..",
  "%2e%2e/%00",
  "' OR 1=1 --",
  "99999999999999999999",
  LONG,
  "metrics.a > 1 AND (",
  "eyJvZmZzZXQiOiAxfQ==",
  "models:/x",
  "runs:/x/y",
  0,
  -1,
  1.5,
  2 ** 53,
  1e308,
  -0,
  true,
  [],
  [null],
  ["a", 5],
  [[]],
  [{}],
  [{ key: 5 }],
  [{ key: "k", value: {} }],
  [{ key: "m", value: "x", timestamp: {} }],
  [{ dataset: [] }],
  [{ dataset: { name: LONG } }],
  [{ model_id: 5, step: "x" }],
  [{ field_name: "params.x", ascending: "maybe" }],
  [
    { key: "constructor", value: "x" },
    { key: "toString", value: "y" },
  ],
  {},
  { a: { b: [] } },
  Array.from({ length: 1001 }, (_, i) => ({ key: `k${i}`, value: 1, timestamp: 1 })),
];
const BODIES = [
  "",
  "{",
  "[]",
  '"x"',
  '"{}"',
  "null",
  "5",
  '{"a":1,"a":2}',
  '{"__proto__":{}}',
  "\ufeff{}",
  '{"x":1e999}',
  "[".repeat(100),
  "{}",
];

async function send(
  operation: Operation,
  { query = "", body, type = "application/json" }: { query?: string; body?: string; type?: string | null },
) {
  const params: Readonly<Record<string, string>> = { model: String(known["model_id"]) };
  const path = operation.path.replaceAll(/\{([^}]+)\}/g, (_all, name: string) => params[name] ?? "a/b%2F%00");
  const answer = await fetch(`${server.url}${path}${query}`, {
    method: operation.method,
    headers: { authorization: `Bearer ${token}`, ...(type === null ? {} : { "content-type": type }) },
    ...(operation.method === "GET" || body === undefined ? {} : { body: Buffer.from(body) }),
  });
  return { status: answer.status, text: await answer.text() };
}

function expectNoFault(what: string, { status, text }: { readonly status: number; readonly text: string }): void {
  const shown = `${what}: ${status} ${text.slice(0, 300)}`;
  if (status === 501) expect(text, shown).toMatch(/Multipart upload is not supported|Presigned/);
  else expect(status < 500 && status !== 429, shown).toBe(true);
  if (status >= 400) expect(JSON.parse(text), shown).toMatchObject({ error_code: expect.any(String), message: expect.any(String) });
}

test("every field of every route may be anything, and no answer is a fault of ours", async () => {
  for (const operation of operations) {
    for (const field of FIELDS) {
      // A few of them for each, another few for the next field: all of them meet every route.
      const some = NASTY.filter((_, i) => (i + FIELDS.indexOf(field)) % 20 === 0);
      await Promise.all(
        some.map(async (value) => {
          const fields = { ...known, [field]: value };
          const body = JSON.stringify(fields);
          const query = `?${new URLSearchParams(Object.fromEntries(Object.entries(fields).map(([name, each]) => [name, String(each).slice(0, 4000)]))).toString()}`;
          const answer = await send(operation, operation.method === "GET" ? { query } : { body });
          expectNoFault(`${operation.name} ${field}=${JSON.stringify(value)?.slice(0, 80)}`, answer);
        }),
      );
    }
  }
  expect(errors).toEqual([]);
}, 240_000);

test("a body that is none, of no type or another is told so", async () => {
  for (const operation of operations) {
    for (const body of BODIES) expectNoFault(`${operation.name} ${body}`, await send(operation, { body }));
    for (const type of [
      null,
      "text/plain",
      "application/json; charset=utf-8",
      "application/json; charset=latin1",
      "multipart/form-data",
      "x",
    ])
      expectNoFault(`${operation.name} as ${type}`, await send(operation, { body: "{}", type }));
    for (const query of [
      "?run_id=%ff",
      "?run_id=%00",
      `?a=${"b".repeat(8000)}`,
      "?run_id=a&run_id=b&metric_key=x&metric_key=y",
      "?max_results=1e9&filter=x",
      "?%",
    ])
      expectNoFault(`${operation.name} ${query.slice(0, 40)}`, await send(operation, { query, body: "{}" }));
  }
  expect(errors).toEqual([]);
}, 120_000);
