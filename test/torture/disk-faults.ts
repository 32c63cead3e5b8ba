/** F4, F5, F7: the disk under a running server fails, is full, is slow. */
import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { EvenkeelProblem } from "../../src/client.ts";
import type { Case, Survived, Torment } from "./case.ts";
import { quantile } from "./chance.ts";
import { acknowledgedOf, inspect } from "./invariants.ts";
import { startLoad, type LoadReport, type RunningLoad, type Sent } from "./load-order.ts";
import { startProbed } from "./probed-server.ts";
import { routeOf } from "./route-commands.ts";
import { ServerProcess } from "./server-process.ts";
import { inject } from "./strace.ts";
import { missing } from "./tools.ts";
import { copyOf } from "./victim-world.ts";

const RUN = "disk";
const SYNCS = "fsync,fdatasync";
const nowMs = () => Number(process.hrtime.bigint()) / 1e6;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function load(server: ServerProcess, token: string, perSecond: number, durationMs: number): RunningLoad {
  return startLoad({ port: server.port, token, connections: 64, run: RUN, first: 0, durationMs, perSecond });
}

/** What the log must hold, whatever went wrong with the disk: looked at beside the server, where it still runs. */
async function settle(folder: string, { sent }: LoadReport, isLive: boolean) {
  const { acked, wrong } = acknowledgedOf(RUN, sent);
  const found = await inspect(folder, acked, isLive);
  return {
    acked: acked.length,
    found,
    figures: { lost: found.lost, doubled: found.doubled, wrong: found.wrong + wrong, tallyOff: found.tallyOff },
  };
}
const serverErrors = ({ sent }: LoadReport) => sent.filter(({ status }) => status >= 500).length;
const oddStatuses = ({ sent }: LoadReport, allowed: readonly number[]): string[] => {
  const odd = sent.find(({ status }) => !allowed.includes(status));
  return odd ? [`request ${odd.n} was answered ${odd.status}: ${odd.body}`] : [];
};
/** From `sinceMs` until the first request that was sent afterwards and answered with 200. */
const recoveredMs = (sent: readonly Sent[], sinceMs: number): number | undefined => {
  const first = sent.filter(({ status, sentMs }) => status === 200 && sentMs >= sinceMs).toSorted((a, b) => a.doneMs - b.doneMs)[0];
  return first && first.doneMs - sinceMs;
};

export const fsyncFailsOnce: Case = {
  id: "F4",
  title: "fsync fails once",
  section: "fault",
  cannot: () => missing("strace"),
  async run(torment): Promise<Survived> {
    const { folder, server, token } = await begin(torment);
    const running = load(server, token, 200, 4000);
    await running.sending;
    await pause(1000);
    const failedMs = nowMs();
    const end = await inject(server.writerThread(), ["-e", `trace=${SYNCS}`, "-e", `inject=${SYNCS}:error=EIO:when=1`]);
    await pause(1500);
    await end();
    const report = await running.report;
    const failures = oddStatuses(report, [200, 503]);
    if (!server.isRunning) failures.push(`the server ended after one failure: ${server.said}`);
    if (!report.sent.some(({ status, sentMs }) => status === 200 && sentMs > failedMs + 1000))
      failures.push("no decision was answered after the failure");
    const { acked, found, figures } = await settle(folder, report, server.isRunning);
    await server.kill();
    const again = await settle(folder, report, false);
    failures.push(...found.failures, ...again.found.failures);
    const refused = serverErrors(report);
    if (refused === 0 && !server.said.includes("IOERR")) failures.push("nobody noticed the failure");
    const note = `${refused} answered 503, the rest looked up and made durable`;
    return {
      kind: "fault",
      runs: 1,
      injected: 1,
      acked,
      ...figures,
      serverErrors: refused,
      recoverMs: [recoveredMs(report.sent, failedMs) ?? Number.NaN],
      note,
      failures,
    };
  },
};

export const fsyncFailsForGood: Case = {
  id: "F4b",
  title: "fsync fails for good",
  section: "fault",
  cannot: () => missing("strace"),
  async run(torment): Promise<Survived> {
    const { folder, server, token } = await begin(torment);
    const running = load(server, token, 200, 5000);
    await running.sending;
    await pause(1000);
    const end = await inject(server.writerThread(), ["-e", `trace=${SYNCS}`, "-e", `inject=${SYNCS}:error=EIO`]);
    const failedMs = nowMs();
    const how = await Promise.race([server.ended, pause(5000).then(() => "still running")]);
    await end();
    const report = await running.report;
    const failures = oddStatuses(report, [200, 503, 0]);
    if (how === 0 || how === "still running") failures.push(`the server must end with an error for a supervisor to act, and is: ${how}`);
    const late = report.sent.filter(({ status, sentMs }) => status === 200 && sentMs > failedMs);
    if (late.length > 0) failures.push(`${late.length} decisions were answered 200 after fsync had failed`);
    if (server.isRunning) await server.kill();
    const again = await ServerProcess.start({ folder });
    const { acked, found, figures } = await settle(folder, report, true);
    await again.kill();
    failures.push(...found.failures);
    const note = `ended with ${how}; 0 answered 200 afterwards`;
    return {
      kind: "fault",
      runs: 1,
      injected: 1,
      acked,
      ...figures,
      serverErrors: serverErrors(report),
      recoverMs: [again.startMs],
      note,
      failures,
    };
  },
};

