import type { BlameView, IncidentView } from "../../../src/api/ui-view.ts";
import { Diverging, scaleOf } from "../charts/bars.tsx";
import { decimals, points } from "../format.ts";
import { Command } from "../ui/command.tsx";
import { verdictSentence } from "../words.ts";
import css from "./incident.module.css";
import why from "./why.module.css";
import { Wide } from "./part.tsx";

/** Which step moved the harm: the verdict, then each step's share. */
export function Why({ view: { blame, n } }: { view: IncidentView }) {
  const isThorough = blame.some(({ tier }) => tier === 1);
  return (
    <>
      {blame.length === 0 && <p className={css.quiet}>The cause has not been looked for yet.</p>}
      {blame.map((report) => (
        <Report key={report.tier} report={report} />
      ))}
      {!isThorough && (
        <>
          <p className={css.quiet}>To train the steps again, one swapped at a time, and share the harm out between them:</p>
          <Command>{`evenkeel blame ${n}`}</Command>
        </>
      )}
    </>
  );
}

function Report({ report }: { report: BlameView }) {
  const { verdict, parts, harm, unexplained, method, tier } = report;
  const scale = scaleOf([...parts, harm, ...(unexplained ? [unexplained] : [])]);
  const title = tier === 0 ? "From the log alone" : "From training again";
  return (
    <div className={why.report}>
      <p className={css.lead}>
        <b>{verdictSentence(verdict)}</b>
        {verdict.because && `: ${verdict.because.replace(/-(?=\d)/g, "−")}`}.
      </p>
      <Wide label={`${title}: shares of the harm`}>
        <table className={`${css.table} ${why.table}`}>
          <caption>{title}: points of the gap in favourable answers that each step added, with its interval</caption>
          <thead>
            <tr>
              <th scope="col">Step</th>
              <th scope="col">Share</th>
              <th scope="col" className={css.number}>
                Points
              </th>
              <th scope="col" className={css.number}>
                95 % interval
              </th>
            </tr>
          </thead>
          <tbody>
            {parts.map((part) => (
              <Row key={part.step} label={part.label} change={part.change} part={part} scale={scale} />
            ))}
            {unexplained && <Row label="Unexplained" change={null} part={unexplained} scale={scale} />}
          </tbody>
          <tfoot>
            <Row label="Together" change={null} part={harm} scale={scale} />
          </tfoot>
        </table>
      </Wide>
      <p className={css.note}>{method}</p>
    </div>
  );
}

interface RowProps {
  label: string;
  change: string | null;
  part: { share: number; low: number; high: number; isNamed?: boolean };
  scale: { low: number; high: number };
}
function Row({ label, change, part, scale }: RowProps) {
  return (
    <tr>
      <th scope="row">
        <span className={part.isNamed ? css.strong : why.label}>{label}</span>
        {change && <span className={why.change}>{change}</span>}
      </th>
      <td>
        <Diverging part={part} scale={scale} />
      </td>
      <td className={`${css.number} ${part.isNamed ? css.strong : ""}`}>{points(part.share)}</td>
      <td className={`${css.number} ${css.quiet}`}>
        {decimals(part.low * 100, 1)} to {decimals(part.high * 100, 1)}
      </td>
    </tr>
  );
}
