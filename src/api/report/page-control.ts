/** Parts of a report about who did what, of what things were made, and what it all rests on. */
import { moment, percent, plural, whole } from "./figures.ts";
import { html, type Markup } from "./markup.ts";
import type { ReportView } from "./report-view.ts";
import { code, column, number, table, tag, type Cell } from "./tables.ts";

export function changes({ transitions, moreTransitions }: ReportView): Markup {
  if (transitions.length === 0) return html`<p>Nothing was changed about which release answers.</p>`;
  const rows = transitions.map((one): Cell[] => [
    moment(one.at),
    `${one.kind.replaceAll("-", " ")}${one.automatic ? " (by itself)" : ""}`,
    [one.from === null ? null : `from ${one.from}`, one.release === null ? null : `to ${one.release}`]
      .filter((part) => part !== null)
      .join(" ") || "–",
    one.share === null ? "" : percent(one.share),
    one.actor,
    one.reason,
  ]);
  return html`<p>
      Every change of the route table, newest
      first.${moreTransitions > 0 ? ` ${plural(moreTransitions, "earlier change")} of the period left out.` : null}
    </p>
    ${table("Changes of the route table", [column("When"), column("What"), column("Release"), number("Share"), column("By"), column("Why")], rows)}`;
}

export function madeOf({ releases }: ReportView): Markup {
  if (releases.length === 0) return html`<p>No release answered anybody in this period.</p>`;
  return html`${releases.map((one) => {
    const facts: (readonly [string, Cell])[] = [
      ["Content id", code(one.id)],
      ["Made", `${moment(one.createdAt)} by ${one.createdBy}; scores by ${one.scorer}`],
      ["Place now", html`${one.places.join(", ") || "none"}${one.isCondemned ? html` ${tag("condemned", "bad")}` : null}`],
      ["Model", list(one.models.map(({ version, id }) => html`${version} ${code(id)}`))],
      ["Features", list(one.featureSets.map(({ version, id }) => html`${version} ${code(id)}`))],
      [
        "Training",
        list(
          one.runs.map(
            ({ name, id, code: of }) =>
              html`${name}
              (${id})${of.commit === null ? null : html`, commit ${code(of.commit)}`}${of.recipe === null ? null : html`, recipe ${code(of.recipe)}`}`,
          ),
        ),
      ],
      ["Data", list(one.datasets.map(({ version, rows, id }) => html`${version}, ${whole(rows)} rows ${code(id)}`))],
      ["Not known", one.unknown.length === 0 ? "nothing that is asked" : list(one.unknown)],
    ];
    return html`<h3>${one.release}: ${one.name}</h3>
      <dl>
        ${facts.map(
          ([name, value]) =>
            html`<dt>${name}</dt>
              <dd>${value}</dd>`,
        )}
      </dl>`;
  })}`;
}
const list = (items: readonly Cell[]): Cell => (items.length === 0 ? "not known" : html`${items.map((item) => html`<div>${item}</div>`)}`);

export function rehearsals({ drills }: ReportView): Markup {
  if (drills.length === 0) return html`<p>None was made in this period: that the way back works was not tried.</p>`;
  return table(
    "Rehearsals of a rollback",
    [column("When"), column("How"), column("From"), column("To"), number("Answers"), number("Without"), column("Outcome"), column("By")],
    drills.map(({ at, mode, live, target, answers, failed, passed, actor }): Cell[] => [
      moment(at),
      mode,
      live,
      target,
      whole(answers),
      whole(failed),
      passed ? tag("passed", "ok") : tag("not passed", "bad"),
      actor,
    ]),
  );
}

export const limits = ({ limits: all }: ReportView): Markup =>
  html`<ul>
    ${all.map((line) => html`<li>${line}</li>`)}
  </ul>`;

export function evidence({ auditHead, endpoint, from, to, madeAt }: ReportView): Markup {
  return html`<p>
      Every decision is in a log whose batches are chained by digests, and every act is in an audit log that is chained by hashes. Kept
      where this server can't change it, the head below shows later whether anything before it was rewritten or cut.
    </p>
    <dl>
      <dt>Audit log's head</dt>
      <dd>${auditHead === null ? "nothing has happened yet" : code(auditHead)}</dd>
      <dt>To verify</dt>
      <dd>${auditHead === null ? "–" : code(`evenkeel audit verify --head ${auditHead}`)}</dd>
      <dt>To make it again</dt>
      <dd>
        ${code(`evenkeel report ${endpoint} --from ${from} --to ${to}`)}<small
          >Outcomes, groups and corrections that came after ${moment(madeAt)} will change its numbers; this page stays as it is.</small
        >
      </dd>
    </dl>`;
}
