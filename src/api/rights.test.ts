/** Who gets through which route: every operation of the running server, asked by everybody. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { lendingServer, type LendingServer } from "../../test/lending-server.ts";
import { addressOf, foreignOperationsOf, operationsOf, type Operation } from "../../test/operations.ts";
import { mayDo, reaches, roles, type Principal, type Right, type Role } from "../access/index.ts";

/** The whole surface by the right it needs. A new route is added here on purpose. */
const SURFACE: Readonly<Record<Right | "public", readonly string[]>> = {
  public: ["GET /healthz/live", "GET /healthz/ready", "POST /v1/session", "DELETE /v1/session"],
  read: [
    "GET /v1/endpoints",
    "GET /v1/endpoints/{endpoint}",
    "GET /v1/endpoints/{endpoint}/inputs",
    "GET /v1/endpoints/{endpoint}/expectations",
    "GET /v1/endpoints/{endpoint}/report",
    "GET /v1/endpoints/{endpoint}/report/page",
    "GET /v1/endpoints/{endpoint}/reports",
    "GET /v1/endpoints/{endpoint}/metrics",
    "GET /v1/endpoints/{endpoint}/transitions",
    "GET /v1/endpoints/{endpoint}/rollout",
    "GET /v1/endpoints/{endpoint}/guardrails",
    "POST /v1/endpoints/{endpoint}/guardrails/simulation",
    "GET /v1/endpoints/{endpoint}/ab",
    "GET /v1/endpoints/{endpoint}/rollback/preview",
    "GET /v1/endpoints/{endpoint}/drills",
    "GET /v1/endpoints/{endpoint}/releases",
    "GET /v1/endpoints/{endpoint}/releases/{release}",
    "GET /v1/endpoints/{endpoint}/lineage",
    "GET /v1/lineage/decided-with",
    "GET /v1/model-card",
    "GET /v1/model-card/document",
    "GET /v1/incidents",
    "GET /v1/incidents/{n}",
    "GET /v1/incidents/{n}/blame",
    "GET /metrics",
    "GET /v1/sinks",
    "GET /v1/sinks/{sink}",
    "GET /v1/alerts",
    "GET /v1/alerts/{alert}",
    "GET /v1/alert-silences",
    "GET /v1/alert-declarations",
    "GET /v1/alert-notices",
    "GET /v1/ui/home",
    "GET /v1/ui/incidents/{n}",
    "GET /v1/events",
  ],
  "registry:read": [
    "GET /v1/blobs/{id}",
    "GET /v1/datasets",
    "GET /v1/datasets/{dataset}",
    "GET /v1/datasets/{dataset}/verification",
    "GET /v1/datasets/{dataset}/versions/{version}",
    "GET /v1/datasets/{dataset}/versions/{version}/sketches",
    "GET /v1/dataset-version",
    "GET /v1/datasets/{dataset}/diff",
    "GET /v1/datasets/{dataset}/diff/rows",
    "GET /v1/feature-sets",
    "GET /v1/feature-set",
    "GET /v1/runs",
    "GET /v1/run-comparison",
    "GET /v1/runs/{run}",
    "GET /v1/models",
    "GET /v1/models/{model}",
    "GET /v1/model-version",
    "GET /v1/steps/{key}",
    "GET /v1/steps/{key}/repeats",
    "GET /v1/pipelines/{pipeline}/steps/{step}",
    "GET /v1/lineage",
  ],
  "decisions:read": [
    "GET /v1/endpoints/{endpoint}/decisions",
    "GET /v1/endpoints/{endpoint}/decisions/{id}",
    "GET /v1/endpoints/{endpoint}/decisions/{id}/reasons",
    "GET /v1/lineage/decisions/{id}",
    "GET /v1/lineage/decided-with/decisions",
    "GET /v1/incidents/{n}/affected",
    "GET /v1/ui/incidents/{n}/affected",
  ],
  "protected:read": [],
  decide: ["POST /v1/endpoints/{endpoint}/decisions", "POST /v1/endpoints/{endpoint}/decisions/batch"],
  "decide:pinned": [],
  describe: [],
  "outcomes:write": ["POST /v1/endpoints/{endpoint}/outcomes"],
  "registry:remove": ["DELETE /v1/datasets/{dataset}/versions/{version}", "POST /v1/dataset-sweep", "POST /v1/dataset-redactions"],
  "registry:write": [
    "POST /v1/datasets/{dataset}/pins",
    "PUT /v1/blobs",
    "PUT /v1/datasets/{dataset}/versions",
    "POST /v1/datasets/{dataset}/tags",
    "POST /v1/feature-sets",
    "POST /v1/runs",
    "POST /v1/runs/{run}/log",
    "POST /v1/runs/{run}/links",
    "POST /v1/runs/{run}/finish",
    "POST /v1/models/{model}/versions",
    "POST /v1/models/{model}/aliases",
    "DELETE /v1/models/{model}/versions/{number}",
    "DELETE /v1/runs/{run}",
    "POST /v1/steps",
    "POST /v1/steps/{key}/repeats",
  ],
  "registry:protected": ["POST /v1/models/{model}/protected-aliases", "POST /v1/datasets/{dataset}/protected-tags"],
  apply: ["POST /v1/apply"],
  "route:write": [
    "POST /v1/endpoints/{endpoint}/releases",
    "GET /v1/endpoints/{endpoint}/releases/{release}/logs",
    "POST /v1/endpoints/{endpoint}/shadow",
    "POST /v1/endpoints/{endpoint}/canary",
    "POST /v1/endpoints/{endpoint}/promote",
    "POST /v1/endpoints/{endpoint}/rollback",
    "POST /v1/endpoints/{endpoint}/rollout",
    "POST /v1/endpoints/{endpoint}/ab",
    "POST /v1/endpoints/{endpoint}/ab/end",
    "POST /v1/endpoints/{endpoint}/rollout/approve",
    "POST /v1/endpoints/{endpoint}/rollout/pause",
    "POST /v1/endpoints/{endpoint}/rollout/continue",
    "POST /v1/endpoints/{endpoint}/rollout/abort",
    "POST /v1/endpoints/{endpoint}/drills",
    "POST /v1/endpoints/{endpoint}/stop",
    "POST /v1/endpoints/{endpoint}/resume",
    "POST /v1/incidents/{n}/blame",
    "POST /v1/incidents/{n}/state",
  ],
  reinstate: ["POST /v1/endpoints/{endpoint}/reinstate"],
  review: [],
  "targets:write": [], // over and above the right to release: server-targets.ts
  "sinks:write": ["POST /v1/sinks/{sink}/pause", "POST /v1/sinks/{sink}/resume", "DELETE /v1/sinks/{sink}"],
  "alerts:write": ["DELETE /v1/alert-channels/{channel}", "DELETE /v1/alert-rules/{rule}"],
  "alerts:answer": [
    "POST /v1/alerts/{alert}/acknowledge",
    "POST /v1/alert-silences",
    "POST /v1/alert-silences/{silence}/end",
    "POST /v1/alert-tests",
    "POST /v1/alert-notices/{notice}/resend",
  ],
  "tokens:write": ["GET /v1/tokens", "POST /v1/tokens", "DELETE /v1/tokens/{id}"],
  "audit:read": ["GET /v1/audit", "GET /v1/audit/verdict", "GET /v1/openlineage", "GET /v1/openlineage/events"],
};

