/** MLflow's tracking server, as its unmodified clients speak to it: runs, logged models, registry and artifacts. */
import { MLFLOW_VERSION } from "../scoring-routes.ts";
import { sendJson } from "../protocol-errors.ts";
import type { Server } from "../server.ts";
import { artifactProxyRoutes, runArtifactRoutes } from "./artifacts.ts";
import { MlflowError } from "./errors.ts";
import { experimentRoutes } from "./experiments.ts";
import { loggedModelRoutes } from "./logged-models.ts";
import { modelVersionRoutes } from "./model-versions.ts";
import { registeredModelRoutes } from "./registered-models.ts";
import { pageRoutes } from "./pages.ts";
import { PREFIXES, TAGS, answerErrors, prepare, type MlflowParts } from "./routing.ts";
import { runRoutes } from "./runs.ts";

export async function mlflowTrackingRoutes(app: Server, parts: MlflowParts): Promise<void> {
  await app.register(async (scope: Server) => {
    prepare(scope, parts);
    experimentRoutes(scope, parts);
    runRoutes(scope, parts);
    loggedModelRoutes(scope, parts);
    registeredModelRoutes(scope, parts);
    modelVersionRoutes(scope, parts);
    runArtifactRoutes(scope, parts);
    pageRoutes(scope, parts);
    for (const prefix of ["/api", "/ajax-api"])
      scope.get(
        `${prefix}/3.0/mlflow/server-info`,
        {
          config: { right: "public" },
          schema: { summary: "What kind of server this is", tags: TAGS, ...(prefix === "/api" ? {} : { hide: true }) },
        },
        async (_request, reply) =>
          sendJson(reply, 200, { store_type: "SqlStore", workspaces_enabled: false, mlflow_version: MLFLOW_VERSION }),
      );
  });
  await app.register(async (scope: Server) => artifactProxyRoutes(scope, parts));
  for (const prefix of [
    "/api/3.0/mlflow",
    "/ajax-api/3.0/mlflow",
    ...PREFIXES,
    "/api/2.0/mlflow-artifacts",
    "/ajax-api/2.0/mlflow-artifacts",
  ])
    await app.register(
      async (scope: Server) => {
        answerErrors(scope, parts.onError);
        scope.setNotFoundHandler((request) => {
          throw new MlflowError(
            "ENDPOINT_NOT_FOUND",
            `${request.method} ${request.url.split("?")[0] ?? ""} is not an endpoint of this server.`,
          );
        });
      },
      { prefix },
    );
}
