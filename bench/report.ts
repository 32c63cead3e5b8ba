/** What a benchmark says: a row for each thing measured, and the bars that the rows must reach. */
import { availableParallelism, cpus } from "node:os";
import { MODELS, type ModelName } from "./lender.ts";
import type { Measured } from "./processes.ts";
import type { RollbackFigures } from "./rollbacks.ts";

export const LOGS = ["off", "memory", "durable"] as const;
export type Log = (typeof LOGS)[number];
export const CONNECTIONS = [1, 64] as const;

export interface Row extends Measured {
  readonly model: ModelName | "bare Fastify";
  /** Null where there is none. */
  readonly log: Log | null;
  readonly connections: number;
}

export function median(all: readonly Row[]): Row {
  const middle = (pick: (row: Row) => number | null) => {
    const sorted = all.flatMap((row) => pick(row) ?? []).toSorted((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)];
  };
  const [first] = all;
  if (!first) throw new Error("nothing was measured");
  return {
    ...first,
    requests: all.reduce((sum, row) => sum + row.requests, 0),
    perSecond: middle((row) => row.perSecond) ?? 0,
    p50Ms: middle((row) => row.p50Ms) ?? 0,
    p99Ms: middle((row) => row.p99Ms) ?? 0,
    cpuUs: middle((row) => row.cpuUs) ?? null,
    clientCpuUs: middle((row) => row.clientCpuUs) ?? null,
    failed: all.reduce((sum, row) => sum + row.failed, 0),
  };
}

export interface Bar {
  readonly what: string;
  readonly value: number;
  /** `at least 0.75` */
  readonly bar: string;
  readonly isReached: boolean;
}

export function barsOf(rows: readonly Row[], rollbacks: RollbackFigures): readonly Bar[] {
  const rate = (model: Row["model"], log: Row["log"]) =>
    rows.find((row) => row.model === model && row.log === log && row.connections === 64)?.perSecond ?? Number.NaN;
  const atLeast = (what: string, value: number, least: number): Bar => ({
    what,
    value,
    bar: `at least ${least}`,
    isReached: value >= least,
  });
  const none = (what: string, value: number): Bar => ({ what, value, bar: "0", isReached: value === 0 });
  const under = `${rollbacks.rollbacks} rollbacks under ${rollbacks.requests.toLocaleString("en")} requests`;
  const { median: medianMs } = rollbacks.effectMs;
  return [
    ...MODELS.map((model) => atLeast(`${model}: durable / log off, 64 connections`, rate(model, "durable") / rate(model, "off"), 0.75)),
    atLeast("random forest, durable / bare Fastify, 64 connections", rate("random forest", "durable") / rate("bare Fastify", null), 0.5),
    none(
      "requests without a decision, of all above",
      rows.reduce((sum, { failed }) => sum + failed, 0),
    ),
    none(`${under}: failed`, rollbacks.failed),
    none(`${under}: decisions by a release after its rollback was acknowledged`, rollbacks.afterAcknowledgement),
    { what: `${under}: median ms from command to effect`, value: medianMs, bar: "under 5", isReached: medianMs < 5 },
  ];
}

export function machine() {
  return { cpu: cpus()[0]?.model ?? "unknown", cores: availableParallelism(), node: process.versions.node };
}

export function print(rows: readonly Row[], bars: readonly Bar[], how: { readonly rounds: number; readonly seconds: number }): void {
  const { cpu, cores, node } = machine();
  console.log(`${cores} × ${cpu}, Node ${node}; ${how.rounds} rounds of ${how.seconds} s, medians\n`);
  console.log("model                log      connections  decisions/s   p50 ms   p99 ms  CPU µs each  client CPU µs  failed");
  for (const { model, log, connections, perSecond, p50Ms, p99Ms, cpuUs, clientCpuUs, failed } of rows)
    console.log(
      [
        model.padEnd(20),
        (log ?? "-").padEnd(8),
        String(connections).padStart(11),
        Math.round(perSecond).toLocaleString("en").padStart(12),
        p50Ms.toFixed(2).padStart(8),
        p99Ms.toFixed(2).padStart(8),
        (cpuUs?.toFixed(0) ?? "-").padStart(12),
        (clientCpuUs?.toFixed(0) ?? "-").padStart(14),
        String(failed).padStart(7),
      ].join(" "),
    );
  console.log("");
  for (const { what, value, bar, isReached } of bars)
    console.log(`${isReached ? "reached    " : "NOT REACHED"} ${what}: ${Number.isInteger(value) ? value : value.toFixed(2)} (${bar})`);
}
