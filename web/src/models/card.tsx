import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ModelCardView } from "../../../src/api/model-card-view.ts";
import css from "../data/data.module.css";
import { count, rate } from "../format.ts";
import { Wide } from "../incident/part.tsx";
import { NodeLink } from "../lineage/node-link.tsx";
import { modelCardQuery } from "../queries.ts";
import { Pairs } from "../runs/pairs.tsx";
import runsCss from "../runs/runs.module.css";
import { Loaded } from "../ui/loaded.tsx";

/** What is known of a version: what it was made of, where it serves and for whom, and what nobody knows. */
export function Card({ reference }: { reference: string }) {
  const card = useQuery(modelCardQuery(reference));
  return (
    <Loaded query={card} label={`the card of ${reference}`}>
      {(view) => (
        <>
          <div className={runsCss.grid}>
            <MadeOf card={view} reference={reference} />
            <Data card={view} />
          </div>
          <Uses uses={view.uses} />
          <Unknown sentences={view.unknown} />
        </>
      )}
    </Loaded>
  );
}

function MadeOf({ card, reference }: { card: ModelCardView; reference: string }) {
  const { features, runs, datasets, featureSets } = card;
  return (
    <Pairs
      id="card"
      title={`Card of ${reference}`}
      none=""
      pairs={[
        { name: "inputs of the model", value: features?.join(", ") ?? "not known" },
        ...featureSets.map(({ id, version }) => ({
          name: "feature set",
          value: <NodeLink node={{ kind: "feature_set", id, name: version }} />,
        })),
        ...runs.map(({ id, name }) => ({ name: "run", value: <NodeLink node={{ kind: "run", id, name }} /> })),
        ...datasets.map(({ id, version }) => ({ name: "data", value: <NodeLink node={{ kind: "dataset_version", id, name: version }} /> })),
        {
          name: "more",
          value: (
            <>
              <Link to="/lineage/$" params={{ _splat: `model/${reference}` }}>
                lineage
              </Link>
              ,{" "}
              <a href={`/v1/model-card/document?reference=${encodeURIComponent(reference)}`} target="_blank" rel="noreferrer">
                card as a document
              </a>
            </>
          ),
        },
      ]}
    />
  );
}

function Data({ card: { data } }: { card: ModelCardView }) {
  return (
    <Pairs
      id="trained-on"
      title="Trained on"
      none="Nobody recorded on what."
      pairs={data.flatMap(({ version, rows, columns, groups }) => [
        { name: version, value: `${count(rows)} rows, ${count(columns.length)} columns` },
        ...(groups ?? []).map(({ group, rows: of }) => ({ name: group, value: `${count(of)} rows` })),
      ])}
    />
  );
}

function Uses({ uses }: { uses: ModelCardView["uses"] }) {
  return (
    <section className={runsCss.part} aria-labelledby="uses">
      <h2 id="uses">Where it serves</h2>
      {uses.length === 0 ? (
        <p className={runsCss.none}>No release is made of it.</p>
      ) : (
        <Wide label="Releases made of it">
          <table className={css.table}>
            <thead>
              <tr>
                <th scope="col">Release</th>
                <th scope="col">Place</th>
                <th scope="col">Group</th>
                <th scope="col" className={css.number}>
                  People
                </th>
                <th scope="col" className={css.number}>
                  Approved
                </th>
                <th scope="col" className={css.number}>
                  Good outcomes
                </th>
              </tr>
            </thead>
            <tbody>
              {uses.flatMap(({ endpoint, release, places, isCondemned, served, groups }) =>
                [{ group: "everybody", ...served }, ...groups].map(({ group, counted, favourableRate, goodRate }) => (
                  <tr key={`${endpoint}/${release} ${group}`}>
                    <th scope="row">
                      {endpoint}/{release}
                    </th>
                    <td>{isCondemned ? "condemned" : places.join(", ") || "none"}</td>
                    <td>{group}</td>
                    <td className={css.number}>{counted === null ? "few" : count(counted)}</td>
                    <td className={css.number}>{favourableRate === null ? "–" : rate(favourableRate)}</td>
                    <td className={css.number}>{goodRate === null ? "–" : rate(goodRate)}</td>
                  </tr>
                )),
              )}
            </tbody>
          </table>
        </Wide>
      )}
    </section>
  );
}

function Unknown({ sentences }: { sentences: readonly string[] }) {
  return (
    <section className={runsCss.part} aria-labelledby="unknown">
      <h2 id="unknown">What nobody knows</h2>
      {sentences.length === 0 ? (
        <p className={runsCss.none}>Nothing: all of it is recorded.</p>
      ) : (
        <ul>
          {sentences.map((sentence) => (
            <li key={sentence}>{sentence}</li>
          ))}
        </ul>
      )}
    </section>
  );
}
