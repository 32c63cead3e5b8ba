import { useQuery } from "@tanstack/react-query";
import type { DecisionTraceView } from "../../../src/api/decision-lineage-routes.ts";
import type { LineageView } from "../../../src/api/lineage-routes.ts";
import css from "../data/data.module.css";
import { When } from "../data/when.tsx";
import { decisionTraceQuery, lineageQuery } from "../queries.ts";
import { Pairs, type Pair } from "../runs/pairs.tsx";
import runsCss from "../runs/runs.module.css";
import { CopyAsCommand } from "../ui/command.tsx";
import { Loaded } from "../ui/loaded.tsx";
import { drawnParts, keyOf } from "./drawn-parts.ts";
import { LineageGraph } from "./graph.tsx";
import { NodeLink } from "./node-link.tsx";

/** All that a decision was made with, and what of it nobody knows. */
export function DecisionLineage({ id }: { id: string }) {
  const trace = useQuery(decisionTraceQuery(id));
  return (
    <Loaded query={trace} label="the lineage of the decision">
      {(view) => <Trace trace={view} />}
    </Loaded>
  );
}

function Trace({ trace }: { trace: DecisionTraceView }) {
  const { decision, placedBy, madeOf } = trace;
  const made = useQuery(lineageQuery("release", madeOf.id, "upstream"));
  const { id, endpoint, action, arm, decidedAt, because, generation } = decision;
  const placed: readonly Pair[] =
    placedBy === null
      ? []
      : [{ name: "placed there by", value: `${placedBy.actor}: ${placedBy.reason} (${placedBy.kind}, generation ${placedBy.generation})` }];
  return (
    <>
      <title>{`Decision ${id} · Evenkeel`}</title>
      <div className={css.header}>
        <div>
          <h1>Decision {id}</h1>
          <p className={css.sub}>
            {endpoint} said <b>{action}</b> · <When iso={decidedAt} />
          </p>
        </div>
        <CopyAsCommand command={`evenkeel lineage dec:${id}`} />
      </div>
      <div className={runsCss.grid}>
        <Pairs
          id="answered"
          title="Who answered"
          none=""
          pairs={[
            {
              name: "release",
              value: <NodeLink node={{ kind: "release", id: madeOf.id, name: `${madeOf.endpoint}/${madeOf.release}` }} />,
            },
            { name: "as", value: `${arm}, generation ${generation}` },
            ...(because === null ? [] : [{ name: "instead of another, because", value: because }]),
            ...placed,
            { name: "scorer", value: madeOf.scorer },
          ]}
        />
        <Pairs id="made-of" title="Made of" none="Nothing that is known." pairs={partsOf(madeOf)} />
      </div>
      {made.data && <Drawn trace={trace} made={made.data} />}
      <section className={runsCss.part} aria-labelledby="unknown">
        <h2 id="unknown">What nobody knows</h2>
        {madeOf.unknown.length === 0 ? (
          <p className={runsCss.none}>Nothing: all of it is recorded.</p>
        ) : (
          <ul>
            {madeOf.unknown.map((sentence) => (
              <li key={sentence}>{sentence}</li>
            ))}
          </ul>
        )}
      </section>
    </>
  );
}

/** The decision at the right, and before it all that led to it, with the code of its runs. */
function Drawn({ trace: { decision, madeOf }, made }: { trace: DecisionTraceView; made: LineageView }) {
  const { nodes, edges } = drawnParts([made]);
  const root = { key: "decision", what: `decision, ${decision.action}`, name: decision.id };
  const codes = madeOf.runs.flatMap((run) =>
    codeOf(run.code).map(([what, name]) => ({
      node: { key: `code ${run.id} ${what}`, what, name },
      to: keyOf({ kind: "run", id: run.id }),
    })),
  );
  return (
    <LineageGraph
      title="Drawn"
      nodes={[root, ...nodes, ...codes.map(({ node }) => node)]}
      edges={[
        { from: keyOf({ kind: "release", id: madeOf.id }), to: root.key },
        ...edges,
        ...codes.map(({ node, to }) => ({ from: node.key, to })),
      ]}
    />
  );
}

/** The commit, or the files of each step. */
function codeOf({ commit, steps }: DecisionTraceView["madeOf"]["runs"][number]["code"]): readonly (readonly [string, string])[] {
  const files = steps.map((step) => [`code of ${step.name}`, Object.keys(step.files).join(", ")] as const);
  return [...(commit === null ? [] : [["code", commit] as const]), ...files.filter(([, names]) => names !== "")];
}

function partsOf({ models, featureSets, runs, datasets }: DecisionTraceView["madeOf"]): readonly Pair[] {
  return [
    ...models.map(({ id, version }) => ({ name: "model", value: <NodeLink node={{ kind: "model_version", id, name: version }} /> })),
    ...featureSets.map(({ id, version }) => ({ name: "features", value: <NodeLink node={{ kind: "feature_set", id, name: version }} /> })),
    ...runs.map(({ id, name }) => ({ name: "run", value: <NodeLink node={{ kind: "run", id, name }} /> })),
    ...datasets.map(({ id, version }) => ({ name: "data", value: <NodeLink node={{ kind: "dataset_version", id, name: version }} /> })),
    ...runs.flatMap(({ code }) => [
      ...(code.commit === null ? [] : [{ name: "code", value: <code>{code.commit}</code> }]),
      ...code.steps.flatMap(({ name, files, external }) => [
        ...Object.keys(files).map((path) => ({ name: `code of ${name}`, value: <code>{path}</code> })),
        ...Object.entries(external).map(([from, pin]) => ({ name: `read by ${name}`, value: `${from}, ${pin}` })),
      ]),
    ]),
  ];
}
