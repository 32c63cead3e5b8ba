import { useQuery } from "@tanstack/react-query";
import { Link, useParams, useSearch } from "@tanstack/react-router";
import type { ModelDetailView } from "../../../src/api/model-routes.ts";
import css from "../data/data.module.css";
import { When } from "../data/when.tsx";
import { Wide } from "../incident/part.tsx";
import { modelQuery } from "../queries.ts";
import runsCss from "../runs/runs.module.css";
import { CopyAsCommand } from "../ui/command.tsx";
import { Loaded } from "../ui/loaded.tsx";
import { Card } from "./card.tsx";

/** A model: its versions, where its aliases have been, and the card of one version. */
export function ModelPage() {
  const { model: name } = useParams({ from: "/models/$model" });
  const model = useQuery(modelQuery(name));
  return (
    <Loaded query={model} label={`model ${name}`}>
      {(view) => <Model model={view} />}
    </Loaded>
  );
}

function Model({ model }: { model: ModelDetailView }) {
  const { name, versions } = model;
  const { version } = useSearch({ from: "/models/$model" });
  const chosen = versions.find(({ number }) => String(number) === version) ?? versions[0];
  return (
    <>
      <title>{`Model ${name} · Evenkeel`}</title>
      <div className={css.header}>
        <div>
          <h1>{name}</h1>
          <p className={css.sub}>
            Since <When iso={model.createdAt} />. Protected aliases: {model.protected.map(({ alias }) => alias).join(", ") || "none"}.
          </p>
        </div>
        <CopyAsCommand command={`evenkeel models show ${name}`} />
      </div>
      <Versions model={model} chosen={chosen?.number} />
      {chosen ? <Card key={chosen.id} reference={`${name}/${chosen.number}`} /> : <p className={css.hint}>It has no version.</p>}
      <Moves model={model} />
    </>
  );
}

function Versions({ model: { name, versions }, chosen }: { model: ModelDetailView; chosen: number | undefined }) {
  return (
    <Wide label={`Versions of ${name}`}>
      <table className={css.table}>
        <thead>
          <tr>
            <th scope="col">Version</th>
            <th scope="col">Aliases</th>
            <th scope="col">Made by run</th>
            <th scope="col">Registered</th>
            <th scope="col">Can be served</th>
          </tr>
        </thead>
        <tbody>
          {versions.map(({ number, aliases, run, createdAt, createdBy, unservable }) => (
            <tr key={number} className={number === chosen ? css.chosen : undefined}>
              <th scope="row">
                <Link
                  to="/models/$model"
                  params={{ model: name }}
                  search={{ version: String(number) }}
                  aria-current={number === chosen ? "true" : undefined}
                >
                  {name}/{number}
                </Link>
              </th>
              <td>
                {aliases.map((alias) => (
                  <span key={alias} className={css.tag}>
                    {alias}
                  </span>
                ))}
              </td>
              <td>
                {run === null ? (
                  <span className={css.quiet}>not known</span>
                ) : (
                  <Link to="/runs/$run" params={{ run }}>
                    <code>{run.slice(0, 8)}</code>
                  </Link>
                )}
              </td>
              <td>
                <When iso={createdAt} /> <span className={css.quiet}>{createdBy}</span>
              </td>
              <td>{unservable === null ? "yes" : `no: ${unservable}`}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Wide>
  );
}

function Moves({ model: { moves } }: { model: ModelDetailView }) {
  if (moves.length === 0) return null;
  return (
    <section className={runsCss.part} aria-labelledby="moves">
      <h2 id="moves">Where aliases have been</h2>
      <Wide label="Moves of aliases">
        <table className={css.table}>
          <thead>
            <tr>
              <th scope="col">When</th>
              <th scope="col">Alias</th>
              <th scope="col">From</th>
              <th scope="col">To</th>
              <th scope="col">Who</th>
              <th scope="col">Why</th>
            </tr>
          </thead>
          <tbody>
            {moves.toReversed().map(({ label, from, to, movedAt, movedBy, reason }) => (
              <tr key={`${label} ${movedAt}`}>
                <td>
                  <When iso={movedAt} />
                </td>
                <th scope="row">{label}</th>
                <td>{from ?? "nothing"}</td>
                <td>{to ?? "nothing"}</td>
                <td>{movedBy}</td>
                <td>{reason}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Wide>
    </section>
  );
}
