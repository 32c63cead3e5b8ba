/** Metrics on a terminal: groups as rows, and why there is no number where there is none. */
import type { EndpointMetricsView } from "../api/index.ts";
import { moment, percent, plural, ratio } from "./format.ts";
import { styled, table, type Io } from "./io.ts";

type Answer = EndpointMetricsView["answers"][number];

/** All that is known, table by table. */
export function metricsText(io: Io, view: EndpointMetricsView): string {
  const sets = new Map<string, Answer[]>();
  for (const answer of view.answers.filter(({ group, attributes }) => group !== null || attributes !== null)) {
    const key = setOf(answer);
    sets.set(key, [...(sets.get(key) ?? []), answer]);
  }
  const parts = [...sets].map(([set, answers]) => groupsText(io, set, answers, view));
  return [
    head(io, view),
    serviceText(io, view),
    ...parts,
    inputsText(io, view),
    ...view.notices.map((notice) => styled(io, "yellow", notice)),
  ].join("\n\n");
}

/** What is about no group. */
function serviceText(io: Io, view: EndpointMetricsView): string {
  const rows = view.answers
    .filter(({ group, attributes, feature }) => group === null && attributes === null && feature === undefined)
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

/** Input by input: how far it has drifted, and what is wrong with it. */
function inputsText(io: Io, view: EndpointMetricsView): string {
  const names = [...new Set(view.answers.flatMap(({ feature }) => feature ?? []))];
  const find = (metric: string, name: string) => view.answers.find((one) => one.metric === metric && one.feature === name);
  const columns = ["population_stability_index", "missing_rate", "out_of_range_rate", "new_category_rate"] as const;
  const rows = names.map((name) => {
    const index = find("population_stability_index", name);
    const status = index?.status ?? (index ? whyText(index, view) : "");
    const alerts = view.answers.filter((one) => one.feature === name && one.status === "alert").map(({ metric }) => metric);
    const shown = columns.map((metric) => {
      const answer = find(metric, name);
      return answer ? valueText(answer) : null;
    });
    return [name, ...shown, alerts.length > 0 ? styled(io, "yellow", `${status}: ${alerts.join(", ")}`) : status];
  });
  const against = { training: view.trainedOn ?? "the training data", launch: "its first week", previous: "the week before" }[view.against];
  return table(io, [`input, against ${against}`, "PSI", "missing", "out of range", "new", ""], rows, "inputs aren't counted yet");
}

/** The metrics that were asked for by name, one line an answer. */
export function listText(io: Io, view: EndpointMetricsView): string {
  const rows = view.answers.map((answer) => [
    answer.metric,
    answer.feature ?? (answer.group ? labelOf(answer.group) : (answer.attributes ?? []).join("/")),
    valueText(answer),
    intervalText(answer),
    answer.reason === null ? detailText(answer) : whyText(answer, view),
  ]);
  return [head(io, view), table(io, ["metric", "of", "value", "95 % interval", ""], rows)].join("\n\n");
}

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
function valueText({ metric, value, bounds }: Answer): string {
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
