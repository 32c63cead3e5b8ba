/** Parts of a report about what watches: guardrails, incidents, and what came in. */
import { actionText, chance, moment, percent, plural, reasonText, stateText, whole } from "./figures.ts";
import { html, type Markup } from "./markup.ts";
import type { ReportIncidentView, ReportView } from "./report-view.ts";
import { code, column, number, table, tag, type Cell } from "./tables.ts";
import { spread } from "./plots.ts";

const kindOf = (state: string) =>
  state === "ok" ? "ok" : state === "breached" ? "bad" : state === "watched" || state === "paused" ? "watch" : "idle";
const short = (value: number): string =>
  value >= 1e6 ? value.toExponential(1) : value >= 10 ? whole(Math.round(value)) : value.toFixed(2);

export function guardrails({ guardrails: all, budget, madeAt, showsGroups }: ReportView): Markup {
  if (all.length === 0) return html`<p>No guardrail is declared: nothing is rolled back by itself, and nobody is told.</p>`;
  const rows = all.map((one): Cell[] => [
    html`${one.guardrail}<small>${one.metric.replaceAll("_", " ")}</small>`,
    `${one.release}${one.arm === "shadow" ? " (shadow)" : ""}`,
    one.group,
    one.reference,
    one.groupDecisions === null ? "hidden" : whole(one.groupDecisions),
    one.estimate === null ? "–" : html`${one.estimate.toFixed(3)}${one.band ? html`<small>${spanText(one.band)}</small>` : null}`,
    one.likeForLike === null
      ? "–"
      : html`${one.likeForLike.toFixed(3)}${one.likeForLikeInterval ? html`<small>${spanText(one.likeForLikeInterval)}</small>` : null}`,
    `${one.direction === "at_least" ? "≥" : "≤"} ${one.limit}`,
    `${short(one.evidence)} of ${short(one.threshold)}`,
    html`${tag(stateText(one.state), kindOf(one.state))}${remarks(one).map((remark) => html`<small>${remark}</small>`)}`,
    actionText(one.action),
  ]);
  return html`<p>
      Guardrails watch all the time and bet against a release with one error budget for its whole life: the chance that a fair release is
      ever rolled back is at most ${percent(budget)}, over all groups and guardrails. Their counts are since each release began, not of this
      period, and stand as of ${moment(madeAt)}. Bands hold at all times together. Like for like is the ratio of people compared with people
      of the same minutes, with an ordinary 95 % interval. Evidence is the wealth of somebody who bets against the release, beginning with
      one coin; at the threshold it counts as proof.${showsGroups ? null : " Figures of groups are for those who may see groups."}
    </p>
    ${table(
      "State of every guardrail",
      [
        column("Guardrail"),
        column("Release"),
        column("Group"),
        column("Compared with"),
        number("Decisions"),
        number("Estimate and band"),
        number("Like for like"),
        number("Limit"),
        number("Evidence"),
        column("State"),
        column("A breach"),
      ],
      rows,
    )}`;
}

const spanText = ({ low, high }: { readonly low: number; readonly high: number | null }): string =>
  `${low.toFixed(3)} to ${high === null ? "∞" : high.toFixed(3)}`;

function remarks({ why, paused, mixDiffers, forecastDecisions }: ReportView["guardrails"][number]): readonly string[] {
  return [
    ...[why, paused].filter((text) => text !== null),
    ...(mixDiffers ? ["the two ratios are more than 0.05 apart: who applies changes with how many are approved"] : []),
    ...(forecastDecisions === null ? [] : [`proof in some ${plural(forecastDecisions, "decision")} if it goes on so`]),
  ];
}

export function incidents({ incidents: all }: ReportView): Markup {
  if (all.length === 0) return html`<p>None was opened in this period.</p>`;
  return html`${all.map(incident)}`;
}

