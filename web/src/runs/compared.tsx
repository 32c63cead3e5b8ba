import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { RunComparisonView } from "../../../src/api/run-routes.ts";
import css from "../data/data.module.css";
import { Wide } from "../incident/part.tsx";
import { comparisonQuery } from "../queries.ts";
import { Button } from "../ui/button.tsx";
import { Loaded } from "../ui/loaded.tsx";
import { metricText } from "./metric-text.ts";
import runsCss from "./runs.module.css";

/** Runs side by side: what differs first seen, all on request. */
export function Compared({ ids, onLetGo }: { ids: readonly string[]; onLetGo: (run: string) => void }) {
  const comparison = useQuery(comparisonQuery(ids));
  return (
    <Loaded query={comparison} label="the comparison">
      {(view) => <Table comparison={view} onLetGo={onLetGo} />}
    </Loaded>
  );
}

interface Line {
  readonly key: string;
  readonly values: readonly (string | null)[];
  readonly differs: boolean;
}

function Table({ comparison: { runs, params, metrics }, onLetGo }: { comparison: RunComparisonView; onLetGo: (run: string) => void }) {
  const [showsAll, setShowsAll] = useState(false);
  const shown = <Row extends { readonly differs: boolean }>(rows: readonly Row[]) => rows.filter(({ differs }) => showsAll || differs);
  const same = [...params, ...metrics].filter(({ differs }) => !differs).length;
  return (
    <section className={runsCss.part} aria-labelledby="compared">
      <h2 id="compared">Side by side</h2>
      <Wide label="Runs side by side">
        <table className={css.table}>
          <thead>
            <tr>
              <th scope="col">
                <span className={css.hidden}>Parameter or metric</span>
              </th>
              {runs.map(({ id, name }) => (
                <th key={id} scope="col" className={css.number}>
                  <Link to="/runs/$run" params={{ run: id }}>
                    {name}
                  </Link>{" "}
                  <Button look="quiet" aria-label={`Let go of ${name}`} onClick={() => onLetGo(id)}>
                    ×
                  </Button>
                </th>
              ))}
            </tr>
          </thead>
          <Lines
            title="Metrics"
            lines={shown(metrics).map((row) => ({
              ...row,
              values: row.values.map((value) => (value === null ? null : metricText(value))),
            }))}
            width={runs.length}
          />
          <Lines
            title="Parameters"
            lines={shown(params).map((row) => ({ ...row, values: row.values.map((value) => (value === null ? null : String(value))) }))}
            width={runs.length}
          />
        </table>
      </Wide>
      {same > 0 && (
        <p className={css.note}>
          <Button look="quiet" onClick={() => setShowsAll(!showsAll)}>
            {showsAll ? "Only what differs" : `${same} more that are the same`}
          </Button>
        </p>
      )}
    </section>
  );
}

function Lines({ title, lines, width }: { title: string; lines: readonly Line[]; width: number }) {
  return (
    <tbody>
      <tr>
        <th scope="rowgroup" colSpan={width + 1}>
          {title}
        </th>
      </tr>
      {lines.length === 0 && (
        <tr>
          <td colSpan={width + 1} className={css.quiet}>
            None that differs.
          </td>
        </tr>
      )}
      {lines.map(({ key, values, differs }) => (
        <tr key={key} className={differs ? runsCss.differs : undefined}>
          <th scope="row">{key}</th>
          {values.map((value, i) => (
            // Values are in the order of the runs.
            <td key={i} className={css.number}>
              {value ?? "–"}
            </td>
          ))}
        </tr>
      ))}
    </tbody>
  );
}
