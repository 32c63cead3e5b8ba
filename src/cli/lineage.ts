/** What something was made of, and what was made of it. */
import type { LineageView } from "../api/index.ts";
import { nearest } from "../checked.ts";
import { styled, type Io } from "./io.ts";
import { UsageError, verb } from "./verb.ts";

/** Words for a command line, by the kind in the API. */
const KINDS: Readonly<Record<string, LineageView["root"]["kind"]>> = {
  dataset: "dataset_version",
  step: "step_run",
  features: "feature_set",
  run: "run",
  model: "model_version",
  policy: "policy_version",
  release: "release",
  deployment: "deployment",
  alert: "alert",
  rollback: "rollback",
  blame: "blame_report",
  case: "remediation_case",
};

export const lineage = verb({
  name: "lineage",
  help: `show what something was made of, and what was made of it

usage: evenkeel lineage <kind> <id> [--upstream | --downstream]

kinds: ${Object.keys(KINDS).join(", ")}
ids: content ids, or references such as credit/3, credit@clean, credit-basic/1

Both directions are shown when none is named.

examples:
  evenkeel lineage model credit/1 --upstream
  evenkeel lineage dataset loans/1 --downstream --json`,
  words: 2,
  options: { upstream: { type: "boolean" }, downstream: { type: "boolean" } },
  async run({ positionals: [word, id], values }, { client, io }) {
    if (!word || !id) throw new UsageError("a kind and an id are needed");
    const kind = KINDS[word] ?? Object.values(KINDS).find((known) => known === word);
    if (!kind) {
      const near = nearest(word, Object.keys(KINDS));
      throw new UsageError(`there is no kind "${word}"${near ? `; did you mean ${near}?` : ""}`);
    }
    const isBoth = values.upstream === values.downstream;
    const graphs: Partial<Record<Direction, LineageView>> = {};
    for (const direction of directions)
      if (isBoth || values[direction]) graphs[direction] = await client().get<LineageView>("/v1/lineage", { kind, id, direction });
    if (values.json) io.out(JSON.stringify(graphs));
    else
      io.out(
        directions
          .flatMap((direction) => {
            const graph = graphs[direction];
            return graph ? [graphText(io, graph, direction)] : [];
          })
          .join("\n\n"),
      );
    return 0;
  },
});

const directions = ["upstream", "downstream"] as const;
type Direction = (typeof directions)[number];
type Node = LineageView["nodes"][number];

const keyOf = ({ kind, id }: { readonly kind: string; readonly id: string }) => `${kind} ${id}`;

/** A tree from the root; what was shown before is named again without what lies behind it. */
function graphText(io: Io, { root, nodes, edges, isComplete }: LineageView, direction: Direction): string {
  const [near, far] = direction === "upstream" ? (["to", "from"] as const) : (["from", "to"] as const);
  const byNear = Map.groupBy(edges, (edge) => keyOf(edge[near]));
  const byKey = new Map(nodes.map((node) => [keyOf(node), node]));
  const seen = new Set<string>();
  const lines = [styled(io, "dim", direction === "upstream" ? "made of" : "what was made of it")];
  const walk = (key: string, stem: string, branch: string) => {
    const node = byKey.get(key);
    const next = byNear.get(key) ?? [];
    const isRepeated = seen.has(key) && next.length > 0;
    seen.add(key);
    lines.push(`${branch}${node ? nodeText(io, node) : key}${isRepeated ? styled(io, "dim", "  (see above)") : ""}`);
    if (isRepeated) return;
    for (const [i, edge] of next.entries()) {
      const isLast = i === next.length - 1;
      walk(keyOf(edge[far]), `${stem}${isLast ? "   " : "│  "}`, `${stem}${isLast ? "└─ " : "├─ "}`);
    }
  };
  walk(keyOf(root), "", "");
  if (edges.length === 0) lines.push(styled(io, "dim", "nothing is known"));
  if (!isComplete) lines.push(styled(io, "yellow", "there is more: the search ended at its bound"));
  return lines.join("\n");
}

function nodeText(io: Io, { kind, id, name }: Node): string {
  const short = id.length > 40 ? `${id.slice(0, 20)}…` : id;
  const what = kind.replace(/_version$/, "").replaceAll("_", " ");
  return name === null ? `${what} ${short}` : `${what} ${styled(io, "bold", name)}  ${styled(io, "dim", short)}`;
}
