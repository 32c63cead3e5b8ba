/** An endpoint as people write it: what it asks, whom it watches over, what answers when nothing else can. */
import { Type, type Static } from "typebox";
import { checked } from "../checked.ts";
import { Duration } from "../duration.ts";
import { GuardrailSpec, guardrailIssues, undecidableIssues } from "../monitoring/index.ts";
import { FeatureSetSpec } from "../registry/index.ts";
import {
  ActionsSpec,
  ExpectationSpec,
  GroupsSpec,
  InputsSpec,
  PolicySpec,
  RulesScorerSpec,
  UndeclaredGroups,
  compileEndpoint,
  type CompiledEndpoint,
  type ReleaseBundle,
} from "../serving/index.ts";
import { err, ok, type EndpointName, type Issue, type Result } from "../std.ts";
import { contentId } from "../store/index.ts";
import { MetricsSpec, metricsIssues } from "./metrics-spec.ts";
import type { Rules } from "./route-commands.ts";

const NAME = "^[a-z][a-z0-9-]{0,62}$";

/** Chance that a fair release is ever rolled back, over its whole life, all groups and all guardrails. */
export const DEFAULT_BUDGET = 0.01;

/** What a guardrail's breach does to a release that only answers as a shadow. */
const ShadowSpec = Type.Object(
  {
    on_breach: Type.Union([Type.Literal("warn"), Type.Literal("hold"), Type.Literal("condemn")], {
      description: "warn: tell; hold: also hold automatic rollouts; condemn: also stop the shadow and keep it from serving",
    }),
  },
  { additionalProperties: false },
);

/** What may later turn out to be true of a decision. */
const OutcomesSpec = Type.Record(
  Type.String({ pattern: "^[a-z][a-z0-9_-]{0,62}$" }),
  Type.Object({ good: Type.Boolean({ description: "As the endpoint sees it: repaid" }) }, { additionalProperties: false }),
  { maxProperties: 50, additionalProperties: false },
);

const FallbackSpec = Type.Object(
  {
    name: Type.Optional(Type.String({ maxLength: 100 })),
    scorer: RulesScorerSpec,
    features: Type.Optional(FeatureSetSpec),
    policy: PolicySpec,
  },
  {
    title: "Fallback",
    additionalProperties: false,
    description: "A rule that runs in the serving process: it can't hang and needs nothing",
  },
);

/** What an answer of the Open Inference Protocol can have in it. */
export const OIP_OUTPUTS = ["action", "score", "release", "decision", "route", "reasons", "generation"] as const;
/** What a prediction of MLflow's and KServe's protocols can be: `label` is 1 for a favourable action and 0 for others. */
export const PREDICTIONS = ["action", "score", "label"] as const;

const OipSpec = Type.Object(
  {
    outputs: Type.Array(Type.Enum([...OIP_OUTPUTS]), {
      minItems: 1,
      uniqueItems: true,
      description: "For requests that ask for none; generic clients take the first one as the prediction",
    }),
  },
  { additionalProperties: false, description: "Of the Open Inference Protocol, /v2" },
);
const MlflowSpec = Type.Object(
  {
    predictions: Type.Array(Type.Enum([...PREDICTIONS]), {
      minItems: 1,
      uniqueItems: true,
      description: "One: predictions are that value; several: objects with them. The action by default",
    }),
  },
  { additionalProperties: false, description: "Of MLflow's and KServe's first protocol, /invocations and :predict" },
);

const Moment = Type.String({ maxLength: 40, description: "ISO 8601, 2026-12-20T00:00:00Z" });
const FrozenSpec = Type.Object(
  { from: Moment, to: Moment, why: Type.String({ minLength: 1, maxLength: 250 }) },
  { title: "Frozen", additionalProperties: false },
);

const DrillsSpec = Type.Object(
  {
    every: Duration,
    on: Type.Optional(Type.Enum(["replay", "live"], { description: "What `evenkeel drill` calls its mode; replay by default" })),
  },
  { title: "Drills", additionalProperties: false, description: "When a rollback is rehearsed by itself" },
);

const ReportsSpec = Type.Object(
  { every: Type.Enum(["week", "month"], { description: "From Monday to Sunday, or the whole calendar month (UTC), once it is over" }) },
  { title: "Reports", additionalProperties: false, description: "When a report is made by itself, and kept" },
);

export const EndpointSpec = Type.Object(
  {
    kind: Type.Optional(Type.Literal("endpoint")),
    name: Type.String({ pattern: NAME }),
    description: Type.Optional(Type.String({ maxLength: 5000 })),
    inputs: InputsSpec,
    groups: Type.Optional(GroupsSpec),
    undeclaredGroups: Type.Optional(UndeclaredGroups),
    expectations: Type.Optional(
      Type.Array(ExpectationSpec, { maxItems: 200, description: "What inputs are expected to be, beyond what is accepted" }),
    ),
    actions: ActionsSpec,
    fallback: FallbackSpec,
    budget: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, maximum: 0.2, description: "Chance that a fair release is ever rolled back; 0.01 by default" }),
    ),
    guardrails: Type.Optional(Type.Array(GuardrailSpec, { maxItems: 50 })),
    shadow: Type.Optional(ShadowSpec),
    on_single_writer: Type.Optional(
      Type.Enum(["act", "alert"], {
        description:
          "What a proof does that rests on one of several tokens: act as the guardrail says (the default), or leave a rollback to a person",
      }),
    ),
    outcomes: Type.Optional(OutcomesSpec),
    metrics: Type.Optional(MetricsSpec),
    approval: Type.Optional(
      Type.Boolean({
        description: "A second person approves every new release before anybody is answered by it; rolling back needs nobody",
      }),
    ),
    oip: Type.Optional(OipSpec),
    mlflow: Type.Optional(MlflowSpec),
    drills: Type.Optional(DrillsSpec),
    reports: Type.Optional(ReportsSpec),
    allow_group_thresholds: Type.Optional(
      Type.String({
        minLength: 20,
        maxLength: 2000,
        description: "Why policies may have thresholds by group: the legal basis, and who approved it. Without it they are refused",
      }),
    ),
    frozen: Type.Optional(Type.Array(FrozenSpec, { maxItems: 100, description: "When nothing new goes to people" })),
  },
  { title: "Endpoint", additionalProperties: false },
);
export type EndpointSpec = Static<typeof EndpointSpec>;

