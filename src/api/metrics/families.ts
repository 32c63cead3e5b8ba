/**
 * Every metric that `GET /metrics` can show: its name, labels and meaning. docs/monitoring.md lists them, rules and dashboards use them,
 * and tests hold all of that against this table.
 */
import { bounded, type HistogramSample, type MetricFamily, type MetricSample } from "../../monitoring/index.ts";

interface Row {
  readonly labels: readonly string[];
  readonly help: string;
}
interface NumberRow extends Row {
  readonly type: "counter" | "gauge";
}

const ENDPOINT = ["endpoint"] as const;
const RELEASE = ["endpoint", "release"] as const;
const TEST = ["endpoint", "release", "arm", "guardrail", "metric", "group", "reference"] as const;
const NONE: readonly string[] = [];

/** Counters and gauges. */
export const NUMBERS = {
  evenkeel_build_info: { type: "gauge", labels: ["version", "node"], help: "Always 1." },
  // What is decided
  evenkeel_decisions_total: {
    type: "counter",
    labels: ["endpoint", "release", "route", "action"],
    help: "Decisions recorded by this process.",
  },
  evenkeel_fallback_decisions_total: {
    type: "counter",
    labels: ENDPOINT,
    help: "Of them, those that another release answered than the planned one.",
  },
  evenkeel_release_requests_total: {
    type: "counter",
    labels: ["endpoint", "release", "route"],
    help: "Requests that a release was to answer, by the route table of this process.",
  },
  evenkeel_release_errors_total: {
    type: "counter",
    labels: ["endpoint", "release", "route"],
    help: "Of them, those that it had no answer for: another release answered, or nobody did.",
  },
  evenkeel_unanswered_requests_total: { type: "counter", labels: ENDPOINT, help: "Valid requests that got no answer from this process." },
  // The route table
  evenkeel_route_share: {
    type: "gauge",
    labels: ["endpoint", "release", "route"],
    help: "Share of people that a release is meant to answer, as a shadow: to answer too; 0 for one that stands by.",
  },
  evenkeel_route_generation: { type: "gauge", labels: ENDPOINT, help: "Grows with each change of the route table." },
  evenkeel_route_last_switch_seconds: {
    type: "gauge",
    labels: ENDPOINT,
    help: "How long the last change of the route table took until every new request met it; none before the first since the start.",
  },
  evenkeel_endpoint_ready: {
    type: "gauge",
    labels: ENDPOINT,
    help: "1 where what answers, and what answers when that can't, are loaded and proven.",
  },
  evenkeel_transitions_total: {
    type: "counter",
    labels: ["endpoint", "kind"],
    help: "Changes of the route table since the endpoint was declared, the same from every process.",
  },
  evenkeel_rollbacks_total: {
    type: "counter",
    labels: ["endpoint", "trigger"],
    help: "Of them, rollbacks, by what made them: guardrail, failure or person.",
  },
  evenkeel_rollout_step: { type: "gauge", labels: RELEASE, help: "Step that a rollout is in, from 1; none where no rollout is under way." },
  evenkeel_rollout_steps: { type: "gauge", labels: RELEASE, help: "Steps that the rollout under way has." },
  evenkeel_rollout_paused: { type: "gauge", labels: RELEASE, help: "1 where a person has paused the rollout." },
  evenkeel_rollouts_held: { type: "gauge", labels: ENDPOINT, help: "1 where automatic rollouts wait for a person." },
  evenkeel_incidents_open: {
    type: "gauge",
    labels: ["endpoint", "state"],
    help: "Incidents that aren't resolved: open, contained or in_review.",
  },
  evenkeel_drill_passed: {
    type: "gauge",
    labels: ENDPOINT,
    help: "Whether the last rehearsal of a rollback was passed; none where there never was one.",
  },
  evenkeel_drill_timestamp_seconds: { type: "gauge", labels: ENDPOINT, help: "When that was." },
  evenkeel_drill_duration_seconds: {
    type: "gauge",
    labels: ENDPOINT,
    help: "How long its slower switch took until every new request met the other release; none for a replay, which switches nothing.",
  },
  evenkeel_drill_due_timestamp_seconds: {
    type: "gauge",
    labels: ENDPOINT,
    help: "By when the next one is due, which may be past; none without a schedule.",
  },
  // Guardrails
  evenkeel_guardrail_tests: {
    type: "gauge",
    labels: ["endpoint", "guardrail", "state"],
    help: "Groups and releases that a guardrail watches now, by how they stand.",
  },
  evenkeel_guardrail_breached: { type: "gauge", labels: TEST, help: "1 where harm by a release that is watched now has been proven." },
  evenkeel_guardrail_estimate: {
    type: "gauge",
    labels: TEST,
    help: "The metric as counted since the release began: a ratio, a difference or a rate. Shown, never decided by.",
  },
  evenkeel_guardrail_band_low: { type: "gauge", labels: TEST, help: "Lower end of its 95 % band, valid at all times together." },
  evenkeel_guardrail_band_high: { type: "gauge", labels: TEST, help: "Upper end of that band; none where it is infinite." },
  evenkeel_guardrail_limit: { type: "gauge", labels: TEST, help: "What is still fair." },
  evenkeel_guardrail_evidence: {
    type: "gauge",
    labels: TEST,
    help: "Evidence of harm: what a bettor against the release makes of one coin.",
  },
  evenkeel_guardrail_evidence_threshold: { type: "gauge", labels: TEST, help: "What it takes for proof." },
  evenkeel_guardrail_forecast_decisions: {
    type: "gauge",
    labels: TEST,
    help: "Decisions still needed for proof if evidence goes on growing as it did; none where it doesn't grow.",
  },
  // Inputs
  evenkeel_expectation_checked_total: {
    type: "counter",
    labels: ["endpoint", "expectation"],
    help: "Requests that this process has held against an expectation.",
  },
  evenkeel_expectation_breaches_total: {
    type: "counter",
    labels: ["endpoint", "expectation", "breach"],
    help: "Of them, those that breached it, by how.",
  },
  evenkeel_expectation_refused_total: {
    type: "counter",
    labels: ENDPOINT,
    help: "Valid requests that this process refused for breaching an expectation.",
  },
  evenkeel_expectation_warned: {
    type: "gauge",
    labels: ["endpoint", "expectation", "breach"],
    help: "1 for what was proven today (UTC) to breach its limit, the same from every process.",
  },
  evenkeel_drift_index: {
    type: "gauge",
    labels: ["endpoint", "release", "of", "name"],
    help: "Population stability index of scores and of each input yesterday and today (UTC), and of the mix of groups in the last seven days that are over, against what the release was trained on, or its first week; none where there is nothing to compare with.",
  },
  evenkeel_drift_detected: {
    type: "gauge",
    labels: ["endpoint", "release", "of", "name"],
    help: "1 where that index is at least 0.1 and hardly chance; none where people are too few to say.",
  },
  evenkeel_writers_with_another_mix: {
    type: "gauge",
    labels: ["endpoint", "release", "attribute"],
    help: "Tokens, of up to twenty and the rest, that sent another mix of groups than the release was trained on, in the last seven days that are over; none where one token sends everything.",
  },
  // Models
  evenkeel_scorer_up: {
    type: "gauge",
    labels: ["endpoint", "release", "kind"],
    help: "1 where the model of a loaded release can be asked; 0 while its process, container or server is down.",
  },
  evenkeel_scorer_breaks_total: {
    type: "counter",
    labels: RELEASE,
    help: "Times since it was loaded that its process had to be replaced, or its server was left alone for failing.",
  },
  evenkeel_scorer_failures_total: {
    type: "counter",
    labels: ["endpoint", "release", "reason"],
    help: "Requests since it was loaded that it had no score for, shadows and canaries included.",
  },
  evenkeel_scorer_memory_bytes: { type: "gauge", labels: RELEASE, help: "Of its process, without what such processes share." },
  evenkeel_scorer_memory_budget_bytes: { type: "gauge", labels: NONE, help: "What all of them may take together; none without a limit." },
  // This process and its database
  evenkeel_requests_in_flight: { type: "gauge", labels: NONE, help: "Decisions under way." },
  evenkeel_shadows_queued: { type: "gauge", labels: NONE, help: "Shadow answers that wait." },
  evenkeel_shadows_shed_total: { type: "counter", labels: NONE, help: "Shadow answers left out because too many waited." },
  evenkeel_log_queued_decisions: { type: "gauge", labels: NONE, help: "Decisions that wait to be recorded." },
  evenkeel_log_overloaded_total: {
    type: "counter",
    labels: NONE,
    help: "Decisions refused because too many waited to be recorded, or one for too long.",
  },
  evenkeel_log_lost_total: { type: "counter", labels: NONE, help: "Decisions acknowledged from memory and then not recorded." },
  evenkeel_log_dropped_total: {
    type: "counter",
    labels: NONE,
    help: "Lines of the server's own log that nobody could be told: its target is full or gone.",
  },
  evenkeel_clock_seconds: { type: "gauge", labels: NONE, help: "This machine's clock, to be held against the scraper's." },
  evenkeel_clock_jumps_total: { type: "counter", labels: NONE, help: "Times that it jumped by more than five seconds." },
  evenkeel_metrics_hidden_series: {
    type: "gauge",
    labels: ["family"],
    help: "Series that there was no room for: summed up as `other`, of gauges left out.",
  },
  process_cpu_seconds_total: { type: "counter", labels: NONE, help: "Processor time of the server's process, without its models." },
  process_resident_memory_bytes: { type: "gauge", labels: NONE, help: "Of the server's process, without its models." },
  process_start_time_seconds: { type: "gauge", labels: NONE, help: "When the server started." },
  process_open_fds: { type: "gauge", labels: NONE, help: "Open files and connections; none where the system doesn't tell." },
  nodejs_heap_size_used_bytes: { type: "gauge", labels: NONE, help: "Of the JavaScript heap, what is in use." },
  nodejs_heap_size_total_bytes: { type: "gauge", labels: NONE, help: "The JavaScript heap." },
  nodejs_external_memory_bytes: { type: "gauge", labels: NONE, help: "Memory outside the heap that JavaScript holds." },
  nodejs_eventloop_active_seconds_total: {
    type: "counter",
    labels: NONE,
    help: "Time that the event loop was busy: a rate near 1 means that requests wait for each other.",
  },
  nodejs_eventloop_idle_seconds_total: { type: "counter", labels: NONE, help: "Time that it waited for work." },
  // People who are told, and sinks
  evenkeel_alert_notices: {
    type: "gauge",
    labels: ["channel", "state"],
    help: "Notices that wait for a channel (pending), or that it never took and a person can send again (dead).",
  },
  evenkeel_sink_lag_decisions: {
    type: "gauge",
    labels: ["sink"],
    help: "Decisions recorded and not delivered; counted up to 100,000, beyond that at most so many.",
  },
  evenkeel_sink_lag_outcomes: { type: "gauge", labels: ["sink"], help: "Outcomes recorded and not delivered." },
  evenkeel_sink_lag_seconds: { type: "gauge", labels: ["sink"], help: "Age of the oldest entry that isn't delivered; 0 where all are." },
  evenkeel_sink_delivered_total: {
    type: "counter",
    labels: ["sink", "kind"],
    help: "Entries that a sink's target has taken, since the sink was declared; the same from every process.",
  },
  evenkeel_sink_failures_total: {
    type: "counter",
    labels: ["sink"],
    help: "Batches that a sink's target didn't take, since the sink was declared; each came again.",
  },
  evenkeel_sink_running: { type: "gauge", labels: ["sink"], help: "0 for a sink that was paused, or disabled by its target." },
} as const satisfies Record<string, NumberRow>;

