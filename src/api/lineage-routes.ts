/** What something was made of, and what was made of it. */
import { Type, type Static } from "typebox";
import { iso } from "./iso.ts";
import { nodeKinds } from "../registry/index.ts";
import { nameOf, nodeNamed, type NodeParts } from "./lineage-nodes.ts";
import { readsRegistry } from "./registry-parts.ts";
import { NodeView } from "./run-routes.ts";
import { principalOf, type Server } from "./server.ts";

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

export const lineageRoutes = (parts: NodeParts) => (app: Server) => {
  app.get(
    "/v1/lineage",
    {
      config: readsRegistry,
      schema: {
        summary: "What something was made of, or what was made of it",
        tags: ["lineage"],
        querystring: Type.Object({
          kind: Type.Enum(nodeKinds),
          id: Type.String({ description: "Its id, or a reference such as credit/3, credit@clean or, of a release, loans/r3" }),
          direction: Type.Optional(Type.Enum(["upstream", "downstream"], { description: "upstream when left out" })),
        }),
        response: { 200: LineageView },
      },
    },
    async (request) => {
      const { direction = "upstream", ...asked } = request.query;
      const principal = principalOf(request);
      const root = await nodeNamed(parts, asked, principal);
      const { nodes, edges, isComplete } = await parts.registry.lineage[direction](root);
      const named: LineageView["nodes"] = [];
      for (const [i, node] of nodes.entries()) named.push({ ...node, name: i < NAMES_MAX ? await nameOf(parts, node, principal) : null });
      return { root, nodes: named, edges: edges.map(({ atMs, ...edge }) => ({ ...edge, at: iso(atMs) })), isComplete };
    },
  );
};
