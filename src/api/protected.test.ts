/** What is protected about people reaches no byte that somebody without protected:read can fetch; who can, leaves a trace (T4). */
import { afterAll, beforeAll, expect, test } from "vitest";
import { lendingServer, type LendingServer } from "../../test/lending-server.ts";
import type { AuditPageView, AuditVerdictView } from "./access-routes.ts";
import { addressOf, operationsOf, type Operation } from "../../test/operations.ts";

let server: LendingServer;
let operations: readonly Operation[];
beforeAll(async () => {
  server = await lendingServer({ group: (value) => `kanarie_${value}`, subject: (id) => `kanarie-${id}` });
  operations = await operationsOf(server.url);
});
afterAll(() => server.drop());

/** Enough of a query that a read gets to its work. */
const queries = (name: string, { known }: LendingServer): readonly string[] =>
  ({
    "GET /v1/dataset-version": ["reference=people/1"],
    "GET /v1/datasets/{dataset}/diff": ["from=1&to=2", "from=1&to=2&by=sex"],
    "GET /v1/run-comparison": [`runs=${known["run"]}`],
    "GET /v1/model-version": ["reference=credit/1"],
    "GET /v1/lineage": [`kind=run&id=${known["run"]}`, `kind=dataset_version&id=people/1`],
    "GET /v1/lineage/decided-with": [`kind=release&id=loans/r2`],
    "GET /v1/lineage/decided-with/decisions": [`kind=release&id=loans/r2`],
    "GET /v1/model-card": ["reference=credit/1"],
    "GET /v1/model-card/document": ["reference=credit/1", "reference=credit/1&format=markdown"],
    "GET /v1/audit": ["limit=1000"],
    "GET /v1/endpoints/{endpoint}/decisions": ["limit=1000", "action=deny"],
    "GET /v1/incidents/{n}/affected": ["limit=1000"],
  })[name] ?? [""];

/** All bytes of an answer; of a stream, those of its first event. */
async function bytesOf(address: string, token: string): Promise<string> {
  const leave = new AbortController();
  const answer = await fetch(`${server.url}${address}`, { headers: { authorization: `Bearer ${token}` }, signal: leave.signal });
  const headers = JSON.stringify([...answer.headers]);
  if (answer.headers.get("content-type") !== "text/event-stream") return headers + (await answer.text());
  let said = "";
  const decoder = new TextDecoder();
  for await (const chunk of answer.body ?? []) {
    said += decoder.decode(chunk, { stream: true });
    if (said.includes("event: home")) break;
  }
  leave.abort();
  return headers + said;
}

const addresses = () => [
  "/openapi.json",
  ...operations
    .filter(({ method }) => method === "GET")
    .flatMap((operation) =>
      queries(operation.name, server).map((query) => `${addressOf(operation, server.known)}${query === "" ? "" : `?${query}`}`),
    ),
];

test.each([
  ["viewer", []],
  ["analyst", []],
  ["operator", []],
  ["admin", ["decisions:read", "review"]],
  ["application", []],
  ["outcomes", []],
  ["trainer", []],
])("a token of the role %s with the grants %j fetches nothing protected, on any route", async (role, grants) => {
  const token = await server.token(role, { grants });
  const leaks: string[] = [];
  for (const address of addresses()) {
    // Whoever writes to the registry puts these very bytes there.
    if (address.startsWith("/v1/blobs/") && ["operator", "admin", "trainer"].includes(role)) continue;
    const text = await bytesOf(address, token);
    const at = text.indexOf("kanarie");
    if (at >= 0) leaks.push(`${address}: …${text.slice(Math.max(0, at - 120), at + 80)}…`);
  }
  expect(leaks).toEqual([]);
});

/** Entries of the audit log about reads, oldest first. */
async function readsNoted(): Promise<readonly { readonly actor: string; readonly object: string; readonly payload: unknown }[]> {
  const { entries } = await server.admin.get<AuditPageView>("/v1/audit", { limit: 1000 });
  return entries.filter(({ action }) => action === "protected.read").toReversed();
}

test("nobody without the grant leaves a trace, as nothing was shown", async () => {
  expect((await readsNoted()).filter(({ object }) => !object.startsWith("blob/"))).toEqual([]);
});

test("with the grant it is there to be seen: the test looks where it would leak", async () => {
  const token = await server.token("analyst", { grants: ["protected:read"] });
  const seen: string[] = [];
  for (const address of addresses()) if ((await bytesOf(address, token)).includes("kanarie")) seen.push(address.replace(/[?].*/, ""));
  expect(new Set(seen).size).toBeGreaterThan(12);
});

test("a read of people's rows, a dataset's groups or raw bytes is noted before it is answered: who, what, which filter, how much", async () => {
  const reader = await server.as("analyst", ["protected:read"]);
  const { endpoint, n, "decisions/id": id = "", "blobs/id": blob } = server.known;
  const before = (await readsNoted()).length;
  await reader.get(`/v1/endpoints/${endpoint}/decisions`, { action: "deny", limit: 3 });
  await reader.get(`/v1/endpoints/${endpoint}/decisions/${id}`);
  await reader.get(`/v1/incidents/${n}/affected`, { limit: 2 });
  await reader.get(`/v1/ui/incidents/${n}/affected`);
  await reader.get("/v1/datasets/people/versions/1");
  await reader.get("/v1/datasets/people/diff", { from: 1, to: "clean", by: "sex" });
  await reader.getBytes(`/v1/blobs/${blob}`);
  const noted = (await readsNoted()).slice(before);
  expect(noted.map(({ object, payload }) => [object, payload])).toEqual([
    [`endpoint/${endpoint}`, { asked: { view: "decisions", action: "deny", limit: 3 }, shown: 3 }],
    [`decision/${id}`, { asked: { endpoint }, shown: 1 }],
    [`incident/${n}`, { asked: { view: "affected", limit: 2 }, shown: 2 }],
    [`incident/${n}`, { asked: { view: "affected" }, shown: expect.any(Number) }],
    ["dataset/people", { asked: { view: "version", version: 1 }, shown: 2 }],
    ["dataset/people", { asked: { view: "diff", from: "1", to: "clean", by: "sex" }, shown: expect.any(Number) }],
    [`blob/${blob}`, { asked: {}, shown: 1 }],
  ]);
  expect(noted.every(({ actor }) => actor.startsWith("a analyst#"))).toBe(true);
});

test("an empty page shows nothing, and is not noted", async () => {
  const reader = await server.as("analyst", ["protected:read"]);
  const before = (await readsNoted()).length;
  await reader.get(`/v1/endpoints/${server.known["endpoint"]}/decisions`, { action: "refer_to_nobody" });
  expect((await readsNoted()).length).toBe(before);
});

test("many readers at once are all noted, and the log still verifies", async () => {
  const reader = await server.as("analyst", ["protected:read"]);
  const before = (await readsNoted()).length;
  await Promise.all(Array.from({ length: 150 }, () => reader.get(`/v1/endpoints/${server.known["endpoint"]}/decisions`, { limit: 1 })));
  expect((await readsNoted()).length).toBe(before + 150);
  expect((await server.admin.get<AuditVerdictView>("/v1/audit/verdict")).problems).toEqual([]);
});
