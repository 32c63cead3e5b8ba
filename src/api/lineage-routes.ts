/** What something was made of, and what was made of it. */
import { Type, type Static } from "typebox";
import { iso } from "./iso.ts";
import { nodeKinds, parseReference, type LineageNode, type Registry } from "../registry/index.ts";
import { featureSetNamed, findFeatureSet } from "./model-routes.ts";
import { orProblem, readsRegistry, type RegistryRouteParts } from "./registry-parts.ts";
import { NodeView } from "./run-routes.ts";
import type { Server } from "./server.ts";

export const LineageView = Type.Object(
  {
    root: NodeView,
    nodes: Type.Array(
      Type.Object({
        kind: Type.Enum(nodeKinds),
        id: Type.String(),
        name: Type.Union([Type.String(), Type.Null()], { description: "As people call it, credit/3 for example, where it has a name" }),
        depth: Type.Integer({ description: "Edges from the root" }),
      }),
      { description: "Nearest first" },
    ),
    edges: Type.Array(
      Type.Object({ from: NodeView, to: NodeView, relation: Type.Enum(["used_by", "made", "part_of", "led_to"]), at: Type.String() }),
    ),
    isComplete: Type.Boolean(),
  },
  { title: "Lineage" },
);
export type LineageView = Static<typeof LineageView>;

/** Names are looked up one by one; beyond so many a reader wants the graph, not the names. */
const NAMES_MAX = 200;

export function lineageRoutes(app: Server, { registry }: RegistryRouteParts): void {
  app.get(
    "/v1/lineage",
    {
      config: readsRegistry,
      schema: {
        summary: "What something was made of, or what was made of it",
        tags: ["lineage"],
        querystring: Type.Object({
          kind: Type.Enum(nodeKinds),
          id: Type.String({ description: "Its id, or a reference such as credit/3 or credit@clean" }),
          direction: Type.Optional(Type.Enum(["upstream", "downstream"], { description: "upstream when left out" })),
        }),
        response: { 200: LineageView },
      },
    },
    async (request) => {
      const { direction = "upstream", ...asked } = request.query;
      const root = await resolved(registry, asked);
      const { nodes, edges, isComplete } = await registry.lineage[direction](root);
      const named: LineageView["nodes"] = [];
      for (const [i, node] of nodes.entries()) named.push({ ...node, name: i < NAMES_MAX ? await nameOf(registry, node) : null });
      return { root, nodes: named, edges: edges.map(({ atMs, ...edge }) => ({ ...edge, at: iso(atMs) })), isComplete };
    },
  );
}

/** Nodes of the registry's own kinds must be there; the others are known by their edges only. */
async function resolved({ datasets, models, featureSets, runs }: Registry, { kind, id }: LineageNode): Promise<LineageNode> {
  switch (kind) {
    case "dataset_version":
      return { kind, id: orProblem(await datasets.get(id), "/id").id };
    case "model_version":
      return { kind, id: orProblem(await models.resolve(id), "/id").id };
    case "feature_set":
      return { kind, id: (await featureSetNamed(featureSets, id)).id };
    case "run":
      return { kind, id: orProblem(await runs.get(id)).id };
    default:
      return { kind, id };
  }
}

async function nameOf({ datasets, models, featureSets, runs }: Registry, { kind, id }: LineageNode): Promise<string | null> {
  switch (kind) {
    case "dataset_version": {
      const found = parseReference(id) ? await datasets.get(id) : undefined;
      return found?.ok ? `${found.value.dataset}/${found.value.number}` : null;
    }
    case "model_version": {
      const found = parseReference(id) ? await models.resolve(id) : undefined;
      return found?.ok ? `${found.value.model}/${found.value.number}` : null;
    }
    case "feature_set": {
      const found = await findFeatureSet(featureSets, id);
      return found ? `${found.name}/${found.number}` : null;
    }
    case "run": {
      const found = await runs.get(id);
      return found.ok ? found.value.name : null;
    }
    default:
      return null;
  }
}
