import { IntervalBar } from "./interval-bar.tsx";
import { count, decimals } from "../format.ts";
import { Wide } from "../incident/part.tsx";
import css from "./metrics.module.css";
import { groupSaid, rateSaid, ratioSaid, whySaid, type Answer } from "./words.ts";

const RATES = [
  ["true_positive_rate", "TPR", "Of those who turn out well, who got a favourable answer"],
  ["false_positive_rate", "FPR", "Of those who turn out badly, who got a favourable answer"],
  ["positive_predictive_value", "PPV", "Of those with a favourable answer, who turned out well"],
] as const;

/** The groups of some attributes: how many got a favourable answer, and that beside the reference. */
export function Groups({ title, answers, minimum }: { title: string; answers: readonly Answer[]; minimum: number }) {
  const of = (metric: string) => answers.filter((one) => one.metric === metric && one.group !== null);
  const rates = of("selection_rate");
  const find = (metric: string, { group }: Answer) => of(metric).find((one) => groupSaid(one.group ?? {}) === groupSaid(group ?? {}));
  const outcomes = RATES.filter(([metric]) => of(metric).some(({ value, bounds }) => value !== null || bounds !== undefined));
  const summary = answers.find(({ metric, attributes }) => metric === "demographic_parity_difference" && attributes !== null);
  return (
    <section>
      <div className={css.section}>
        <h2>{title}</h2>
        {summary && (
          <span>
            {summary.value === null
              ? whySaid(summary, minimum)
              : `luckiest and unluckiest are ${decimals(summary.value * 100, 1)} points apart`}
          </span>
        )}
      </div>
      <Wide label={`Metrics by ${title}`}>
        <table className={css.table}>
          <thead>
            <tr>
              <th scope="col">Group</th>
              <th scope="col" className={css.number}>
                Decisions
              </th>
              <th scope="col" colSpan={2}>
                Favourable, 95 % interval
              </th>
              <th scope="col" colSpan={2}>
                Over the reference, four fifths dashed
              </th>
              {outcomes.map(([metric, name, text]) => (
                <th key={metric} scope="col" className={css.number} title={text}>
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rates.map((own) => (
              <tr key={groupSaid(own.group ?? {})}>
                <th scope="row">{groupSaid(own.group ?? {})}</th>
                <td className={css.number}>{own.numerator ? count(own.numerator.n) : own.reason === "suppressed" ? "few" : "0"}</td>
                <td className={css.number}>
                  {own.value === null ? <span className={css.quiet}>{whySaid(own, minimum)}</span> : rateSaid(own)}
                </td>
                <td className={css.bar}>
                  <IntervalBar answer={own} high={1} />
                </td>
                <Ratio answer={find("adverse_impact_ratio", own)} minimum={minimum} />
                {outcomes.map(([metric]) => {
                  const answer = find(metric, own);
                  return (
                    <td key={metric} className={css.number} title={answer ? whySaid(answer, minimum) : undefined}>
                      {answer ? rateSaid(answer) : "–"}
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

function Ratio({ answer, minimum }: { answer: Answer | undefined; minimum: number }) {
  if (!answer)
    return (
      <td colSpan={2} className={css.quiet}>
        –
      </td>
    );
  if (answer.value === null)
    return (
      <td colSpan={2} className={css.quiet}>
        {whySaid(answer, minimum)}
      </td>
    );
  const isReference = answer.reference !== null && groupSaid(answer.reference) === groupSaid(answer.group ?? {});
  if (isReference)
    return (
      <td colSpan={2} className={css.quiet}>
        reference
      </td>
    );
  const isBelow = answer.four_fifths?.below_four_fifths === true;
  const findings = [
    isBelow && "below four fifths",
    answer.four_fifths?.significant && "significant",
    answer.four_fifths?.small_numbers && "small numbers",
  ];
  const said = findings.filter((text) => typeof text === "string").join(", ");
  return (
    <>
      <td className={isBelow ? `${css.number} ${css.bad}` : css.number} title={said}>
        {ratioSaid(answer.value)}
      </td>
      <td className={css.bar}>
        <IntervalBar answer={answer} high={1.5} limit={0.8} isBad={isBelow} />
      </td>
    </>
  );
}
