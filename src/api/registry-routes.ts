/** Blobs, datasets, feature sets, runs, models and steps: what goes into a model, over HTTP. */
import { Type } from "typebox";
import { StepOutcomeRecord } from "../pipelines/index.ts";
import { blobRoutes } from "./blob-routes.ts";
import { datasetRoutes } from "./dataset-routes.ts";
import { featureSetRoutes } from "./feature-set-routes.ts";
import { modelRoutes } from "./model-routes.ts";
import { ProblemError } from "./problem.ts";
import { readsRegistry, writesRegistry, type RegistryRouteParts } from "./registry-parts.ts";
import { runRoutes } from "./run-routes.ts";
import { notFound, type Server } from "./server.ts";

export const registryRoutes = (parts: RegistryRouteParts) => async (app: Server) => {
  await blobRoutes(app, parts);
  await datasetRoutes(app, parts);
  featureSetRoutes(app, parts);
  runRoutes(app, parts);
  modelRoutes(app, parts);
  stepRoutes(app, parts);
};

function stepRoutes(app: Server, { steps }: RegistryRouteParts): void {
  app.get(
    "/v1/steps/:key",
    {
      config: readsRegistry,
      schema: {
        summary: "What became of a step once",
        tags: ["pipelines"],
        params: Type.Object({ key: Type.String() }),
        response: { 200: StepOutcomeRecord },
      },
    },
    async (request) => {
      const outcome = await steps.find(request.params.key);
      if (!outcome) throw notFound(`step ${request.params.key}`);
      return outcome;
    },
  );
  app.post(
    "/v1/steps",
    {
      config: writesRegistry,
      schema: {
        summary: "Keep what became of a step",
        description: "The first outcome of a key stays.",
        tags: ["pipelines"],
        body: StepOutcomeRecord,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      if (!(await steps.save(request.body)))
        throw new ProblemError("unprocessable", "It names bytes that are not in the store: put its outputs there first.");
      return reply.code(204).send(null);
    },
  );
}
