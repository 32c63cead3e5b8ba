import type { EvidenceView, IncidentView } from "../../../src/api/ui-view.ts";
import { count, evidenceOf, rate, share } from "../format.ts";
import { plain, valueOf } from "../words.ts";
import { BandBar, Meter } from "../charts/band.tsx";
import own from "./evidence.module.css";
import css from "./incident.module.css";

/** Why there are none. */
const WITHOUT = {
  breach: "What the guardrail had in hand can't be read any more.",
  failure: "The release failed to answer; no guardrail had to prove anything.",
  "by-hand": "opened this incident by hand, so there is no test behind it.",
} as const;

/** The numbers of the proof, never a point without its band and its counts. */
export function Evidence({ view: { evidence, openedBy, kind } }: { view: IncidentView }) {
  if (!evidence) return <p className={css.quiet}>{kind === "by-hand" ? `${openedBy} ${WITHOUT[kind]}` : WITHOUT[kind]}</p>;
  const { metric, unit, estimate, limit, band, harmed, reference, sources } = evidence;
  const sides = [harmed, ...(reference ? [{ ...reference, group: reference.group ?? "everybody else" }] : [])];
  const [first] = sources;
  const value = estimate === null ? "unknown" : valueOf(unit, estimate, limit);
  const bandText = `95 % band for all times ${valueOf(unit, band.low, limit)}${band.high === null ? " or more" : ` to ${valueOf(unit, band.high, limit)}`}`;
  const odds = evidenceOf(evidence.evidence, evidence.threshold);
  return (
    <>
      <table className={css.table}>
        <caption>
          Guardrail <code>{evidence.guardrail}</code>: {metric} of {harmed.group}
          {reference && ` against ${reference.group ?? "everybody else"}`}, at the proof
        </caption>
        <thead>
          <tr>
            <th scope="col">Group</th>
            <th scope="col" className={css.number}>
              {COUNTED[evidence.counts]}
            </th>
            <th scope="col" className={css.number}>
              Of
            </th>
            <th scope="col" className={css.number}>
              Rate
            </th>
          </tr>
        </thead>
        <tbody>
          {sides.map((side, i) => (
            <tr key={side.group}>
              <th scope="row" className={i === 0 ? css.strong : ""}>
                {side.group}
              </th>
              <td className={css.number}>{side.favourable === null ? "–" : count(side.favourable)}</td>
              <td className={css.number}>{side.of === null ? "under 10" : count(side.of)}</td>
              <td className={css.number}>
                {side.of !== null && side.favourable !== null && side.of > 0 && rate(side.favourable / side.of)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <dl className={own.measures}>
        <dt>{metric}</dt>
        <dd className={own.bar}>
          <BandBar view={evidence} label={`${metric} ${value}, ${bandText}, limit ${valueOf(unit, limit)}`} />
        </dd>
        <dd>
          <b>{value}</b>, {bandText}; limit {valueOf(unit, limit)}
        </dd>
        <dt>Evidence</dt>
        <dd className={own.bar}>
          <Meter evidence={evidence.evidence} threshold={evidence.threshold} label={`Evidence ${odds}, logarithmic`} />
        </dd>
        <dd>
          <b>{odds}</b>, after {count(evidence.decisions)} decisions
        </dd>
      </dl>
      {first && <p className={first.share === 1 ? undefined : css.quiet}>{whoSent(sources)}</p>}
      <p className={css.note}>{budgetSentence(evidence)}</p>
    </>
  );
}

const COUNTED = {
  selections: "Favourable",
  substitutions: "Answered by another",
  actions: "Answered so",
  flips: "Worse",
  "net-flips": "Worse less better",
  outcomes: "Hits",
  slow: "Slow",
  scores: "Sum of scores",
} as const satisfies Record<EvidenceView["counts"], string>;

/** Whoever sends decisions moves tallies: a proof that rests on one sender says so. */
function whoSent(sources: EvidenceView["sources"]): string {
  const [first] = sources;
  if (first?.share === 1) return `All of these decisions came from ${first.name}: the proof rests on that one sender.`;
  return `These decisions came from ${sources.map(({ name, share: part }) => `${name} (${share(part)})`).join(", ")}.`;
}

function budgetSentence({ budget, tests }: EvidenceView): string {
  const over = tests === 1 ? "" : ` shared by ${count(tests)} tests`;
  return `Error budget ${plain(budget)}${over}: however often one looks, a release that is within all limits is rolled back at most once in ${count(Math.floor(1 / budget))} lives.`;
}
