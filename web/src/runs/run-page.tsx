import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import type { RunDetailView } from "../../../src/api/run-routes.ts";
import css from "../data/data.module.css";
import { size } from "../data/versions.tsx";
import { When } from "../data/when.tsx";
import { count } from "../format.ts";
import { Wide } from "../incident/part.tsx";
import { kindWord, NodeLink } from "../lineage/node-link.tsx";
import { lineageQuery, loggedDataQuery, runQuery } from "../queries.ts";
import { NoSuchPage } from "../shell/lost.tsx";
import { CopyAsCommand } from "../ui/command.tsx";
import { Loaded } from "../ui/loaded.tsx";
import { metricText } from "./metric-text.ts";
import { runId } from "./mlflow-address.ts";
import { Pairs } from "./pairs.tsx";
import runsCss from "./runs.module.css";

/** One training: what went in, what came out. */
export function RunPage() {
  const { run } = useParams({ from: "/runs/$run" });
  const id = runId(run);
  return id === undefined ? <NoSuchPage /> : <Known id={id} />;
}

function Known({ id }: { id: string }) {
  const run = useQuery(runQuery(id));
  return (
    <Loaded query={run} label="the run">
      {(view) => <Run run={view} />}
    </Loaded>
  );
}

function Run({ run }: { run: RunDetailView }) {
  const { id, name, experiment, status, startedAt, endedAt, createdBy, params, tags, metrics, history } = run;
  const points = Map.groupBy(history, ({ key }) => key);
  return (
    <>
      <title>{`Run ${name} · Evenkeel`}</title>
      <div className={css.header}>
        <div>
          <h1>{name}</h1>
          <p className={css.sub}>
            {status} · experiment{" "}
            <Link to="/runs" search={{ experiment }}>
              {experiment}
            </Link>{" "}
            · <When iso={startedAt} />
            {endedAt && (
              <>
                {" "}
                to <When iso={endedAt} />
              </>
            )}{" "}
            · {createdBy}
          </p>
        </div>
        <CopyAsCommand command={`evenkeel runs show ${id}`} />
      </div>
      <div className={runsCss.grid}>
        <Pairs
          id="metrics"
          title="Metrics"
          none="It logged no metric."
          pairs={Object.entries(metrics).map(([key, value]) => ({
            name: key,
            value: <Metric value={value} points={points.get(key)?.length ?? 1} />,
          }))}
        />
        <Pairs
          id="params"
          title="Parameters"
          none="It logged no parameter."
          pairs={Object.entries(params).map(([key, value]) => ({ name: key, value: String(value) }))}
        />
        <MadeFrom id={id} />
        <Pairs id="tags" title="Tags" none="It has no tag." pairs={Object.entries(tags).map(([key, value]) => ({ name: key, value }))} />
      </div>
      <Artifacts run={run} />
    </>
  );
}

function Metric({ value, points }: { value: number; points: number }) {
  return (
    <>
      {metricText(value)} {points > 1 && <span className={runsCss.note}>last of {count(points)}</span>}
    </>
  );
}

/** Versions that are here, and what an MLflow client said of its data. */
function MadeFrom({ id }: { id: string }) {
  const upstream = useQuery(lineageQuery("run", id, "upstream"));
  const logged = useQuery(loggedDataQuery(id));
  const known = (upstream.data?.nodes ?? []).filter(({ depth }) => depth === 1);
  const said = (logged.data ?? []).map(({ name, digest, context }) => ({
    name: context === null ? "logged data" : `logged data, ${context}`,
    value: `${name}, digest ${digest}`,
  }));
  return (
    <Pairs
      id="data"
      title="Made from"
      none={upstream.isPending || logged.isPending ? "Loading" : "Nothing is known."}
      pairs={[...known.map((node) => ({ name: kindWord(node.kind), value: <NodeLink node={node} /> })), ...said]}
    />
  );
}

function Artifacts({ run: { artifacts } }: { run: RunDetailView }) {
  return (
    <section className={runsCss.part} aria-labelledby="artifacts">
      <h2 id="artifacts">Artifacts</h2>
      {artifacts.length === 0 ? (
        <p className={runsCss.none}>It kept no file.</p>
      ) : (
        <Wide label="Artifacts">
          <table className={css.table}>
            <thead>
              <tr>
                <th scope="col">Path</th>
                <th scope="col" className={css.number}>
                  Size
                </th>
                <th scope="col">Id</th>
              </tr>
            </thead>
            <tbody>
              {artifacts.map(({ path, blob, bytes }) => (
                <tr key={path}>
                  <th scope="row">
                    <a href={`/v1/blobs/${blob}`} download={path.slice(path.lastIndexOf("/") + 1)}>
                      {path}
                    </a>
                  </th>
                  <td className={css.number}>{size(bytes)}</td>
                  <td>
                    <code title={blob}>{blob.slice("sha256:".length, "sha256:".length + 12)}</code>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Wide>
      )}
    </section>
  );
}
