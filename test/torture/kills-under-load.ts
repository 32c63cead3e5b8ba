/** `kill -9` of the real server at random moments, while 16 connections ask for decisions and somebody changes the route table. */
import { join } from "node:path";
import type { Case, Survived, Torment } from "./case.ts";
import { ENDPOINT, application } from "./applications.ts";
import { HttpConnection, decisionPost } from "./http-client.ts";
import { acknowledgedOf, inspect, type Acknowledged, type Findings } from "./invariants.ts";
import { startLoad, type Sent } from "./load-order.ts";
import { openToRead } from "./read-store.ts";
import { recountBySql } from "./recount-by-sql.ts";
import { RouteCommands, routeOf, type Route } from "./route-commands.ts";
import { ServerProcess } from "./server-process.ts";
import { copyOf } from "./victim-world.ts";

const CONNECTIONS = 16;
/** After so many kills a new folder is begun, so that counting the log anew stays quick. */
const KILLS_PER_FOLDER = 10;
/** Counts by bin are written every two seconds: of three kills one comes after that, or none would ever hit them. */
const LONG_EVERY = 3;
const LONG_MS = { least: 2200, most: 2800 };
/** While the load goes on everything is counted anew this often. */
const RECOUNT_EVERY_MS = 300;

export const killsUnderLoad: Case = {
  id: "K",
  title: "kill -9 under HTTP load",
  section: "fault",
  cannot: () => undefined,
  run: (torment) => killRandomly(torment, torment.isShort ? 8 : 50),
};

/** Kills `kills` times and looks at everything each time. */
export async function killRandomly(torment: Torment, kills: number): Promise<Survived> {
  const totals = { acked: 0, lost: 0, doubled: 0, wrong: 0, tallyOff: 0, serverErrors: 0, commands: 0, unanswered: 0 };
  const recoverMs: number[] = [];
  const failures: string[] = [];
  let folder: Folder | undefined;
  let [binned, recounts] = [false, 0];
  for (let kill = 0; kill < kills; kill++) {
    if (kill % KILLS_PER_FOLDER === 0) {
      await folder?.server.kill();
      folder = await newFolder(torment);
    }
    if (!folder) break;
    const isLong = kill % LONG_EVERY === LONG_EVERY - 1;
    const afterMs = isLong ? torment.random.between(LONG_MS.least, LONG_MS.most) : torment.random.between(20, 1200);
    const round = await oneKill(folder, `k${torment.seed}-${kill}`, afterMs);
    binned ||= round.binnedBeforeKill > 0;
    recounts += round.recounts;
    totals.acked += round.acked;
    totals.unanswered += round.unanswered;
    totals.commands += round.commands;
    totals.serverErrors += round.serverErrors;
    totals.lost += round.findings.lost;
    totals.doubled += round.findings.doubled;
    totals.wrong += round.findings.wrong + round.wrong;
    totals.tallyOff += round.findings.tallyOff;
    recoverMs.push(round.recoverMs);
    for (const failure of [...round.findings.failures, ...round.failures]) failures.push(`kill ${kill + 1} of ${kills}: ${failure}`);
    torment.say(`kill ${kill + 1} of ${kills}: ${round.acked} acknowledged, up again after ${round.recoverMs.toFixed(0)} ms`);
    if (failures.length > 20) break;
  }
  await folder?.server.kill();
  if (totals.acked === 0 || totals.commands === 0) failures.push("nothing was acknowledged: nothing was tried");
  if (kills >= LONG_EVERY && (!binned || recounts === 0))
    failures.push("nothing was counted by bin, or counted anew, under load: nothing was tried");
  const { commands, unanswered, ...figures } = totals;
  const note = `${commands} route changes acknowledged, ${unanswered} requests cut off and settled by a retry, ${recounts} recounts by SQL meanwhile`;
  return { kind: "fault", runs: recoverMs.length, injected: recoverMs.length, ...figures, recoverMs, note, failures };
}

interface Folder {
  readonly path: string;
  readonly token: string;
  readonly acked: Acknowledged[];
  server: ServerProcess;
}

async function newFolder(torment: Torment): Promise<Folder> {
  const { folder, token } = await torment.prepared();
  const path = copyOf(folder, join(torment.folder(), "data"));
  return { path, token, acked: [], server: await ServerProcess.start({ folder: path }) };
}

interface Round {
  readonly acked: number;
  readonly unanswered: number;
  readonly commands: number;
  readonly wrong: number;
  readonly serverErrors: number;
  readonly recoverMs: number;
  /** Times that tallies and bins were held against the log under load, and what bins covered the last time. */
  readonly recounts: number;
  readonly binnedBeforeKill: number;
  readonly findings: Findings;
  readonly failures: readonly string[];
}