interface Asker {
  readonly principal: Principal;
  readonly token: string;
}

let server: LendingServer;
let operations: readonly Operation[];
beforeAll(async () => {
  server = await lendingServer();
  operations = await operationsOf(server.url);
});
afterAll(() => server.drop());

async function asker(role: Role, endpoints: readonly string[] | null = null): Promise<Asker> {
  const token = await server.token(role, endpoints ? { endpoints } : {});
  return { token, principal: { tokenId: "", name: "", role, endpoints, grants: [] } };
}

/** What answers with rows of people: for those who write to the registry as well, or may see protected attributes. */
const ROWS_OF_PEOPLE = ["GET /v1/blobs/{id}", "GET /v1/datasets/{dataset}/diff/rows"];
/** Enough of a query that a read gets to its work. */
const QUERY: Readonly<Record<string, () => Record<string, string>>> = {
  "GET /v1/dataset-version": () => ({ reference: "people/1" }),
  "GET /v1/datasets/{dataset}/diff": () => ({ from: "1", to: "1" }),
  "GET /v1/datasets/{dataset}/diff/rows": () => ({ from: "1", to: "1" }),
  "GET /v1/run-comparison": () => ({ runs: server.known["run"] ?? "" }),
  "GET /v1/feature-set": () => ({ reference: "loans/1" }),
  "GET /v1/model-version": () => ({ reference: "credit/1" }),
  "GET /v1/lineage/decided-with": () => ({ kind: "run", id: server.known["run"] ?? "" }),
  "GET /v1/lineage/decided-with/decisions": () => ({ kind: "run", id: server.known["run"] ?? "" }),
  "GET /v1/model-card": () => ({ reference: "credit/1" }),
  "GET /v1/model-card/document": () => ({ reference: "credit/1" }),
  "GET /v1/lineage": () => ({ kind: "run", id: server.known["run"] ?? "" }),
};

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