export const diskFull: Case = {
  id: "F5",
  title: "disk full (tmpfs)",
  section: "fault",
  cannot: () => missing("tmpfs"),
  async run(torment): Promise<Survived> {
    const mount = torment.folder();
    const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=40m", "tmpfs", mount], { encoding: "utf8" });
    if (mounted.status !== 0) throw new Error(mounted.stderr);
    try {
      return await fillDisk(torment, mount);
    } finally {
      spawnSync("umount", ["-l", mount]);
    }
  },
};

async function fillDisk(torment: Torment, mount: string): Promise<Survived> {
  const { folder, server, token } = await begin(torment, mount);
  const filler = join(mount, "filler");
  const running = load(server, token, 200, 7000);
  await running.sending;
  await pause(1000);
  fill(filler);
  const fullMs = nowMs();
  await pause(2000);
  const before = await routeOf(server.control);
  const failures: string[] = [];
  const startedMs = nowMs();
  let rollbackMs = Number.NaN;
  try {
    await server.control.post("/v1/endpoints/loans/rollback", { reason: "the disk is full" });
    rollbackMs = nowMs() - startedMs;
  } catch (error) {
    failures.push(
      `a rollback on the full disk failed: ${error instanceof EvenkeelProblem ? JSON.stringify(error.problem) : String(error)}`,
    );
  }
  const after = await routeOf(server.control);
  if (!Number.isNaN(rollbackMs) && after.live === before.live) failures.push("the rollback changed nothing");
  const page = await server.control.get<{ readonly decisions: readonly unknown[] }>("/v1/endpoints/loans/decisions", { limit: 5 });
  if (page.decisions.length !== 5) failures.push("decisions can't be read on a full disk");
  // The reserve is for control alone: a second rollback must get through as the first did.
  await pause(500);
  await server.control
    .post("/v1/endpoints/loans/rollback", { reason: "the disk is still full" })
    .catch((error: unknown) => failures.push(`the second rollback on the full disk failed: ${String(error)}`));
  await pause(500);
  const ballastBytes = statSync(join(folder, "ballast"), { throwIfNoEntry: false })?.size ?? 0;
  if (ballastBytes < 15 * 2 ** 20) failures.push(`the reserve for control was used up: ${ballastBytes} bytes of it are left`);
  const roomMs = nowMs();
  rmSync(filler);
  const report = await running.report;
  failures.push(...oddStatuses(report, [200, 503]));
  const meanwhile = report.sent.filter(({ sentMs }) => sentMs > fullMs + 200 && sentMs < roomMs - 50);
  const answered = meanwhile.filter(({ status }) => status === 200).length;
  if (answered > meanwhile.length / 10)
    failures.push(`${answered} of ${meanwhile.length} decisions were recorded on a full disk: out of the reserve`);
  const refused = report.sent.filter(({ status }) => status === 503);
  if (refused.length === 0) failures.push("the disk was full and every decision was answered");
  const other = refused.find(({ body }) => !body.includes("storage-full"));
  if (other) failures.push(`refused, but not for want of room: ${other.body}`);
  if (refused.some(({ retryAfter }) => retryAfter === null)) failures.push("a 503 without Retry-After");
  if (!server.isRunning) failures.push(`the server ended: ${server.said}`);
  const { acked, found, figures } = await settle(folder, report, server.isRunning);
  await server.kill();
  failures.push(...found.failures);
  const recovered = recoveredMs(report.sent, roomMs);
  if (recovered === undefined) failures.push("no decision was answered once there was room again");
  const note = `rollback on the full disk ${rollbackMs.toFixed(0)} ms`;
  return {
    kind: "fault",
    runs: 1,
    injected: 1,
    acked,
    ...figures,
    serverErrors: refused.length,
    recoverMs: recovered === undefined ? [] : [recovered],
    note,
    failures,
  };
}

