/** The whole path in the real server: a release that harms goes live under load, and what happens until nobody is answered by it. */
import { join } from "node:path";
import type { EndpointView, IncidentDetailView, IncidentHeadView } from "../../src/api/index.ts";
import { recount } from "../../src/decisions/index.ts";
import { boundDecisions } from "../../src/monitoring/index.ts";
import { chance } from "../../test/torture/chance.ts";
import { openToRead } from "../../test/torture/read-store.ts";
import { ServerProcess } from "../../test/torture/server-process.ts";
import { FOUR_FIFTHS } from "../guardrails/harm.ts";
import { recordedSince } from "../log-reading.ts";
import { Load, type Processes } from "../processes.ts";
import { GROUP_SHARE, LOANS, RATE, openHarmed, writeHarmed } from "./lender.ts";

/** One life of a harmful release. Times count from its first decision or from the proof; null where nothing was proven. */
export interface RollbackRun {
  readonly seed: number;
  readonly ratio: number;
  readonly perSecond: number;
  readonly proof: Proof | null;
  /** Requests that got no decision, of all that were sent. */
  readonly failed: number;
  readonly requests: number;
  /** Tallies that differ from a recount of the log while decisions go on, and after `kill -9`. */
  readonly talliesOff: { readonly underLoad: number; readonly afterKill: number };
}
interface Proof {
  /** Decisions that the guardrail had counted when it had its proof, and the least that any test with its promise needs on average. */
  readonly decisions: number;
  readonly bound: number;
  /** From the first decision of the release to the proof. */
  readonly firstToProofMs: number;
  /** From the proof until every new request met the restored release, and until the last old answer was given, as the server says. */
  readonly switchedMs: number;
  readonly drainedMs: number;
  /** From the proof until the last decision of the release in the log; whole milliseconds, and negative where the last one is older. */
  readonly lastRecordedMs: number;
  /** Decisions of the release in the log, and those of them that are younger than the proof. */
  readonly recorded: number;
  readonly afterProof: number;
}

export interface RollbackOrder {
  readonly ratio: number;
  readonly seed: number;
  readonly connections: number;
  /** Applications at the ready; nobody may come twice. */
  readonly applicants: number;
}

/** What is split off for the groups before anything is added later (sequential-tests §6): 90 % of 0.01, over two groups. */
const ALPHA_OF_A_GROUP = (0.9 * 0.01) / 2;
const SLICE_MS = 400;
const GIVE_UP_MS = 60_000;

export async function rollbackUnderLoad(folder: string, processes: Processes, order: RollbackOrder): Promise<RollbackRun> {
  const { ratio, seed, connections, applicants } = order;
  const bodies = join(folder, "..", `bodies-${ratio}-${seed}.ndjson`);
  writeHarmed(bodies, applicants, chance(seed));
  let server = await ServerProcess.start({ folder });
  try {
    const { token, harmful } = await openHarmed(server, ratio);
    const load = new Load(processes.start("client.ts", bodies, token));
    let [requests, failed, busyMs] = [0, 0, 0];
    const slice = async () => {
      const startedMs = performance.now();
      const asked = {
        pid: server.pid,
        url: server.url,
        port: server.port,
        connections,
        warmUpMs: 0,
        durationMs: SLICE_MS,
        first: requests,
      };
      const measured = await load.run(asked);
      requests += measured.requests;
      failed += measured.failed;
      busyMs += performance.now() - startedMs;
      if (requests > applicants) throw new Error(`${applicants} applicants are too few: somebody came twice`);
    };
    await slice();
    const [, underLoad] = await Promise.all([slice(), talliesOff(folder, true)]);
    await server.control.post(`${LOANS}/promote`, { release: harmful, reason: "bench" });
    const untilMs = performance.now() + GIVE_UP_MS;
    let incident: IncidentDetailView | undefined;
    while (!isOver(incident) && performance.now() < untilMs) {
      await slice();
      incident = await newest(server);
    }
    await slice();
    await server.kill();
    const afterKill = await talliesOff(folder, false);
    server = await ServerProcess.start({ folder });
    const proof = isOver(incident) ? await proofOf({ folder, harmful, ratio, incident, server }) : null;
    return { seed, ratio, perSecond: (requests / busyMs) * 1000, proof, failed, requests, talliesOff: { underLoad, afterKill } };
  } finally {
    await server.kill();
  }
}

type Ended = IncidentDetailView & {
  readonly proof: NonNullable<IncidentDetailView["proof"]>;
  readonly rollback: NonNullable<IncidentDetailView["rollback"]>;
};
const isOver = (incident: IncidentDetailView | undefined): incident is Ended =>
  incident !== undefined && incident.proof !== null && incident.rollback !== null && incident.rollback.drainedMs !== null;

async function newest({ control }: ServerProcess): Promise<IncidentDetailView | undefined> {
  const { incidents } = await control.get<{ readonly incidents: readonly IncidentHeadView[] }>("/v1/incidents");
  const [head] = incidents;
  return head && control.get<IncidentDetailView>(`/v1/incidents/${head.n}`);
}

interface Over {
  readonly folder: string;
  readonly harmful: string;
  readonly ratio: number;
  readonly incident: Ended;
  readonly server: ServerProcess;
}

async function proofOf({ folder, harmful, ratio, incident, server }: Over): Promise<Proof> {
  const { proof, rollback } = incident;
  const { route } = await server.control.get<EndpointView>(LOANS);
  if (route.live === harmful) throw new Error("the release that was rolled back is live after a restart");
  const provenMs = Date.parse(proof.provenAt);
  const times = recordedSince(folder, 0).flatMap(({ release, decidedAtMs }) => (release === harmful ? decidedAtMs : []));
  const [firstMs, lastMs] = times.reduce(([low, high], time) => [Math.min(low, time), Math.max(high, time)], [Infinity, -Infinity]);
  return {
    decisions: proof.decisions,
    bound: boundDecisions(FOUR_FIFTHS, { rates: [ratio * RATE, RATE], shares: [GROUP_SHARE, 1 - GROUP_SHARE] }, ALPHA_OF_A_GROUP),
    firstToProofMs: provenMs - firstMs,
    switchedMs: rollback.switchedMs,
    drainedMs: rollback.drainedMs ?? Number.NaN,
    lastRecordedMs: lastMs - provenMs,
    recorded: times.length,
    afterProof: times.filter((time) => time > provenMs).length,
  };
}

/** Tallies and counts by bin that aren't what the log adds up to. */
async function talliesOff(folder: string, isLive: boolean): Promise<number> {
  const read = openToRead(folder, isLive);
  try {
    return (await recount(read.store)).differences.length;
  } finally {
    read.close();
  }
}
