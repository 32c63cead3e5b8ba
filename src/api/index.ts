export { accessRoutes, type AuditPageView, type AuditVerdictView, type NewTokenView, type TokenView } from "./access-routes.ts";
export { EventStream, eventRoutes } from "./events.ts";
export { healthRoutes } from "./health.ts";
export { ProblemError, type Problem } from "./problem.ts";
export { sessionRoutes } from "./session.ts";
export { webRoutes } from "./web-files.ts";
