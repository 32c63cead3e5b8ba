/** How far sinks are behind. */
import type { SinkStatus } from "../../decisions/index.ts";
import type { MetricSample } from "../../monitoring/index.ts";
import type { Collected } from "./families.ts";

type Delivered =
  | "evenkeel_sink_lag_decisions"
  | "evenkeel_sink_lag_outcomes"
  | "evenkeel_sink_lag_seconds"
  | "evenkeel_sink_delivered_total"
  | "evenkeel_sink_failures_total"
  | "evenkeel_sink_running";

export function delivered(sinks: readonly SinkStatus[]): Pick<Collected, Delivered> {
  const each = (value: (sink: SinkStatus) => number): readonly MetricSample[] =>
    sinks.map((sink) => ({ labels: { sink: sink.spec.name }, value: value(sink) }));
  return {
    evenkeel_sink_lag_decisions: each(({ lag }) => lag.decision),
    evenkeel_sink_lag_outcomes: each(({ lag }) => lag.outcome),
    evenkeel_sink_lag_seconds: each(({ lagMs }) => lagMs / 1000),
    evenkeel_sink_delivered_total: sinks.flatMap(({ spec: { name }, delivered: { decision, outcome } }) => [
      { labels: { sink: name, kind: "decision" }, value: decision },
      { labels: { sink: name, kind: "outcome" }, value: outcome },
    ]),
    evenkeel_sink_failures_total: each(({ failures }) => failures),
    evenkeel_sink_running: each(({ state }) => (state === "running" ? 1 : 0)),
  };
}
