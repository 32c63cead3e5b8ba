/** F7: fsync under a running server takes long. */
import { join } from "node:path";
import type { Case, Survived } from "./case.ts";
import { quantile } from "./chance.ts";
import { SYNCS, load, nowMs, oddStatuses, pause, serverErrors, settle } from "./disk-load.ts";
import { startProbed } from "./probed-server.ts";
import { inject } from "./strace.ts";
import { missing } from "./tools.ts";
import { copyOf } from "./victim-world.ts";

/** Later than this nobody waits: the gateway promises 2,000 ms, and the answer still has to travel. */
const LATE_MS = 2200;

export const slowDisk: Case = {
  id: "F7",
  title: "fsync takes 250 ms, then 3 s",
  section: "fault",
  cannot: () => missing("attach"),
  async run(torment): Promise<Survived> {
    const scratch = torment.folder();
    const { folder: prepared, token } = await torment.prepared();
    const folder = copyOf(prepared, join(scratch, "data"));
    const { server, lags } = await startProbed(folder, scratch);
    const thread = server.writerThread();
    const running = load(server, token, 100, 10_000);
    await running.sending;
    await lags();
    await pause(1500);
    const before = await lags();
    const slow = await inject(thread, ["-e", `trace=${SYNCS}`, "-e", `inject=${SYNCS}:delay_exit=250000`]);
    const slowMs = nowMs();
    await lags();
    await pause(3000);
    const lag = await lags();
    const slowerMs = nowMs();
    await slow();
    const slower = await inject(thread, ["-e", `trace=${SYNCS}`, "-e", `inject=${SYNCS}:delay_exit=3000000`]);
    await pause(3500);
    await slower();
    const report = await running.report;
    const failures = oddStatuses(report, [200, 503]);
    // Where others keep the processors busy, the thread is held up without our doing.
    if (lag.p99Ms >= 20 && before.p99Ms < 20)
      failures.push(`the serving thread was held up ${lag.p99Ms.toFixed(1)} ms at the 99th percentile; expected below 20`);
    const late = report.sent.filter(({ status, sentMs, doneMs }) => status === 200 && doneMs - sentMs > LATE_MS);
    if (late.length > 0) failures.push(`${late.length} answers with 200 came later than ${LATE_MS} ms`);
    const shed = serverErrors(report);
    if (shed === 0) failures.push("an fsync of 3 s, and nobody was refused");
    const whileSlow = report.sent.filter(({ status, sentMs }) => status === 200 && sentMs > slowMs && sentMs < slowerMs - 500);
    const p50Ms =
      quantile(
        whileSlow.map(({ sentMs, doneMs }) => doneMs - sentMs),
        0.5,
      ) ?? 0;
    if (p50Ms < 100) failures.push(`the disk wasn't slow: answers took ${p50Ms.toFixed(0)} ms`);
    const note = `loop lag p99 ${lag.p99Ms.toFixed(1)} (before: ${before.p99Ms.toFixed(1)}) max ${lag.maxMs.toFixed(1)} ms; answers meanwhile p50 ${p50Ms.toFixed(0)} ms; ${shed} shed`;
    const survived = await settle(folder, report, true, { runs: 1, injected: 2, recoverMs: [], note, failures });
    await server.kill();
    return survived;
  },
};