/** An endpoint's definition, ready for use. */
export interface EndpointDefinition {
  /** As written, without `kind`. */
  readonly spec: EndpointSpec;
  /** Content id: an endpoint applied twice is unchanged. */
  readonly id: string;
  readonly compiled: CompiledEndpoint;
  readonly fallback: ReleaseBundle;
  readonly budget: number;
  readonly guardrails: readonly GuardrailSpec[];
  /** Declared outcomes, each with whether it is good. */
  readonly outcomes: ReadonlyMap<string, boolean>;
  readonly onShadowBreach: "warn" | "hold" | "condemn";
}

const parse = checked(EndpointSpec);

/** From what was sent or read from YAML to a definition; issues have paths into it. */
export function parseEndpoint(value: unknown): Result<EndpointDefinition, readonly Issue[]> {
  const parsed = parse(value);
  if (!parsed.ok) return parsed;
  const { kind: _kind, ...spec } = parsed.value;
  const groups = spec.groups ?? {};
  const guardrails = spec.guardrails ?? [];
  const compiled = compileEndpoint({
    name: asEndpointName(spec.name),
    inputs: spec.inputs,
    groups,
    actions: spec.actions,
    expected: spec.expectations ?? [],
    ...(spec.undeclaredGroups ? { undeclaredGroups: spec.undeclaredGroups } : {}),
    ...(spec.allow_group_thresholds === undefined ? {} : { allowGroupThresholds: spec.allow_group_thresholds }),
  });
  const issues = [
    ...(compiled.ok ? [] : compiled.error),
    ...actionIssues(spec.actions),
    ...(spec.frozen ?? []).flatMap(frozenIssues),
    ...metricsIssues(spec.metrics ?? {}, groups).map((issue) => ({ ...issue, path: `/metrics${issue.path}` })),
    ...guardrailIssues(guardrails, groups, { actions: Object.keys(spec.actions), hasOutcomes: spec.outcomes !== undefined }).map(
      (issue) => ({ ...issue, path: `/guardrails${issue.path}` }),
    ),
  ];
  if (!compiled.ok || issues.length > 0) return err(issues);
  const undecidable = undecidableIssues(guardrails, groups, spec.budget ?? DEFAULT_BUDGET);
  if (undecidable.length > 0) return err(undecidable.map((issue) => ({ ...issue, path: `/guardrails${issue.path}` })));
  return ok({
    spec,
    id: contentId("ep", spec),
    compiled: compiled.value,
    fallback: {
      endpoint: spec.name,
      scorer: spec.fallback.scorer,
      features: spec.fallback.features ?? inputFeatures(spec.inputs),
      policy: spec.fallback.policy,
    },
    budget: spec.budget ?? DEFAULT_BUDGET,
    guardrails,
    outcomes: new Map(Object.entries(spec.outcomes ?? {}).map(([name, { good }]) => [name, good])),
    onShadowBreach: spec.shadow?.on_breach ?? "hold",
  });
}

/** A rule reads inputs, not features; a release has a feature set all the same: every number and boolean, passed through, by name. */
export function inputFeatures(inputs: InputsSpec): FeatureSetSpec {
  const numeric = Object.keys(inputs)
    .filter((name) => inputs[name]?.type !== "string")
    .toSorted();
  const features = numeric.length > 0 ? numeric.map((name) => ({ name, from: name })) : [{ name: "none", cel: "0.0" }];
  return { name: "inputs", features };
}

/** What the definition asks of commands that are given at a time. */
export function rulesAt({ spec }: EndpointDefinition, atMs: number): Rules {
  const frozen = (spec.frozen ?? []).filter(({ from, to }) => Date.parse(from) <= atMs && atMs < Date.parse(to));
  const longest = frozen.toSorted((a, b) => Date.parse(b.to) - Date.parse(a.to))[0];
  return { approval: spec.approval ?? false, frozen: longest ? { untilMs: Date.parse(longest.to), why: longest.why } : null };
}

function frozenIssues({ from, to }: Static<typeof FrozenSpec>, i: number): Issue[] {
  const times = { from, to };
  const unreadable = (["from", "to"] as const).filter((name) => Number.isNaN(Date.parse(times[name])));
  if (unreadable.length > 0)
    return unreadable.map((name) => ({
      path: `/frozen/${i}/${name}`,
      expected: "a time in ISO 8601, 2026-12-20T00:00:00Z",
      got: times[name],
    }));
  return Date.parse(from) < Date.parse(to) ? [] : [{ path: `/frozen/${i}/to`, expected: `a time after ${from}`, got: to }];
}

function actionIssues(actions: ActionsSpec): Issue[] {
  const favourable = Object.values(actions).filter((action) => action.favourable).length;
  if (favourable > 0 && favourable < Object.keys(actions).length) return [];
  const got = favourable === 0 ? "none that is" : "none that isn't";
  return [{ path: "/actions", expected: "at least one action that is favourable and one that isn't", got }];
}

/** The schema has checked its form. */
const asEndpointName = (name: string): EndpointName => name as EndpointName;
