import type { DatasetDiffView } from "../../../src/api/dataset-diff-view.ts";
import { count, points, rate } from "../format.ts";
import { Wide } from "../incident/part.tsx";
import css from "./data.module.css";

type GroupChange = NonNullable<DatasetDiffView["groups"]>[number];

/** Under so many rows a share says little: shown, never marked. */
const ROWS_MIN = 30;
const MARKED_MIN = 0.02;

/** Rows and the share of one label in every group of an attribute, the largest change marked. */
export function ByGroup({
  groups,
  words,
  by,
  onBy,
}: {
  groups: readonly GroupChange[];
  words: Readonly<Record<string, string>>;
  by: string | undefined;
  onBy: (by: string) => void;
}) {
  const attributes = [...new Set(groups.flatMap(({ group }) => Object.keys(group)))].toSorted();
  const attribute = by !== undefined && attributes.includes(by) ? by : mostTelling(groups);
  if (attribute === undefined) return <p className={css.quiet}>No protected column is declared, so nothing can be said by group.</p>;
  const label = commonLabel(groups);
  const rows = groupsOf(groups, attribute, label);
  const marked = rows
    .filter(({ whole, change }) => change !== null && Math.abs(change) >= MARKED_MIN && Math.min(whole.before, whole.after) >= ROWS_MIN)
    .toSorted((x, y) => Math.abs(y.change ?? 0) - Math.abs(x.change ?? 0))[0];
  return (
    <div>
      <div className={css.section}>
        <h3>By group</h3>
        <fieldset className={css.tabs}>
          <legend className={css.hidden}>Attribute</legend>
          {attributes.map((each) => (
            <button key={each} type="button" aria-pressed={each === attribute} onClick={() => onBy(each)}>
              {each}
            </button>
          ))}
        </fieldset>
      </div>
      <Wide label={`Rows by ${attribute}`}>
        <table className={`${css.table} ${css.groups}`}>
          <thead>
            <tr>
              <th scope="col">{attribute}</th>
              <th scope="col" className={css.number}>
                before
              </th>
              <th scope="col" className={css.number}>
                new
              </th>
              <th scope="col" className={css.number}>
                missing
              </th>
              <th scope="col" className={css.number}>
                after
              </th>
              {label !== null && (
                <>
                  <th scope="col" colSpan={2}>
                    {words[label] ?? `label ${label}`}, 0 to 100 %
                  </th>
                  <th scope="col" className={css.number}>
                    points
                  </th>
                </>
              )}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <Row key={row.name} row={row} isMarked={row === marked} hasLabel={label !== null} />
            ))}
          </tbody>
        </table>
      </Wide>
      {label !== null && <p className={css.note}>Ring before, dot after. The largest change is marked.</p>}
    </div>
  );
}

interface GroupRow {
  readonly name: string;
  readonly whole: GroupChange;
  readonly before: number | null;
  readonly after: number | null;
  readonly change: number | null;
}

function groupsOf(groups: readonly GroupChange[], attribute: string, label: string | null): GroupRow[] {
  return groups
    .filter(({ group, label: of }) => of === null && Object.keys(group).length === 1 && attribute in group)
    .map((whole) => {
      const name = whole.group[attribute] ?? "";
      const labelled = groups.find((one) => one.label === label && Object.keys(one.group).length === 1 && one.group[attribute] === name);
      const [before, after] = [labelled?.shareBefore ?? null, labelled?.shareAfter ?? null];
      return { name, whole, before, after, change: before === null || after === null ? null : after - before };
    })
    .toSorted((x, y) => (order(x.name) < order(y.name) ? -1 : 1));
}

/** The lowest band, `<26`, before the others. */
const order = (name: string) => name.replace(/^</, " ");

/** The label that most rows have: what is usual, and what a group can lose. */
function commonLabel(groups: readonly GroupChange[]): string | null {
  const everybody = groups.filter(({ group, label }) => Object.keys(group).length === 0 && label !== null);
  return everybody.toSorted((x, y) => y.before - x.before)[0]?.label ?? null;
}

/** The attribute of the first group in the list that is of one: it comes with the most telling first. */
function mostTelling(groups: readonly GroupChange[]): string | undefined {
  return groups.flatMap(({ group }) => (Object.keys(group).length > 0 ? Object.keys(group) : []))[0];
}

function Row({ row: { name, whole, before, after, change }, isMarked, hasLabel }: { row: GroupRow; isMarked: boolean; hasLabel: boolean }) {
  return (
    <tr className={isMarked ? css.marked : undefined}>
      <th scope="row">{name}</th>
      <td className={css.number}>{count(whole.before)}</td>
      <td className={css.number}>{whole.added > 0 ? `+${count(whole.added)}` : "0"}</td>
      <td className={css.number}>{whole.missing > 0 ? `−${count(whole.missing)}` : "0"}</td>
      <td className={css.number}>{count(whole.after)}</td>
      {hasLabel && (
        <>
          <td className={css.track}>{before !== null && after !== null && <Track before={before} after={after} isMarked={isMarked} />}</td>
          <td className={css.number}>
            {before === null ? "–" : rate(before)} → {after === null ? "–" : rate(after)}
          </td>
          <td className={css.number}>{change === null ? "" : points(change)}</td>
        </>
      )}
    </tr>
  );
}

/** From a ring to a dot on a line from 0 to 1. The numbers stand beside it. */
function Track({ before, after, isMarked }: { before: number; after: number; isMarked: boolean }) {
  const colour = isMarked ? "var(--r-bad)" : "var(--mark)";
  const at = (share: number) => `${4 + share * 92}%`;
  return (
    <svg width="100%" height="14" aria-hidden="true">
      <line x1="4%" x2="96%" y1="7" y2="7" stroke="var(--idle-soft)" strokeWidth="3" />
      <line x1={at(before)} x2={at(after)} y1="7" y2="7" stroke={colour} strokeWidth="2" />
      <circle cx={at(before)} cy="7" r="3.5" fill="var(--canvas)" stroke={colour} strokeWidth="1.5" />
      <circle cx={at(after)} cy="7" r="3.5" fill={colour} />
    </svg>
  );
}
