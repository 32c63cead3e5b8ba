/** Parts of a report about people: how many were decided about, how groups fared, and what became of it. */
import { chance, percent, periodText, plural, rangeText, ratio, reasonText, valueText, whole, type Shape } from "./figures.ts";
import { html, type Markup } from "./markup.ts";
import { SERIES, dayBars, ratioScale, strip } from "./plots.ts";
import { EVERYBODY, type Figure, type GroupRowView, type GroupTableView, type ReportView } from "./report-view.ts";
import { column, number, table, tag, type Cell } from "./tables.ts";

const FOUR_FIFTHS = 0.8;

const figure = (one: Figure, shape: Shape): Markup => {
  const range = rangeText(one, shape);
  // Bounds that meet: the outcome of everybody is known.
  if (one.value === null && one.low !== null && one.low === one.high) return html`${valueText({ ...one, value: one.low }, shape)}`;
  return html`${valueText(one, shape)}${range === "" ? null : html`<small>${range}</small>`}`;
};
const count = (value: number | null): string => (value === null ? "hidden" : whole(value));

/** The findings, in the order in which a committee asks for them. */
export function inShort(report: ReportView): Markup {
  const { decisions: made, groups: tables, guardrails, incidents, inputWarnings, drift, showsGroups } = report;
  const rate = made.favourable.rate;
  const breached = guardrails.filter(({ state }) => state === "breached").length;
  const waiting = guardrails.filter(({ state }) => state === "no-data" || state === "not-comparable").length;
  const rollbacks = incidents.filter(({ rollback }) => rollback?.automatic).length;
  const lines: (Markup | string)[] = [
    made.total === 0
      ? "Nobody was decided about in this period."
      : html`${plural(made.total, "decision")}; ${valueText(rate, "percent")} with a favourable
        answer${rangeText(rate, "percent") === "" ? null : ` (95 % interval ${rangeText(rate, "percent")})`}.`,
    ...tables.filter(({ scope }) => scope === EVERYBODY).map((one) => smallestText(one)),
    guardrails.length === 0
      ? "No guardrail watches this endpoint."
      : `Guardrails when this was made: ${breached} of ${guardrails.length} breached, ${waiting} without enough to say anything.`,
    incidents.length === 0
      ? "No incident was opened."
      : `${plural(incidents.length, "incident")} opened; ${plural(rollbacks, "automatic rollback")}.`,
    ...driftLines(drift),
    ...(inputWarnings.length > 0 ? [`${plural(inputWarnings.length, "warning")} that inputs were not as expected.`] : []),
    ...(showsGroups ? [] : ["Groups are called by letters here and small ones are hidden: this reader may not see protected attributes."]),
  ];
  return html`<ul>
    ${lines.map((line) => html`<li>${line}</li>`)}
  </ul>`;
}

/** What has moved, by name; nothing where nothing has. */
function driftLines(all: ReportView["drift"]): readonly string[] {
  return all.flatMap(({ release, moved, rows, writers }) => {
    const drifting = [
      ...moved
        .filter(({ status }) => status === "drift")
        .map(({ what }) => (what === "scores" ? "scores" : `mix of ${what.replaceAll("/", " and ")}`)),
      ...rows.filter(({ status }) => status === "drift").map(({ input }) => input),
    ];
    const tokens = new Set(writers.filter(({ status }) => status === "drift").map(({ writer }) => writer)).size;
    return [
      ...(drifting.length === 0 ? [] : [`Drift of ${release}: ${drifting.join(", ").replaceAll("_", " ")}.`]),
      ...(tokens === 0 ? [] : [`${plural(tokens, "token")} sent ${release} another mix of groups than it was made for.`]),
    ];
  });
}

function smallestText({ attributes, smallest, reference, referenceMode }: GroupTableView): string {
  const by = `By ${attributes.join(" and ").replaceAll("_", " ")}`;
  if (smallest.value === null || smallest.group === null) return `${by} groups can't be compared: ${reasonText(smallest.why)}.`;
  const against = `${reference ?? "the reference"}${referenceMode === "best_off" ? ", the best off here" : ""}`;
  return `${by} the smallest ratio of favourable answers is ${ratio(smallest.value)} (${rangeText(smallest, "ratio")}), of ${smallest.group} against ${against}.`;
}

