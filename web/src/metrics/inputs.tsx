import { Histogram } from "../data/histogram.tsx";
import { Wide } from "../incident/part.tsx";
import css from "./metrics.module.css";
import { rateSaid, ratioSaid, statusSaid, whySaid, type Answer } from "./words.ts";

const ALERTS: Readonly<Record<string, string>> = {
  missing_rate: "more missing",
  invalid_type_rate: "another type",
  out_of_range_rate: "out of range",
  new_category_rate: "new values",
  unit_change_ratio: "another unit?",
  constant_feature: "stuck",
};

/** Input by input: how far from the reference, and what is wrong with it. What moved most comes first. */
export function Inputs({ answers, minimum, against }: { answers: readonly Answer[]; minimum: number; against: string }) {
  const of = (metric: string) => answers.filter((one) => one.metric === metric && one.feature !== undefined);
  const indexes = of("population_stability_index").toSorted((a, b) => (b.value ?? -1) - (a.value ?? -1));
  const find = (metric: string, feature: string | undefined) => of(metric).find((one) => one.feature === feature);
  return (
    <section>
      <div className={css.section}>
        <h2>Inputs</h2>
        <span>against {against}; grey before, line now</span>
      </div>
      {indexes.length === 0 && <p className={css.quiet}>Inputs aren't counted yet.</p>}
      {indexes.length > 0 && (
        <Wide label="Drift of inputs">
          <table className={css.table}>
            <thead>
              <tr>
                <th scope="col">Input</th>
                <th scope="col">Distribution</th>
                <th scope="col" className={css.number}>
                  PSI
                </th>
                <th scope="col" className={css.number}>
                  Missing
                </th>
                <th scope="col">State</th>
              </tr>
            </thead>
            <tbody>
              {indexes.map((index) => {
                const missing = find("missing_rate", index.feature);
                const alerts = answers.filter((one) => one.feature === index.feature && one.status === "alert");
                return (
                  <tr key={index.feature}>
                    <th scope="row">{index.feature}</th>
                    <td>
                      {index.bins && (
                        <Histogram bins={index.bins.map(({ label, n, reference }) => ({ label, before: reference, after: n }))} />
                      )}
                    </td>
                    <td className={index.status === "drift" ? `${css.number} ${css.bad}` : css.number}>{ratioSaid(index.value)}</td>
                    <td className={css.number}>{missing ? rateSaid(missing) : "–"}</td>
                    <td className={alerts.length > 0 || index.status === "drift" ? css.bad : css.quiet}>
                      {[
                        index.reason === null ? statusSaid(index.status) : whySaid(index, minimum),
                        ...alerts.map(({ metric }) => ALERTS[metric] ?? metric),
                      ].join(", ")}
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </Wide>
      )}
    </section>
  );
}
