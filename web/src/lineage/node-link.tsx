import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
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

interface LinkedNode {
  readonly kind: NodeKind;
  readonly id: string;
  readonly name: string | null;
}

/** A thing by the name that people give it, with where more of it is told. @param children - instead of the name */
export function NodeLink({ node, children, tabIndex }: { node: LinkedNode; children?: ReactNode; tabIndex?: number }) {
  const { kind, id, name } = node;
  const [first = "", second = ""] = (name ?? "").split("/");
  const shared = { ...(tabIndex === undefined ? {} : { tabIndex }), children: children ?? nodeText(node) };
  if (kind === "run") return <Link to="/runs/$run" params={{ run: id }} {...shared} />;
  if (kind === "dataset_version" && name !== null) return <Link to="/data/$dataset" params={{ dataset: first }} {...shared} />;
  if (kind === "model_version" && name !== null)
    return <Link to="/models/$model" params={{ model: first }} search={{ version: second }} {...shared} />;
  return <Link to="/lineage/$" params={{ _splat: `${WORDS[kind]}/${name ?? id}` }} {...shared} />;
}

/** What a thing is called where it has no name: its id, cut short, but for runs. */
export const nodeText = ({ kind, id, name }: LinkedNode): string => name ?? (kind === "run" ? id : short(id));

const short = (id: string) => (id.length > 24 ? `${id.slice(0, 16)}…${id.slice(-4)}` : id);
