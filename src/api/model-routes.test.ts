import { afterAll, beforeAll, expect, test } from "vitest";
import { logisticModel } from "../../test/fixtures/onnx-models.ts";
import { freshServer, problemOf, type FreshServer } from "../../test/server.ts";
import type { EvenkeelClient } from "../client.ts";
import type { BlobView } from "./blob-routes.ts";
import type { FeatureSetView } from "./feature-set-routes.ts";
import type { ModelDetailView, ModelVersionView, ModelView } from "./model-routes.ts";

let server: FreshServer;
let trainer: EvenkeelClient;
let viewer: EvenkeelClient;
beforeAll(async () => {
  server = await freshServer();
  trainer = await server.as("trainer");
  viewer = await server.as("viewer");
});
afterAll(() => server.drop());
const blobOf = async (bytes: Uint8Array) => (await trainer.put<BlobView>("/v1/blobs", bytes)).id;
const register = async (model: string, bytes: Uint8Array, more: Readonly<Record<string, unknown>> = {}) =>
  trainer.post<ModelVersionView>(`/v1/models/${model}/versions`, { blob: await blobOf(bytes), ...more });
const two = {
  name: "two",
  features: [
    { name: "income", from: "income" },
    { name: "young", cel: "age < 26" },
  ],
};

test("a feature set is kept by content: the same again is the same version", async () => {
  const first = await trainer.post<FeatureSetView>("/v1/feature-sets", two);
  expect(first).toMatchObject({ name: "two", number: 1, spec: two });
  expect(await trainer.post<FeatureSetView>("/v1/feature-sets", two)).toEqual(first);
  const other = await trainer.post<FeatureSetView>("/v1/feature-sets", { ...two, features: two.features.toReversed() });
  expect(other.number).toBe(2);
  const { featureSets } = await viewer.get<{ readonly featureSets: readonly FeatureSetView[] }>("/v1/feature-sets");
  expect(featureSets.map(({ id }) => id)).toEqual([other.id, first.id]);
  const twice = { name: "two", features: [two.features[0], two.features[0]] };
  expect(await problemOf(trainer.post("/v1/feature-sets", twice))).toMatchObject({ status: 400, errors: [{ path: "/features/1/name" }] });
});

test("a model's signature is read from its file, with the names of its feature set; the same again is the same version", async () => {
  const first = await register("credit", logisticModel([0.1, 0.2]), { featureSet: "two/1" });
  expect(first).toMatchObject({ model: "credit", number: 1, aliases: [], signature: { features: ["income", "young"] } });
  const { signature } = first;
  expect(signature?.inputs).toMatchObject([{ type: "float32", shape: ["N", 2] }]);
  expect(signature?.outputs.map(({ name }) => name)).toContain(signature?.scoreOutput);
  expect(await register("credit", logisticModel([0.1, 0.2]), { featureSet: first.featureSet, signature })).toEqual(first);
  expect(await register("credit", logisticModel([0.3, 0.2]), { features: ["income", "young"] })).toMatchObject({
    number: 2,
    featureSet: null,
  });
  expect(await register("unnamed", logisticModel([1, 2, 3]))).toMatchObject({ number: 1, signature: { features: [] } });
});

test("an alias moves with its reason, and names a version", async () => {
  const path = "/v1/models/credit/aliases";
  expect(await trainer.post(path, { alias: "champion", number: 1, reason: "first" })).toEqual({ aliases: { champion: 1 } });
  expect(await trainer.post(path, { alias: "champion", number: 2, reason: "better" })).toEqual({ aliases: { champion: 2 } });
  expect(await viewer.get<ModelVersionView>("/v1/model-version", { reference: "credit@champion" })).toMatchObject({ number: 2 });
  const stale = await problemOf(trainer.post(path, { alias: "champion", number: 1, reason: "stale", expected: 1 }));
  expect(stale.status).toBe(409);
  const detail = await viewer.get<ModelDetailView>("/v1/models/credit");
  expect(detail).toMatchObject({ latest: 2, aliases: { champion: 2 }, versions: [{ number: 2, aliases: ["champion"] }, { number: 1 }] });
  expect(detail.moves).toMatchObject([
    { label: "champion", from: null, to: 1 },
    { from: 1, to: 2, reason: "better" },
  ]);
  const { models } = await viewer.get<{ readonly models: readonly ModelView[] }>("/v1/models");
  expect(models.map(({ name }) => name)).toEqual(["credit", "unnamed"]);
});

