import type { IncidentView, WhoView } from "../../../src/api/ui-view.ts";
import { ShareBar, shareSaid } from "../charts/bars.tsx";
import { count, people, type Times } from "../format.ts";
import { Command } from "../ui/command.tsx";
import { capital } from "../words.ts";
import { AffectedList } from "./affected-list.tsx";
import { Flips } from "./flips.tsx";
import css from "./incident.module.css";
import { Wide } from "./part.tsx";
import own from "./who.module.css";

/** People, not rows: whom the restored release would have answered differently. */
export function Who({ view, times }: { view: IncidentView; times: Times }) {
  const { who, n, release, restored } = view;
  if (!who) {
    return (
      <>
        <p className={css.quiet}>The people it touched have not been looked for yet.</p>
        <Command>{`evenkeel affected ${n}`}</Command>
      </>
    );
  }
  const other = restored ?? "the fallback";
  return (
    <>
      <p className={css.lead}>
        <b>
          {who.better === null ? "Fewer than 10" : count(who.better)} of {who.people === null ? "fewer than 10 people" : people(who.people)}
        </b>{" "}
        would have had a better answer from {other}. {worseSentence(who, release)} {restSentence(who, other)}
      </p>
      <Groups who={who} release={release} other={other} />
      <Flips actions={who.actions} flips={who.flips} release={release} other={other} />
      <AffectedList n={n} release={release} other={other} times={times} />
    </>
  );
}

function worseSentence({ worse }: WhoView, release: string): string {
  if (worse === null) return "";
  if (worse === 0) return `Nobody had a better answer from ${release}.`;
  return `${count(worse)} had a better answer from ${release}; nothing is taken from them.`;
}

function restSentence({ reasonChanged, notReplayable }: WhoView, other: string): string {
  return [
    reasonChanged > 0 && `${count(reasonChanged)} were turned down by both, for other reasons.`,
    notReplayable > 0 && `${count(notReplayable)} could not be asked of ${other} again.`,
  ]
    .filter(Boolean)
    .join(" ");
}

function Groups({ who, release, other }: { who: WhoView; release: string; other: string }) {
  const attributes = [...new Set(who.groups.map(({ attribute }) => attribute))];
  const cell = (value: number | null) => (value === null ? "" : count(value));
  return (
    <Wide label="Affected people by group">
      <table className={`${css.table} ${own.groups}`}>
        <thead>
          <tr>
            <th scope="col">Group</th>
            <th scope="col" className={css.number}>
              Answered by {release}
            </th>
            <th scope="col" className={css.number}>
              Better under {other}
            </th>
            <th scope="col" colSpan={2}>
              Share
            </th>
            <th scope="col" className={css.number}>
              Worse under {other}
            </th>
          </tr>
        </thead>
        {attributes.map((attribute) => (
          <tbody key={attribute}>
            <tr>
              <th scope="rowgroup" colSpan={6} className={own.attribute}>
                {capital(attribute)}
              </th>
            </tr>
            {who.groups
              .filter((group) => group.attribute === attribute)
              .map(({ group, people: all, better, worse, isHarmed }) => (
                <tr key={group}>
                  <th scope="row" className={isHarmed ? css.strong : ""}>
                    {group}
                  </th>
                  <td className={css.number}>{cell(all)}</td>
                  <td className={`${css.number} ${css.strong}`}>{cell(better)}</td>
                  <td>{all !== null && better !== null && all > 0 && <ShareBar share={better / all} isNamed={isHarmed} />}</td>
                  <td className={css.number}>{shareSaid(better, all)}</td>
                  <td className={css.number}>{cell(worse)}</td>
                </tr>
              ))}
          </tbody>
        ))}
        <tfoot>
          <tr>
            <th scope="row">All</th>
            <td className={css.number}>{cell(who.people)}</td>
            <td className={`${css.number} ${css.strong}`}>{cell(who.better)}</td>
            <td className={css.number} colSpan={2}>
              {shareSaid(who.better, who.people)}
            </td>
            <td className={css.number}>{cell(who.worse)}</td>
          </tr>
        </tfoot>
      </table>
    </Wide>
  );
}
