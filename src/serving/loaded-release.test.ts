import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { forestModel, logisticModel, nanModel, randomModel } from "../../test/fixtures/onnx-models.ts";
import type { BlobId, EndpointName } from "../std.ts";
import { openStore, systemRuntime, type Store } from "../store/index.ts";
import { compileEndpoint } from "./endpoint.ts";
import { loadRelease, releaseIdOf, type ReleaseBundle } from "./loaded-release.ts";

let folder = "";
let store: Store;
const models: Record<string, BlobId> = {};
const runtime = systemRuntime();
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "evenkeel-releases-"));
  store = await openStore({ folder }, runtime);
  models["logistic"] = await store.blobs.put(logisticModel([0.02, -0.01]));
  models["forest"] = await store.blobs.put(forestModel({ width: 2, trees: 10, depth: 4, seed: 1 }));
  models["nan"] = await store.blobs.put(nanModel(2, 60));
  models["random"] = await store.blobs.put(randomModel(2));
  models["garbage"] = await store.blobs.put(Buffer.from("\x80\x04 not a model", "latin1"));
  models["logit"] = await store.blobs.put(
    logisticModel(
      [0.02, -0.01],
      0,
      ({ graph }) =>
        void (graph && (graph.node = [...(graph.node ?? []).slice(0, 1), { opType: "Add", input: ["m", "b"], output: ["score"] }])),
    ),
  );
});
afterAll(async () => {
  await store.close();
  await rm(folder, { recursive: true });
});

/** The name is made where endpoints are. */
const asEndpointName = (name: string) => name as EndpointName;
const endpointOf = (optional: boolean) => {
  const compiled = compileEndpoint({
    name: asEndpointName("loans"),
    inputs: { income: { type: "number", min: 0, max: 100, ...(optional ? { optional } : {}) }, debt: { type: "number" } },
    groups: {},
    actions: { approve: { favourable: true }, deny: { favourable: false } },
  });
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.error));
  return compiled.value;
};
const bundleOf = (
  change: Partial<ReleaseBundle> = {},
  model = "logistic",
  output: { output?: string; column?: number } = {},
): ReleaseBundle => ({
  endpoint: "loans",
  scorer: { kind: "onnx", model: models[model] ?? `sha256:${"0".repeat(64)}`, ...output },
  features: {
    name: "f",
    features: [
      { name: "income", from: "income" },
      { name: "debt", from: "debt" },
    ],
  },
  policy: {
    bands: [
      { action: "deny", from: 0 },
      { action: "approve", from: 0.5 },
    ],
  },
  ...change,
});
const load = (bundle: ReleaseBundle, { optional = false, inline = false } = {}) =>
  loadRelease(
    { id: releaseIdOf(bundle), number: 1, bundle, endpoint: endpointOf(optional) },
    { blobs: store.blobs, clock: runtime.clock, inline, startTimeoutMs: 30_000 },
  );
const refusal = async (bundle: ReleaseBundle, options = {}) => {
  const loaded = await load(bundle, options);
  if (loaded.ok) await loaded.value.close();
  return loaded.ok ? [] : loaded.error;
};

test("a release answers the same in a process of its own and in this one, and proves itself by the same samples", async () => {
  const [own, inline] = await Promise.all([load(bundleOf({}, "forest")), load(bundleOf({}, "forest"), { inline: true })]);
  if (!own.ok || !inline.ok) throw new Error("refused");
  expect(own.value.selfTest).toEqual(inline.value.selfTest);
  expect(own.value.pid).toBeGreaterThan(0);
  expect(inline.value.pid).toBeUndefined();
  const people = Array.from({ length: 300 }, (_, i) => ({ income: i / 3, debt: i }));
  expect(await own.value.scorer.scoreMany(people)).toEqual(await inline.value.scorer.scoreMany(people));
  await own.value.close();
  await inline.value.close();
});

