/** Feature sets: the ordered inputs of models, kept by content. */
import { Type, type Static } from "typebox";
import { iso } from "./iso.ts";
import { actorOf } from "../access/index.ts";
import { FeatureSetSpec, type FeatureSetVersion } from "../registry/index.ts";
import { orProblem, readsRegistry, writesRegistry, type RegistryRouteParts } from "./registry-parts.ts";
import { featureSetNamed } from "./model-routes.ts";
import { principalOf, type Server } from "./server.ts";

export const FeatureSetView = Type.Object(
  {
    id: Type.String({ description: "fs:…" }),
    name: Type.String(),
    number: Type.Integer(),
    spec: FeatureSetSpec,
    createdAt: Type.String(),
    createdBy: Type.String(),
  },
  { title: "FeatureSetVersion" },
);
export type FeatureSetView = Static<typeof FeatureSetView>;

export function featureSetRoutes(app: Server, { registry: { featureSets } }: RegistryRouteParts): void {
  app.get(
    "/v1/feature-sets",
    {
      config: readsRegistry,
      schema: {
        summary: "All feature sets, by name, newest version first",
        tags: ["feature sets"],
        response: { 200: Type.Object({ featureSets: Type.Array(FeatureSetView) }) },
      },
    },
    async () => ({ featureSets: (await featureSets.list()).map(featureSetView) }),
  );
  app.get(
    "/v1/feature-set",
    {
      config: readsRegistry,
      schema: {
        summary: "One version of a feature set",
        tags: ["feature sets"],
        querystring: Type.Object({ reference: Type.String({ description: "name/3 or fs:…" }) }),
        response: { 200: FeatureSetView },
      },
    },
    async (request) => featureSetView(await featureSetNamed(featureSets, request.query.reference)),
  );
  app.post(
    "/v1/feature-sets",
    {
      config: writesRegistry,
      schema: {
        summary: "Keep a feature set",
        description: "The same one again is the same version. Whether its expressions fit an endpoint's inputs is found with a release.",
        tags: ["feature sets"],
        body: FeatureSetSpec,
        response: { 200: FeatureSetView },
      },
    },
    async (request) => featureSetView(orProblem(await featureSets.put(request.body, actorOf(principalOf(request))))),
  );
}

const featureSetView = ({ createdAtMs, ...rest }: FeatureSetVersion): FeatureSetView => ({ ...rest, createdAt: iso(createdAtMs) });
