/** A release as people write it, and how it becomes the bundle that serves: references resolved, so that nothing in it can move. */
import { Type, type Static } from "typebox";
import { checked, nearest } from "../checked.ts";
import {
  FeatureSetSpec,
  type FeatureSets,
  type FeatureSetVersion,
  type Models,
  type ServableVersion,
  type Refusal,
} from "../registry/index.ts";
import { OnnxSettings, PolicySpec, ScorerSpec, type ReleaseBundle } from "../serving/index.ts";
import { err, ok, type FeatureSetId, type Issue, type Result } from "../std.ts";
import type { Json } from "../store/index.ts";
import { inputFeatures, type EndpointDefinition } from "./endpoint-spec.ts";

export const ReleaseSpec = Type.Object(
  {
    kind: Type.Optional(Type.Literal("release")),
    endpoint: Type.String(),
    name: Type.Optional(
      Type.String({ minLength: 1, maxLength: 100, description: "For people; the release is found by its number or content id" }),
    ),
    description: Type.Optional(Type.String({ maxLength: 20_000 })),
    model: Type.Optional(Type.String({ description: "A registered version: credit/3, credit@champion or mdl:…; instead of scorer" })),
    onnx: Type.Optional(OnnxSettings),
    scorer: Type.Optional(ScorerSpec),
    features: Type.Optional(
      Type.Union([FeatureSetSpec, Type.String({ description: "A registered one: name/3 or fs:…; by default the model's own" })]),
    ),
    policy: PolicySpec,
    rollout: Type.Optional(Type.Unknown({ description: "How it gets to people: a strategy's name, or its steps (`rollout-plan.ts`)" })),
    origin: Type.Optional(
      Type.Object(
        { run: Type.Optional(Type.String()), pipeline: Type.Optional(Type.String()), commit: Type.Optional(Type.String()) },
        { additionalProperties: false, description: "Where it was made, where the registry can't know" },
      ),
    ),
  },
  { title: "Release", additionalProperties: false },
);
export type ReleaseSpec = Static<typeof ReleaseSpec>;

const parse = checked(ReleaseSpec);
export const parseReleaseSpec = (value: unknown): Result<ReleaseSpec, readonly Issue[]> => parse(value);

export interface Registries {
  readonly models: Models;
  readonly featureSets: FeatureSets;
}
export interface ResolvedRelease {
  readonly bundle: ReleaseBundle;
  readonly model: ServableVersion | null;
  readonly featureSet: FeatureSetVersion | null;
  /** What is kept beside the bundle, for people and lineage. */
  readonly origin: Json;
}

/** Resolves a spec's references. Whether the parts fit together is found when the bundle is loaded. */
export async function resolveRelease(
  spec: ReleaseSpec,
  endpoint: EndpointDefinition,
  { models, featureSets }: Registries,
): Promise<Result<ResolvedRelease, Refusal>> {
  if ((spec.model === undefined) === (spec.scorer === undefined))
    return invalid({ path: "/scorer", expected: "exactly one of model and scorer", got: spec.model === undefined ? "neither" : "both" });
  if (spec.onnx !== undefined && spec.model === undefined)
    return invalid({
      path: "/onnx",
      expected: "settings beside a registered model only",
      got: "no model",
      hint: "with scorer they stand in it",
    });
  let model: ServableVersion | null = null;
  if (spec.model !== undefined) {
    const resolved = await models.resolveServable(spec.model);
    if (!resolved.ok) return resolved;
    model = resolved.value;
  }
  const features = await resolveFeatures(spec, { endpoint, model, featureSets });
  if (!features.ok) return features;
  const { set, version } = features.value;
  const wrong = model && featureTrouble(model, set);
  if (wrong) return invalid(wrong);
  const scorer: ScorerSpec | undefined = model
    ? { kind: "onnx", model: model.blob, output: model.signature.scoreOutput, ...spec.onnx }
    : spec.scorer;
  if (scorer === undefined) return invalid({ path: "/scorer", expected: "a scorer", got: "nothing" });
  return ok({
    bundle: { endpoint: spec.endpoint, scorer, features: set, policy: spec.policy },
    model,
    featureSet: version,
    origin: {
      description: spec.description ?? null,
      model: model ? { id: model.id, name: model.model, number: model.number } : null,
      featureSet: version ? { id: version.id, name: version.name, number: version.number } : null,
      run: model?.run ?? spec.origin?.run ?? null,
      pipeline: spec.origin?.pipeline ?? null,
      commit: spec.origin?.commit ?? null,
    },
  });
}