export function decisions({ decisions: made, from, to }: ReportView): Markup {
  const serving = [...new Set(made.releases.filter(({ isShadow }) => !isShadow).map(({ release }) => release))];
  const rows = made.releases.map((one): Cell[] => [
    html`${one.release} <small>${one.name}</small>`,
    one.isShadow ? "shadow: nobody received it" : one.arm,
    count(one.decisions),
    figure(one.rate, "percent"),
    whole(one.fallback),
    one.meanLatencyMs === null ? "–" : `${one.meanLatencyMs.toFixed(1)} ms`,
  ]);
  const shown = serving.slice(0, SERIES);
  const rest = serving.length - shown.length;
  return html`<p>
      ${plural(made.total, "decision")} that people received; ${whole(made.repeats)} of them were further answers to somebody who had had
      one within a day, and ${whole(made.fallback)} were given by another release than the planned one.
    </p>
    ${table(
      "Decisions by release and place",
      [
        column("Release"),
        column("Place"),
        number("Decisions"),
        number("Favourable (95 %)"),
        number("In place of another"),
        number("Mean time"),
      ],
      rows,
    )}
    ${table(
      "Decisions by action",
      [column("Action"), column("For the person"), number("Decisions"), number("Share")],
      made.actions.map(({ action, isFavourable, decisions: n }): Cell[] => [
        action,
        isFavourable ? "favourable" : "not favourable",
        whole(n),
        made.total === 0 ? "–" : percent(n / made.total),
      ]),
    )}
    ${
      made.days.length === 0
        ? null
        : html`<figure>
              <figcaption class="quiet">Decisions a day by release, ${periodText(from, to)}</figcaption>
              ${dayBars(made.days, serving)}
              <div class="ends" aria-hidden="true">
                <span>${made.days[0]?.day ?? ""}</span><span>up to ${whole(Math.max(...made.days.map(({ decisions: n }) => n)))} a day</span
                ><span>${made.days.at(-1)?.day ?? ""}</span>
              </div>
              <ul class="key">
                ${shown.map(
                  (release, i) =>
                    html`<li>
                      <svg viewBox="0 0 10 10" aria-hidden="true"><rect class="s${i}" width="10" height="10" /></svg>
                      ${release}${rest > 0 && i === shown.length - 1 ? ` and ${rest} more` : ""}
                    </li>`,
                )}
              </ul>
            </figure>
            <details>
              <summary>The numbers of each day</summary>
              ${table(
                "Decisions by day",
                [column("Day"), number("Decisions"), number("Favourable"), ...serving.map(number)],
                made.days.map(({ day, decisions: n, favourable, releases }): Cell[] => [
                  day,
                  whole(n),
                  count(favourable),
                  ...serving.map((release) => whole(releases[release] ?? 0)),
                ]),
              )}
            </details>`
    }`;
}

export function groups({ groups: tables, smallCell, showsGroups }: ReportView): Markup {
  if (tables.length === 0) return html`<p>This endpoint declares no groups: nothing can be said of how groups of people fared.</p>`;
  return html`<p>
      A <em>rate</em> is the share of a group's decisions that were favourable. A <em>ratio</em> is that rate over the rate of the reference
      group: 0.80 means 80 favourable answers for every 100 that the reference gets at equal numbers. A <em>difference</em> is the same in
      points of a hundred. Ranges are 95 % intervals for one look at this period (Wilson; Katz; Newcombe). p is Fisher's exact test, q is p
      corrected for the number of groups in the table. The dashed line is four fifths, a yardstick from US employment practice, not a
      finding of law; the other line is
      equality.${showsGroups ? null : ` Groups of fewer than ${smallCell} are hidden, with as many more as it takes that none can be worked out.`}
    </p>
    ${tables.map(groupTable)}`;
}

