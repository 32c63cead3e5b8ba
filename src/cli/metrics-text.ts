/** Metrics on a terminal: groups as rows, and why there is no number where there is none. */
import type { EndpointMetricsView } from "../api/index.ts";
import { moment, percent, plural, ratio } from "./format.ts";
import { styled, table, type Io } from "./io.ts";

type Answer = EndpointMetricsView["answers"][number];

/** All that is known, table by table. */
export function metricsText(io: Io, view: EndpointMetricsView): string {
  const sets = new Map<string, Answer[]>();
  for (const answer of view.answers.filter(({ drift_of: of, group, attributes }) => !of && (group !== null || attributes !== null))) {
    const key = setOf(answer);
    sets.set(key, [...(sets.get(key) ?? []), answer]);
  }
  const parts = [...sets].map(([set, answers]) => groupsText(io, set, answers, view));
  return [
    head(io, view),
    serviceText(io, view),
    ...parts,
    movedText(io, view),
    ...writersText(io, view),
    inputsText(io, view),
    ...view.notices.map((notice) => styled(io, "yellow", notice)),
  ].join("\n\n");
}

/** What is about no group. */
function serviceText(io: Io, view: EndpointMetricsView): string {
  const rows = view.answers
    .filter(({ group, attributes, feature, drift_of: of }) => group === null && attributes === null && feature === undefined && !of)
    .map((answer) => [
      answer.action === undefined ? answer.metric : `${answer.metric} ${answer.action}`,
      valueText(answer),
      answer.reason === null ? partsText(answer) : whyText(answer, view),
    ]);
  return table(io, ["service", "value", ""], rows);
}

const partsText = ({ parts = {}, metric }: Answer): string =>
  metric === "latency_seconds"
    ? Object.entries(parts)
        .map(([name, { value }]) => `${name} ${value === null ? "–" : `${ratio(value * 1000, 1)} ms`}`)
        .join(", ")
    : "";

const AGAINST = { training: "the training data", launch: "its first week", previous: "the week before" } as const;
const againstText = ({ against }: Answer, { trainedOn }: EndpointMetricsView): string =>
  against === undefined ? "" : against === "training" ? (trainedOn ?? AGAINST.training) : AGAINST[against];
const PSI = "population_stability_index";

/** Scores, and the mix of groups: how far from what they are compared with. */
function movedText(io: Io, view: EndpointMetricsView): string {
  const indexes = view.answers.filter(({ metric, drift_of: of, writer }) => metric === PSI && of !== undefined && writer === undefined);
  const rows = indexes.map((index) => {
    const distance = view.answers.find(
      (one) => one.metric === "jensen_shannon_distance" && one.drift_of === index.drift_of && setOf(one) === setOf(index),
    );
    const name = index.drift_of === "scores" ? "scores" : `mix of ${setOf(index)}`;
    const state = index.reason === null ? stateText(io, index) : whyText(index, view);
    return [name, againstText(index, view), valueText(index), distance ? valueText(distance) : null, state];
  });
  return table(io, ["has it moved", "against", "PSI", "JS", ""], rows);
}

const stateText = (io: Io, { status }: Answer): string =>
  status === "drift" ? styled(io, "yellow", "drift") : status === "too_few" ? "too few to say" : (status ?? "");

/** Whose mix differs: whoever sends only easy cases hides a harm. Shown where several tokens send requests. */
function writersText(io: Io, view: EndpointMetricsView): readonly string[] {
  const indexes = view.answers.filter(({ metric, writer }) => metric === PSI && writer !== undefined);
  const [first] = indexes;
  if (!first) return [];
  const sets = [...new Set(indexes.map(setOf))];
  const rows = [...Map.groupBy(indexes, ({ writer }) => writer ?? "")].map(([writer, of]) => {
    const part = (name: string) => of[0]?.parts?.[name]?.value ?? null;
    const shown = sets.map((set) => {
      const index = of.find((one) => setOf(one) === set);
      return index ? valueText(index) : null;
    });
    const drifting = of.filter(({ status }) => status === "drift").map(setOf);
    const score = part("mean_score");
    return [
      writer,
      percent(part("share") ?? 0),
      percent(part("selection_rate") ?? 0),
      score === null ? null : ratio(score, 3),
      ...shown,
      drifting.length > 0 ? styled(io, "yellow", `another mix: ${drifting.join(", ")}`) : "",
    ];
  });
  return [
    table(
      io,
      [`token, against ${againstText(first, view)}`, "share", "selected", "mean score", ...sets.map((set) => `PSI ${set}`), ""],
      rows,
    ),
  ];
}

