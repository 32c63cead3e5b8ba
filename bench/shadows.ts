/** What one more shadow costs those who are answered: the same load with and without it, in turn. */
import { EvenkeelClient } from "../src/client.ts";
import { shadowAnswers } from "./log-reading.ts";
import type { Lender } from "./lender.ts";
import type { Load, Started } from "./processes.ts";

export interface ShadowFigures {
  readonly perSecond: { readonly without: number; readonly during: number };
  readonly requests: number;
  readonly failed: number;
  /** Of the decisions that a shadow could have answered, those that it did. It gives way where the machine has no time for it. */
  readonly answeredShare: number;
}

const LOANS = "/v1/endpoints/loans";
const CONNECTIONS = 64;

/** A forest is live and its twin the shadow: the dearest that a shadow gets. */
export async function shadowCost(
  server: Started & { readonly folder: string },
  { adminToken, releases, twin }: Lender,
  load: Load,
  { rounds, durationMs }: { readonly rounds: number; readonly durationMs: number },
): Promise<ShadowFigures> {
  const admin = new EvenkeelClient({ url: server.url, token: adminToken });
  const command = (verb: string, release: string) => admin.post(`${LOANS}/${verb}`, { release, reason: "the next measurement" });
  const all = { without: new Array<number>(), during: new Array<number>() };
  let [requests, failed, asked] = [0, 0, 0];
  const measure = async (into: keyof typeof all) => {
    const result = await load.run({ ...server, connections: CONNECTIONS, warmUpMs: 300, durationMs });
    all[into].push(result.perSecond);
    requests += result.requests;
    failed += result.failed;
  };
  try {
    const { route } = await admin.get<{ readonly route: { readonly live: string } }>(LOANS);
    if (route.live !== releases["random forest"]) await command("promote", releases["random forest"]);
    const before = shadowAnswers(server.folder);
    for (let round = 0; round < rounds; round++) {
      await measure("without");
      const first = shadowAnswers(server.folder);
      await command("shadow", twin);
      await measure("during");
      await command("stop", twin);
      asked += shadowAnswers(server.folder).decisions - first.decisions;
    }
    const after = shadowAnswers(server.folder);
    return {
      perSecond: { without: middle(all.without), during: middle(all.during) },
      requests,
      failed,
      answeredShare: (after.answers - before.answers) / asked,
    };
  } finally {
    await admin.close();
  }
}

function middle(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
