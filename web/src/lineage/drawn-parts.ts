/** Lineage as the API tells it, as boxes and lines. */
import type { LineageView } from "../../../src/api/lineage-routes.ts";
import type { DrawnNode } from "./graph.tsx";
import type { DrawnEdge } from "./layout.ts";
import { kindWord, nodeText } from "./node-link.tsx";

export const keyOf = ({ kind, id }: { readonly kind: string; readonly id: string }): string => `${kind} ${id}`;

/** @param graphs - of one root, which comes first @param noteOf - what is known of a thing besides, by its key */
export function drawnParts(
  graphs: readonly LineageView[],
  noteOf: (key: string) => string = () => "",
): { readonly nodes: readonly DrawnNode[]; readonly edges: readonly DrawnEdge[] } {
  const nodes = new Map<string, DrawnNode>();
  for (const node of graphs.flatMap((graph) => graph.nodes)) {
    const key = keyOf(node);
    nodes.set(key, { key, what: `${kindWord(node.kind)}${noteOf(key)}`, name: nodeText(node), leadsTo: node });
  }
  const edges = new Map<string, DrawnEdge>();
  for (const { from, to } of graphs.flatMap((graph) => graph.edges)) {
    const edge = { from: keyOf(from), to: keyOf(to) };
    edges.set(`${edge.from} ${edge.to}`, edge);
  }
  return { nodes: [...nodes.values()], edges: [...edges.values()] };
}
