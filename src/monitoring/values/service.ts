/** How the service does: traffic, failures, latencies (fairness-metrics §5). Pure. */
import type { LatencyRow } from "../../decisions/index.ts";
import { noNumber, numberOf, type MetricAnswer } from "./answer.ts";
import { sumOf, type CellCounts } from "./groups.ts";
import { rateInterval } from "./two-rates.ts";

/** Names, in the order in which they are shown, with what they say. */
export const SERVICE_METRICS = {
  decision_count: "How many times somebody was answered",
  decisions_per_second: "The same, each second of the window",
  volume_ratio: "Decisions of the endpoint over the mean of the same time of the week in the four weeks before",
  error_rate: "Share of asked-for decisions that got none, of the endpoint",
  release_error_rate: "Share of what the release was to answer that it had no answer for; another release or nobody answered then",
  rejection_rate: "Share of requests that were malformed, of the endpoint",
  fallback_rate: "Share answered by another release than the planned one, of the endpoint",
  action_rate: "Share of each action",
  override_rate: "Share of the reviewed decisions that a person changed",
  latency_seconds: "How long an answer takes: the median; others in parts",
} as const;
export type ServiceMetricName = keyof typeof SERVICE_METRICS;
export const isServiceMetric = (name: string): name is ServiceMetricName => Object.hasOwn(SERVICE_METRICS, name);

/** What came to the endpoint, whichever release answered. */
export interface Traffic {
  /** Answers that people got, and those of them that another release gave than the planned one. */
  readonly served: number;
  readonly fallback: number;
  /** Requests for decisions, as far as they were counted; `rejected` ones were malformed, `failed` ones got no answer. */
  readonly requests: number;
  readonly rejected: number;
  readonly failed: number;
  /** What the release was to answer in this place, and what of it it had no answer for. */
  readonly planned: { readonly asked: number; readonly failed: number };
  /** Answers in the same time of each of the four weeks before; null for a week in which there was no endpoint, or without a window. */
  readonly weeksBefore: readonly (number | null)[];
  /** How long the window is; null where it has no beginning, or nobody was answered. */
  readonly seconds: number | null;
}

export interface ServiceCounts {
  readonly cells: readonly CellCounts[];
  readonly latencies: readonly LatencyRow[];
  readonly latencySumUs: number;
  readonly traffic: Traffic;
}

export function serviceAnswers(names: readonly ServiceMetricName[], counts: ServiceCounts): readonly MetricAnswer[] {
  return names.flatMap((name) => answersOf(name, counts));
}

function answersOf(metric: ServiceMetricName, { cells, latencies, latencySumUs, traffic }: ServiceCounts): readonly MetricAnswer[] {
  const all = sumOf(cells);
  switch (metric) {
    case "decision_count":
      return [numberOf(metric, all.n)];
    case "decisions_per_second":
      return [traffic.seconds === null ? noNumber(metric, "no_decisions") : numberOf(metric, all.n / traffic.seconds)];
    case "volume_ratio":
      return [volumeRatio(traffic)];
    case "error_rate":
      return [share(metric, traffic.failed, traffic.requests - traffic.rejected)];
    case "release_error_rate":
      return [share(metric, traffic.planned.failed, traffic.planned.asked)];
    case "rejection_rate":
      return [share(metric, traffic.rejected, traffic.requests)];
    case "fallback_rate":
      return [share(metric, traffic.fallback, traffic.served)];
    case "action_rate":
      return [...all.actions].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([action, x]) => ({ ...share(metric, x, all.n), action }));
    case "override_rate":
      // Decisions that people changed aren't recorded as such.
      return [noNumber(metric, "no_denominator")];
    case "latency_seconds":
      return [latency(latencies, latencySumUs)];
    default:
      return metric satisfies never;
  }
}

function share(metric: string, x: number, n: number): MetricAnswer {
  return n === 0 ? noNumber(metric, "no_decisions") : numberOf(metric, x / n, { numerator: { x, n }, interval: rateInterval({ x, n }) });
}

function volumeRatio({ served, weeksBefore }: Traffic): MetricAnswer {
  const weeks = weeksBefore.filter((count) => count !== null);
  if (weeks.length < 2) return noNumber("volume_ratio", "too_few");
  const mean = weeks.reduce((sum, count) => sum + count, 0) / weeks.length;
  return mean === 0 ? noNumber("volume_ratio", "reference_zero") : numberOf("volume_ratio", served / mean);
}

const QUANTILES = { p50: 0.5, p90: 0.9, p95: 0.95, p99: 0.99, p999: 0.999 } as const;

function latency(rows: readonly LatencyRow[], sumUs: number): MetricAnswer {
  const n = rows.reduce((sum, { count }) => sum + count, 0);
  if (n === 0) return noNumber("latency_seconds", "no_decisions");
  const sorted = rows.toSorted((a, b) => a.bucket - b.bucket);
  const at = (q: number) => ({ value: latencyQuantile(sorted, q), reason: null });
  const parts = Object.fromEntries(Object.entries(QUANTILES).map(([name, q]) => [name, at(q)]));
  return numberOf("latency_seconds", latencyQuantile(sorted, 0.5), {
    numerator: { x: n, n },
    parts: { ...parts, mean: { value: sumUs / 1e6 / n, reason: null } },
    bins: sorted.map(({ bucket, count }) => ({ label: String(2 ** (bucket / 8)), n: count, reference: 0 })),
  });
}

/**
 * The latency that a share of answers doesn't exceed, in seconds: between the bounds of its bucket on the scale of logarithms, so off by
 * less than 9.1 %.
 * @param rows - at least one, by rising bucket
 */
export function latencyQuantile(rows: readonly Pick<LatencyRow, "bucket" | "count">[], q: number): number {
  const rank = q * rows.reduce((sum, { count }) => sum + count, 0);
  let before = 0;
  for (const { bucket, count } of rows) {
    if (before + count >= rank) return 2 ** ((bucket - 1 + (rank - before) / count) / 8);
    before += count;
  }
  return 2 ** ((rows.at(-1)?.bucket ?? 0) / 8);
}