function groupTable(one: GroupTableView): Markup {
  const by = one.attributes.join(" and ").replaceAll("_", " ");
  const scope = one.scope === EVERYBODY ? "all decisions that people received" : `decisions of ${one.scope}`;
  const scale = ratioScale(
    one.rows.map(({ ratio: of }) => of),
    FOUR_FIFTHS,
  );
  const rows = one.rows.map((row): Cell[] => [
    html`${row.group}${row.isReference ? html`<small>reference</small>` : null}`,
    count(row.decisions),
    figure(row.rate, "percent"),
    row.isReference ? "1" : figure(row.ratio, "ratio"),
    row.isReference
      ? ""
      : (strip(row.ratio, scale, `${row.group}: ${valueText(row.ratio, "ratio")}, ${rangeText(row.ratio, "ratio")}`) ?? ""),
    row.isReference ? "" : figure(row.difference, "points"),
    row.isReference ? "" : chance(row.pValue),
    row.isReference ? "" : chance(row.qValue),
    row.isReference || row.shortfall === null ? "" : whole(Math.round(row.shortfall)),
    finding(row),
  ]);
  return html`<h3>By ${by}: ${scope}</h3>
    ${table(
      `Favourable answers, ${referenceText(one)}`,
      [
        column("Group"),
        number("Decisions"),
        number("Rate"),
        number("Ratio"),
        column("Ratio from less to more"),
        number("Difference, points"),
        number("p"),
        number("q"),
        number("People short of parity"),
        column("Finding"),
      ],
      rows,
    )}`;
}

function referenceText({ reference, referenceMode }: GroupTableView): string {
  if (reference === null) return "without a reference to compare with";
  return referenceMode === "best_off"
    ? `compared with ${reference}, the best off in this period`
    : `compared with ${reference}, as declared`;
}

/** Measurements beside each other, never one light. */
function finding({ belowFourFifths, byOnePerson, qValue, isReference }: GroupRowView): Cell {
  if (isReference || belowFourFifths === null) return "";
  const by = byOnePerson === true ? html`<small>one person would change it</small>` : null;
  if (!belowFourFifths) return html`not below four fifths${by}`;
  const isClear = qValue !== null && qValue < 0.05;
  return html`${tag("below four fifths", isClear ? "bad" : "watch")}<small>${isClear ? "hardly chance (q < 0.05)" : "may be chance"}</small>${by}`;
}

export function outcomes({ groups: tables, labels }: ReportView): Markup {
  const known = tables.filter((one) => one.outcomes.length > 0);
  if (known.length === 0)
    return html`<p>No outcome of a decision of this period is known yet: whether answers were right can't be said.</p>`;
  const selective =
    labels === "favourable_only"
      ? html`<p>
          Outcomes become known only of people with a favourable answer. What needs those of people who were turned down is given as bounds:
          it lies between them, whatever became of those people.
        </p>`
      : null;
  return html`${selective}
    <p>
      Good outcomes are positive. Equal shares of all three kinds can't be had at once where groups differ in how often things turn out well
      and answers aren't perfect.
    </p>
    ${known.map((one) => {
      const by = one.attributes.join(" and ").replaceAll("_", " ");
      const scope = one.scope === EVERYBODY ? "all decisions that people received" : `decisions of ${one.scope}`;
      return table(
        `Outcomes by ${by}, ${scope}`,
        [
          column("Group"),
          number("Outcome known"),
          number("Of good cases, favoured (TPR)"),
          number("Of bad cases, favoured (FPR)"),
          number("Of the favoured, good (PPV)"),
          number("Right answers"),
        ],
        one.outcomes.map((row): Cell[] => [
          row.group,
          figure(row.coverage, "percent"),
          figure(row.truePositiveRate, "percent"),
          figure(row.falsePositiveRate, "percent"),
          figure(row.positivePredictiveValue, "percent"),
          figure(row.accuracy, "percent"),
        ]),
      );
    })}`;
}
