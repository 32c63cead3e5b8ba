/** What the real server did, as a table, and the bars that it must reach. */
import type { Bar } from "../guardrails/report.ts";
import { table } from "../guardrails/text.ts";
import { machine } from "../report.ts";
import { GROUPS, GROUP_SHARE, GUARDRAILS, RATE } from "./lender.ts";
import type { RollbackRun } from "./rollbacks.ts";
import { middle, type ThroughputFigures } from "./throughput.ts";

export interface LiveReport {
  readonly machine: ReturnType<typeof machine>;
  readonly connections: number;
  readonly runs: readonly RollbackRun[];
  readonly throughput: ThroughputFigures;
  readonly bars: readonly Bar[];
  readonly seconds: number;
}

/** Throughput with guardrails on over off (issue 6). */
const LEAST_RATIO = 0.95;
/** A rollback completes for all traffic in milliseconds on one machine (design). */
const MOST_SWITCHED_MS = 100;

const bar = (what: string, value: number, text: string, isReached: boolean): Bar => ({ what, value, bar: text, isReached });
const none = (what: string, value: number): Bar => bar(what, value, "0", value === 0);

export function liveBars(runs: readonly RollbackRun[], { ratio, on, off }: ThroughputFigures): readonly Bar[] {
  const sum = (of: (run: RollbackRun) => number) => runs.reduce((total, run) => total + of(run), 0);
  const switched = middle(runs.flatMap(({ proof }) => proof?.switchedMs ?? []));
  return [
    none(
      "releases whose harm was not proven within a minute",
      sum(({ proof }) => (proof ? 0 : 1)),
    ),
    none(
      `requests without a decision, of ${sum(({ requests }) => requests).toLocaleString("en")}`,
      sum(({ failed }) => failed),
    ),
    none(
      "tallies that differ from a recount of the log under load",
      sum(({ talliesOff }) => talliesOff.underLoad),
    ),
    none(
      "tallies that differ from a recount of the log after kill -9",
      sum(({ talliesOff }) => talliesOff.afterKill),
    ),
    bar("ms from proof to effect, median", switched, `at most ${MOST_SWITCHED_MS}`, switched <= MOST_SWITCHED_MS),
    bar(`throughput with ${GUARDRAILS} guardrails on ${GROUPS} groups over none`, ratio, `at least ${LEAST_RATIO}`, ratio >= LEAST_RATIO),
    none("requests without a decision meanwhile", on.failed + off.failed),
  ];
}

export function liveText({ machine: on, connections, runs, throughput, bars, seconds }: LiveReport): string {
  const missed = bars.filter(({ isReached }) => !isReached);
  return [
    `HARM TO ROLLBACK IN THE REAL SERVER: durable log, ${connections} connections without pause, ${on.cores} × ${on.cpu}, Node ${on.node}`,
    `a group of ${100 * GROUP_SHARE} % is approved at \`ratio\` times everybody else's ${RATE}; limit 0.8, budget 0.01; ms from the proof on`,
    table(
      [
        "ratio",
        "seed",
        "requests/s",
        "decisions to proof",
        "bound",
        "ms to proof",
        "ms to effect",
        "last old answer",
        "last in log",
        "old answers",
        "failed",
      ],
      runs.map(runCells),
    ),
    "",
    `THROUGHPUT: ${GUARDRAILS} guardrails on ${GROUPS} groups, and none, in turn, ${throughput.connections} connections, ${throughput.rounds} rounds`,
    table(
      ["guardrails", "decisions/s, median", "CPU µs each, median", "rounds"],
      [sideCells("on", throughput.on), sideCells("off", throughput.off)],
    ),
    `on / off: ${throughput.ratio.toFixed(3)}`,
    "",
    table(
      ["bar", "value", "must be", ""],
      bars.map(({ what, value, bar: must, isReached }) => [what, Number(value.toFixed(3)), must, isReached ? "ok" : "MISSED"]),
    ),
    missed.length === 0
      ? `all ${bars.length} bars reached, ${seconds.toFixed(0)} s`
      : `${missed.length} of ${bars.length} bars missed, ${seconds.toFixed(0)} s`,
  ].join("\n");
}

const runCells = ({ ratio, seed, perSecond, proof, failed }: RollbackRun) => [
  ratio,
  String(seed),
  Math.round(perSecond),
  proof && proof.decisions,
  proof && Math.round(proof.bound),
  proof && proof.firstToProofMs,
  proof && proof.switchedMs.toFixed(1),
  proof && proof.drainedMs.toFixed(1),
  proof && proof.lastRecordedMs,
  proof && proof.afterProof,
  failed,
];

const sideCells = (name: string, { perSecond, cpuUs }: ThroughputFigures["on"]) => [
  name,
  Math.round(middle(perSecond)),
  Number(middle(cpuUs.flatMap((one) => one ?? [])).toFixed(1)),
  perSecond.map((one) => Math.round(one).toLocaleString("en")).join(" "),
];
