/** The whole of it: rollbacks one after the other, each in a folder and a server of its own, then throughput. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endLeftovers } from "../../test/torture/server-process.ts";
import { Processes } from "../processes.ts";
import { machine } from "../report.ts";
import { liveBars, type LiveReport } from "./report.ts";
import { rollbackUnderLoad, type RollbackRun } from "./rollbacks.ts";
import { throughputWithAndWithout } from "./throughput.ts";

interface LiveOrder {
  readonly repetitions: number;
  readonly seed: number;
  readonly connections: number;
  readonly rounds: number;
  readonly seconds: number;
}

/** Of the harmed group's approval rate to everybody else's. */
const RATIOS = [0.5, 0.6, 0.7] as const;
/** For a minute at 5,000 a second, which is more than a proof takes. */
const APPLICANTS = 300_000;

export async function harmLive({ repetitions, seed, connections, rounds, seconds }: LiveOrder): Promise<LiveReport> {
  const startedMs = performance.now();
  const folder = mkdtempSync(join(tmpdir(), "evenkeel-harm-"));
  const processes = new Processes();
  try {
    const runs: RollbackRun[] = [];
    for (let repetition = 0; repetition < repetitions; repetition++)
      for (const ratio of RATIOS) {
        const order = { ratio, seed: seed + repetition, connections, applicants: APPLICANTS };
        runs.push(await rollbackUnderLoad(join(folder, `ratio-${ratio}-${repetition}`), processes, order));
        if (process.stderr.isTTY) process.stderr.write(`\r${runs.length} of ${repetitions * RATIOS.length} rollbacks`);
      }
    const throughput = await throughputWithAndWithout(folder, processes, { rounds, seconds, connections, seed });
    const bars = liveBars(runs, throughput);
    return { machine: machine(), connections, runs, throughput, bars, seconds: (performance.now() - startedMs) / 1000 };
  } finally {
    processes.end();
    endLeftovers();
    rmSync(folder, { recursive: true, force: true });
  }
}
