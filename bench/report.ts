/** What a benchmark says: a row for each thing measured, and the bars that the rows must reach. */
import { availableParallelism, cpus } from "node:os";
import { MODELS, type ModelName } from "./lender.ts";
import type { Measured } from "./processes.ts";
import type { FootprintFigures } from "./footprint.ts";
import type { ShadowFigures } from "./shadows.ts";
import type { SwitchFigures } from "./switches.ts";

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

export interface Figures {
  readonly rows: readonly Row[];
  readonly footprint: FootprintFigures;
  readonly shadow: ShadowFigures;
  readonly switches: SwitchFigures;
}

const atLeast = (what: string, value: number, least: number): Bar => ({ what, value, bar: `at least ${least}`, isReached: value >= least });
const atMost = (what: string, value: number, most: number): Bar => ({ what, value, bar: `at most ${most}`, isReached: value <= most });
const under = (what: string, value: number, limit: number): Bar => ({ what, value, bar: `under ${limit}`, isReached: value < limit });
const none = (what: string, value: number): Bar => ({ what, value, bar: "0", isReached: value === 0 });

export function barsOf({ rows, footprint, shadow, switches }: Figures): readonly Bar[] {
  const rate = (model: Row["model"], log: Row["log"]) =>
    rows.find((row) => row.model === model && row.log === log && row.connections === 64)?.perSecond ?? Number.NaN;
  return [
    ...MODELS.map((model) => atLeast(`${model}: durable / log off, 64 connections`, rate(model, "durable") / rate(model, "off"), 0.75)),
    atLeast("random forest, durable / bare Fastify, 64 connections", rate("random forest", "durable") / rate("bare Fastify", null), 0.5),
    atLeast("random forest / no model, both durable, 64 connections", rate("random forest", "durable") / rate("no model", "durable"), 0.8),
    none(
      "requests without a decision, of all above",
      rows.reduce((sum, { failed }) => sum + failed, 0),
    ),
    ...shadowBars(shadow),
    ...switchBars(switches),
    ...footprintBars(footprint),
  ];
}

function shadowBars({ perSecond, requests, failed, answeredShare }: ShadowFigures): readonly Bar[] {
  const what = `a forest in the shadow of a forest (${(answeredShare * 100).toFixed(0)} % of decisions answered by it too)`;
  return [
    under(`${what}: throughput that it costs`, 1 - perSecond.during / perSecond.without, 0.25),
    none(`${what}: failed of ${requests.toLocaleString("en")} requests`, failed),
  ];
}

function switchBars(switches: SwitchFigures): readonly Bar[] {
  const { requests, perSecond, byKind, commands, cold, p99Ms, effectMs, coldEffectMs } = switches;
  const kinds = Object.entries(byKind).map(([kind, count]) => `${count} ${kind}`);
  const what = `${commands} commands under ${requests.toLocaleString("en")} requests, ${perSecond.toLocaleString("en")} a second`;
  const warm = `commands to releases that are warm (${commands - cold}; ${cold} more had to load one first${cold === 0 ? "" : `, median ${coldEffectMs.median.toFixed(0)} ms`})`;
  return [
    none(`${what} (${kinds.join(", ")}): failed`, switches.failed),
    none(`${what}: decisions not recorded as the reply says`, switches.recordedOtherwise),
    none(`${what}: decisions recorded twice`, switches.doubled),
    none(`${what}: decisions by a table that had been replaced and acknowledged`, switches.byOldTable),
    atMost(
      `p99 during commands / without (${p99Ms.during.toFixed(2)} / ${p99Ms.without.toFixed(2)} ms, windows in turn)`,
      p99Ms.during / p99Ms.without,
      1.2,
    ),
    under(`${warm}: median ms to the effect`, effectMs.median, 5),
    under(`${warm}: worst ms to the effect`, effectMs.worst, 20),
  ];
}

function footprintBars({ readyMs, idle, forest, forests }: FootprintFigures): readonly Bar[] {
  const median_ = readyMs[Math.floor(readyMs.length / 2)] ?? Number.NaN;
  return [
    under(`start to ready with rule and forest, median of ${readyMs.length}: ms`, median_, 1500),
    ...(idle
      ? [
          under(
            `idle, ${idle.processes} processes together: MB, shared pages once (resident: ${megabytes(idle.rssBytes).toFixed(0)})`,
            megabytes(idle.pssBytes),
            250,
          ),
        ]
      : []),
    ...(forest
      ? [
          under(
            `each of ${forests} further forests of 100 trees: MB (resident: ${megabytes(forest.rssBytes).toFixed(0)})`,
            megabytes(forest.pssBytes),
            40,
          ),
        ]
      : []),
  ];
}

const megabytes = (bytes: number) => bytes / 2 ** 20;

export function machine() {
  return { cpu: cpus()[0]?.model ?? "unknown", cores: availableParallelism(), node: process.versions.node };
}

export function print({ rows }: Figures, bars: readonly Bar[], how: { readonly rounds: number; readonly seconds: number }): void {
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