/** Input by input: how far it has drifted, and what is wrong with it. */
function inputsText(io: Io, view: EndpointMetricsView): string {
  const names = [...new Set(view.answers.flatMap(({ feature }) => feature ?? []))];
  const find = (metric: string, name: string) => view.answers.find((one) => one.metric === metric && one.feature === name);
  const columns = ["population_stability_index", "missing_rate", "out_of_range_rate", "new_category_rate"] as const;
  const rows = names.map((name) => {
    const index = find(PSI, name);
    const status = index === undefined ? "" : index.reason === null ? stateText(io, index) : whyText(index, view);
    const alerts = view.answers.filter((one) => one.feature === name && one.status === "alert").map(({ metric }) => metric);
    const shown = columns.map((metric) => {
      const answer = find(metric, name);
      return answer ? valueText(answer) : null;
    });
    return [name, ...shown, alerts.length > 0 ? styled(io, "yellow", `${status}: ${alerts.join(", ")}`) : status];
  });
  const against = view.against === "training" ? (view.trainedOn ?? AGAINST.training) : AGAINST[view.against];
  return table(io, [`input, against ${against}`, "PSI", "missing", "out of range", "new", ""], rows, "inputs aren't counted yet");
}

/** The metrics that were asked for by name, one line an answer. */
export function listText(io: Io, view: EndpointMetricsView): string {
  const rows = view.answers.map((answer) => [
    answer.metric,
    ofText(answer),
    valueText(answer),
    intervalText(answer),
    answer.reason === null ? detailText(answer) : whyText(answer, view),
  ]);
  return [head(io, view), table(io, ["metric", "of", "value", "95 % interval", ""], rows)].join("\n\n");
}

const ofText = (answer: Answer): string => {
  const { feature, drift_of: of, writer, group, attributes } = answer;
  if (of === "scores") return "scores";
  if (of === "groups") return `mix of ${setOf(answer)}${writer === undefined ? "" : ` from ${writer}`}`;
  return feature ?? (group ? labelOf(group) : (attributes ?? []).join("/"));
};

function head(io: Io, { endpoint, release, arm, arms, window, favourable }: EndpointMetricsView): string {
  const answered = arms.find((one) => one.arm === arm)?.decisions ?? 0;
  const elsewhere = arms.filter((one) => one.arm !== arm).map((one) => `${one.decisions.toLocaleString("en")} as ${one.arm}`);
  const since = window.from === null ? "since the beginning" : `from ${moment(window.from)}`;
  return [
    `${styled(io, "bold", `${endpoint} ${release}`)} as ${arm}, ${since} to ${moment(window.to)} UTC; favourable: ${favourable.join(", ")}`,
    `${plural(answered, "decision")} in all${elsewhere.length > 0 ? `, and ${elsewhere.join(", ")}` : ""}`,
  ].join("\n");
}

/** Attributes of the table that an answer belongs to. */
const setOf = ({ group, attributes }: Answer): string => Object.keys(group ?? {}).join("/") || (attributes ?? []).join("/");

const OUTCOME_COLUMNS = [
  ["true_positive_rate", "TPR"],
  ["false_positive_rate", "FPR"],
  ["positive_predictive_value", "PPV"],
  ["accuracy_score", "accuracy"],
] as const;

function groupsText(io: Io, set: string, answers: readonly Answer[], view: EndpointMetricsView): string {
  const groups = [...new Set(answers.flatMap(({ group }) => (group ? [labelOf(group)] : [])))];
  const find = (metric: string, label: string) => answers.find((one) => one.metric === metric && one.group && labelOf(one.group) === label);
  const hasOutcomes = OUTCOME_COLUMNS.some(([metric]) => answers.some((one) => one.metric === metric && one.value !== null));
  const outcomes = hasOutcomes ? OUTCOME_COLUMNS : [];
  const rows = groups.map((label) => {
    const rate = find("selection_rate", label);
    const impact = find("adverse_impact_ratio", label);
    const reference = impact?.reference ?? null;
    const isReference = reference !== null && labelOf(reference) === label;
    return [
      isReference ? `${label} (reference)` : label,
      rate?.reason === "suppressed" ? "hidden" : (rate?.numerator?.n ?? 0),
      rate ? valueText(rate) : null,
      rate ? intervalText(rate) : null,
      impact ? valueText(impact) : null,
      impact ? (impact.reason === null ? intervalText(impact) : whyText(impact, view)) : null,
      ...outcomes.map(([metric]) => {
        const answer = find(metric, label);
        return answer ? valueText(answer) : null;
      }),
      impact ? detailText(impact) : "",
    ];
  });
  const columns = ["n", "selected", "95 % interval", "ratio", "95 % interval", ...outcomes.map(([, name]) => name), ""];
  const name = set || "everybody";
  const compared = answers
    .filter(({ group }) => group === null)
    .map((answer) => [
      answer.metric,
      valueText(answer),
      answer.reason === null ? detailText(answer) : whyText(answer, view),
      excludedText(answer),
    ]);
  const summary = compared.length === 0 ? [] : ["", table(io, [`all of ${name}`, "value", "", "left out"], compared)];
  return [table(io, [name, ...columns], rows), ...summary].join("\n");
}

