/** What docs/scorers.md shows is tried here: its endpoint is applied, its releases are made and answer, with a model server of the test's own. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { BlobView, ChangeView } from "../src/api/index.ts";
import { FakeEngine } from "./fixtures/fake-engine.ts";
import { shareModel } from "./fixtures/onnx-forms.ts";
import { ModelServer } from "./fixtures/model-server.ts";
import { freshServer, problemOf, type FreshServer } from "./server.ts";

const text = readFileSync(new URL("../docs/scorers.md", import.meta.url), "utf8");
const blocks = [...text.matchAll(/^```(\w+) ?(\S*)\n([\s\S]*?)^```$/gm)].map(([, language, of, yaml = ""]) => ({ language, of, yaml }));
const [endpoint = ""] = blocks.filter(({ of }) => of === "endpoint").map(({ yaml }) => yaml);
const releases = blocks.filter(({ of }) => of === "release").flatMap(({ yaml }) => yaml.split(/^---$/m));

let model: ModelServer;
let engine: FakeEngine;
let server: FreshServer;
beforeAll(async () => {
  model = await new ModelServer().listen();
  model.scoreOf = ([income]) => Number(income) / 200_000;
  engine = await new FakeEngine().listen();
  engine.port = model.port; // what is in its containers
  server = await freshServer({
    egress: { allow: [`127.0.0.1:${model.port}`] },
    secrets: { litserve: "s3cret" },
    containerEngine: engine.socket,
  });
  await apply(endpoint);
  const { id: blob } = await server.admin.put<BlobView>("/v1/blobs", shareModel(200_000));
  await server.admin.post("/v1/models/cards/versions", { blob });
});
afterAll(async () => {
  await server.drop();
  await model.close();
  await engine.drop();
});
const apply = async (yaml: string) =>
  (await server.admin.post<{ readonly changes: readonly ChangeView[] }>("/v1/apply", { yaml: here(yaml) })).changes;
/** Other people's servers are the test's own. */
const here = (yaml: string) => yaml.replaceAll(/http:\/\/\w+\.internal:\d+/g, model.url);
const decide = async (months: number, income = 180_000) => {
  const application = await server.as("application");
  const inputs = { income, debt: 1000, months_late: months, purpose: "car" };
  return application.post<{ readonly action: string; readonly reasons: readonly string[]; readonly route: string; readonly score: number }>(
    "/v1/endpoints/cards/decisions",
    { inputs },
  );
};

test("every block is one that is tried here", () => {
  expect(blocks.filter(({ of }) => of !== "endpoint" && of !== "release")).toEqual([]);
  expect(releases).toHaveLength(9);
});

test.each(releases.map((yaml, i) => [i + 1, yaml] as const))("release %i of the page is made and answers", async (_i, yaml) => {
  const [change] = await apply(yaml);
  expect(change).toMatchObject({ kind: "release", change: "created" });
  await server.admin.post("/v1/endpoints/cards/promote", { release: change?.release, reason: "try it" });
  expect(await decide(0)).toMatchObject({
    route: "live",
    action: "approve",
    reasons: yaml.includes("scorecard:") ? ["Savings were not told"] : [],
  });
  if (yaml.includes("kind: rules")) expect(await decide(9)).toMatchObject({ action: "deny", route: "live" });
  else expect(await decide(9, 20_000)).toMatchObject({ action: "deny", route: "live", score: expect.closeTo(0.1, 6) });
});

test("a model server that fails is nobody's failed request: the release before it, or the rule, answers and says why", async () => {
  const [change] = await apply((releases[3] ?? "").replace("send: inputs", "send: inputs, batch: 10"));
  await server.admin.post("/v1/endpoints/cards/promote", { release: change?.release, reason: "try it" });
  expect((await decide(0)).route).toBe("live");
  model.fault = "status 503";
  const replies = await Promise.all(Array.from({ length: 30 }, () => decide(0)));
  expect(replies.map(({ route }) => route)).not.toContain("live");
  model.fault = null;
});

test("an operator releases at a server's address that is known, and names a new one by grant only", async () => {
  const known = here(releases[3] ?? "").replace("send: inputs", "send: inputs, batch: 20");
  const other = known.replace(model.url, `http://localhost:${model.port}`);
  const [plain, granted] = [await server.as("operator"), await server.as("operator", ["targets:write"])];
  expect(await plain.post("/v1/apply", { yaml: known })).toMatchObject({ changes: [{ change: "created" }] });
  expect(await problemOf(plain.post("/v1/apply", { yaml: other }))).toMatchObject({
    status: 403,
    detail: expect.stringContaining("targets:write, which operator, admin can have"),
  });
  const body = { scorer: { kind: "http", protocol: "mlflow", url: `http://localhost:${model.port}`, send: "inputs" }, policy: {} };
  expect(await problemOf(plain.post("/v1/endpoints/cards/releases", body))).toMatchObject({ status: 403 });
  expect(await granted.post("/v1/apply", { yaml: other })).toMatchObject({ changes: [{ change: "created" }] });
});

test("an address that the server may not call is refused with what to do, and the route table stays as it was", async () => {
  const before = await server.admin.get<{ readonly route: unknown }>("/v1/endpoints/cards");
  const yaml = (releases[3] ?? "").replace("http://mlflow.internal:5000", "http://169.254.169.254");
  const problem = await problemOf(apply(yaml));
  expect(problem).toMatchObject({ status: 422 });
  expect(JSON.stringify(problem)).toContain("--allow-egress");
  expect((await server.admin.get<{ readonly route: unknown }>("/v1/endpoints/cards")).route).toEqual(before.route);
});