/** Histograms: of scores, from 0 to 1, and of seconds. */
export const HISTOGRAMS = {
  evenkeel_decision_score: {
    labels: RELEASE,
    help: "Scores of recorded decisions, by the release that gave the answer: what drifts shows here first.",
  },
  evenkeel_decision_duration_seconds: {
    labels: RELEASE,
    help: "From a request to its answer, before it is recorded, by the release that gave it.",
  },
  evenkeel_request_duration_seconds: { labels: ENDPOINT, help: "From a request for one decision to its answer, recording included." },
  evenkeel_commit_duration_seconds: { labels: NONE, help: "One transaction with the decisions that waited, until it is durable (fsync)." },
} as const satisfies Record<string, Row>;

export type NumberName = keyof typeof NUMBERS;
export type HistogramName = keyof typeof HISTOGRAMS;

/** What of every family there is now: none may be forgotten. */
export type Collected = Readonly<Record<NumberName, readonly MetricSample[]> & Record<HistogramName, readonly HistogramSample[]>>;

/** More of one family than this makes scrapes slow and Prometheus big. */
const MOST_SERIES = 1000;
const MOST_HISTOGRAMS = 100;

/** The families of a scrape, in the order of the table, each with as many series as there is room for. */
export function familiesOf(collected: Collected): readonly MetricFamily[] {
  const numbers = namesOf(NUMBERS).map((name) => {
    const { type, help } = NUMBERS[name];
    return bounded({ name, type, help, samples: collected[name] }, MOST_SERIES);
  });
  const histograms = namesOf(HISTOGRAMS).map((name) =>
    bounded({ name, type: "histogram", help: HISTOGRAMS[name].help, samples: collected[name] }, MOST_HISTOGRAMS),
  );
  const all = [...numbers, ...histograms];
  const hidden = all.filter((one) => one.hidden > 0).map((one) => ({ labels: { family: one.family.name }, value: one.hidden }));
  return all.map(({ family }) =>
    family.name === "evenkeel_metrics_hidden_series" && family.type === "gauge" ? { ...family, samples: hidden } : family,
  );
}

/** `Object.keys` of an object whose keys are all known. */
export function namesOf<T extends object>(table: T): readonly (keyof T & string)[] {
  return Object.keys(table) as (keyof T & string)[];
}
