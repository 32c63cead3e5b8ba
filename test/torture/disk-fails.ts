/** F4: fsync under a running server fails, once and for good. */
import type { Case, Survived } from "./case.ts";
import { SYNCS, begin, load, nowMs, oddStatuses, pause, recoveredMs, serverErrors, settle } from "./disk-load.ts";
import { ServerProcess } from "./server-process.ts";
import { inject } from "./strace.ts";
import { missing } from "./tools.ts";

export const fsyncFailsOnce: Case = {
  id: "F4",
  title: "fsync fails once",
  section: "fault",
  cannot: () => missing("attach"),
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
    const refused = serverErrors(report);
    if (refused === 0 && !server.said.includes("IOERR")) failures.push("nobody noticed the failure");
    const own = {
      runs: 1,
      injected: 1,
      recoverMs: [recoveredMs(report.sent, failedMs) ?? Number.NaN],
      note: `${refused} answered 503, the rest looked up and made durable`,
      failures,
    };
    const beside = await settle(folder, report, server.isRunning, own);
    await server.kill();
    return settle(folder, report, false, { ...own, failures: beside.failures });
  },
};

export const fsyncFailsForGood: Case = {
  id: "F4b",
  title: "fsync fails for good",
  section: "fault",
  cannot: () => missing("attach"),
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
    const note = `ended with ${how}; 0 answered 200 afterwards`;
    const survived = await settle(folder, report, true, { runs: 1, injected: 1, recoverMs: [again.startMs], note, failures });
    await again.kill();
    return survived;
  },
};
