import { afterAll, beforeAll, expect, test } from "vitest";
import { logisticModel } from "../../test/fixtures/onnx-models.ts";
import { freshServer, problemOf, type FreshServer } from "../../test/server.ts";
import type { EvenkeelClient } from "../client.ts";
import type { BlobView } from "./blob-routes.ts";
import type { AddedDatasetVersionView } from "./dataset-view.ts";
import type { FeatureSetView } from "./feature-set-routes.ts";
import type { LineageView } from "./lineage-routes.ts";
import type { ModelVersionView } from "./model-routes.ts";
import type { RunView } from "./run-routes.ts";

let server: FreshServer;
let viewer: EvenkeelClient;
let made: { dataset: string; features: string; run: string; model: string };
beforeAll(async () => {
  server = await freshServer();
  viewer = await server.as("viewer");
  const trainer = await server.as("trainer");
  const dataset = await trainer.put<AddedDatasetVersionView>("/v1/datasets/credit/versions", Buffer.from("id,y\n1,0\n"));
  const features = await trainer.post<FeatureSetView>("/v1/feature-sets", { name: "one", features: [{ name: "y", from: "y" }] });
  const inputs = [{ kind: "dataset_version", id: dataset.id }];
  const run = await trainer.post<RunView>("/v1/runs", { experiment: "loans", name: "fit", inputs });
  const { id: blob } = await trainer.put<BlobView>("/v1/blobs", logisticModel([1]));
  const body = { blob, featureSet: features.id, run: run.id };
  const model = await trainer.post<ModelVersionView>("/v1/models/credit/versions", body);
  made = { dataset: dataset.id, features: features.id, run: run.id, model: model.id };
});
afterAll(() => server.drop());
const lineage = (query: Readonly<Record<string, string>>) => viewer.get<LineageView>("/v1/lineage", query);

test("a model is traced to its data by the names that people use", async () => {
  const graph = await lineage({ kind: "model_version", id: "credit/1" });
  expect(graph).toMatchObject({ root: { kind: "model_version", id: made.model }, isComplete: true });
  expect(new Set(graph.nodes.map(({ kind, id, name, depth }) => `${depth} ${kind} ${name} ${id}`))).toEqual(
    new Set([
      `0 model_version credit/1 ${made.model}`,
      `1 feature_set one/1 ${made.features}`,
      `1 run fit ${made.run}`,
      `2 dataset_version credit/1 ${made.dataset}`,
    ]),
  );
  expect(graph.edges.map(({ relation }) => relation).toSorted()).toEqual(["made", "used_by", "used_by"]);
});

test("data is followed to what was made of it", async () => {
  const graph = await lineage({ kind: "dataset_version", id: made.dataset, direction: "downstream" });
  expect(graph.nodes.map(({ kind }) => kind)).toEqual(["dataset_version", "run", "model_version"]);
  expect((await lineage({ kind: "feature_set", id: "one/1", direction: "downstream" })).nodes).toHaveLength(2);
});

test("what the registry doesn't have is 404, a kind that is none 400 with the kinds", async () => {
  for (const [kind, id] of [
    ["model_version", "credit/7"],
    ["dataset_version", `tbl:${"0".repeat(64)}`],
    ["feature_set", "two/1"],
    ["run", "x"],
  ])
    expect((await problemOf(lineage({ kind: kind ?? "", id: id ?? "" }))).status).toBe(404);
  expect(await problemOf(lineage({ kind: "cake", id: "1" }))).toMatchObject({ status: 400, errors: [{ path: "/kind" }] });
  expect((await problemOf((await server.as("outcomes")).get("/v1/lineage", { kind: "run", id: made.run }))).status).toBe(403);
});
