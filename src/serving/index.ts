export type { DecisionReply } from "./answered.ts";
export { compileCondition, type Condition } from "./condition.ts";
export type { Application, Decided } from "./decide-all.ts";
export { Attributor } from "./attributor.ts";
export { ContainerEngine, EngineError } from "./container-engine.ts";
export { repositoryOf } from "./container-scorer-spec.ts";
export type { LogLine } from "./container-streams.ts";
export { Containers } from "./containers.ts";
export { compileEndpoint, type CompiledEndpoint, type EndpointSpec } from "./endpoint.ts";
export { ActionsSpec, GroupsSpec, InputSpec, InputsSpec, UndeclaredGroups } from "./endpoint-spec.ts";
export type { ExpectationCount } from "./expectation-counts.ts";
export { BREACHES, DEFAULT_BREACH_LIMIT, ExpectationSpec, type Breach } from "./expectation-spec.ts";
export type { CompiledExpectations, Expectation, ExpectationFigures } from "./expectations.ts";
export { featureRows, type DerivedRow, type FeatureRows } from "./feature-rows.ts";
export { compileFeatures, type CompiledFeatures } from "./features.ts";
export type { PlannedCount } from "./planned-counts.ts";
export { Gateway, type DecisionRefusal, type GatewayOptions, type GatewayStats, type ReleaseTrouble, type RequestMeta } from "./gateway.ts";
export type { HttpDependencies } from "./http-scorer.ts";
export { HttpScorerSpec } from "./http-scorer-spec.ts";
export { inferExpectations } from "./infer-expectations.ts";
export { inspectApart } from "./inspect-apart.ts";
export { celVariables, type DecisionRequest, type Inputs } from "./inputs.ts";
export {
  ReleaseBundle,
  answerOf,
  loadRelease,
  releaseIdOf,
  type Answer,
  type LoadDependencies,
  type LoadedRelease,
  type LoadOptions,
} from "./loaded-release.ts";
export { scoreCall, scoredColumn, type RowForm, type ScoreCall } from "./onnx-call.ts";
export type { OnnxTensor } from "./onnx-graph.ts";
export { inspectModel, isPlainName, type OnnxModel } from "./onnx-model.ts";
export { storedModel } from "./open-onnx.ts";
export { PolicySpec, compilePolicy, type Policy, type PolicyAnswer } from "./policy.ts";
export { MemoryPressure } from "./memory-pressure.ts";
export { memoryOf, type ProcessMemory } from "./process-memory.ts";
export { toldFeatures, type ToldFeature } from "./told-features.ts";
export { replay, type RecordedRequest, type ReplayedAnswer } from "./replay.ts";
export { loadedIn, type RouteView } from "./route-view.ts";
export { sampledAttribution } from "./sampled-attribution.ts";
export { sampleInputs, type Sample } from "./samples.ts";
export {
  OnnxScorerSpec,
  OnnxSettings,
  RulesScorerSpec,
  ScorerError,
  ScorerSpec,
  blobOf,
  type Scored,
  type RowValue,
  type Scorer,
  type ScorerRows,
  type ScorerTrouble,
} from "./scorer.ts";
export { exampleIssues, tryModel, type TrialOptions } from "./try-model.ts";
export { subjectHash, type SubjectHash } from "./subjects.ts";
export { parseTraceParent, traceContextIn, traceParentText, type TraceContext } from "./trace-context.ts";
export type { RequestTrace, TraceAttributes, TraceStep } from "./tracing.ts";
