import type { DatasetDiffView } from "../../../src/api/dataset-diff-view.ts";
import { count, counted, rate } from "../format.ts";
import { Wide } from "../incident/part.tsx";
import css from "./data.module.css";
import { patternSaid } from "./patterns.ts";

const SHOWN = 10;

type Cells = DatasetDiffView["cells"][number];

/** What was done to the cells of rows that both versions have. */
export function ChangedCells({ cells }: { cells: readonly Cells[] }) {
  const rest = cells.length - SHOWN;
  return (
    <div>
      <h3>Changed cells</h3>
      <Wide label="Changed cells by column">
        <table className={css.table}>
          <thead>
            <tr>
              <th scope="col">Column</th>
              <th scope="col" className={css.number}>
                Rows
              </th>
              <th scope="col">How</th>
              <th scope="col">Most often</th>
            </tr>
          </thead>
          <tbody>
            {cells.slice(0, SHOWN).map((change) => (
              <tr key={change.column}>
                <th scope="row">
                  <code>{change.column}</code>
                </th>
                <td className={css.number}>{count(change.changed)}</td>
                <td>{how(change)}</td>
                <td>{whom(change)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Wide>
      {rest > 0 && <p className={css.note}>{counted(rest, "more column has", "more columns have")} fewer changed cells.</p>}
    </div>
  );
}

function how({ emptied, filled, patterns }: Cells): string {
  const said = [
    ...(patterns === null ? ["values are hidden"] : patterns.slice(0, 3).map(patternSaid)),
    ...(emptied > 0 ? [`${count(emptied)} now empty`] : []),
    ...(filled > 0 ? [`${count(filled)} no longer empty`] : []),
  ];
  return said.join("; ");
}

/** Standard errors from where a group is said to be touched more than others. */
const Z_MIN = 4.5;

function whom({ groups }: Cells): string {
  const most = groups?.find(({ group, againstRest }) => Object.keys(group).length > 0 && againstRest.z >= Z_MIN);
  if (!most) return "";
  return `${Object.values(most.group).join(", ")}: ${rate(most.againstRest.rate)}, others ${rate(most.againstRest.rateOfRest)}`;
}
