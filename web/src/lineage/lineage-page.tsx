import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import type { DecidedWithView } from "../../../src/api/decision-lineage-routes.ts";
import type { LineageView } from "../../../src/api/lineage-routes.ts";
import css from "../data/data.module.css";
import { When } from "../data/when.tsx";
import { count, counted } from "../format.ts";
import { Wide } from "../incident/part.tsx";
import { decidedWithQuery, lineageQuery } from "../queries.ts";
import runsCss from "../runs/runs.module.css";
import { NoSuchPage } from "../shell/lost.tsx";
import { CopyAsCommand } from "../ui/command.tsx";
import { Loaded } from "../ui/loaded.tsx";
import { DecisionLineage } from "./decision-lineage.tsx";
import { drawnParts } from "./drawn-parts.ts";
import { LineageGraph } from "./graph.tsx";
import { kindOf, kindWord, NodeLink, type NodeKind } from "./node-link.tsx";

/** `/lineage/model/credit@champion`, `/lineage/release/loans/r3`, `/lineage/decision/…`: the words of `evenkeel lineage`. */
export function LineagePage() {
  const { _splat = "" } = useParams({ from: "/lineage/$" });
  const [word = "", ...rest] = _splat.split("/");
  const id = rest.join("/");
  const decision = word.startsWith("dec:") ? word.slice("dec:".length) : word === "decision" ? id.replace(/^dec:/, "") : "";
  if (decision !== "") return <DecisionLineage key={decision} id={decision} />;
  const kind = kindOf(word);
  return kind === undefined || id === "" ? <NoSuchPage /> : <Lineage key={_splat} kind={kind} id={id} />;
}

function Lineage({ kind, id }: { kind: NodeKind; id: string }) {
  const upstream = useQuery(lineageQuery(kind, id, "upstream"));
  const downstream = useQuery(lineageQuery(kind, id, "downstream"));
  const decided = useQuery(decidedWithQuery(kind, id));
  const word = kindWord(kind);
  return (
    <Loaded query={upstream} label="the lineage">
      {(up) => (
        <>
          <title>{`Lineage of ${word} ${id} · Evenkeel`}</title>
          <div className={css.header}>
            <div>
              <h1>{up.nodes[0]?.name ?? id}</h1>
              <p className={css.sub}>
                {word} · <code>{up.root.id}</code>
              </p>
            </div>
            <CopyAsCommand command={`evenkeel lineage ${word} ${id}`} />
          </div>
          {downstream.data && decided.data && <Drawn up={up} down={downstream.data} decided={decided.data} />}
          <Graph id="upstream" title="What it was made of" none="Nothing is known." graph={up} />
          <Loaded query={downstream} label="what was made of it">
            {(down) => <Graph id="downstream" title="What was made of it" none="Nothing yet." graph={down} />}
          </Loaded>
          <Loaded query={decided} label="the decisions made with it">
            {(view) => <Decided decided={view} />}
          </Loaded>
        </>
      )}
    </Loaded>
  );
}

/** All of it in one picture, with the decisions at its end. */
function Drawn({ up, down, decided }: { up: LineageView; down: LineageView; decided: DecidedWithView }) {
  const answered = new Map(decided.releases.map((release) => [`release ${release.id}`, release.decisions]));
  const { nodes, edges } = drawnParts([up, down], (key) => {
    const decisions = answered.get(key);
    return decisions === undefined ? "" : ` · ${counted(decisions, "decision", "decisions")}`;
  });
  if (edges.length === 0) return null;
  const end = {
    key: "decisions",
    what: "decided with it",
    name: counted(decided.decisions, "decision", "decisions"),
  };
  const ends = answered.keys().map((from) => ({ from, to: end.key }));
  return <LineageGraph title="Drawn" nodes={answered.size > 0 ? [...nodes, end] : nodes} edges={[...edges, ...ends]} />;
}

function Graph({ id, title, none, graph }: { id: string; title: string; none: string; graph: LineageView }) {
  const nodes = graph.nodes.filter(({ depth }) => depth > 0);
  const since = new Map(graph.edges.flatMap(({ from, to, at }) => [from, to].map((node) => [`${node.kind} ${node.id}`, at] as const)));
  return (
    <section className={runsCss.part} aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {nodes.length === 0 ? (
        <p className={runsCss.none}>{none}</p>
      ) : (
        <Wide label={title}>
          <table className={css.table}>
            <thead>
              <tr>
                <th scope="col">What</th>
                <th scope="col">Name</th>
                <th scope="col" className={css.number}>
                  Steps away
                </th>
                <th scope="col">Recorded</th>
              </tr>
            </thead>
            <tbody>
              {nodes.map((node) => (
                <tr key={`${node.kind} ${node.id}`}>
                  <td>{kindWord(node.kind)}</td>
                  <th scope="row">
                    <NodeLink node={node} />
                  </th>
                  <td className={css.number}>{node.depth}</td>
                  <td>
                    <When iso={since.get(`${node.kind} ${node.id}`) ?? ""} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Wide>
      )}
      {!graph.isComplete && <p className={css.note}>There is more than is shown here.</p>}
    </section>
  );
}

function Decided({ decided: { decisions, shadows, releases } }: { decided: DecidedWithView }) {
  return (
    <section className={runsCss.part} aria-labelledby="decided">
      <h2 id="decided">Decisions made with it</h2>
      {releases.length === 0 ? (
        <p className={runsCss.none}>None.</p>
      ) : (
        <>
          <p className={css.sub}>
            {counted(decisions, "decision", "decisions")} that somebody received, {count(shadows)} as a shadow.
          </p>
          <table className={css.table}>
            <thead>
              <tr>
                <th scope="col">Release</th>
                <th scope="col" className={css.number}>
                  Decisions
                </th>
                <th scope="col" className={css.number}>
                  As a shadow
                </th>
                <th scope="col">Days</th>
              </tr>
            </thead>
            <tbody>
              {releases.map(({ id, endpoint, release, decisions: received, shadows: unseen, days }) => (
                <tr key={id}>
                  <th scope="row">
                    <NodeLink node={{ kind: "release", id, name: `${endpoint}/${release}` }} />
                  </th>
                  <td className={css.number}>{count(received)}</td>
                  <td className={css.number}>{count(unseen)}</td>
                  <td>{daysText(days.map(({ day }) => day))}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </>
      )}
    </section>
  );
}

/** The first and the last: a release may have served for years. */
function daysText(days: readonly string[]): string {
  const [first = "", last = ""] = [days[0], days.at(-1)];
  return first === last ? first : `${first} to ${last}`;
}