/** With an empty body, which no writing route takes. The stream of events is left once it has begun. */
async function ask(
  operation: Operation,
  { token, values = server.known, method = operation.method }: { token?: string; values?: Record<string, string>; method?: string },
): Promise<Answer> {
  const query = new URLSearchParams(QUERY[operation.name]?.()).toString();
  const leave = new AbortController();
  const isBytes = operation.method === "PUT";
  const answer = await fetch(`${server.url}${addressOf(operation, values)}?${query}`, {
    method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(operation.method === "POST" || isBytes ? { "content-type": isBytes ? "application/octet-stream" : "application/json" } : {}),
    },
    ...(operation.method === "POST" ? { body: "{}" } : {}),
    signal: leave.signal,
  });
  const type = answer.headers.get("content-type") ?? "";
  const text = type === "text/event-stream" ? "" : await answer.text();
  if (type === "text/event-stream") leave.abort();
  return { status: answer.status, type, text };
}

/** What doesn't name the thing that was asked for, nor the request. */
const withoutNames = (text: string, ...names: string[]) =>
  names.reduce((left, name) => left.replaceAll(name, "…"), text.replace(/"requestId":"[^"]+"/, ""));

test("routes of other projects' protocols stand under the rights that were meant for them", async () => {
  const foreign = (await foreignOperationsOf(server.url)).filter(({ path }) => !/^\/(ajax-)?api\//.test(path));
  const byRight = Object.groupBy(foreign, ({ right }) => right);
  const named = Object.entries(byRight).map(([right, some]) => [right, some.map(({ name }) => name).toSorted()]);
  expect(Object.fromEntries(named)).toEqual({
    public: ["GET /health", "GET /ping", "GET /v2", "GET /v2/", "GET /v2/health/live", "GET /v2/health/ready", "GET /version"],
    describe: [
      "GET /endpoints/{endpoint}/ping",
      "GET /v2/models",
      "GET /v2/models/{endpoint}",
      "GET /v2/models/{endpoint}/ready",
      "GET /v2/models/{endpoint}/versions/{version}",
      "GET /v2/models/{endpoint}/versions/{version}/ready",
      "POST /v2/repository/index",
      "POST /v2/repository/models/{endpoint}/load",
      "POST /v2/repository/models/{endpoint}/unload",
    ],
    "registry:read": ["GET /get-artifact", "GET /model-versions/get-artifact"],
    decide: [
      "POST /endpoints/{endpoint}/invocations",
      "POST /invocations",
      expect.stringMatching(/^POST \/v1\/models\/.*predict$/),
      "POST /v2/models/{endpoint}/infer",
    ],
    "decide:pinned": ["POST /v2/models/{endpoint}/versions/{version}/infer"],
  });
});

test("routes of MLflow's protocol write with the right to write, whatever their method, and read with that to read", async () => {
  const tracking = (await foreignOperationsOf(server.url)).filter(({ path }) => /^\/(ajax-)?api\/[23]\.0\/mlflow/.test(path));
  expect(tracking.length).toBeGreaterThan(60);
  const reads = /^GET |\/search(-datasets)?$|\/get-latest-versions$/;
  for (const { name, right } of tracking) {
    const meant = name.endsWith("/server-info") ? "public" : reads.test(name) ? "registry:read" : "registry:write";
    expect([name, right]).toEqual([name, meant]);
  }
});

test("every route stands under the right that was meant for it", () => {
  const declared = Object.fromEntries(operations.map(({ name, right }) => [name, right]));
  const meant = Object.entries(SURFACE).flatMap(([right, names]) => names.map((name) => [name, right]));
  expect(declared).toEqual(Object.fromEntries(meant));
});

test("without a token nothing but public routes answers", async () => {
  for (const operation of operations) {
    const { status, type } = await ask(operation, {});
    if (operation.right === "public") expect([operation.name, status]).not.toEqual([operation.name, 401]);
    else expect([operation.name, status, type]).toEqual([operation.name, 401, "application/problem+json; charset=utf-8"]);
  }
});

describe.each(roles)("the role %s", (role) => {
  test("gets through where it has the right, and is told which right it lacks elsewhere", async () => {
    const { token, principal } = await asker(role);
    for (const operation of operations) {
      const { status, text } = await ask(operation, { token });
      const { name, right } = operation;
      if (right !== "public" && !mayDo(principal, right)) {
        expect([name, status]).toEqual([name, 403]);
        expect(text).toContain(`lacks the right ${right}`);
      } else if (ROWS_OF_PEOPLE.includes(name) && !mayDo(principal, "registry:write")) {
        expect([name, status]).toEqual([name, 403]);
      } else if (operation.method === "GET") {
        expect([name, status]).toEqual([name, 200]);
      } else {
        // 409: what an earlier call has ended or taken away takes no more. 404: what is to be taken away isn't there.
        expect([200, 204, 400, 409, ...(operation.method === "DELETE" ? [404] : [])], `${name}: ${status} ${text}`).toContain(status);
      }
    }
  });

  test("HEAD needs what GET needs", async () => {
    const { token } = await asker(role);
    for (const operation of operations.filter(({ method, name }) => method === "GET" && name !== "GET /v1/events")) {
      const { status } = await ask(operation, { token });
      expect([operation.name, (await ask(operation, { token, method: "HEAD" })).status]).toEqual([operation.name, status]);
    }
  });

  test.skipIf(role === "admin")(
    "limited to one endpoint, it finds another's things as little as things that aren't there, in the same words",
    async () => {
      const { token, principal } = await asker(role, ["loans"]);
      const missing = { ...server.others, endpoint: "nowhere", n: "999" };
      const scoped = operations.filter(({ path }) => /\{(endpoint|n)\}/.test(path));
      expect(scoped.length).toBeGreaterThan(15);
      for (const operation of scoped) {
        const [other, none] = [await ask(operation, { token, values: server.others }), await ask(operation, { token, values: missing })];
        const may = operation.right !== "public" && mayDo(principal, operation.right);
        expect([operation.name, other.status]).toEqual([operation.name, may ? 404 : 403]);
        expect(withoutNames(other.text, "cards", `incident ${server.others["n"]}`)).toBe(
          withoutNames(none.text, "nowhere", "incident 999"),
        );
        expect((await ask(operation, { token })).status === 404).toBe(false);
      }
      expect(reaches(principal, "cards")).toBe(false);
    },
  );
});

describe("a token of another endpoint", () => {
  test("finds nothing of it in any list, page or stream", async () => {
    for (const role of ["viewer", "analyst", "operator"] as const) {
      const { token } = await asker(role, ["loans"]);
      for (const operation of operations.filter(({ method, path }) => method === "GET" && !path.includes("{") && path.startsWith("/v1"))) {
        const { text } = await ask(operation, { token });
        expect(withoutNames(text).includes("cards"), `${operation.name} tells ${role} of cards`).toBe(false);
      }
    }
  });

  test("can't ask for its incidents by name", async () => {
    const { token } = await asker("viewer", ["loans"]);
    const list = async (endpoint: string) => {
      const answer = await fetch(`${server.url}/v1/incidents?endpoint=${endpoint}`, { headers: { authorization: `Bearer ${token}` } });
      return { status: answer.status, text: withoutNames(await answer.text(), endpoint) };
    };
    expect(await list("cards")).toEqual(await list("nowhere"));
    expect((await list("cards")).status).toBe(404);
    expect((await list("loans")).status).toBe(200);
  });

  const post = async (token: string, path: string, body: unknown) => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const answer = await fetch(`${server.url}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
    return { status: answer.status, text: await answer.text() };
  };

  test("can't declare it, nor its releases, in YAML", async () => {
    const { token } = await asker("operator", ["loans"]);
    for (const yaml of ["kind: endpoint\nname: cards\n", "kind: release\nendpoint: cards\n", "kind: endpoint\nname: nowhere\n"])
      expect((await post(token, "/v1/apply", { yaml, dryRun: true })).status).toBe(404);
    expect((await post(token, "/v1/apply", { yaml: "kind: endpoint\nname: loans\n", dryRun: true })).status).toBe(400);
  });

  test("can't make a release of it by way of its own", async () => {
    const { token } = await asker("operator", ["loans"]);
    const made = await post(token, "/v1/endpoints/loans/releases", { endpoint: "cards" });
    expect(made).toMatchObject({ status: 400, text: expect.stringContaining('"path":"/endpoint"') });
  });

  test("can't tell outcomes of its decisions, nor read them, by way of its own", async () => {
    const id = server.others["decisions/id"] ?? "";
    const { token } = await asker("outcomes", ["loans"]);
    const told = await post(token, "/v1/endpoints/loans/outcomes", { outcomes: [{ decision: id, value: "repaid" }] });
    expect(JSON.parse(told.text)).toEqual({ recorded: 0, corrected: 0, unchanged: 0, unknown: [id] });
    const analyst = await asker("analyst", ["loans"]);
    const headers = { authorization: `Bearer ${analyst.token}` };
    expect((await fetch(`${server.url}/v1/endpoints/loans/decisions/${id}`, { headers })).status).toBe(404);
  });
});
