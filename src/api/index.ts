export { abRoutes, type AbView } from "./ab-routes.ts";
export { accessRoutes, type AuditPageView, type AuditVerdictView, type NewTokenView, type TokenView } from "./access-routes.ts";
export { alertRoutes } from "./alert-routes.ts";
export type { AlertDeclarationsView, AlertDetailView, AlertView, NoticeView, SilenceView, TestedView } from "./alert-view.ts";
export { batchRoutes } from "./batch-routes.ts";
export {
  decisionRoutes,
  type DecisionDetailView,
  type DecisionPageView,
  type DecisionReplyView,
  type DecisionView,
} from "./decision-routes.ts";
export { endpointMetricsRoutes } from "./endpoint-metrics-routes.ts";
export type { EndpointMetricsView } from "./endpoint-metrics-view.ts";
export { endpointRoutes } from "./endpoint-routes.ts";
export { guardrailRoutes, type GuardrailsView, type SimulationView } from "./guardrail-routes.ts";
export type {
  ChangeView,
  EndpointView,
  GuardrailStateView,
  ReleaseView,
  RouteTableView,
  SwitchView,
  TransitionRecordView,
} from "./endpoint-view.ts";
export { expectationRoutes } from "./expectation-routes.ts";
export type { ExpectationsView } from "./expectation-view.ts";
export { EventStream, eventRoutes } from "./events.ts";
export { healthRoutes } from "./health.ts";
export { incidentRoutes } from "./incident-routes.ts";
export type { AffectedView, BlameReportView, IncidentDetailView, IncidentHeadView, ProofView } from "./incident-view.ts";
export { logRoutes, type LogView } from "./log-routes.ts";
export { metricsRoutes } from "./metrics-routes.ts";
export { oipRoutes, type ProtocolParts } from "./oip-routes.ts";
export { openLineageRoutes, type OpenLineageEventsView, type OpenLineageStatusView } from "./openlineage-routes.ts";
export type { Problem } from "./problem.ts";
export { kserveRoutes, mlflowScoringRoutes } from "./scoring-routes.ts";
export type {
  AddedDatasetVersionView,
  DatasetDetailView,
  DatasetVersionDetailView,
  DatasetVersionView,
  DatasetView,
} from "./dataset-view.ts";
export type { DatasetDiffView } from "./dataset-diff-view.ts";
export type { SketchesView } from "./dataset-sketch-routes.ts";
export type { RedactionView, SweepView, VerificationView } from "./dataset-keeping-routes.ts";
export { ProtocolRow, roleOf, type Role } from "./protocol-rows.ts";
export { csvValue } from "./scoring-tables.ts";
export type { BlobView } from "./blob-routes.ts";
export type { FeatureSetView } from "./feature-set-routes.ts";
export {
  decisionLineageRoutes,
  type DecidedWithView,
  type DecisionTraceView,
  type MadeWithPageView,
  type RouteAtView,
} from "./decision-lineage-routes.ts";
export { modelCardRoutes } from "./model-card-routes.ts";
export type { ModelCardView } from "./model-card-view.ts";
export { lineageRoutes, type LineageView } from "./lineage-routes.ts";
export type { MadeOfView } from "./made-of-view.ts";
export type { ModelDetailView, ModelVersionView, ModelView } from "./model-routes.ts";
export { registryRoutes } from "./registry-routes.ts";
export type { DeterminismView } from "./step-routes.ts";
export type { RunComparisonView, RunDetailView, RunPageView, RunView } from "./run-routes.ts";
export { reasonRoutes, type ReasonsView } from "./reason-routes.ts";
export { reportRoutes, type KeptReportView } from "./report/report-routes.ts";
export type { ReportView } from "./report/report-view.ts";
export { Reports } from "./report/reports.ts";
export { rolloutRoutes } from "./rollout-routes.ts";
export type { DrillView, RollbackPreviewView, RolloutView } from "./rollout-view.ts";
export { buildServer, type Server } from "./server.ts";
export type { RequestSpan, RequestTracer, TracedRequest } from "./traces.ts";
export { sessionRoutes } from "./session.ts";
export { sinkRoutes, type SinkDetailView, type SinkView } from "./sink-routes.ts";
export { homeView } from "./ui-home.ts";
export { uiRoutes } from "./ui-routes.ts";
export { webRoutes } from "./web-files.ts";
export { Connections } from "./connections.ts";
export { handOverRoutes, type HandOver } from "./hand-over-routes.ts";
