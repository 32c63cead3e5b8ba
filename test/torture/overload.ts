/** Five times as many people as can be decided about: those who are let in wait no longer than ever, the others hear at once when to come again. */
import { join } from "node:path";
import type { NewTokenView } from "../../src/api/index.ts";
import { ENDPOINT, LOANS_YAML, limitOf } from "./applications.ts";
import type { Case, LoadHeld, Torment } from "./case.ts";
import { quantile } from "./chance.ts";
import { acknowledgedOf, inspect } from "./invariants.ts";
import { GENERATOR_LAG_MS, loadLine } from "./load-held.ts";
import { startLoad, type LoadReport, type Sent } from "./load-order.ts";
import { startProbed, type ProbedServer } from "./probed-server.ts";
import { missing } from "./tools.ts";

const RUN = "overload";
const TIMES = 5;
/** Of what the server can do at most: what it is asked for on an ordinary day. */
const ORDINARY = 0.8;
const SLOWER_AT_MOST = 3;
const CONNECTIONS = 256;
/** So few that none of them waits for a turn. */
const CAPACITY_CONNECTIONS = 8;
/** So many that those who wait for an answer don't keep the others from asking. */
const FLOOD_CONNECTIONS = 1024;
/** Each has a core of its own: a generator that takes the server's time makes the overload that it measures. */
const [SERVER_CORE, GENERATOR_CORE] = ["0", "1"].map((core) => ["taskset", "-c", core]);
/**
 * Rules that hold for nobody, before the one that decides: a decision costs milliseconds, so that the generator, on the same machine,
 * can offer several times what the server can do.
 */
const IDLE_RULES = 400;

export const overloadHeld: Case = {
  id: "L3",
  title: `decide, ${TIMES}× what it can do`,
  section: "load",
  cannot: () => missing("two cores"),
  async run(torment): Promise<LoadHeld> {
    const scratch = torment.folder();
    const folder = join(scratch, "data");
    const probed = await startProbed(folder, scratch, SERVER_CORE);
    try {
      return await held(torment, probed, folder);
    } finally {
      await probed.server.kill();
    }
  },
};

async function held(torment: Torment, probed: ProbedServer, folder: string): Promise<LoadHeld> {
  const { server } = probed;
  const token = await defineSlowLoans(probed);
  const durationMs = torment.isShort ? 2500 : 20_000;
  // Whoever comes in the tenth of a second before the overload is known waits longer: of half a minute's people less than one in a hundred.
  const floodMs = torment.isShort ? 2500 : 30_000;
  const all: Sent[] = [];
  let next = 0;
  const offer = async (perSecond: number | null, connections: number, ms: number): Promise<LoadReport> => {
    const order = { port: server.port, token, connections, run: RUN, first: next, durationMs: ms, perSecond, seed: torment.seed };
    const report = await startLoad(order, GENERATOR_CORE).report;
    next = report.next;
    for (const one of report.sent) all.push(one);
    return report;
  };
  await offer(null, CAPACITY_CONNECTIONS, 3000);
  torment.say("what it can do");
  const capacity = goodOf(await offer(null, CAPACITY_CONNECTIONS, 3000)).length / 3;
  torment.say(`${capacity.toFixed(0)} a second; an ordinary day`);
  const ordinary = await offer(capacity * ORDINARY, CONNECTIONS, durationMs);
  torment.say(`${(TIMES * capacity).toFixed(0)} a second`);
  await probed.lags();
  const flood = await offer(capacity * TIMES, FLOOD_CONNECTIONS, floodMs);
  const lag = await probed.lags();
  const after = await offer(capacity * ORDINARY, CONNECTIONS, durationMs);

  const { acked, wrong } = acknowledgedOf(RUN, all);
  const found = await inspect(folder, acked, true);
  const failures = [...found.failures];
  if (wrong > 0) failures.push(`${wrong} answers are not what their release must say`);
  if (found.decisions !== acked.length) failures.push(`${acked.length} were answered, and ${found.decisions} recorded`);
  const silent = all.filter(({ status }) => status === 0).length;
  if (silent > 0) failures.push(`${silent} requests had no answer`);
  const refused = flood.sent.filter(({ status }) => status === 503);
  const vague = refused.filter(({ retryAfter }) => retryAfter === null).length;
  if (vague > 0) failures.push(`${vague} were refused without being told when to come again`);
  if (refused.length === 0) failures.push("nobody was refused: nothing was tried");
  const [usual, now, then] = [ordinary, flood, after].map((report) => quantile(goodOf(report).map(waited), 0.99) ?? Number.NaN);
  const slower = (now ?? Number.NaN) / (usual ?? Number.NaN);
  const isVoid = [ordinary, flood].some(({ lagsMs }) => (quantile(lagsMs, 0.99) ?? 0) > GENERATOR_LAG_MS);
  // A short flood is mostly its beginning: its figures are told, and judged by nobody.
  if (!isVoid && !torment.isShort && !(slower <= SLOWER_AT_MOST))
    failures.push(`p99 of those who were let in is ${slower.toFixed(1)}× the usual`);
  const share = goodOf(flood).length / (floodMs / 1000) / capacity;
  const refusedMs = refused.map(waited);
  const figure = (value: number | undefined) => value?.toFixed(0) ?? "–";
  const note = `can do ${capacity.toFixed(0)}/s, did ${(share * 100).toFixed(0)} % of it; p99 at ${ORDINARY * 100} % before/after ${figure(usual)}/${figure(then)} ms, now ${slower.toFixed(1)}×; refused after p50/p99 ${figure(quantile(refusedMs, 0.5))}/${figure(quantile(refusedMs, 0.99))} ms`;
  return loadLine({ report: flood, lag, rssMb: server.rssMb(), failures }, floodMs, note);
}

/** Never above nothing. */
const TERMS = Array.from({ length: 8 }, (_, i) => `(income - 101.0) * ${i + 1}.0`).join(" + ");

const goodOf = ({ sent }: LoadReport): readonly Sent[] => sent.filter(({ status }) => status === 200);
const waited = ({ dueMs, doneMs }: Sent): number => doneMs - dueMs;

/** Decides as r2 does elsewhere, at great length. @returns an application's token */
async function defineSlowLoans({ server: { control } }: ProbedServer): Promise<string> {
  await control.post("/v1/apply", { yaml: LOANS_YAML });
  const idle = Array.from({ length: IDLE_RULES }, (_, i) => ({ when: `${TERMS} > ${i}.0`, score: 0.5 }));
  const rules = [...idle, { when: `income >= ${limitOf("r2")}`, score: 0.9 }];
  await control.post(`/v1/endpoints/${ENDPOINT}/releases`, {
    scorer: { kind: "rules", rules, otherwise: { score: 0.1, reason: "income" } },
    policy: {
      bands: [
        { action: "deny", from: 0 },
        { action: "approve", from: 0.5 },
      ],
    },
  });
  await control.post(`/v1/endpoints/${ENDPOINT}/promote`, { release: "r2", reason: "torture" });
  return (await control.post<NewTokenView>("/v1/tokens", { name: "applicants", role: "application" })).token;
}