test("a file that can't be served is 422 with the reason, and no version comes of it", async () => {
  const refusals: Readonly<Record<string, readonly [Buffer, string]>> = {
    empty: [Buffer.alloc(0), "an empty file"],
    garbage: [Buffer.from("this is no model, whatever it says"), "ONNX"],
    pickle: [Buffer.from("\x80\x04\x95\x00\x00", "latin1"), "a Python pickle"],
    json: [Buffer.from('{"learner": {}}'), "a JSON file"],
    zip: [Buffer.from("PK\x03\x04 and so on"), "a zip archive"],
    external: [
      logisticModel([1, 2], 0, (model) => {
        const [weights] = model.graph?.initializer ?? [];
        if (weights) weights.dataLocation = 1;
      }),
      "weights are in other files",
    ],
  };
  for (const [bytes, reason] of Object.values(refusals)) {
    const problem = await problemOf(register("refused", bytes));
    expect(problem).toMatchObject({ status: 422, type: expect.stringContaining("unprocessable") });
    expect(JSON.stringify(problem.errors)).toContain(reason);
  }
  expect((await problemOf(viewer.get("/v1/models/refused"))).status).toBe(404);
});

test("a model that doesn't fit its features, or isn't what its signature says, is refused", async () => {
  const wide = await problemOf(register("refused", logisticModel([1, 2, 3]), { featureSet: "two/1" }));
  expect(wide).toMatchObject({ status: 422, errors: [{ path: "/inputs", expected: "a model for the 2 features of the feature set" }] });
  const swapped = await problemOf(register("refused", logisticModel([1, 2]), { featureSet: "two/1", features: ["young", "income"] }));
  expect(swapped).toMatchObject({ status: 400, errors: [{ path: "/signature/features/0", expected: "income", got: "young" }] });
  const { signature } = await viewer.get<ModelVersionView>("/v1/model-version", { reference: "credit/1" });
  const lied = { ...signature, outputs: [{ ...signature?.outputs[0], type: "float64" }] };
  expect(await problemOf(register("refused", logisticModel([1, 2]), { signature: lied }))).toMatchObject({
    status: 422,
    errors: [{ path: "/signature/outputs" }],
  });
  const output = { ...signature, scoreOutput: "nothing" };
  expect(await problemOf(register("refused", logisticModel([1, 2]), { signature: output }))).toMatchObject({ status: 422 });
});

test("what isn't there is named", async () => {
  const missing = { blob: `sha256:${"0".repeat(64)}` };
  expect(await problemOf(trainer.post("/v1/models/a/versions", missing))).toMatchObject({ status: 400, errors: [{ path: "/blob" }] });
  expect((await problemOf(trainer.post("/v1/models/a/versions", { blob: "model.onnx" }))).status).toBe(400);
  expect(await problemOf(register("a", logisticModel([1]), { featureSet: "three/1" }))).toMatchObject({ status: 404 });
  expect(await problemOf(register("a", logisticModel([1]), { run: "nobody" }))).toMatchObject({ status: 404 });
  expect((await problemOf(trainer.post("/v1/models/nobody/aliases", { alias: "a", number: 1, reason: "x" }))).status).toBe(404);
  expect((await problemOf(trainer.post("/v1/models/credit/aliases", { alias: "a", number: 9, reason: "x" }))).status).toBe(404);
  expect((await problemOf(viewer.get("/v1/model-version", { reference: "credit" }))).status).toBe(400);
  expect((await problemOf(viewer.post("/v1/models/credit/versions", missing))).status).toBe(403);
});
