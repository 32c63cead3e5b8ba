/** A report as one HTML page that needs nothing else: no script, no network, nothing of the machine that made it. Pure: the same report, the same bytes. */
import { periodText, moment } from "./figures.ts";
import { html, styleElement, type Markup } from "./markup.ts";
import { changes, evidence, limits, madeOf, rehearsals } from "./page-control.ts";
import { guardrails, incidents, inputs } from "./page-watch.ts";
import { decisions, groups, inShort, outcomes } from "./page-people.ts";
import type { ReportView } from "./report-view.ts";
import { REPORT_POLICY, STYLE } from "./style.ts";

interface Section {
  readonly id: string;
  readonly title: string;
  readonly body: Markup;
}

export function reportPage(report: ReportView): string {
  const { endpoint, description, from, to, madeAt, madeBy } = report;
  const sections: readonly Section[] = [
    { id: "decisions", title: "Decisions", body: decisions(report) },
    { id: "groups", title: "Groups", body: groups(report) },
    { id: "outcomes", title: "What became of it", body: outcomes(report) },
    { id: "guardrails", title: "Guardrails", body: guardrails(report) },
    { id: "incidents", title: "Incidents", body: incidents(report) },
    { id: "inputs", title: "What came in", body: inputs(report) },
    { id: "changes", title: "Who changed what", body: changes(report) },
    { id: "releases", title: "What the releases were made of", body: madeOf(report) },
    { id: "rehearsals", title: "Rehearsals of a rollback", body: rehearsals(report) },
    { id: "limits", title: "What this report can't tell", body: limits(report) },
    { id: "evidence", title: "How to check it", body: evidence(report) },
  ];
  const title = `${endpoint}: decisions about people, ${periodText(from, to)}`;
  const page = html`<html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta http-equiv="Content-Security-Policy" content="${REPORT_POLICY}" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="color-scheme" content="light dark" />
      <title>${title}</title>
      ${styleElement(STYLE)}
    </head>
    <body>
      <main>
        <header>
          <h1>${title}</h1>
          <p>
            ${description === "" ? null : html`${description}. `}Days are those of UTC. Made ${moment(madeAt)} by
            ${madeBy}.${report.isOver ? null : " The period had not ended then."}
          </p>
        </header>
        <section class="short" aria-labelledby="short">
          <h2 id="short">In short</h2>
          ${inShort(report)}
        </section>
        <nav aria-label="Contents">
          <ul>
            ${sections.map(({ id, title: name }) => html`<li><a href="#${id}">${name}</a></li>`)}
          </ul>
        </nav>
        ${sections.map(
          ({ id, title: name, body }) =>
            html`<section aria-labelledby="${id}">
              <h2 id="${id}">${name}</h2>
              ${body}
            </section> `,
        )}
      </main>
    </body>
  </html> `;
  return `<!doctype html>\n${page.text.trim()}\n`;
}