async function oneKill(folder: Folder, run: string, afterMs: number): Promise<Round> {
  const failures: string[] = [];
  const before = await routeOf(folder.server.control);
  const load = startLoad({
    port: folder.server.port,
    token: folder.token,
    connections: CONNECTIONS,
    run,
    first: 0,
    durationMs: 60_000,
    perSecond: null,
  });
  await load.sending;
  const commands = new RouteCommands(folder.server.control, 15);
  commands.start();
  const meanwhile = await recountFor(folder.path, afterMs);
  failures.push(...meanwhile.failures);
  await folder.server.kill();
  await commands.stop();
  const { sent } = await load.report;
  failures.push(...commands.refused);

  folder.server = await ServerProcess.start({ folder: folder.path });
  const after = await routeOf(folder.server.control);
  const { acked, wrong } = acknowledgedOf(run, sent);
  folder.acked.push(...acked);
  const odd = sent.find(({ status }) => ![0, 200, 503].includes(status));
  if (odd) failures.push(`request ${odd.n} was answered ${odd.status}: ${odd.body}`);
  const cutOff = sent.filter(({ status }) => status === 0);
  const retried = await retryCutOff(folder, run, cutOff);
  folder.acked.push(...retried.acked);
  failures.push(...retried.failures);
  const findings = await inspect(folder.path, folder.acked, true);
  const trouble = routeTrouble(commands.last ?? before, after) ?? foldTrouble(findings, after);
  if (trouble !== undefined) failures.push(`I4: ${trouble}`);
  return {
    acked: acked.length,
    unanswered: cutOff.length,
    commands: commands.acked,
    wrong,
    serverErrors: sent.filter(({ status }) => status >= 500).length,
    recoverMs: folder.server.startMs,
    recounts: meanwhile.recounts,
    binnedBeforeKill: meanwhile.binned,
    findings,
    failures,
  };
}

/** Lets time pass, and holds tallies and bins against the log again and again meanwhile, as somebody who reads the database beside the server. */
async function recountFor(
  folder: string,
  forMs: number,
): Promise<{ readonly recounts: number; readonly binned: number; readonly failures: readonly string[] }> {
  const untilMs = performance.now() + forMs;
  const failures: string[] = [];
  let [recounts, binned] = [0, 0];
  for (let leftMs = forMs; leftMs > 0; leftMs = untilMs - performance.now()) {
    await new Promise((resolve) => setTimeout(resolve, Math.min(leftMs, RECOUNT_EVERY_MS)));
    const read = openToRead(folder, true);
    const found = recountBySql(read.sqlite);
    read.close();
    recounts++;
    binned = found.binned;
    for (const difference of found.differences.slice(0, 1)) failures.push(`I3, by SQL under load: ${difference}`);
  }
  return { recounts, binned, failures };
}

/** The same requests with the same keys: each must be answered, whether or not it had been recorded. Those without a key stay unknown. */
export async function retryCutOff(
  folder: Pick<Folder, "server" | "token">,
  run: string,
  cutOff: readonly Sent[],
): Promise<{ readonly acked: readonly Acknowledged[]; readonly failures: readonly string[] }> {
  const connection = await HttpConnection.open(folder.server.port);
  const again: Sent[] = [];
  const failures: string[] = [];
  for (const { n } of cutOff) {
    const { body, key } = application(run, n);
    if (key === null) continue;
    const answer = await connection.send(decisionPost({ endpoint: ENDPOINT, token: folder.token, body, key }));
    if (answer.status !== 200 && failures.length === 0) failures.push(`the retry of ${key} was answered ${answer.status}: ${answer.body}`);
    again.push({ n, dueMs: 0, sentMs: 0, doneMs: 0, ...answer });
  }
  connection.close();
  return { acked: acknowledgedOf(run, again).acked, failures };
}

/** A command that wasn't answered may have been carried out; more than one can't be under way. */
function routeTrouble(known: Route, found: Route): string | undefined {
  if (found.generation === known.generation)
    return found.live === known.live && found.standby === known.standby && found.condemned.join() === known.condemned.join()
      ? undefined
      : `generation ${known.generation} was ${JSON.stringify(known)} and is ${JSON.stringify(found)}`;
  if (found.generation === known.generation + 1) return undefined;
  return `generation ${known.generation} was acknowledged, and the server starts again with ${found.generation}`;
}

function foldTrouble({ table, live }: Findings, route: Route): string | undefined {
  if (table.kind !== "open") return "the transitions give no open table";
  if (live !== route.live) return `the server serves ${route.live}, the fold of the transitions says ${live}`;
  if (table.generation !== route.generation || table.condemned.size !== route.condemned.length)
    return `the server serves generation ${route.generation}, the fold of the transitions is at ${table.generation}`;
  return undefined;
}
