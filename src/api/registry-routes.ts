/** Blobs, datasets, feature sets, runs, models and steps: what goes into a model, over HTTP. */
import { blobRoutes } from "./blob-routes.ts";
import { datasetRoutes } from "./dataset-routes.ts";
import { datasetKeepingRoutes } from "./dataset-keeping-routes.ts";
import { datasetSketchRoutes } from "./dataset-sketch-routes.ts";
import { featureSetRoutes } from "./feature-set-routes.ts";
import { mlflowTrackingRoutes } from "./mlflow/index.ts";
import { ModelIntake } from "./model-intake.ts";
import { modelRoutes } from "./model-routes.ts";
import type { RegistryRouteParts } from "./registry-parts.ts";
import { runRoutes } from "./run-routes.ts";
import type { Server } from "./server.ts";
import { stepRoutes } from "./step-routes.ts";

export const registryRoutes = (parts: RegistryRouteParts) => async (app: Server) => {
  await blobRoutes(app, parts);
  await datasetRoutes(app, parts);
  await datasetKeepingRoutes(app, parts);
  await datasetSketchRoutes(app, parts);
  featureSetRoutes(app, parts);
  runRoutes(app, parts);
  const intake = new ModelIntake(parts.store.blobs);
  modelRoutes(app, parts, intake);
  stepRoutes(app, parts);
  await mlflowTrackingRoutes(app, { ...parts, intake });
};