function incident(one: ReportIncidentView): Markup {
  const { n, title, state, openedAt, openedBy, kind, reason, release, restored, proof, rollback, notRolledBack, people } = one;
  const facts: (readonly [string, Cell])[] = [
    ["State", tag(state.replaceAll("_", " "), state === "open" ? "bad" : state === "closed" || state === "resolved" ? "ok" : "watch")],
    [
      "Opened",
      `${moment(openedAt)} by ${openedBy} (${kind === "breach" ? "a guardrail's proof" : kind === "failure" ? "a release that failed" : "a person"})`,
    ],
    ["Release", restored === null ? release : `${release}; ${restored} was put back`],
    ["Why", reason],
    ...(proof
      ? [
          [
            "Proof",
            `${proof.guardrail}: ${proof.group} against ${proof.reference}, limit ${proof.limit}, evidence ${short(proof.evidence)} of ${short(proof.threshold)} after ${plural(proof.decisions, "decision")}`,
          ] as const,
        ]
      : []),
    ...(proof && proof.sources.length === 1 ? [["Rests on", "one writer: all of these decisions came from one token"] as const] : []),
    ...(rollback
      ? [
          [
            "Rollback",
            `${rollback.automatic ? "by itself" : "by hand"}; every new request met ${rollback.to} after ${rollback.switchedMs.toFixed(1)} ms${
              rollback.failedRequests === null ? "" : `, ${plural(rollback.failedRequests, "request")} without an answer meanwhile`
            }`,
          ] as const,
        ]
      : []),
    ...(notRolledBack === null ? [] : [["Not rolled back", notRolledBack] as const]),
    ...(people
      ? [
          [
            "People",
            `${counted(people.total)} answered by it: ${counted(people.better)} would get a better answer, ${counted(people.worse)} a worse one (nothing is taken from them), of ${counted(people.notReplayable)} it can't be told`,
          ] as const,
        ]
      : [["People", "not looked for yet, or nothing was put back"] as const]),
  ];
  return html`<h3>Incident ${n}: ${title}</h3>
    <dl>
      ${facts.map(
        ([name, value]) =>
          html`<dt>${name}</dt>
            <dd>${value}</dd>`,
      )}
    </dl>
    ${table(
      `What happened in incident ${n}`,
      [column("When"), column("What"), column("By"), column("In words")],
      one.timeline.map(({ at, kind: what, actor, text }): Cell[] => [moment(at), what.replaceAll("-", " "), actor, text]),
    )}`;
}
const counted = (value: number | null): string => (value === null ? "few" : whole(value));

export function inputs(report: ReportView): Markup {
  return html`<h3>As expected?</h3>
    ${expected(report)}
    <h3>As it was in training?</h3>
    ${drift(report)}`;
}

function drift({ drift: all }: ReportView): Markup {
  if (all.length === 0) return html`<p>Nobody was decided about in this period: nothing can be said of drift.</p>`;
  return html`<p>
      The population stability index (PSI) says how much the bars of a distribution would have to be rearranged to be those of the
      reference; a drift is told where it is 0.1 or more and hardly chance (q at most 0.01 over what is looked at together). Grey bars are
      the reference, the line is this period.
    </p>
    ${all.map((one) => html`${moved(one)}${writers(one)}${one.rows.length === 0 ? null : drifted(one)}`)}
    ${
      all.every(({ rows }) => rows.length === 0)
        ? html`<p>Inputs of the releases that answered were not counted in this period: nothing can be said of their drift.</p>`
        : null
    }`;
}

type DriftTable = ReportView["drift"][number];

const referenceText = (against: DriftTable["moved"][number]["against"], trainedOn: string | null): string =>
  against === "training" ? (trainedOn ?? "the training data") : against === "launch" ? "its own first week" : "the week before";

function moved({ release, arm, trainedOn, moved: rows }: DriftTable): Markup {
  if (rows.every(({ why, against }) => why === "no_profile" && against === "launch"))
    return html`<p>
      There is nothing yet to hold scores of ${release} (${arm}) and whom it decided about against: no training data is known, and its first
      week isn't over.
    </p>`;
  return table(
    `Scores of ${release} (${arm}), and who was decided about`,
    [column("What"), column("Against"), column("Distribution"), number("PSI"), number("Distance"), number("q"), column("Drift")],
    rows.map((row): Cell[] => [
      row.what === "scores" ? "Scores" : `Mix of ${row.what.replaceAll("/", " and ").replaceAll("_", " ")}`,
      referenceText(row.against, trainedOn),
      spread(row.bars) ?? "–",
      row.psi === null ? reasonText(row.why) : row.psi.toFixed(3),
      row.distance === null ? "–" : row.distance.toFixed(3),
      chance(row.qValue),
      statusTag(row.status),
    ]),
  );
}

