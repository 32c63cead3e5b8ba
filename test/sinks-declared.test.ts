/** Declaring sinks: what is refused, and who may. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { freshServer, problemOf, type FreshServer } from "./server.ts";
import { LENDING, applied } from "./sinks.ts";

const secrets = { hook: `whsec_${Buffer.alloc(24, 5).toString("base64")}`, bad: "hunter2" };
let server: FreshServer;
beforeAll(async () => {
  server = await freshServer({ secrets });
  await applied(server.admin, LENDING);
});
afterAll(() => server.drop());

test.each<[string, string, string]>([
  ["no target", "", "/target"],
  ["an unknown kind", "target: { kind: kafka }", "/target/kind"],
  ["an unknown field", "target: { kind: ndjson, folder: /etc }", "/target/folder"],
  ["an endpoint that isn't there", "endpoints: [cars]\ntarget: { kind: ndjson }", "/endpoints/0"],
  ["an address that may not be called", "target: { kind: http, url: 'http://169.254.169.254/', secrets: [hook] }", "/target/url"],
  ["no secret to sign with", "target: { kind: http, url: 'https://hooks.example.com/in', secrets: [] }", "/target/secrets"],
  ["a secret that isn't there", "target: { kind: http, url: 'https://hooks.example.com/in', secrets: [none] }", "/target/secrets/0"],
  ["a secret that is no key", "target: { kind: http, url: 'https://hooks.example.com/in', secrets: [bad] }", "/target/secrets/0"],
  ["a secret that is no address of a database", "target: { kind: mongodb, secret: bad }", "/target/secret"],
  ["personal data without saying so", "include: [groups]\ntarget: { kind: ndjson }", "/protected"],
  ["saying so without any", "protected: true\ntarget: { kind: ndjson }", "/include"],
  ["a name for a folder elsewhere", "name: ../../etc\ntarget: { kind: ndjson }", "/name"],
])("%s is refused with its place, and nothing is changed", async (_name, yaml, path) => {
  const admin = await server.as("admin", ["protected:read"]);
  const text = `kind: sink\n${yaml.includes("name:") ? "" : "name: bad\n"}${yaml}\n`;
  const problem = await problemOf(applied(admin, text));
  expect(problem).toMatchObject({ status: 400, errors: [expect.objectContaining({ path, line: expect.any(Number) })] });
  expect(JSON.stringify(problem)).not.toContain("hunter2");
  expect(await server.admin.get("/v1/sinks")).toEqual({ sinks: [] });
});

test("declaring a sink is an admin's, and an operator's by grant; people's data besides needs protected:read", async () => {
  const yaml = "kind: sink\nname: archive\ntarget: { kind: ndjson }\n";
  expect(await problemOf(applied(await server.as("operator"), yaml))).toMatchObject({
    status: 403,
    detail: expect.stringContaining("sinks:write"),
  });
  const withGroups = yaml.replace("target", "protected: true\ninclude: [groups, inputs, subject]\ntarget");
  expect(await problemOf(applied(server.admin, withGroups))).toMatchObject({
    status: 403,
    detail: expect.stringContaining("protected:read"),
  });
  expect(await applied(await server.as("operator", ["sinks:write"]), yaml)).toMatchObject([{ change: "created" }]);
  expect(await applied(await server.as("admin", ["protected:read"]), withGroups)).toMatchObject([{ change: "changed" }]);
});

test("a kind that a sink had can't become another: what was delivered doesn't move along", async () => {
  const mongodb = "kind: sink\nname: archive\ntarget: { kind: parquet }\n";
  expect(await problemOf(applied(server.admin, mongodb))).toMatchObject({ errors: [expect.objectContaining({ path: "/target/kind" })] });
});

test("a file that declares an endpoint and its sink is taken as a whole, or refused as a whole", async () => {
  const cards = LENDING.replaceAll("loans", "cards");
  const sink = (name: string) => `---\nkind: sink\nname: cards\nendpoints: [${name}]\ntarget: { kind: ndjson }\n`;
  expect(await problemOf(applied(server.admin, cards + sink("nowhere")))).toMatchObject({ status: 400 });
  expect(await problemOf(server.admin.get("/v1/endpoints/cards"))).toMatchObject({ status: 404 });
  expect(await applied(server.admin, cards + sink("cards"))).toMatchObject([{ change: "created" }, { change: "created" }]);
});

test("a token that reaches some endpoints sees the sinks of those, and declares none", async () => {
  const token = await server.token("operator", { endpoints: ["loans"], grants: ["sinks:write"] });
  const answer = await fetch(`${server.url}/v1/sinks`, { headers: { authorization: `Bearer ${token}` } });
  expect(await answer.json()).toEqual({ sinks: [] });
  const declared = await fetch(`${server.url}/v1/apply`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ yaml: "kind: sink\nname: mine\nendpoints: [loans]\ntarget: { kind: ndjson }\n" }),
  });
  expect(declared.status).toBe(403);
  const metrics = await (await fetch(`${server.url}/metrics`, { headers: { authorization: `Bearer ${token}` } })).text();
  expect(metrics).toContain('endpoint="loans"');
  expect(metrics).not.toMatch(/cards|archive|in_flight/);
});
