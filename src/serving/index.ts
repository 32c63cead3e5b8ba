export type { DecisionReply } from "./answered.ts";
export type { Application, Decided } from "./decide-all.ts";
export { compileEndpoint, type CompiledEndpoint, type EndpointSpec } from "./endpoint.ts";
export { ActionsSpec, GroupsSpec, InputSpec, InputsSpec, UndeclaredGroups } from "./endpoint-spec.ts";
export { compileFeatures, type CompiledFeatures } from "./features.ts";
export { Gateway, type DecisionRefusal, type GatewayOptions, type GatewayStats, type ReleaseTrouble, type RequestMeta } from "./gateway.ts";
export type { HttpDependencies } from "./http-scorer.ts";
export { HttpScorerSpec } from "./http-scorer-spec.ts";
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
export { PolicySpec, compilePolicy, type Policy, type PolicyAnswer } from "./policy.ts";
export { replay, type RecordedRequest, type ReplayedAnswer } from "./replay.ts";
export { loadedIn, type RouteView } from "./route-view.ts";
export { sampleInputs, type Sample } from "./samples.ts";
export {
  OnnxScorerSpec,
  OnnxSettings,
  RulesScorerSpec,
  ScorerError,
  ScorerSpec,
  type Scored,
  type Scorer,
  type ScorerTrouble,
} from "./scorer.ts";
export { exampleIssues, tryModel, type TrialOptions } from "./try-model.ts";
export { subjectHash, type SubjectHash } from "./subjects.ts";
