import type { DatasetDiffView } from "../../../src/api/dataset-diff-view.ts";
import { decimals } from "../format.ts";
import { Wide } from "../incident/part.tsx";
import { Icon } from "../ui/icon.tsx";
import css from "./data.module.css";
import { Histogram } from "./histogram.tsx";

const SHOWN = 8;
const LIMIT = 0.1;
/** The end of the bars. */
const SCALE_END = 0.5;

/** Both histograms and how far they are apart, overall and in the group that moved most; what moved most comes first. */
export function ByColumn({ diff: { distributions, differentials, findings, rows: compared } }: { diff: DatasetDiffView }) {
  const named = findings?.find(({ group }) => group !== null)?.group ?? differentials?.find(({ measure }) => measure === "values")?.group;
  const group = named ?? undefined;
  const text = group && Object.values(group).join(", ");
  const inGroup = (column: string): number | undefined =>
    differentials?.find((one) => one.measure === "values" && one.column === column && group && isSame(one.group, group))?.change;
  // What names rows is different in each: its distribution says nothing.
  const rows = distributions
    .filter(({ column }) => !compared.key?.columns.includes(column))
    .map((distribution) => ({ distribution, inside: inGroup(distribution.column) }))
    .toSorted((x, y) => Math.max(y.distribution.psi, y.inside ?? 0) - Math.max(x.distribution.psi, x.inside ?? 0));
  const rest = rows.length - SHOWN;
  return (
    <div>
      <div className={css.section}>
        <h3>By column</h3>
        <span>what moved most first</span>
      </div>
      <Wide label="Distributions by column">
        <table className={`${css.table} ${css.columns}`}>
          <thead>
            <tr>
              <th scope="col">Column</th>
              <th scope="col">grey before, line after</th>
              <th scope="col" colSpan={2}>
                PSI
              </th>
              {text !== undefined && (
                <th scope="col" colSpan={2}>
                  among {text}
                </th>
              )}
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, SHOWN).map(({ distribution, inside }) => (
              <tr key={distribution.column}>
                <th scope="row" className={css.column} title={distribution.column}>
                  {distribution.isShifted && <Icon name="triangle" className={css.shifted} />}
                  <code>{distribution.column}</code>
                  {distribution.isShifted && <span className={css.hidden}>, shifted beyond chance</span>}
                </th>
                <td>
                  <Histogram bins={distribution.bins} />
                </td>
                <td className={css.number}>{decimals(distribution.psi, 3)}</td>
                <td className={css.psi}>
                  <PsiBar psi={distribution.psi} />
                </td>
                {text !== undefined && (
                  <>
                    <td className={css.number}>{inside === undefined ? "–" : decimals(inside, 3)}</td>
                    <td className={css.psi}>{inside !== undefined && <PsiBar psi={inside} />}</td>
                  </>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </Wide>
      <p className={css.note}>
        {rest > 0 && `${rest} more ${rest === 1 ? "column" : "columns"} moved less. `}The line marks 0.10, from where a shift is told; a
        triangle, that it is beyond chance.
      </p>
    </div>
  );
}

const isSame = (a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean =>
  Object.keys(a).length === Object.keys(b).length && Object.entries(a).every(([attribute, value]) => b[attribute] === value);

function PsiBar({ psi }: { psi: number }) {
  const width = (value: number) => `${Math.min(1, value / SCALE_END) * 100}%`;
  return (
    <svg width="100%" height="12" aria-hidden="true">
      <rect y="4" width="100%" height="4" fill="var(--idle-soft)" />
      <rect y="4" width={width(psi)} height="4" fill={psi >= LIMIT ? "var(--r-bad)" : "var(--mark)"} />
      <line x1={width(LIMIT)} x2={width(LIMIT)} y1="0" y2="12" stroke="var(--limit)" />
    </svg>
  );
}
