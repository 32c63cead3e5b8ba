import { Link } from "@tanstack/react-router";
import type { LineageView } from "../../../src/api/lineage-routes.ts";

export type NodeKind = LineageView["root"]["kind"];

/** Words for an address, by the kind in the API. They are those of `evenkeel lineage`. */
const WORDS: Readonly<Record<NodeKind, string>> = {
  dataset_version: "dataset",
  step_run: "step",
  feature_set: "features",
  run: "run",
  model_version: "model",
  policy_version: "policy",
  release: "release",
  deployment: "deployment",
  alert: "alert",
  rollback: "rollback",
  blame_report: "blame",
  remediation_case: "case",
};

export const kindWord = (kind: NodeKind): string => WORDS[kind];

/** The kind that a word of an address stands for. */
export function kindOf(word: string): NodeKind | undefined {
  const found = Object.entries(WORDS).find(([, known]) => known === word)?.[0];
  return found === undefined ? undefined : asKind(found);
}
/** Keys of the table above are kinds. */
const asKind = (key: string) => key as NodeKind;

/** A thing by the name that people give it, with where more of it is told. */
export function NodeLink({ node }: { node: { readonly kind: NodeKind; readonly id: string; readonly name: string | null } }) {
  const { kind, id, name } = node;
  const [first = "", second = ""] = (name ?? "").split("/");
  if (kind === "run")
    return (
      <Link to="/runs/$run" params={{ run: id }}>
        {name ?? id}
      </Link>
    );
  if (kind === "dataset_version" && name !== null)
    return (
      <Link to="/data/$dataset" params={{ dataset: first }}>
        {name}
      </Link>
    );
  if (kind === "model_version" && name !== null)
    return (
      <Link to="/models/$model" params={{ model: first }} search={{ version: second }}>
        {name}
      </Link>
    );
  return (
    <Link to="/lineage/$" params={{ _splat: `${WORDS[kind]}/${name ?? id}` }}>
      {name ?? short(id)}
    </Link>
  );
}

const short = (id: string) => (id.length > 24 ? `${id.slice(0, 16)}…${id.slice(-4)}` : id);