const labelOf = (group: Readonly<Record<string, string>>): string => Object.values(group).join("/") || "everybody";

const RATIOS = /(_ratio|_difference|_error|_loss|_score|_distance|_index|_statistic)$/;
function valueText({ metric, value: known, bounds }: Answer): string {
  // Bounds that meet: the outcome of everybody is known.
  const value = known ?? (bounds && bounds.low === bounds.high ? bounds.low : null);
  if (value === null) return bounds ? `${ratio(bounds.low)} to ${ratio(bounds.high)}` : "–";
  if (metric === "latency_seconds") return `${ratio(value * 1000, 1)} ms`;
  if (metric === "selection_shortfall" || metric.endsWith("_count")) return Math.round(value).toLocaleString("en");
  if (metric === "selection_rate_p_value") return value < 1e-300 ? "< 1e-300" : value.toPrecision(3);
  return RATIOS.test(metric) ? ratio(value, 3) : metric.endsWith("_rate") ? percent(value) : ratio(value, 3);
}

function intervalText({ interval, metric }: Answer): string | null {
  if (!interval) return null;
  const text = (value: number) => (metric.endsWith("_rate") ? percent(value) : ratio(value, 3));
  return `${text(interval.low)} to ${text(interval.high)}${interval.degenerate ? " (says nothing)" : ""}`;
}

function detailText({ four_fifths, least, small }: Answer): string {
  const whose = least ? [labelOf(least)] : [];
  const finding = four_fifths
    ? [
        four_fifths.below_four_fifths ? "below four fifths" : "",
        four_fifths.significant ? "significant" : "",
        four_fifths.small_numbers ? "small numbers" : "",
      ]
    : [];
  return [...whose, ...finding, small ? "few" : ""].filter((text) => text !== "").join(", ");
}

/** Where one reason holds for all of them it is told already. */
const excludedText = ({ excluded, reason: ofAll }: Answer): string =>
  excluded.every(({ reason }) => reason === ofAll)
    ? ""
    : [...new Set(excluded.map(({ group, reason }) => `${labelOf(group)} (${reason})`))].join(", ");

/** Why there is no number, in words. */
function whyText({ metric, reason, numerator, denominator }: Answer, { minimum }: EndpointMetricsView): string {
  if (metric === "volume_ratio" && reason === "too_few") return "needs a window of at most a week, and two weeks before it";
  if (metric === "override_rate") return "nothing was reviewed";
  switch (reason) {
    case null:
      return "";
    case "not_applicable":
      return "has no meaning for this release";
    case "not_declared":
      return "not declared: metrics of the endpoint in YAML";
    case "no_decisions":
      return "no decisions yet";
    case "no_outcomes":
      return "no outcomes yet";
    case "selective_labels":
      return "only bounds can be told";
    case "no_denominator":
      return "no such people yet";
    case "too_few":
      return numerator ? `${numerator.n} of ${minimum} needed` : `${minimum} needed on each side`;
    case "reference_missing":
      return "nobody in the reference group yet";
    case "reference_too_few":
      return denominator ? `${denominator.n} of ${minimum} needed in the reference group` : `${minimum} needed in the reference group`;
    case "reference_zero":
      return "nobody of the reference is favoured: compare by difference";
    case "bins_mismatch":
      return "counted differently before and after";
    case "no_profile":
      return "nothing to compare with";
    case "suppressed":
      return "so few that people could be told apart";
    default:
      return reason satisfies never;
  }
}
