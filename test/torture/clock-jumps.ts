/** F9: the wall clock jumps while decisions are made, and between two starts. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import type { NewTokenView } from "../../src/api/index.ts";
import { ENDPOINT, application } from "./applications.ts";
import type { Case, Survived } from "./case.ts";
import { HttpConnection, decisionPost } from "./http-client.ts";
import { acknowledgedOf, inspect } from "./invariants.ts";
import type { Sent } from "./load-order.ts";
import { routeOf } from "./route-commands.ts";
import { ServerProcess } from "./server-process.ts";
import { libraryPath, missing } from "./tools.ts";
import { copyOf, keyOf } from "./victim-world.ts";

const RUN = "f9";
const HOUR_S = 3600;
const YEAR_S = 365 * 24 * HOUR_S;
/** Seconds that the clock is off, one after the other. */
const JUMPS: readonly { readonly name: string; readonly offsetS: (nowS: number) => number }[] = [
  { name: "+1 h", offsetS: () => HOUR_S },
  { name: "−1 h", offsetS: () => -HOUR_S },
  { name: "−10 years", offsetS: () => -10 * YEAR_S },
  { name: "now again", offsetS: () => 0 },
  { name: "29 February 2028", offsetS: (nowS) => Date.UTC(2028, 1, 28, 23, 59, 58) / 1000 - nowS },
  { name: "19 January 2038", offsetS: (nowS) => 2 ** 31 - 3 - nowS },
];
const PER_JUMP = 40;

export const clockJumps: Case = {
  id: "F9",
  title: "wall clock jumps: ±1 h, −10 years, 2028, 2038",
  section: "fault",
  cannot: () => missing("libfaketime"),
  async run(torment): Promise<Survived> {
    const scratch = torment.folder();
    const { folder: prepared } = await torment.prepared();
    const folder = copyOf(prepared, join(scratch, "data"));
    const clock = join(scratch, "clock");
    const set = (offsetS: number) => writeFileSync(clock, `${offsetS < 0 ? "" : "+"}${Math.round(offsetS)}\n`);
    set(0);
    const env = {
      LD_PRELOAD: libraryPath("faketime/libfaketimeMT.so.1") ?? "",
      FAKETIME_TIMESTAMP_FILE: clock,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    };
    let server = await ServerProcess.start({ folder, env });
    const [sent, recoverMs, failures]: [Sent[], number[], string[]] = [[], [], []];
    let n = 0;
    for (const { name, offsetS } of JUMPS) {
      set(offsetS(Date.now() / 1000));
      for (const isRestarted of [false, true]) {
        if (isRestarted) {
          await server.kill();
          server = await ServerProcess.start({ folder, env });
          recoverMs.push(server.startMs);
        }
        const before = await routeOf(server.control);
        // Of this clock: a token made years ago would rightly be refused.
        const { token } = await server.control.post<NewTokenView>("/v1/tokens", { name: `clock-${n}`, role: "application" });
        const bad = await decideSome(server, token, n, sent);
        if (bad !== undefined) failures.push(`${name}${isRestarted ? ", after a restart" : ""}: ${bad}`);
        n += PER_JUMP;
        // A rollback must work whatever the clock says.
        if (before.live === "r3") await server.control.post("/v1/endpoints/loans/rollback", { reason: name, condemn: false });
        else await server.control.post("/v1/endpoints/loans/promote", { reason: name, release: "r3" });
      }
    }
    const { acked, wrong } = acknowledgedOf(RUN, sent);
    const found = await inspect(folder, acked, true);
    await server.kill();
    failures.push(...found.failures);
    if (found.decisions !== acked.length) failures.push(`${acked.length} decisions were acknowledged, ${found.decisions} are in the log`);
    const unsorted = idsOutOfOrder(folder);
    if (unsorted > 0) failures.push(`${unsorted} decisions have an id below that of an earlier one`);
    const spanDays =
      (Math.max(...acked.map(({ decidedAtMs }) => decidedAtMs)) - Math.min(...acked.map(({ decidedAtMs }) => decidedAtMs))) / 86_400_000;
    if (!(spanDays > 3650)) failures.push("the server's clock didn't jump: nothing was tried");
    const { lost, doubled, tallyOff } = found;
    const serverErrors = sent.filter(({ status }) => status >= 500).length;
    const note = `${JUMPS.length} clocks, each with a restart; 0 rows deleted; ${unsorted} ids out of order`;
    return {
      kind: "fault",
      runs: JUMPS.length,
      injected: JUMPS.length * 2,
      acked: acked.length,
      lost,
      doubled,
      wrong: wrong + found.wrong,
      tallyOff,
      serverErrors,
      recoverMs,
      note,
      failures,
    };
  },
};

/** @returns what went wrong, if anything */
async function decideSome(server: ServerProcess, token: string, first: number, sent: Sent[]): Promise<string | undefined> {
  const connection = await HttpConnection.open(server.port);
  let bad: string | undefined;
  for (let n = first; n < first + PER_JUMP; n++) {
    const { body } = application(RUN, n);
    const answer = await connection.send(decisionPost({ endpoint: ENDPOINT, token, body, key: keyOf(RUN, n) }));
    if (answer.status !== 200) bad ??= `decision ${n} was answered ${answer.status}: ${answer.body}`;
    sent.push({ n, dueMs: 0, sentMs: 0, doneMs: 0, ...answer });
  }
  connection.close();
  return bad;
}

function idsOutOfOrder(folder: string): number {
  const db = new Database(join(folder, "evenkeel.db"));
  const ids = db.prepare<[], string>("select id from decision order by seq").pluck().all();
  db.close();
  return ids.filter((id, at) => id <= (ids[at - 1] ?? "")).length;
}
