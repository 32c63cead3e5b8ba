import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ModelView } from "../../../src/api/model-routes.ts";
import css from "../data/data.module.css";
import { When } from "../data/when.tsx";
import { count } from "../format.ts";
import { modelsQuery } from "../queries.ts";
import { Command, CopyAsCommand } from "../ui/command.tsx";
import { Loaded } from "../ui/loaded.tsx";

/** All registered models, with where their aliases point. */
export function ModelsPage() {
  const all = useQuery(modelsQuery);
  return (
    <>
      <title>Models · Evenkeel</title>
      <div className={css.header}>
        <h1>Models</h1>
        <CopyAsCommand command="evenkeel models ls" />
      </div>
      <Loaded query={all} label="the models">
        {({ models }) => <Models models={models} />}
      </Loaded>
    </>
  );
}

function Models({ models }: { models: readonly ModelView[] }) {
  if (models.length === 0) {
    return (
      <>
        <p className={css.quiet}>No model yet. Register an ONNX file, or let a pipeline or an MLflow client do it:</p>
        <Command>evenkeel models register credit model.onnx</Command>
      </>
    );
  }
  return (
    <table className={css.table}>
      <thead>
        <tr>
          <th scope="col">Model</th>
          <th scope="col" className={css.number}>
            Newest version
          </th>
          <th scope="col">Since</th>
          <th scope="col">Aliases</th>
        </tr>
      </thead>
      <tbody>
        {models.map(({ name, latest, aliases, createdAt }) => (
          <tr key={name}>
            <th scope="row">
              <Link to="/models/$model" params={{ model: name }}>
                {name}
              </Link>
            </th>
            <td className={css.number}>{count(latest)}</td>
            <td>
              <When iso={createdAt} />
            </td>
            <td>
              {Object.entries(aliases).map(([alias, number]) => (
                <span key={alias} className={css.tag}>
                  {alias} → {number}
                </span>
              ))}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
