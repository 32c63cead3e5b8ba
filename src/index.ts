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
  AbView,
  DrillView,
  EndpointView,
  GuardrailStateView,
  IncidentDetailView,
  IncidentHeadView,
  ModelVersionView,
  NewTokenView,
  Problem,
  ProofView,
  ReleaseView,
  RollbackPreviewView,
  RolloutView,
  RouteTableView,
  RunView,
  SwitchView,
  TokenView,
  TransitionRecordView,
} from "./api/index.ts";
export { EvenkeelClient, EvenkeelProblem, EvenkeelUnreachable, type ClientOptions, type RequestOptions } from "./client.ts";
export { failureLine, inlineExecutor, outOfKind, parsePipeline, spawnExecutor, type Executor } from "./pipelines/index.ts";
export { makingsOf, retrain, type RecordedMakings, type RetrainOrder, type Retrained } from "./retraining.ts";
export {
  runPipeline,
  runPipelines,
  type Kitchen,
  type PipelineRun,
  type RunOrder,
  type RunSettings,
  type RunTrouble,
} from "./pipeline-run.ts";
export { simulatedRuntime, systemRuntime, type Runtime, type SimulatedRuntime } from "./store/index.ts";
