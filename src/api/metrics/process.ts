/** This process, its queue of decisions, and its clock: nothing for whoever reaches only some endpoints. */
import { readdir } from "node:fs/promises";
import { performance } from "node:perf_hooks";
import type { ClockWatch } from "../../access/index.ts";
import type { DecisionLog } from "../../decisions/index.ts";
import type { MetricSample } from "../../monitoring/index.ts";
import type { Releases } from "../../releases/index.ts";
import type { Gateway } from "../../serving/index.ts";
import type { Clock } from "../../store/index.ts";
import type { Collected } from "./families.ts";
import { histogram } from "./served.ts";

type OfProcess =
  | "evenkeel_scorer_memory_budget_bytes"
  | "evenkeel_requests_in_flight"
  | "evenkeel_shadows_queued"
  | "evenkeel_shadows_shed_total"
  | "evenkeel_log_queued_decisions"
  | "evenkeel_log_overloaded_total"
  | "evenkeel_log_lost_total"
  | "evenkeel_log_dropped_total"
  | "evenkeel_clock_seconds"
  | "evenkeel_clock_jumps_total"
  | "evenkeel_commit_duration_seconds"
  | "process_cpu_seconds_total"
  | "process_resident_memory_bytes"
  | "process_start_time_seconds"
  | "process_open_fds"
  | "nodejs_heap_size_used_bytes"
  | "nodejs_heap_size_total_bytes"
  | "nodejs_external_memory_bytes"
  | "nodejs_eventloop_active_seconds_total"
  | "nodejs_eventloop_idle_seconds_total";

export interface ProcessParts {
  readonly log: Pick<DecisionLog, "metrics">;
  readonly gateway: Pick<Gateway, "stats">;
  readonly releases: Pick<Releases, "memory">;
  readonly clock: Clock;
  readonly clockWatch: Pick<ClockWatch, "jumps">;
  readonly startedMs: number;
  /** Lines of the server's own log that reached nobody. */
  readonly dropped: () => number;
}

export async function ofProcess(parts: ProcessParts): Promise<Pick<Collected, OfProcess>> {
  const { inFlight, shadows } = parts.gateway.stats();
  const { queued, overloaded, lost, commits } = parts.log.metrics();
  const { user, system } = process.cpuUsage();
  const { heapUsed, heapTotal, external, rss } = process.memoryUsage();
  const { active, idle } = performance.eventLoopUtilization();
  const { limitBytes } = parts.releases.memory;
  return {
    evenkeel_scorer_memory_budget_bytes: Number.isFinite(limitBytes) ? one(limitBytes) : [],
    evenkeel_requests_in_flight: one(inFlight),
    evenkeel_shadows_queued: one(shadows.queued),
    evenkeel_shadows_shed_total: one(shadows.shed),
    evenkeel_log_queued_decisions: one(queued),
    evenkeel_log_overloaded_total: one(overloaded),
    evenkeel_log_lost_total: one(lost),
    evenkeel_log_dropped_total: one(parts.dropped()),
    evenkeel_clock_seconds: one(parts.clock.nowMs() / 1000),
    evenkeel_clock_jumps_total: one(parts.clockWatch.jumps),
    evenkeel_commit_duration_seconds: [histogram({}, commits)],
    process_cpu_seconds_total: one((user + system) / 1e6),
    process_resident_memory_bytes: one(rss),
    process_start_time_seconds: one(parts.startedMs / 1000),
    process_open_fds: await openFiles(),
    nodejs_heap_size_used_bytes: one(heapUsed),
    nodejs_heap_size_total_bytes: one(heapTotal),
    nodejs_external_memory_bytes: one(external),
    nodejs_eventloop_active_seconds_total: one(active / 1000),
    nodejs_eventloop_idle_seconds_total: one(idle / 1000),
  };
}

/** What a token that is limited to some endpoints gets of it. */
export const nothingOfProcess: Pick<Collected, OfProcess> = {
  evenkeel_scorer_memory_budget_bytes: [],
  evenkeel_requests_in_flight: [],
  evenkeel_shadows_queued: [],
  evenkeel_shadows_shed_total: [],
  evenkeel_log_queued_decisions: [],
  evenkeel_log_overloaded_total: [],
  evenkeel_log_lost_total: [],
  evenkeel_log_dropped_total: [],
  evenkeel_clock_seconds: [],
  evenkeel_clock_jumps_total: [],
  evenkeel_commit_duration_seconds: [],
  process_cpu_seconds_total: [],
  process_resident_memory_bytes: [],
  process_start_time_seconds: [],
  process_open_fds: [],
  nodejs_heap_size_used_bytes: [],
  nodejs_heap_size_total_bytes: [],
  nodejs_external_memory_bytes: [],
  nodejs_eventloop_active_seconds_total: [],
  nodejs_eventloop_idle_seconds_total: [],
};

const one = (value: number): readonly MetricSample[] => [{ value }];

async function openFiles(): Promise<readonly MetricSample[]> {
  try {
    return one((await readdir("/proc/self/fd")).length);
  } catch {
    return []; // not Linux
  }
}
