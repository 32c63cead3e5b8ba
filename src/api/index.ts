export { accessRoutes, type AuditPageView, type AuditVerdictView, type NewTokenView, type TokenView } from "./access-routes.ts";
export {
  decisionRoutes,
  type DecisionDetailView,
  type DecisionPageView,
  type DecisionReplyView,
  type DecisionView,
} from "./decision-routes.ts";
export { endpointRoutes } from "./endpoint-routes.ts";
export type {
  ChangeView,
  EndpointView,
  GuardrailStateView,
  ReleaseView,
  RouteTableView,
  SwitchView,
  TransitionRecordView,
} from "./endpoint-view.ts";
export { EventStream, eventRoutes } from "./events.ts";
export { healthRoutes } from "./health.ts";
export { incidentRoutes } from "./incident-routes.ts";
export type { AffectedView, BlameReportView, IncidentDetailView, IncidentHeadView, ProofView } from "./incident-view.ts";
export type { Problem } from "./problem.ts";
export { registryRoutes, type DatasetVersionView, type ModelVersionView, type RunView } from "./registry-routes.ts";
export { buildServer, type Server } from "./server.ts";
export { sessionRoutes } from "./session.ts";
export { uiRoutes, homeView } from "./ui-routes.ts";
export { webRoutes } from "./web-files.ts";
