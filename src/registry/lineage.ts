/** What was made of what: edges between everything that goes into a decision. They are added, never changed, never removed. */
import { sql, type Transaction } from "kysely";
import type { Schema, Store } from "../store/index.ts";

export const nodeKinds = [
  "dataset_version",
  "step_run",
  "feature_set",
  "run",
  "model_version",
  "policy_version",
  "release",
  "deployment",
  "alert",
  "rollback",
  "blame_report",
  "remediation_case",
] as const;
export type NodeKind = (typeof nodeKinds)[number];

/** Content ids where the thing has one (`tbl:`, `fs:`, `mdl:`, `rel:`, `step:`), its own id otherwise. */
export interface LineageNode {
  readonly kind: NodeKind;
  readonly id: string;
}

/** Reads from `from` to `to`: data *used* by a run, a run that *made* a model, a model that is *part of* a release, a breach that *led to* a rollback. */
export type Relation = "used_by" | "made" | "part_of" | "led_to";

export interface LineageEdge {
  readonly from: LineageNode;
  readonly to: LineageNode;
  readonly relation: Relation;
}

export interface LineageGraph {
  readonly root: LineageNode;
  /** Nearest first; `depth` is the number of edges from the root, which is there with 0. */
  readonly nodes: readonly (LineageNode & { readonly depth: number })[];
  readonly edges: readonly (LineageEdge & { readonly atMs: number })[];
  /** false where the search ended at its bound, so that there may be more. */
  readonly isComplete: boolean;
}

export interface LineageBounds {
  /** Default and most: 64 edges from the root. */
  readonly depth?: number;
}

const DEPTH_MAX = 64;
const EDGES_MAX = 10_000;

export class Lineage {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Part of the transaction that makes the thing. An edge that is there already stays as it is. */
  async add(tx: Transaction<Schema>, edges: readonly LineageEdge[]): Promise<void> {
    if (edges.length === 0) return;
    const atMs = this.#store.runtime.clock.nowMs();
    const rows = edges.map(({ from, to, relation }) => ({
      from_kind: from.kind,
      from_id: from.id,
      to_kind: to.kind,
      to_id: to.id,
      relation,
      at_ms: atMs,
    }));
    await tx
      .insertInto("lineage_edge")
      .values(rows)
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }

  /** All that went into `root`. */
  upstream(root: LineageNode, bounds: LineageBounds = {}): Promise<LineageGraph> {
    return this.#walk(root, { near: "to", far: "from" }, bounds);
  }

  /** All that was made of `root`. */
  downstream(root: LineageNode, bounds: LineageBounds = {}): Promise<LineageGraph> {
    return this.#walk(root, { near: "from", far: "to" }, bounds);
  }

  /**
   * Ids of everything of one kind that was made of `root`, itself among it: all there is, however much.
   * @param within - the transaction that the answer must hold in
   */
  async reached(root: LineageNode, kind: NodeKind, within: Store["db"] = this.#store.db): Promise<readonly string[]> {
    const rows = await within
      .withRecursive("reached(kind, id)", (db) =>
        db.selectNoFrom([sql<string>`cast(${root.kind} as text)`.as("kind"), sql<string>`cast(${root.id} as text)`.as("id")]).union(
          db
            .selectFrom("reached")
            .innerJoin("lineage_edge", (join) =>
              join.onRef("lineage_edge.from_kind", "=", "reached.kind").onRef("lineage_edge.from_id", "=", "reached.id"),
            )
            .select(["lineage_edge.to_kind as kind", "lineage_edge.to_id as id"]),
        ),
      )
      .selectFrom("reached")
      .select("id")
      .where("kind", "=", kind)
      .orderBy("id")
      .execute();
    return rows.map(({ id }) => id);
  }

  async #walk(root: LineageNode, { near, far }: { readonly near: Side; readonly far: Side }, bounds: LineageBounds): Promise<LineageGraph> {
    const depth = Math.max(1, Math.min(bounds.depth ?? DEPTH_MAX, DEPTH_MAX));
    const rows = await this.#store.db
      .withRecursive("reached(kind, id, depth)", (db) =>
        db
          .selectNoFrom([
            sql<string>`cast(${root.kind} as text)`.as("kind"),
            sql<string>`cast(${root.id} as text)`.as("id"),
            sql<number>`0`.as("depth"),
          ])
          .union(
            db
              .selectFrom("reached")
              .innerJoin("lineage_edge", (join) =>
                join.onRef(`lineage_edge.${near}_kind`, "=", "reached.kind").onRef(`lineage_edge.${near}_id`, "=", "reached.id"),
              )
              .where("reached.depth", "<", depth - 1)
              .select([`lineage_edge.${far}_kind as kind`, `lineage_edge.${far}_id as id`, sql<number>`reached.depth + 1`.as("depth")]),
          ),
      )
      .selectFrom("lineage_edge")
      .where((where) =>
        where.exists(
          where
            .selectFrom("reached")
            .select(sql`1`.as("one"))
            .whereRef("reached.kind", "=", `lineage_edge.${near}_kind`)
            .whereRef("reached.id", "=", `lineage_edge.${near}_id`),
        ),
      )
      .selectAll("lineage_edge")
      .limit(EDGES_MAX + 1)
      .execute();
    const edges = rows.map(edgeOf).toSorted((a, b) => compare(edgeKey(a), edgeKey(b)));
    const nodes = withDepths(root, edges, { near, far });
    const deepest = nodes.at(-1)?.depth ?? 0;
    return { root, nodes, edges, isComplete: edges.length <= EDGES_MAX && deepest < depth };
  }
}

type Side = "from" | "to";
const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
const nodeKey = (node: LineageNode) => `${node.kind} ${node.id}`;
const edgeKey = (edge: LineageEdge) => `${nodeKey(edge.from)} ${nodeKey(edge.to)} ${edge.relation}`;

/** Rows hold only what `add` put there. */
function edgeOf(row: Schema["lineage_edge"]): LineageEdge & { readonly atMs: number } {
  return {
    from: { kind: row.from_kind as NodeKind, id: row.from_id },
    to: { kind: row.to_kind as NodeKind, id: row.to_id },
    relation: row.relation as Relation,
    atMs: row.at_ms,
  };
}

/** Breadth first over the edges that were found. */
function withDepths(
  root: LineageNode,
  edges: readonly LineageEdge[],
  { near, far }: { readonly near: Side; readonly far: Side },
): (LineageNode & { readonly depth: number })[] {
  const byNear = Map.groupBy(edges, (edge) => nodeKey(edge[near]));
  const nodes = [{ ...root, depth: 0 }];
  const seen = new Set([nodeKey(root)]);
  for (const node of nodes) {
    for (const edge of byNear.get(nodeKey(node)) ?? []) {
      if (seen.has(nodeKey(edge[far]))) continue;
      seen.add(nodeKey(edge[far]));
      nodes.push({ ...edge[far], depth: node.depth + 1 });
    }
  }
  return nodes;
}
