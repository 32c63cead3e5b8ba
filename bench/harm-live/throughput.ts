/** What guardrails cost those who ask for decisions: one server that watches many groups, one that watches none, in turn. */
import { join } from "node:path";
import { chance } from "../../test/torture/chance.ts";
import { ServerProcess } from "../../test/torture/server-process.ts";
import { Load, type Measured, type Processes } from "../processes.ts";
import { openGuarded, writeGuarded } from "./lender.ts";

export interface ThroughputFigures {
  readonly rounds: number;
  readonly connections: number;
  readonly on: Side;
  readonly off: Side;
  /** Medians of the rounds, with guardrails over without. */
  readonly ratio: number;
}
interface Side {
  readonly perSecond: readonly number[];
  /** Of each round; null where the system doesn't tell. */
  readonly cpuUs: readonly (number | null)[];
  readonly failed: number;
}

export interface ThroughputOrder {
  readonly rounds: number;
  readonly seconds: number;
  readonly connections: number;
  readonly seed: number;
}

/** A server that has just been asked the first time is slow. */
const WARM_UP_MS = 400;
const APPLICANTS = 100_000;

export async function throughputWithAndWithout(
  folder: string,
  processes: Processes,
  { rounds, seconds, connections, seed }: ThroughputOrder,
): Promise<ThroughputFigures> {
  const bodies = join(folder, "guarded.ndjson");
  writeGuarded(bodies, APPLICANTS, chance(seed));
  const started: ServerProcess[] = [];
  try {
    const open = async (isGuarded: boolean) => {
      const server = await ServerProcess.start({ folder: join(folder, isGuarded ? "on" : "off") });
      started.push(server);
      const load = new Load(processes.start("client.ts", bodies, await openGuarded(server, isGuarded)));
      const all: Measured[] = [];
      let first = 0;
      return {
        all,
        async measure() {
          const order = { connections, warmUpMs: WARM_UP_MS, durationMs: seconds * 1000, first };
          const measured = await load.run({ pid: server.pid, url: server.url, port: server.port, ...order });
          first += measured.requests;
          all.push(measured);
        },
      };
    };
    const [on, off] = [await open(true), await open(false)];
    for (let round = 0; round < rounds; round++)
      // Whoever is first in a round is second in the next: a machine that slows down touches both alike.
      for (const side of round % 2 === 0 ? [on, off] : [off, on]) await side.measure();
    const [a, b] = [sideOf(on.all), sideOf(off.all)];
    return { rounds, connections, on: a, off: b, ratio: middle(a.perSecond) / middle(b.perSecond) };
  } finally {
    for (const server of started) await server.kill();
  }
}

const sideOf = (all: readonly Measured[]): Side => ({
  perSecond: all.map(({ perSecond }) => perSecond),
  cpuUs: all.map(({ cpuUs }) => cpuUs),
  failed: all.reduce((sum, { failed }) => sum + failed, 0),
});

/** The median; NaN of nothing. */
export function middle(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
