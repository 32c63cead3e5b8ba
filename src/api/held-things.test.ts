/** What is pointed at isn't deleted, and protected aliases aren't moved by everybody. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { endpoint } from "../../test/lender.ts";
import { logisticModel } from "../../test/fixtures/onnx-models.ts";
import { freshServer, problemOf, type FreshServer } from "../../test/server.ts";
import { EvenkeelProblem, type EvenkeelClient } from "../client.ts";
import type { BlobView } from "./blob-routes.ts";
import type { ModelDetailView } from "./model-routes.ts";
import type { RunView } from "./run-routes.ts";

let server: FreshServer;
let trainer: EvenkeelClient;
let owner: EvenkeelClient;
const runs: string[] = [];
beforeAll(async () => {
  server = await freshServer();
  trainer = await server.as("trainer");
  owner = await server.as("trainer", ["registry:protected"]);
  await trainer.post("/v1/feature-sets", {
    name: "loans",
    features: [
      { name: "income", from: "income" },
      { name: "zero", cel: "0.0" },
    ],
  });
  for (const weight of [0.02, 0.03, 0.04]) {
    const { id: run } = await trainer.post<RunView>("/v1/runs", { experiment: "loans", name: `w${weight}` });
    const { id: blob } = await trainer.put<BlobView>("/v1/blobs", logisticModel([weight, -0.01]));
    await trainer.post("/v1/models/credit/versions", { blob, featureSet: "loans/1", run });
    runs.push(run);
  }
  await server.admin.post("/v1/apply", { yaml: JSON.stringify(endpoint) });
  const policy = {
    bands: [
      { action: "deny", from: 0 },
      { action: "approve", from: 0.5 },
    ],
  };
  await server.admin.post("/v1/endpoints/loans/releases", { name: "m1", model: "credit/1", policy });
});
afterAll(() => server.drop());

const deleted = (path: string) => trainer.delete(path);
const move = (client: EvenkeelClient, number: number | null, more: object = {}) =>
  client.post("/v1/models/credit/aliases", { alias: "champion", number, reason: "because", ...more });

test("a version that a release is made of is not deleted, nor is its run; the refusal names the release", async () => {
  for (const path of ["/v1/models/credit/versions/1", `/v1/runs/${runs[0]}`])
    expect(await problemOf(deleted(path))).toMatchObject({
      status: 409,
      detail: expect.stringContaining("the release loans/r2 is made of it"),
    });
  // The same from MLflow's side.
  const token = await server.token("trainer");
  const answer = await fetch(`${server.url}/api/2.0/mlflow/runs/delete`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ run_id: runs[0]?.replaceAll("-", "") }),
  });
  expect([answer.status, await answer.json()]).toMatchObject([400, { message: expect.stringContaining("loans/r2") }]);
});

test("a version that an alias points at is not deleted until the alias is elsewhere", async () => {
  await move(trainer, 2);
  expect((await problemOf(deleted("/v1/models/credit/versions/2"))).detail).toContain("credit@champion points at it");
  await move(trainer, null);
  await deleted("/v1/models/credit/versions/2");
  expect((await trainer.get<ModelDetailView>("/v1/models/credit")).versions.map(({ number }) => number)).toEqual([3, 1]);
  expect(await problemOf(deleted("/v1/models/credit/versions/2"))).toMatchObject({ status: 404 });
  await deleted(`/v1/runs/${runs[1]}`);
});

test("a protected alias is moved by those who may, not by everybody who registers models", async () => {
  const guard = (client: EvenkeelClient, isProtected: boolean) =>
    client.post("/v1/models/credit/protected-aliases", { alias: "champion", isProtected, reason: "it serves" });
  expect(await problemOf(guard(trainer, true))).toMatchObject({ status: 403 });
  await guard(owner, true);
  await guard(owner, true);
  expect((await trainer.get<ModelDetailView>("/v1/models/credit")).protected).toMatchObject([{ alias: "champion", reason: "it serves" }]);
  expect(await problemOf(move(trainer, 3))).toMatchObject({ status: 403, detail: expect.stringContaining("it serves") });
  await move(owner, 3);
  expect(await problemOf(move(trainer, null))).toMatchObject({ status: 403 });
  const run = await problemOf(deleted(`/v1/runs/${runs[2]}`));
  expect(run.detail).toContain("the protected alias credit@champion points at what it made");
  await guard(owner, false);
  await move(trainer, 1);
});

test("of two who move one alias at once, one wins and the other is told who won", async () => {
  const outcomes = await Promise.allSettled([move(trainer, 3, { expected: 1 }), move(owner, null, { expected: 1 })]);
  const lost = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason as unknown] : []));
  expect(lost).toHaveLength(1);
  const [problem] = lost.map((error) => (error instanceof EvenkeelProblem ? error.problem : undefined));
  expect(problem).toMatchObject({ status: 409, detail: expect.stringMatching(/by now: a trainer#[0-9a-f]+ moved it [(]because[)]/) });
});
