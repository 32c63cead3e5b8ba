/** Rollbacks by command while applications go on: how long until nobody new meets the bad release, and whether anybody notices. */
import { EvenkeelClient, type DecisionPageView, type SwitchView, type TransitionRecordView } from "../src/index.ts";
import type { Lender } from "./lender.ts";
import type { Load, Started } from "./processes.ts";

export interface RollbackFigures {
  readonly rollbacks: number;
  /** Requests that the load sent meanwhile, and how many of them got no decision. */
  readonly requests: number;
  readonly failed: number;
  /** Recorded decisions of the release that was rolled back, dated after its rollback was acknowledged. */
  readonly afterAcknowledgement: number;
  /** From the command until every new request met the new table, as the server measured it. */
  readonly effectMs: { readonly median: number; readonly worst: number };
  /** From the command until the last answer of the old table had been given. */
  readonly drainedMs: { readonly median: number; readonly worst: number };
}

const LOANS = "/v1/endpoints/loans";
const CONNECTIONS = 16;
const LOAD_MS = 1000;

export async function rollbacksUnderLoad(server: Started, lender: Lender, load: Load, rollbacks: number): Promise<RollbackFigures> {
  const admin = new EvenkeelClient({ url: server.url, token: lender.adminToken });
  const analyst = new EvenkeelClient({ url: server.url, token: lender.analystToken, timeoutMs: 60_000 });
  const [good, bad] = [lender.releases["logistic regression"], lender.releases["random forest"]];
  const promote = (release: string) => admin.post(`${LOANS}/promote`, { release, reason: "the next measurement" });
  try {
    await promote(good);
    let isOver = false;
    const loaded = { requests: 0, failed: 0 };
    const loading = (async () => {
      while (!isOver) {
        const { requests, failed } = await load.run({ ...server, connections: CONNECTIONS, warmUpMs: 0, durationMs: LOAD_MS });
        loaded.requests += requests;
        loaded.failed += failed;
      }
    })();
    const switches: SwitchView[] = [];
    const acknowledgedMs: number[] = [];
    for (let i = 0; i < rollbacks; i++) {
      await promote(bad);
      switches.push(await admin.post<SwitchView>(`${LOANS}/rollback`, { to: good, condemn: false, reason: "the next measurement" }));
      acknowledgedMs.push(Date.now());
    }
    isOver = true;
    await loading;
    return {
      rollbacks,
      ...loaded,
      afterAcknowledgement: await decidedAfter(analyst, bad, acknowledgedMs),
      effectMs: quantiles(switches.map(({ switchedMs }) => switchedMs)),
      drainedMs: quantiles(switches.map(({ drainedMs }) => drainedMs)),
    };
  } finally {
    await admin.close();
    await analyst.close();
  }
}

/** Decisions of a release that the log dates between the acknowledgement of its rollback and its next promotion. */
async function decidedAfter(client: EvenkeelClient, bad: string, acknowledgedMs: readonly number[]): Promise<number> {
  const { transitions } = await client.get<{ readonly transitions: readonly TransitionRecordView[] }>(`${LOANS}/transitions`, {
    limit: 1000,
  });
  const promotedMs = transitions.filter(({ kind, release }) => kind === "promoted" && release === bad).map(({ at }) => Date.parse(at));
  let count = 0;
  let after: number | undefined;
  do {
    const page: DecisionPageView = await client.get(`${LOANS}/decisions`, { release: bad, limit: 1000, after });
    for (const { decidedAt } of page.decisions) {
      const decidedMs = Date.parse(decidedAt);
      const last = acknowledgedMs.findLast((ms) => ms < decidedMs);
      if (last !== undefined && !promotedMs.some((ms) => ms >= last && ms <= decidedMs)) count++;
    }
    after = page.next ?? undefined;
  } while (after !== undefined);
  return count;
}

function quantiles(values: readonly number[]) {
  const sorted = values.toSorted((a, b) => a - b);
  return { median: sorted[Math.floor(sorted.length / 2)] ?? Number.NaN, worst: sorted.at(-1) ?? Number.NaN };
}