test("the same bundle has the same id, whatever the order of its keys", () => {
  const { policy, ...rest } = bundleOf();
  expect(releaseIdOf({ policy, ...rest })).toBe(releaseIdOf({ ...rest, policy }));
  expect(releaseIdOf(bundleOf())).toMatch(/^rel:[0-9a-f]{64}$/);
});

describe("what can't serve is refused before it is asked by anybody", () => {
  test.each([
    [
      "a model whose inputs don't fit the feature set",
      () => bundleOf({ features: { name: "f", features: [{ name: "income", from: "income" }] } }),
      { path: "/scorer/model/inputs", got: "x takes 2" },
    ],
    ["garbage", () => bundleOf({}, "garbage"), { path: "/scorer/model", got: "a Python pickle" }],
    ["a model that isn't there", () => bundleOf({}, "none"), { path: "/scorer/model", expected: "a model in the blob store" }],
    [
      "an output that isn't there",
      () => bundleOf({}, "logistic", { output: "scor" }),
      { path: "/scorer/output", hint: "did you mean score?" },
    ],
    ["a model that gives NaN", () => bundleOf({}, "nan"), { path: "/scorer", got: expect.stringContaining("the model gave NaN") }],
    ["a model that gives no probability", () => bundleOf({}, "logit"), { path: "/scorer", hint: "the output must be a probability" }],
    [
      "a model that draws random numbers",
      () => bundleOf({}, "random"),
      { path: "/scorer", expected: "the same score for the same person" },
    ],
    [
      "a policy with a gap",
      () =>
        bundleOf({
          policy: {
            bands: [
              { action: "deny", from: 0, to: 0.4 },
              { action: "approve", from: 0.5 },
            ],
          },
        }),
      { path: "/policy/bands/1/from", got: "a gap from 0.4 to 0.5" },
    ],
    [
      "a feature of an unknown input",
      () =>
        bundleOf({
          features: {
            name: "f",
            features: [
              { name: "x", from: "incom" },
              { name: "debt", from: "debt" },
            ],
          },
        }),
      { path: "/features/features/0/from", hint: "did you mean income?" },
    ],
    [
      "a rule with a typing error",
      () => bundleOf({ scorer: { kind: "rules", rules: [{ when: "incom > 3", score: 1 }], otherwise: { score: 0 } } }),
      { path: "/scorer/rules/0/when", hint: "did you mean income?" },
    ],
  ])("%s", async (_what, bundle, issue) => {
    expect(await refusal(bundle())).toContainEqual(expect.objectContaining(issue));
  });
  test("a rule that needs an input which may be missing", async () => {
    const rules = (when: string) => bundleOf({ scorer: { kind: "rules", rules: [{ when, score: 1 }], otherwise: { score: 0 } } });
    expect(await refusal(rules("income > 3"), { optional: true })).toEqual([
      expect.objectContaining({
        path: "/scorer",
        got: expect.stringContaining("when income is missing"),
        hint: expect.stringContaining("== null"),
      }),
    ]);
    expect(await refusal(rules("income != null && income > 3"), { optional: true })).toEqual([]);
  });
  test("a model that can't do without an input which may be missing, and a feature", async () => {
    expect(await refusal(bundleOf(), { optional: true })).toEqual([
      expect.objectContaining({ got: "when income is missing: expected a score from 0 to 1, the model gave NaN" }),
    ]);
    const features = {
      name: "f",
      features: [
        { name: "i", cel: "income * 2" },
        { name: "debt", from: "debt" },
      ],
    };
    expect(await refusal(bundleOf({ features }), { optional: true })).toEqual([expect.objectContaining({ path: "/features" })]);
  });
  test("all that is wrong at once", async () => {
    const issues = await refusal(
      bundleOf({ policy: { bands: [{ action: "aprove", from: 0.5 }] }, features: { name: "f", features: [{ name: "x", from: "y" }] } }),
    );
    expect(issues.map(({ path }) => path)).toEqual(["/features/features/0/from", "/policy/bands/0/action", "/policy/bands/0/from"]);
  });
});
