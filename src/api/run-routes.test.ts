import { afterAll, beforeAll, expect, test } from "vitest";
import { freshServer, problemOf, type FreshServer } from "../../test/server.ts";
import type { EvenkeelClient } from "../client.ts";
import type { BlobView } from "./blob-routes.ts";
import type { RunComparisonView, RunDetailView, RunPageView, RunView } from "./run-routes.ts";

let server: FreshServer;
let trainer: EvenkeelClient;
let viewer: EvenkeelClient;
beforeAll(async () => {
  server = await freshServer();
  trainer = await server.as("trainer");
  viewer = await server.as("viewer");
});
afterAll(() => server.drop());
const start = (name: string, params: Readonly<Record<string, string | number | boolean>> = {}, experiment = "loans") =>
  trainer.post<RunView>("/v1/runs", { experiment, name, params });

test("a run is what was logged to it, from start to finish, and then nothing more", async () => {
  const dataset = { kind: "dataset_version", id: `tbl:${"1".repeat(64)}` };
  const model = { kind: "model_version", id: `mdl:${"2".repeat(64)}` };
  const { id } = await start("forest", { trees: 100, balanced: true });
  const { id: blob } = await trainer.put<BlobView>("/v1/blobs", Buffer.from("a plot"));
  await trainer.post(`/v1/runs/${id}/log`, { metrics: [{ key: "auc", value: 0.7, step: 0 }], params: { depth: 8 } });
  const logged = await trainer.post<RunView>(`/v1/runs/${id}/log`, {
    metrics: [{ key: "auc", value: 0.75, step: 1 }],
    tags: { team: "risk" },
    artifacts: [{ path: "plots/roc.svg", blob }],
  });
  expect(logged).toMatchObject({
    status: "running",
    endedAt: null,
    metrics: { auc: 0.75 },
    params: { trees: 100, balanced: true, depth: 8 },
  });
  await trainer.post(`/v1/runs/${id}/links`, { inputs: [dataset], outputs: [model] });
  expect(await trainer.post<RunView>(`/v1/runs/${id}/finish`, { status: "finished" })).toMatchObject({ status: "finished" });
  expect(await viewer.get<RunDetailView>(`/v1/runs/${id}`)).toMatchObject({
    name: "forest",
    experiment: "loans",
    tags: { team: "risk" },
    history: [
      { key: "auc", step: 0, value: 0.7 },
      { key: "auc", step: 1, value: 0.75 },
    ],
    artifacts: [{ path: "plots/roc.svg", blob, bytes: 6 }],
    inputs: [dataset],
    outputs: [model],
  });
  for (const [act, body] of [
    ["log", {}],
    ["links", {}],
    ["finish", { status: "failed" }],
  ] as const)
    expect((await problemOf(trainer.post(`/v1/runs/${id}/${act}`, body))).status).toBe(409);
});

test("a parameter keeps its value", async () => {
  const { id } = await start("kept", { depth: 8 });
  const problem = await problemOf(trainer.post(`/v1/runs/${id}/log`, { params: { depth: 9 } }));
  expect(problem).toMatchObject({ status: 409, detail: expect.stringContaining("depth") });
});

test("pages follow one another, newest first, within an experiment", async () => {
  const made: string[] = [];
  for (const name of ["a", "b", "c"]) made.unshift((await start(name, {}, "pages")).id);
  const first = await viewer.get<RunPageView>("/v1/runs", { experiment: "pages", limit: 2 });
  expect(first.runs.map(({ id }) => id)).toEqual(made.slice(0, 2));
  const second = await viewer.get<RunPageView>("/v1/runs", { experiment: "pages", limit: 2, before: first.next ?? "" });
  expect(second).toMatchObject({ runs: [{ id: made[2] }], next: null });
});

test("runs side by side say what differs, and null where one has none", async () => {
  const [a, b] = [await start("a", { depth: 8, seed: 1 }), await start("b", { depth: 9, seed: 1, trees: 5 })];
  const view = await viewer.get<RunComparisonView>("/v1/run-comparison", { runs: `${a.id},${b.id}` });
  expect(view.params).toEqual([
    { key: "depth", values: [8, 9], differs: true },
    { key: "seed", values: [1, 1], differs: false },
    { key: "trees", values: [null, 5], differs: true },
  ]);
  expect((await problemOf(viewer.get("/v1/run-comparison", { runs: `${a.id},nobody` }))).status).toBe(404);
});

test("what can't be meant so is 400 by place, an unknown run 404, a reader's write 403", async () => {
  const { id } = await start("checked");
  const log = (body: unknown) => problemOf(trainer.post(`/v1/runs/${id}/log`, body));
  expect(await log({ metrics: [{ key: "auc", value: "0.7" }] })).toMatchObject({ status: 400, errors: [{ path: "/metrics/0/value" }] });
  expect(await log({ metric: [] })).toMatchObject({ status: 400, errors: [{ path: "/metric", hint: 'did you mean "metrics"?' }] });
  const blob = `sha256:${"0".repeat(64)}`;
  expect(await log({ artifacts: [{ path: "a", blob }] })).toMatchObject({ status: 400, errors: [{ path: "/artifacts/0/blob" }] });
  const known = { path: "../../etc/passwd", blob: (await trainer.put<BlobView>("/v1/blobs", Buffer.from("x"))).id };
  expect(await log({ artifacts: [known] })).toMatchObject({ status: 400, errors: [{ path: "/artifacts/0/path" }] });
  expect(await problemOf(trainer.post(`/v1/runs/${id}/links`, { inputs: [{ kind: "cake", id: "1" }] }))).toMatchObject({ status: 400 });
  expect((await problemOf(start("a/b"))).errors).toMatchObject([{ path: "/name" }]);
  expect((await problemOf(trainer.post(`/v1/runs/${id}/finish`, { status: "running" }))).status).toBe(400);
  expect((await problemOf(viewer.get("/v1/runs/nobody"))).status).toBe(404);
  expect((await problemOf(trainer.post("/v1/runs/nobody/finish", { status: "failed" }))).status).toBe(404);
  expect((await problemOf(viewer.post("/v1/runs", { experiment: "loans", name: "x" }))).status).toBe(403);
});
