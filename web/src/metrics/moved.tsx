import { decimals, rate } from "../format.ts";
import { Histogram } from "../data/histogram.tsx";
import { Wide } from "../incident/part.tsx";
import css from "./metrics.module.css";
import { againstSaid, ratioSaid, statusSaid, whySaid, type Answer } from "./words.ts";

const PSI = "population_stability_index";
const attributesOf = ({ attributes }: Answer): string => (attributes ?? []).join(" and ");
const stateOf = (index: Answer, minimum: number): string => (index.reason === null ? statusSaid(index.status) : whySaid(index, minimum));

/** Whether scores, and who is decided about, are still what the release was made for. */
export function Moved({ answers, minimum, trainedOn }: { answers: readonly Answer[]; minimum: number; trainedOn: string | null }) {
  const indexes = answers.filter(({ metric, drift_of: of, writer }) => metric === PSI && of !== undefined && writer === undefined);
  const beside = (metric: string, index: Answer) =>
    answers.find((one) => one.metric === metric && one.drift_of === index.drift_of && attributesOf(one) === attributesOf(index));
  return (
    <section>
      <div className={css.section}>
        <h2>Scores and who applies</h2>
        <span>grey before, line now</span>
      </div>
      <Wide label="Drift of scores and of the mix of groups">
        <table className={css.table}>
          <thead>
            <tr>
              <th scope="col">What</th>
              <th scope="col">Distribution</th>
              <th scope="col" className={css.number} title="Population stability index: 0.1 is worth a look, 0.25 is a lot">
                PSI
              </th>
              <th scope="col" className={css.number} title="Jensen-Shannon distance, between 0 and 1">
                JS
              </th>
              <th scope="col">State</th>
              <th scope="col">Against</th>
            </tr>
          </thead>
          <tbody>
            {indexes.map((index) => (
              <tr key={`${index.drift_of} ${attributesOf(index)}`}>
                <th scope="row">{index.drift_of === "scores" ? "scores" : `mix of ${attributesOf(index)}`}</th>
                <td>
                  {index.bins && <Histogram bins={index.bins.map(({ label, n, reference }) => ({ label, before: reference, after: n }))} />}
                </td>
                <td className={index.status === "drift" ? `${css.number} ${css.bad}` : css.number}>{ratioSaid(index.value)}</td>
                <td className={css.number}>{ratioSaid(beside("jensen_shannon_distance", index)?.value ?? null)}</td>
                <td className={index.status === "drift" ? css.bad : css.quiet}>{stateOf(index, minimum)}</td>
                <td className={css.quiet}>{againstSaid(index, trainedOn)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Wide>
    </section>
  );
}

/** Who sends another mix than the rest: easy cases alone would hide a harm. Only where several tokens send requests. */
export function Writers({ answers, trainedOn }: { answers: readonly Answer[]; trainedOn: string | null }) {
  const indexes = answers.filter(({ metric, writer }) => metric === PSI && writer !== undefined);
  const [first] = indexes;
  if (!first) return null;
  const sets = [...new Set(indexes.map(attributesOf))];
  return (
    <section>
      <div className={css.section}>
        <h2>By token</h2>
        <span>who sends whom; mix against {againstSaid(first, trainedOn)}</span>
      </div>
      <Wide label="Mix of groups by token">
        <table className={css.table}>
          <thead>
            <tr>
              <th scope="col">Token</th>
              <th scope="col" className={css.number}>
                Share
              </th>
              <th scope="col" className={css.number}>
                Favourable
              </th>
              <th scope="col" className={css.number}>
                Mean score
              </th>
              {sets.map((set) => (
                <th key={set} scope="col" className={css.number}>
                  PSI of {set}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {[...Map.groupBy(indexes, ({ writer }) => writer ?? "")].map(([writer, of]) => (
              <tr key={writer}>
                <th scope="row">{writer}</th>
                <td className={css.number}>{shareSaid(of[0], "share")}</td>
                <td className={css.number}>{shareSaid(of[0], "selection_rate")}</td>
                <td className={css.number}>{scoreSaid(of[0])}</td>
                {sets.map((set) => {
                  const index = of.find((one) => attributesOf(one) === set);
                  return (
                    <td
                      key={set}
                      className={index?.status === "drift" ? `${css.number} ${css.bad}` : css.number}
                      title={statusSaid(index?.status)}
                    >
                      {ratioSaid(index?.value ?? null)}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </Wide>
    </section>
  );
}

function shareSaid(index: Answer | undefined, part: string): string {
  const value = index?.parts?.[part]?.value ?? null;
  return value === null ? "–" : rate(value);
}
function scoreSaid(index: Answer | undefined): string {
  const value = index?.parts?.["mean_score"]?.value ?? null;
  return value === null ? "–" : decimals(value, 3);
}