/** Takes all the room there is. */
function fill(path: string): void {
  const file = openSync(path, "w");
  for (let size = 1 << 20; size >= 1;) {
    try {
      writeSync(file, Buffer.alloc(size));
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
      size >>= 1;
    }
  }
  closeSync(file);
}

export const writesRefused: Case = {
  id: "F5b",
  title: "every write answered ENOSPC",
  section: "fault",
  cannot: () => missing("strace"),
  async run(torment): Promise<Survived> {
    const { folder, server, token } = await begin(torment);
    const running = load(server, token, 200, 5000);
    await running.sending;
    await pause(1000);
    const end = await inject(server.writerThread(), ["-e", "trace=pwrite64", "-e", "inject=pwrite64:error=ENOSPC"]);
    await pause(1500);
    const page = await server.control.get<{ readonly decisions: readonly unknown[] }>("/v1/endpoints/loans/decisions", { limit: 5 });
    await end();
    const roomMs = nowMs();
    const report = await running.report;
    const failures = oddStatuses(report, [200, 503]);
    if (page.decisions.length !== 5) failures.push("decisions can't be read on a full disk");
    const refused = report.sent.filter(({ status }) => status === 503);
    if (refused.length === 0) failures.push("nothing was refused");
    const other = refused.find(({ body }) => !body.includes("storage-full"));
    if (other) failures.push(`refused, but not for want of room: ${other.body}`);
    if (!server.isRunning) failures.push(`the server ended: ${server.said}`);
    const { acked, found, figures } = await settle(folder, report, server.isRunning);
    await server.kill();
    failures.push(...found.failures);
    const recovered = recoveredMs(report.sent, roomMs);
    if (recovered === undefined) failures.push("no decision was answered once there was room again");
    return {
      kind: "fault",
      runs: 1,
      injected: 1,
      acked,
      ...figures,
      serverErrors: refused.length,
      recoverMs: recovered === undefined ? [] : [recovered],
      note: "",
      failures,
    };
  },
};

/** Later than this nobody waits: the gateway promises 2,000 ms, and the answer still has to travel. */
const LATE_MS = 2200;

export const slowDisk: Case = {
  id: "F7",
  title: "fsync takes 250 ms, then 3 s",
  section: "fault",
  cannot: () => missing("strace"),
  async run(torment): Promise<Survived> {
    const scratch = torment.folder();
    const { folder: prepared, token } = await torment.prepared();
    const folder = copyOf(prepared, join(scratch, "data"));
    const { server, lags } = await startProbed(folder, scratch);
    const thread = server.writerThread();
    const running = load(server, token, 100, 9000);
    await running.sending;
    await pause(500);
    const slow = await inject(thread, ["-e", `trace=${SYNCS}`, "-e", `inject=${SYNCS}:delay_exit=250000`]);
    await lags();
    await pause(3000);
    const lag = await lags();
    await slow();
    const slower = await inject(thread, ["-e", `trace=${SYNCS}`, "-e", `inject=${SYNCS}:delay_exit=3000000`]);
    await pause(3500);
    await slower();
    const report = await running.report;
    const failures = oddStatuses(report, [200, 503]);
    if (lag.p99Ms >= 20)
      failures.push(`the serving thread was held up ${lag.p99Ms.toFixed(1)} ms at the 99th percentile; expected below 20`);
    const late = report.sent.filter(({ status, sentMs, doneMs }) => status === 200 && doneMs - sentMs > LATE_MS);
    if (late.length > 0) failures.push(`${late.length} answers with 200 came later than ${LATE_MS} ms`);
    const shed = serverErrors(report);
    if (shed === 0) failures.push("an fsync of 3 s, and nobody was refused");
    const { acked, found, figures } = await settle(folder, report, true);
    await server.kill();
    failures.push(...found.failures);
    const answered = report.sent.filter(({ status }) => status === 200).map(({ sentMs, doneMs }) => doneMs - sentMs);
    const note = `loop lag p99 ${lag.p99Ms.toFixed(1)} max ${lag.maxMs.toFixed(1)} ms; answers p50 ${(quantile(answered, 0.5) ?? 0).toFixed(0)} ms; ${shed} shed`;
    return { kind: "fault", runs: 1, injected: 2, acked, ...figures, serverErrors: shed, recoverMs: [], note, failures };
  },
};

async function begin(
  torment: Torment,
  where?: string,
): Promise<{ readonly folder: string; readonly token: string; readonly server: ServerProcess }> {
  const { folder: prepared, token } = await torment.prepared();
  const root = where ?? torment.folder();
  mkdirSync(root, { recursive: true });
  const folder = copyOf(prepared, join(root, "data"));
  return { folder, token, server: await ServerProcess.start({ folder }) };
}
