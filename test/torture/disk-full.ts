/** F5: the disk under a running server is full. */
import { spawnSync } from "node:child_process";
import { closeSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { EvenkeelProblem } from "../../src/client.ts";
import type { Case, Survived, Torment } from "./case.ts";
import { begin, load, nowMs, oddStatuses, pause, readerOf, recoveredMs, settle } from "./disk-load.ts";
import type { LoadReport } from "./load-order.ts";
import { routeOf } from "./route-commands.ts";
import type { ServerProcess } from "./server-process.ts";
import { inject } from "./strace.ts";
import { missing } from "./tools.ts";

/** Of the reserve in half a second, for what control itself writes meanwhile: an incident that is looked into. A hundred decisions are more. */
const OWN_BYTES = 96 * 1024;

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
  const reader = await readerOf(server);
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
  if ((await reader.read()) !== 5) failures.push("decisions can't be read on a full disk");
  // The reserve is for control alone: a second rollback must get through as the first did.
  await pause(500);
  await server.control
    .post("/v1/endpoints/loans/rollback", { reason: "the disk is still full" })
    .catch((error: unknown) => failures.push(`the second rollback on the full disk failed: ${String(error)}`));
  const reserveBytes = () => statSync(join(folder, "ballast"), { throwIfNoEntry: false })?.size ?? 0;
  const afterwardsBytes = reserveBytes();
  await pause(500);
  const leftBytes = reserveBytes();
  if (leftBytes < 15 * 2 ** 20) failures.push(`the reserve for control was used up: ${leftBytes} bytes of it are left`);
  const roomMs = nowMs();
  rmSync(filler);
  const report = await running.report;
  failures.push(...oddStatuses(report, [200, 503]));
  const meanwhile = report.sent.filter(({ sentMs }) => sentMs > fullMs + 200 && sentMs < roomMs - 50);
  const answered = meanwhile.filter(({ status }) => status === 200).length;
  // A command's write may bring the checkpoint that is due: the log then begins anew in the room that it has, and decisions with it.
  if (afterwardsBytes - leftBytes > OWN_BYTES)
    failures.push(`${answered} of ${meanwhile.length} decisions were recorded on a full disk: out of the reserve`);
  failures.push(...refusals(report));
  if (!server.isRunning) failures.push(`the server ended: ${server.said}`);
  await reader.close();
  const note = `rollback on the full disk ${rollbackMs.toFixed(0)} ms; ${answered} of ${meanwhile.length} decisions recorded meanwhile`;
  return ended(folder, server, report, { roomMs, note, failures });
}

/** @param seen.roomMs - when there was room again */
async function ended(
  folder: string,
  server: ServerProcess,
  report: LoadReport,
  seen: { readonly roomMs: number; readonly note: string; readonly failures: readonly string[] },
): Promise<Survived> {
  const recovered = recoveredMs(report.sent, seen.roomMs);
  const survived = await settle(folder, report, server.isRunning, {
    runs: 1,
    injected: 1,
    recoverMs: recovered === undefined ? [] : [recovered],
    note: seen.note,
    failures: recovered === undefined ? [...seen.failures, "no decision was answered once there was room again"] : seen.failures,
  });
  await server.kill();
  return survived;
}

/** What everybody who is refused must be told. */
function refusals({ sent }: LoadReport): string[] {
  const refused = sent.filter(({ status }) => status === 503);
  if (!refused.some(({ body }) => body.includes("storage-full"))) return ["the disk was full and nobody was refused for it"];
  // A machine that others keep busy may be overloaded as well.
  const other = refused.find(({ body }) => !/storage-full|overloaded/.test(body));
  return [
    ...(other ? [`refused, but not for want of room: ${other.body}`] : []),
    ...(refused.some(({ retryAfter }) => retryAfter === null) ? ["a 503 without Retry-After"] : []),
  ];
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
  cannot: () => missing("attach"),
  async run(torment): Promise<Survived> {
    const { folder, server, token } = await begin(torment);
    const reader = await readerOf(server);
    const running = load(server, token, 200, 5000);
    await running.sending;
    await pause(1000);
    const end = await inject(server.writerThread(), ["-e", "trace=pwrite64", "-e", "inject=pwrite64:error=ENOSPC"]);
    await pause(1500);
    const seen = await reader.read();
    await end();
    const roomMs = nowMs();
    const report = await running.report;
    const failures = oddStatuses(report, [200, 503]);
    if (seen !== 5) failures.push("decisions can't be read on a full disk");
    failures.push(...refusals(report));
    if (!server.isRunning) failures.push(`the server ended: ${server.said}`);
    await reader.close();
    return ended(folder, server, report, { roomMs, note: "", failures });
  },
};
