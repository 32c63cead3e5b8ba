/** Load in an open loop: what the server holds, with every latency counted from when the request was due. */
import { join } from "node:path";
import type { DecisionReplyView } from "../../src/api/decision-routes.ts";
import type { Case, LoadHeld, Torment } from "./case.ts";
import { quantile } from "./chance.ts";
import { acknowledgedOf, inspect } from "./invariants.ts";
import { startLoad, type LoadReport, type Sent } from "./load-order.ts";
import { startProbed, type Lags, type ProbedServer } from "./probed-server.ts";
import type { Route } from "./route-commands.ts";
import { copyOf } from "./victim-world.ts";

const RUN = "load";
const CONNECTIONS = 64;
/** A generator that was itself later than this says nothing about the server. */
export const GENERATOR_LAG_MS = 5;
const nowMs = () => Number(process.hrtime.bigint()) / 1e6;

export interface Held {
  readonly report: LoadReport;
  readonly lag: Lags;
  readonly rssMb: number;
  readonly failures: readonly string[];
}

/** @param during - what happens meanwhile, from when the load has warmed up */
async function hold(
  torment: Torment,
  perSecond: number,
  durationMs: number,
  during: (probed: ProbedServer) => Promise<void>,
): Promise<Held> {
  const { folder: prepared, token } = await torment.prepared();
  const scratch = torment.folder();
  const folder = copyOf(prepared, join(scratch, "data"));
  const probed = await startProbed(folder, scratch);
  const { server } = probed;
  const common = { port: server.port, token, connections: CONNECTIONS, run: RUN };
  // Just started code is slow code: what is measured comes after a second of the same.
  const warmed = await startLoad({ ...common, first: 0, durationMs: 1500, perSecond: perSecond / 2 }).report;
  await probed.lags();
  const running = startLoad({ ...common, first: warmed.next, durationMs, perSecond });
  await running.sending;
  await during(probed);
  const report = await running.report;
  const [lag, rssMb] = [await probed.lags(), server.rssMb()];
  const { acked, wrong } = acknowledgedOf(RUN, report.sent);
  const found = await inspect(folder, acked, true);
  await server.kill();
  const failures = [...found.failures];
  if (wrong > 0) failures.push(`${wrong} answers are not what their release must say`);
  return { report, lag, rssMb, failures };
}

const asReply = (text: string): DecisionReplyView => JSON.parse(text) as DecisionReplyView;

/** A row of the report. */
export function loadLine({ report, lag, rssMb, failures }: Held, durationMs: number, note: string, more: readonly string[] = []): LoadHeld {
  const { sent, lagsMs } = report;
  const good = sent.filter(({ status }) => status === 200);
  const latencies = good.map(({ dueMs, doneMs }) => doneMs - dueMs);
  const at = (share: number) => quantile(latencies, share) ?? Number.NaN;
  const failed = sent.filter(({ status }) => status !== 200 && status !== 503).length;
  const ownLag = quantile(lagsMs, 0.99) ?? 0;
  const isVoid = ownLag > GENERATOR_LAG_MS;
  return {
    kind: "load",
    offeredPerSecond: (sent.length * 1000) / durationMs,
    goodPerSecond: (good.length * 1000) / durationMs,
    shed: sent.filter(({ status }) => status === 503).length,
    failed,
    fallback: good.filter(({ body }) => asReply(body).route === "fallback").length,
    answered: sent.length,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    p999Ms: at(0.999),
    maxMs: at(1),
    loopP99Ms: lag.p99Ms,
    rssMb,
    isVoid,
    note: `${isVoid ? `void: the generator itself was ${ownLag.toFixed(1)} ms late at p99; ` : ""}${note}`,
    failures: failed > 0 ? [...failures, ...more, `${failed} requests failed`] : [...failures, ...more],
  };
}

export const decideHeld: Case = {
  id: "L1",
  title: "decide, 1 row",
  section: "load",
  cannot: () => undefined,
  async run(torment): Promise<LoadHeld> {
    const durationMs = torment.isShort ? 5000 : 30_000;
    return loadLine(await hold(torment, 1000, durationMs, async () => undefined), durationMs, "");
  },
};

interface Rollback {
  readonly sentMs: number;
  readonly ackedMs: number;
  readonly generation: number;
}

export const rollbacksHeld: Case = {
  id: "L2",
  title: "rollback ×100",
  section: "load",
  cannot: () => undefined,
  async run(torment): Promise<LoadHeld> {
    const count = torment.isShort ? 30 : 100;
    const durationMs = torment.isShort ? 6000 : 20_000;
    const rollbacks: Rollback[] = [];
    const held = await hold(torment, 800, durationMs, async ({ server }) => {
      const command = async (verb: string, body: object): Promise<Route> =>
        (await server.control.post<{ readonly route: Route }>(`/v1/endpoints/loans/${verb}`, { reason: "load", ...body })).route;
      const spacingMs = (durationMs - 1000) / count;
      const startedMs = nowMs();
      for (let i = 0; i < count; i++) {
        await new Promise((resolve) => setTimeout(resolve, Math.max(0, startedMs + i * spacingMs - nowMs())));
        const sentMs = nowMs();
        const { generation } = await command("rollback", { condemn: false });
        rollbacks.push({ sentMs, ackedMs: nowMs(), generation });
        await command("promote", { release: "r3" });
      }
    });
    const old = oldAnswers(held.report.sent, rollbacks);
    const effect = quantile(old.firstNewMs, 0.5);
    const note = `${count} rollbacks; first new/last old answer p50 ${effect?.toFixed(1)}/${quantile(old.lastOldMs, 0.5)?.toFixed(1)} ms after the command; ${old.afterAck} old after it was acknowledged`;
    const failures = old.afterAck > 0 ? [`${old.afterAck} decisions by a release after its rollback was acknowledged`] : [];
    return loadLine(held, durationMs, note, failures);
  },
};

/** For each rollback: when the first answer of the new table was there, when the last of the old one, and how many of the old came too late. */
function oldAnswers(sent: readonly Sent[], rollbacks: readonly Rollback[]) {
  const answers = sent.filter(({ status }) => status === 200).map((one) => ({ ...one, generation: asReply(one.body).generation }));
  const [firstNewMs, lastOldMs]: [number[], number[]] = [[], []];
  let afterAck = 0;
  for (const { sentMs, ackedMs, generation } of rollbacks) {
    const after = answers.filter(({ doneMs }) => doneMs > sentMs && doneMs < sentMs + 1000);
    const fresh = after.filter((answer) => answer.generation >= generation).map(({ doneMs }) => doneMs - sentMs);
    const old = after.filter((answer) => answer.generation < generation);
    if (fresh.length > 0) firstNewMs.push(Math.min(...fresh));
    if (old.length > 0) lastOldMs.push(Math.max(...old.map(({ doneMs }) => doneMs - sentMs)));
    // What was sent once the rollback was known to have happened can't be answered by the table before.
    afterAck += old.filter((answer) => answer.sentMs > ackedMs).length;
  }
  return { firstNewMs, lastOldMs, afterAck };
}