interface FoundFeatures {
  readonly set: FeatureSetSpec;
  readonly version: FeatureSetVersion | null;
}

async function resolveFeatures(
  { features, scorer }: ReleaseSpec,
  {
    endpoint,
    model,
    featureSets,
  }: { readonly endpoint: EndpointDefinition; readonly model: ServableVersion | null; readonly featureSets: FeatureSets },
): Promise<Result<FoundFeatures, Refusal>> {
  const found = (version: FeatureSetVersion | undefined, name: string): Result<FoundFeatures, Refusal> =>
    version ? ok({ set: version.spec, version }) : err({ kind: "unknown", what: "feature set", name });
  if (typeof features === "string") {
    const id = /^fs:[0-9a-f]{64}$/.test(features) ? features : undefined;
    if (id !== undefined) return found(await featureSets.get(asFeatureSetId(id)), features);
    const [, name, number] = /^([^/@]+)\/([1-9]\d{0,8})$/.exec(features) ?? [];
    if (name === undefined || number === undefined)
      return invalid({ path: "/features", expected: "name/NUMBER, fs:… or the features themselves", got: features });
    return found(await featureSets.numbered(name, Number(number)), features);
  }
  if (features) return ok({ set: features, version: null });
  if (model?.featureSet) return found(await featureSets.get(model.featureSet), model.featureSet);
  if (scorer?.kind === "rules" || ((scorer?.kind === "http" || scorer?.kind === "container") && scorer.send === "inputs"))
    return ok({ set: inputFeatures(endpoint.spec.inputs), version: null });
  if (model && model.signature.features.length > 0) return passedThrough(model, endpoint);
  return invalid({
    path: "/features",
    expected: "the features that the model takes, in their order",
    got: "nothing",
    hint: model ? "the model was registered without a feature set" : "or send: inputs, where the server takes the endpoint's inputs",
  });
}

/** A model that names its features as the endpoint names its inputs needs no feature set. */
function passedThrough({ signature, model, number }: ServableVersion, { spec }: EndpointDefinition): Result<FoundFeatures, Refusal> {
  const inputs = Object.keys(spec.inputs);
  const issues = signature.features
    .filter((name) => !inputs.includes(name))
    .slice(0, 20)
    .map((name): Issue => {
      const near = nearest(name, inputs);
      const hint = `${near ? `did you mean ${near}? ` : ""}${model}/${number} was registered without a feature set: say with features how ${name} is made`;
      return { path: "/features", expected: `an input ${name} of the endpoint, for the model's feature of that name`, got: "none", hint };
    });
  if (issues.length > 0) return err({ kind: "invalid", issues });
  const features = signature.features.map((name) => ({ name, from: name }));
  return ok({ set: { name: "inputs", features }, version: null });
}

/** A model that names its features must get these, in this order: a swapped pair of columns would score everybody wrongly, and silently. */
function featureTrouble({ signature, model, number }: ServableVersion, set: FeatureSetSpec): Issue | undefined {
  // A model with one input for each feature finds them by name when it is loaded.
  if (signature.features.length === 0 || signature.inputs.length > 1) return undefined;
  const given = set.features.map(({ name }) => name);
  const at = Array.from({ length: Math.max(given.length, signature.features.length) }).findIndex(
    (_, i) => given[i] !== signature.features[i],
  );
  if (at < 0) return undefined;
  return {
    path: `/features/features/${at}`,
    expected: signature.features[at] ?? `no further feature: ${model}/${number} takes ${signature.features.length}`,
    got: given[at] ?? "nothing",
  };
}

const invalid = (issue: Issue) => err({ kind: "invalid", issues: [issue] } as const);

/** Its form was checked. */
const asFeatureSetId = (id: string): FeatureSetId => id as FeatureSetId;
