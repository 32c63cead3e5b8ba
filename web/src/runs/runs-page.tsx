import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import type { RunView } from "../../../src/api/run-routes.ts";
import css from "../data/data.module.css";
import { When } from "../data/when.tsx";
import { Wide } from "../incident/part.tsx";
import { experimentQuery, runsQuery } from "../queries.ts";
import { Button } from "../ui/button.tsx";
import { Command, CopyAsCommand } from "../ui/command.tsx";
import { Loaded } from "../ui/loaded.tsx";
import { Problem } from "../ui/notice.tsx";
import { Skeleton } from "../ui/skeleton.tsx";
import { comparedIn, withRun } from "./chosen-runs.ts";
import { Compared } from "./compared.tsx";
import { metricText } from "./metric-text.ts";
import runsCss from "./runs.module.css";

/** Runs, newest first, of one experiment or of all; those that are chosen side by side. */
export function RunsPage() {
  const { experimentId } = useSearch({ from: "/runs" });
  return experimentId === undefined ? <Runs /> : <OfMlflow id={experimentId} />;
}

/** A link of MLflow's names an experiment by its number. */
function OfMlflow({ id }: { id: string }) {
  const experiment = useQuery(experimentQuery(id));
  return (
    <Loaded query={experiment} label="the experiment">
      {(name) => <Runs named={name} />}
    </Loaded>
  );
}

function Runs({ named }: { named?: string }) {
  const { experiment = named, compare } = useSearch({ from: "/runs" });
  const navigate = useNavigate({ from: "/runs" });
  const chosen = comparedIn(compare);
  const choose = (run: string) => {
    void navigate({ search: (search) => ({ ...search, compare: withRun(chosen, run) }), replace: true });
  };
  return (
    <>
      <title>Runs · Evenkeel</title>
      <div className={css.header}>
        <div>
          <h1>Runs</h1>
          {experiment !== undefined && (
            <p className={css.sub}>
              Of experiment <b>{experiment}</b>. <Link to="/runs">All runs</Link>
            </p>
          )}
        </div>
        <CopyAsCommand command={chosen.length > 1 ? `evenkeel runs compare ${chosen.join(" ")}` : "evenkeel runs ls"} />
      </div>
      {chosen.length > 1 ? (
        <Compared ids={chosen} onLetGo={choose} />
      ) : (
        chosen.length === 1 && <p className={css.quiet}>Choose a second run to see both side by side.</p>
      )}
      <div className={chosen.length > 1 ? runsCss.part : undefined}>
        <List experiment={experiment} chosen={chosen} onChoose={choose} />
      </div>
    </>
  );
}

function List({
  experiment,
  chosen,
  onChoose,
}: {
  experiment: string | undefined;
  chosen: readonly string[];
  onChoose: (run: string) => void;
}) {
  const pages = useInfiniteQuery(runsQuery(experiment));
  if (!pages.data) {
    if (pages.isError) return <Problem error={pages.error} onRetry={() => void pages.refetch()} />;
    return <Skeleton label="Loading the runs" heights={[31, 31, 31]} />;
  }
  const runs = pages.data.pages.flatMap((page) => page.runs);
  if (runs.length === 0) {
    return (
      <>
        <p className={css.quiet}>No run yet. A pipeline records one, and so does any MLflow client that is pointed here:</p>
        <Command>evenkeel run -f evenkeel.yaml --model credit</Command>
      </>
    );
  }
  return (
    <>
      <Wide label="Runs">
        <table className={css.table}>
          <thead>
            <tr>
              <th scope="col">
                <span className={css.hidden}>Compare</span>
              </th>
              <th scope="col">Run</th>
              <th scope="col">Experiment</th>
              <th scope="col">Status</th>
              <th scope="col">Started</th>
              <th scope="col">Metrics</th>
            </tr>
          </thead>
          <tbody>
            {runs.map((run) => (
              <Row key={run.id} run={run} letter={letterOf(chosen.indexOf(run.id))} onChoose={() => onChoose(run.id)} />
            ))}
          </tbody>
        </table>
      </Wide>
      {pages.hasNextPage && (
        <p className={css.hint}>
          <Button onClick={() => void pages.fetchNextPage()} disabled={pages.isFetchingNextPage}>
            Older runs
          </Button>
        </p>
      )}
    </>
  );
}

const SHOWN_METRICS = 3;

function Row({ run, letter, onChoose }: { run: RunView; letter: string; onChoose: () => void }) {
  const metrics = Object.entries(run.metrics).slice(0, SHOWN_METRICS);
  return (
    <tr className={letter ? css.chosen : undefined}>
      <td className={css.boxCell}>
        <label className={css.box}>
          <input type="checkbox" checked={letter !== ""} onChange={onChoose} aria-label={`Compare run ${run.name}`} />
          <span aria-hidden="true">{letter}</span>
        </label>
      </td>
      <th scope="row">
        <Link to="/runs/$run" params={{ run: run.id }}>
          {run.name}
        </Link>
      </th>
      <td>{run.experiment}</td>
      <td>{run.status}</td>
      <td>
        <When iso={run.startedAt} /> <span className={css.quiet}>{run.createdBy}</span>
      </td>
      <td>{metrics.map(([name, value]) => `${name} ${metricText(value)}`).join(", ")}</td>
    </tr>
  );
}

export const letterOf = (at: number): string => (at < 0 ? "" : String.fromCodePoint("A".charCodeAt(0) + at));
