/** Evenkeel for programs: the client with the types of the API, the server in process, and the pipeline runner. */
export { startApp, type App, type AppOptions } from "./app.ts";
export type {
  AffectedView,
  AuditPageView,
  AuditVerdictView,
  BlameReportView,
  ChangeView,
  DatasetVersionView,
  DecisionDetailView,
  DecisionPageView,
  DecisionReplyView,
  DecisionView,
  EndpointView,
  GuardrailStateView,
  IncidentDetailView,
  IncidentHeadView,
  ModelVersionView,
  NewTokenView,
  Problem,
  ProofView,
  ReleaseView,
  RouteTableView,
  RunView,
  SwitchView,
  TokenView,
  TransitionRecordView,
} from "./api/index.ts";
export { EvenkeelClient, EvenkeelProblem, EvenkeelUnreachable, type ClientOptions, type RequestOptions } from "./client.ts";
export { pipelineStoreOf } from "./pipeline-store.ts";
export {
  capture,
  cook,
  inlineExecutor,
  parsePipeline,
  spawnExecutor,
  trainHybrids,
  type Executor,
  type PipelineStore,
  type Recipe,
} from "./pipelines/index.ts";
export { simulatedRuntime, systemRuntime, type Runtime, type SimulatedRuntime } from "./store/index.ts";
