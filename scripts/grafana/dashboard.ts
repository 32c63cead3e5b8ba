/** The dashboard of one endpoint: who is harmed, what is decided and how fast, what it stands on. */
import {
  AnnotationQueryBuilder,
  DashboardBuilder,
  DashboardCursorSync,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
  VariableSort,
  type Dashboard,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { DATASOURCE, bars, limits, redFrom, stacked, stat, timeseries } from "./panels.ts";

/** Imports into Grafana 10.4 and later; those migrate it upwards. */
const SCHEMA_VERSION = 39;
const HERE = 'endpoint="$endpoint"';
const TEST = `${HERE},guardrail="$guardrail",release="$release",group=~"$group"`;
const RATE = "$__rate_interval";

export function dashboard(): Dashboard {
  const builder = new DashboardBuilder("Evenkeel")
    .uid("evenkeel-endpoint")
    .description("Decisions about people: who is harmed, what is decided, how fast, and what it stands on. docs/monitoring.md")
    .tags(["evenkeel"])
    .editable()
    .tooltip(DashboardCursorSync.Crosshair)
    .time({ from: "now-6h", to: "now" })
    .refresh("10s")
    .version(1)
    .withVariable(new DatasourceVariableBuilder("datasource").label("Data source").type("prometheus"))
    .withVariable(choice("endpoint", "Endpoint", "evenkeel_route_generation", "endpoint"))
    .withVariable(choice("guardrail", "Guardrail", `evenkeel_guardrail_limit{${HERE}}`, "guardrail"))
    .withVariable(choice("release", "Release", `evenkeel_guardrail_limit{${HERE}}`, "release").sort(VariableSort.NumericalDesc))
    .withVariable(
      choice("group", "Group", `evenkeel_guardrail_limit{${HERE},guardrail="$guardrail"}`, "group").multi(true).includeAll(true),
    )
    .annotation(
      happening("Rollbacks", "red", `sum by (trigger) (changes(evenkeel_rollbacks_total{${HERE}}[1m])) > 0`, "Rolled back ({{trigger}})"),
    )
    .annotation(
      happening("Changes of the route table", "blue", `max by (endpoint) (changes(evenkeel_route_generation{${HERE}}[1m])) > 0`, "Changed"),
    );
  for (const add of [harm, traffic, drift, latency, models, control, sinks, server]) add(builder);
  return numbered({ ...builder.build(), schemaVersion: SCHEMA_VERSION });
}

function harm(dashboard: DashboardBuilder): void {
  dashboard
    .withRow(new RowBuilder("Harm"))
    .withPanel(
      stat(
        {
          title: "Open incidents",
          about: "Those that nobody has resolved yet.",
          queries: [{ expr: `sum(max by (state) (evenkeel_incidents_open{${HERE}}))`, legend: "" }],
          unit: "short",
        },
        redFrom(1),
      ),
    )
    .withPanel(
      stat(
        {
          title: "Proven harm",
          about: "Groups that a release harms which is watched now, by proof within the error budget.",
          queries: [{ expr: `sum(max by (release, arm, guardrail, group, reference) (evenkeel_guardrail_breached{${HERE}}))`, legend: "" }],
          unit: "short",
        },
        redFrom(1),
      ),
    )
    .withPanel(
      stat(
        {
          title: "Closest to proof",
          about: "The strongest evidence among all groups on its way to proof: 100 % is proven, from 50 % on a page says watched.",
          queries: [{ expr: `max(${progress(HERE)})`, legend: "" }],
          unit: "percentunit",
        },
        [
          { value: null, color: "green" },
          { value: 0.5, color: "orange" },
          { value: 1, color: "red" },
        ],
      ),
    )
    .withPanel(
      stat(
        {
          title: "Rolled back by itself",
          about: "By a guardrail, or because a release couldn't answer, in the time that is shown.",
          queries: [
            { expr: `sum(max by (trigger) (increase(evenkeel_rollbacks_total{${HERE},trigger!="person"}[$__range])))`, legend: "" },
          ],
          unit: "short",
        },
        redFrom(1),
      ),
    )
    .withPanel(
      stat(
        {
          title: "Groups without enough data",
          about: "No data is neither good nor bad.",
          queries: [{ expr: `sum(max by (guardrail) (evenkeel_guardrail_tests{${HERE},state="no-data"}))`, legend: "" }],
          unit: "short",
        },
        [{ value: null, color: "blue" }],
      ),
    )
    .withPanel(
      stat(
        {
          title: "Decisions a second",
          about: "By all servers together.",
          queries: [{ expr: `sum(rate(evenkeel_decisions_total{${HERE}}[${RATE}]))`, legend: "" }],
          unit: "reqps",
        },
        [{ value: null, color: "blue" }],
      ),
    )
    .withPanel(
      timeseries({
        title: "$guardrail: $release, group $group",
        about:
          "The metric as counted since the release began, its 95 % band for all times together, and the limit. The band may cross the limit without a breach: only evidence triggers.",
        queries: [
          { expr: `max(evenkeel_guardrail_estimate{${TEST}})`, legend: "estimate" },
          { expr: `max(evenkeel_guardrail_band_low{${TEST}})`, legend: "band low" },
          { expr: `max(evenkeel_guardrail_band_high{${TEST}})`, legend: "band high" },
          { expr: `max(evenkeel_guardrail_limit{${TEST}})`, legend: "limit" },
        ],
        unit: "short",
        width: 24,
      })
        .overrideByName("band high", [
          { id: "custom.fillBelowTo", value: "band low" },
          { id: "custom.fillOpacity", value: 15 },
          { id: "custom.lineWidth", value: 0 },
        ])
        .overrideByName("band low", [{ id: "custom.lineWidth", value: 0 }])
        .overrideByName("limit", [
          { id: "color", value: { mode: "fixed", fixedColor: "red" } },
          { id: "custom.lineStyle", value: { fill: "dash", dash: [8, 6] } },
        ])
        .repeat("group")
        .repeatDirection("h")
        .maxPerRow(3),
    )
    .withPanel(
      limits(
        timeseries({
          title: "Evidence on its way to proof",
          about:
            "Of every group and release that is watched. It grows while decisions speak against the release and falls while they don't.",
          queries: [{ expr: progress(HERE), legend: "{{release}} {{arm}} {{guardrail}} {{group}}" }],
          unit: "percentunit",
        }),
        [
          { value: null, color: "transparent" },
          { value: 0.5, color: "orange" },
          { value: 1, color: "red" },
        ],
      ),
    )
    .withPanel(
      stacked(
        timeseries({
          title: "How the guardrails stand",
          about: "Groups and releases by the state of their test.",
          queries: [{ expr: `sum by (state) (max by (guardrail, state) (evenkeel_guardrail_tests{${HERE}}))`, legend: "{{state}}" }],
          unit: "short",
        }),
      ),
    );
}

const progress = (labels: string) =>
  `clamp_min(max by (release, arm, guardrail, group, reference) (ln(evenkeel_guardrail_evidence{${labels}}) / ln(evenkeel_guardrail_evidence_threshold{${labels}})), 0)`;

function traffic(dashboard: DashboardBuilder): void {
  dashboard
    .withRow(new RowBuilder("Traffic"))
    .withPanel(
      stacked(
        timeseries({
          title: "Decisions by release",
          about: "And by the place of the route table that they were made in.",
          queries: [
            { expr: `sum by (release, route) (rate(evenkeel_decisions_total{${HERE}}[${RATE}]))`, legend: "{{release}} {{route}}" },
          ],
          unit: "reqps",
        }),
      ),
    )
    .withPanel(
      stacked(
        timeseries({
          title: "Decisions by action",
          about: "A sudden change of the mix is worth a look, whoever is harmed by it.",
          queries: [{ expr: `sum by (action) (rate(evenkeel_decisions_total{${HERE}}[${RATE}]))`, legend: "{{action}}" }],
          unit: "reqps",
        }),
      ),
    )
    .withPanel(
      timeseries({
        title: "Share asked for, and observed",
        about: "What the route table means each release to answer, beside what it did answer.",
        queries: [
          {
            expr: `max by (release, route) (evenkeel_route_share{${HERE},route=~"live|canary|ab"})`,
            legend: "{{release}} {{route}} asked for",
          },
          {
            expr: `sum by (release, route) (rate(evenkeel_decisions_total{${HERE},route=~"live|canary|ab"}[${RATE}])) / ignoring (release, route) group_left () sum(rate(evenkeel_decisions_total{${HERE},route=~"live|canary|ab"}[${RATE}]))`,
            legend: "{{release}} {{route}} observed",
          },
        ],
        unit: "percentunit",
      }),
    )
    .withPanel(
      timeseries({
        title: "Answered by another release, and unanswered",
        about: "Of all valid requests. The first is the fallback at work; the second is nobody.",
        queries: [
          {
            expr: `sum(rate(evenkeel_fallback_decisions_total{${HERE}}[${RATE}])) / (sum(rate(evenkeel_decisions_total{${HERE}}[${RATE}])) > 0)`,
            legend: "another release",
          },
          {
            expr: `sum(rate(evenkeel_unanswered_requests_total{${HERE}}[${RATE}])) / (sum(rate(evenkeel_decisions_total{${HERE}}[${RATE}])) + sum(rate(evenkeel_unanswered_requests_total{${HERE}}[${RATE}])) > 0)`,
            legend: "unanswered",
          },
        ],
        unit: "percentunit",
      }),
    );
}

function drift(dashboard: DashboardBuilder): void {
  const decisions = (by: string, past = "") => `sum by (${by}) (rate(evenkeel_decisions_total{${HERE}}[1h]${past}))`;
  const share = (past = "") => `${decisions("action", past)} / on () group_left () (${decisions("", past)} > 0)`;
  dashboard
    .withRow(new RowBuilder("Drift"))
    .withPanel(
      timeseries({
        title: "Scores",
        about: "Quartiles by release, of the last hour. They move when people apply who differ from those before, or when the model does.",
        queries: [0.25, 0.5, 0.75].map((q) => ({
          expr: `histogram_quantile(${q}, sum by (release, le) (rate(evenkeel_decision_score_bucket{${HERE}}[1h])))`,
          legend: `{{release}} ${q * 100} %`,
        })),
        unit: "percentunit",
      }),
    )
    .withPanel(
      timeseries({
        title: "Answers, against the day before",
        about:
          "How far the mix of actions of the last hour is from that of the hour a day before: the share of people who would have to get another answer (total variation).",
        queries: [{ expr: `sum(abs(${share()} - ${share(" offset 1d")})) / 2`, legend: "distance" }],
        unit: "percentunit",
      }),
    )
    .withPanel(
      timeseries({
        title: "Moved from what it was made for",
        about:
          "Population stability index of scores, inputs and the mix of groups against what the release was trained on, or its first week: 0.1 is worth a look, 0.25 is a lot.",
        queries: [{ expr: `max by (release, of, name) (evenkeel_drift_index{${HERE}})`, legend: "{{release}} {{of}} {{name}}" }],
        unit: "short",
      }),
    )
    .withPanel(
      timeseries({
        title: "Share beyond what is expected",
        about: "Of the requests that were looked at, by expectation and way of breach. Only what is proven beyond its limit is warned of.",
        queries: [
          {
            expr: `sum by (expectation, breach) (rate(evenkeel_expectation_breaches_total{${HERE}}[${RATE}])) / on (expectation) group_left () (sum by (expectation) (rate(evenkeel_expectation_checked_total{${HERE}}[${RATE}])) > 0)`,
            legend: "{{expectation}} {{breach}}",
          },
        ],
        unit: "percentunit",
      }),
    )
    .withPanel(
      timeseries({
        title: "Warned of, and refused",
        about: "Ways of breach that were proven today, and valid requests a second that were refused for one.",
        queries: [
          { expr: `max by (expectation, breach) (evenkeel_expectation_warned{${HERE}})`, legend: "{{expectation}} {{breach}}" },
          { expr: `sum(rate(evenkeel_expectation_refused_total{${HERE}}[${RATE}]))`, legend: "refused" },
        ],
        unit: "short",
      }),
    );
}

function latency(dashboard: DashboardBuilder): void {
  const quantile = (q: number, metric: string, by = "le") => `histogram_quantile(${q}, sum by (${by}) (rate(${metric}[${RATE}])))`;
  dashboard
    .withRow(new RowBuilder("Latency"))
    .withPanel(
      timeseries({
        title: "Requests",
        about: "For single decisions, recording included.",
        queries: [0.5, 0.95, 0.99].map((q) => ({
          expr: quantile(q, `evenkeel_request_duration_seconds_bucket{${HERE}}`),
          legend: `p${q * 100}`,
        })),
        unit: "s",
        width: 8,
      }),
    )
    .withPanel(
      timeseries({
        title: "Answers by release (p99)",
        about: "Before they are recorded: what the models take.",
        queries: [{ expr: quantile(0.99, `evenkeel_decision_duration_seconds_bucket{${HERE}}`, "release, le"), legend: "{{release}}" }],
        unit: "s",
        width: 8,
      }),
    )
    .withPanel(
      timeseries({
        title: "Commits (p99)",
        about: "A transaction with all decisions that waited, until it is durable: what the disk or the database takes.",
        queries: [{ expr: quantile(0.99, "evenkeel_commit_duration_seconds_bucket", "instance, le"), legend: "{{instance}}" }],
        unit: "s",
        width: 8,
      }),
    );
}

function models(dashboard: DashboardBuilder): void {
  dashboard
    .withRow(new RowBuilder("Models"))
    .withPanel(
      timeseries({
        title: "Can be asked",
        about: "1 for each loaded release whose model is up.",
        queries: [{ expr: `min by (release, kind) (evenkeel_scorer_up{${HERE}})`, legend: "{{release}} {{kind}}" }],
        unit: "short",
        width: 8,
      }),
    )
    .withPanel(
      timeseries({
        title: "Failures",
        about: "Requests that a model had no score for, by why.",
        queries: [
          { expr: `sum by (release, reason) (rate(evenkeel_scorer_failures_total{${HERE}}[${RATE}]))`, legend: "{{release}} {{reason}}" },
          {
            expr: `sum by (release) (rate(evenkeel_scorer_breaks_total{${HERE}}[${RATE}]))`,
            legend: "{{release}} replaced, or left alone",
          },
        ],
        unit: "ops",
        width: 8,
      }),
    )
    .withPanel(
      timeseries({
        title: "Share of errors",
        about: "Of what each release was to answer, what it had no answer for.",
        queries: [
          {
            expr: `sum by (release) (rate(evenkeel_release_errors_total{${HERE}}[${RATE}])) / sum by (release) (rate(evenkeel_release_requests_total{${HERE}}[${RATE}]))`,
            legend: "{{release}}",
          },
        ],
        unit: "percentunit",
        width: 8,
      }),
    )
    .withPanel(
      timeseries({
        title: "Memory",
        about: "Of the processes of models, beside what all of them may take.",
        queries: [
          { expr: `sum by (release) (evenkeel_scorer_memory_bytes{${HERE}})`, legend: "{{release}}" },
          { expr: "max(evenkeel_scorer_memory_budget_bytes)", legend: "budget" },
        ],
        unit: "bytes",
        width: 8,
      }),
    );
}

function control(dashboard: DashboardBuilder): void {
  dashboard
    .withRow(new RowBuilder("Control"))
    .withPanel(
      bars(
        timeseries({
          title: "Changes of the route table",
          about: "By kind.",
          queries: [{ expr: `max by (kind) (increase(evenkeel_transitions_total{${HERE}}[${RATE}]))`, legend: "{{kind}}" }],
          unit: "short",
          width: 8,
        }),
      ),
    )
    .withPanel(
      timeseries({
        title: "Rollouts",
        about: "The step that one is in, of how many; and whether automatic ones wait for a person.",
        queries: [
          { expr: `max by (release) (evenkeel_rollout_step{${HERE}})`, legend: "{{release}} step" },
          { expr: `max by (release) (evenkeel_rollout_steps{${HERE}})`, legend: "{{release}} steps" },
          { expr: `max(evenkeel_rollouts_held{${HERE}})`, legend: "held" },
        ],
        unit: "short",
        width: 8,
      }),
    )
    .withPanel(
      timeseries({
        title: "Rehearsals of a rollback",
        about: "Time since the last one, and until the next one is due: below zero it is overdue.",
        queries: [
          { expr: `time() - max(evenkeel_drill_timestamp_seconds{${HERE}})`, legend: "since the last" },
          { expr: `max(evenkeel_drill_due_timestamp_seconds{${HERE}}) - time()`, legend: "until the next" },
        ],
        unit: "s",
        width: 8,
      }),
    );
}

function sinks(dashboard: DashboardBuilder): void {
  dashboard
    .withRow(new RowBuilder("Sinks and notices"))
    .withPanel(
      timeseries({
        title: "Behind",
        about: "The age of the oldest entry that isn't delivered.",
        queries: [{ expr: "max by (sink) (evenkeel_sink_lag_seconds)", legend: "{{sink}}" }],
        unit: "s",
        width: 6,
      }),
    )
    .withPanel(
      timeseries({
        title: "Not delivered",
        about: "Entries that wait.",
        queries: [
          { expr: "max by (sink) (evenkeel_sink_lag_decisions)", legend: "{{sink}} decisions" },
          { expr: "max by (sink) (evenkeel_sink_lag_outcomes)", legend: "{{sink}} outcomes" },
        ],
        unit: "short",
        width: 6,
      }),
    )
    .withPanel(
      timeseries({
        title: "Delivered, and failed",
        about: "What fails comes again.",
        queries: [
          { expr: `max by (sink, kind) (rate(evenkeel_sink_delivered_total[${RATE}]))`, legend: "{{sink}} {{kind}}" },
          { expr: `max by (sink) (rate(evenkeel_sink_failures_total[${RATE}]))`, legend: "{{sink}} failures" },
        ],
        unit: "ops",
        width: 6,
      }),
    )
    .withPanel(
      timeseries({
        title: "Notices of Evenkeel's own alerts",
        about: "Those that wait for a channel, and those that it never took.",
        queries: [{ expr: "max by (channel, state) (evenkeel_alert_notices)", legend: "{{channel}} {{state}}" }],
        unit: "short",
        width: 6,
      }),
    );
}

function server(dashboard: DashboardBuilder): void {
  dashboard
    .withRow(new RowBuilder("Server"))
    .withPanel(
      timeseries({
        title: "Busy",
        about: "Share of its time that the event loop works, and processors that the process uses.",
        queries: [
          { expr: `rate(nodejs_eventloop_active_seconds_total[${RATE}])`, legend: "{{instance}} event loop" },
          { expr: `rate(process_cpu_seconds_total{job="evenkeel"}[${RATE}])`, legend: "{{instance}} processors" },
        ],
        unit: "percentunit",
        width: 8,
      }),
    )
    .withPanel(
      timeseries({
        title: "Memory",
        about: "Of the server without its models.",
        queries: [
          { expr: 'process_resident_memory_bytes{job="evenkeel"}', legend: "{{instance}} resident" },
          { expr: "nodejs_heap_size_used_bytes", legend: "{{instance}} heap" },
        ],
        unit: "bytes",
        width: 8,
      }),
    )
    .withPanel(
      timeseries({
        title: "Waiting",
        about: "Decisions under way, those that wait to be recorded, and shadow answers that wait.",
        queries: [
          { expr: "sum by (instance) (evenkeel_requests_in_flight)", legend: "{{instance}} under way" },
          { expr: "sum by (instance) (evenkeel_log_queued_decisions)", legend: "{{instance}} to be recorded" },
          { expr: "sum by (instance) (evenkeel_shadows_queued)", legend: "{{instance}} shadows" },
        ],
        unit: "short",
        width: 8,
      }),
    );
}

/** A list to choose from above the panels: the values of a label. */
const choice = (name: string, label: string, metric: string, of: string) =>
  new QueryVariableBuilder(name)
    .label(label)
    .datasource(DATASOURCE)
    .query({ query: `label_values(${metric}, ${of})`, refId: name })
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc);

const happening = (name: string, color: string, expr: string, title: string) =>
  new AnnotationQueryBuilder().name(name).datasource(DATASOURCE).enable(true).iconColor(color).expr(expr).step("15s").titleFormat(title);

/** The SDK gives rows the number 0 and panels none; Grafana wants each to have its own. */
function numbered(made: Dashboard): Dashboard {
  return { ...made, panels: (made.panels ?? []).map((panel, i) => ({ ...panel, id: i + 1 })) };
}