/** Whoever sends only easy cases hides a harm: the mix of all can look as ever. */
function writers({ release, writers: rows }: DriftTable): Markup | null {
  if (rows.length === 0) return null;
  const share = (value: number | null): string => (value === null ? "–" : percent(value));
  return table(
    `Whom each token sent to ${release}`,
    [
      column("Token"),
      number("Of the decisions"),
      number("Favourable"),
      number("Mean score"),
      column("Mix of"),
      number("PSI"),
      column("Drift"),
    ],
    rows.map((row): Cell[] => [
      code(row.writer),
      share(row.share),
      share(row.rate),
      row.meanScore === null ? "–" : row.meanScore.toFixed(3),
      row.what.replaceAll("/", " and ").replaceAll("_", " "),
      row.psi === null ? reasonText(row.why) : row.psi.toFixed(3),
      statusTag(row.status),
    ]),
  );
}

function drifted(one: DriftTable): Markup {
  const share = (value: number | null): string => (value === null ? "–" : percent(value));
  return table(
    `Inputs of ${one.release} (${one.arm}) against ${referenceText(one.against, one.trainedOn)}${one.hidden > 0 ? `; ${plural(one.hidden, "input")} left out, which tell of protected attributes` : ""}`,
    [
      column("Input"),
      number("PSI"),
      number("q"),
      column("Drift"),
      number("Missing"),
      number("Of another type"),
      number("Out of range"),
      number("New values"),
      number("Median, times"),
    ],
    one.rows.map((row): Cell[] => [
      row.input,
      row.psi === null ? reasonText(row.why) : row.psi.toFixed(3),
      chance(row.qValue),
      driftTag(row),
      share(row.missing),
      share(row.invalidType),
      share(row.outOfRange),
      share(row.newCategory),
      row.unitChange === null ? "–" : row.unitChange.toFixed(2),
    ]),
  );
}

function statusTag(status: string | null): Cell {
  if (status === "drift") return tag("drift", "watch");
  if (status === "ok") return tag("none", "ok");
  return status === "too_few" ? tag("too few to say", "idle") : "–";
}

function driftTag({ status, alerts }: ReportView["drift"][number]["rows"][number]): Cell {
  const word = statusTag(status);
  return alerts.length === 0 ? word : html`${word}<small>${alerts.map((name) => name.replaceAll("_", " ")).join(", ")}</small>`;
}

function expected({ inputs: all, inputWarnings }: ReportView): Markup {
  if (all.length === 0)
    return html`<p>The endpoint expects nothing of its inputs beyond what it accepts, or nothing was looked at in this period.</p>`;
  const kinds = [...new Set(all.flatMap(({ breaches }) => Object.keys(breaches).filter((kind) => (breaches[kind] ?? 0) > 0)))];
  return html`<p>Requests that the endpoint accepts are held against what the data led it to expect. Retries are counted again.</p>
    ${table(
      "Requests that were not as expected",
      [column("Expectation"), column("A breach"), number("Requests"), ...kinds.map(number)],
      all.map(({ expectation, onBreach, checked, breaches }): Cell[] => [
        expectation,
        onBreach === null ? "no longer declared" : `${onBreach}s`,
        whole(checked),
        ...kinds.map((kind) => {
          const n = breaches[kind] ?? 0;
          return n === 0 ? "0" : html`${whole(n)}<small>${percent(checked === 0 ? 0 : n / checked)}</small>`;
        }),
      ]),
    )}
    ${
      inputWarnings.length === 0
        ? html`<p>No share of breaches was proven to be beyond its limit on any day.</p>`
        : table(
            "Days on which a share of breaches was proven to be beyond its limit",
            [column("When"), column("Expectation"), column("How"), number("Share"), number("Limit")],
            inputWarnings.map(({ at, expectation, breach, breached, checked, share, limit }): Cell[] => [
              moment(at),
              expectation,
              breach,
              html`${percent(share)}<small>${whole(breached)} of ${whole(checked)}</small>`,
              percent(limit),
            ]),
          )
    }`;
}
