/** F11: the process stands still for seconds, as in a pause of its machine: nobody is answered 200 who has waited longer than anybody waits. */
import { join } from "node:path";
import { Asking } from "./asking.ts";
import type { Case, Survived } from "./case.ts";
import type { Sent } from "./load-order.ts";
import { ServerProcess } from "./server-process.ts";
import { survivedAs } from "./survived.ts";
import { copyOf } from "./victim-world.ts";

const RUN = "f11";
/** Answers that would come later than this are refused (`Gateway`, `lateMs`). */
const LATE_MS = 2000;
/** Between two clocks, and for the way there and back. */
const GRACE_MS = 100;
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export const stopped: Case = {
  id: "F11",
  title: "process stands still for seconds",
  section: "fault",
  cannot: () => (process.platform === "win32" ? "no SIGSTOP" : undefined),
  async run(torment): Promise<Survived> {
    const { folder: prepared, token } = await torment.prepared();
    const folder = copyOf(prepared, join(torment.folder(), "data"));
    const stops = torment.isShort ? [3000] : [3000, 3000, 15_000, 3000, 15_000];
    const server = await ServerProcess.start({ folder });
    const open = (run: string) => Asking.open({ port: server.port, token, run, connections: 16 });
    const asking = await open(RUN);
    const stop = asking.onAndOn();
    const [latecomers, recoverMs, failures]: [Sent[], number[], string[]] = [[], [], []];
    for (const [i, ms] of stops.entries()) {
      await sleep(torment.random.between(300, 700));
      process.kill(server.pid, "SIGSTOP");
      // Others come while it stands still: the system takes their connections and bytes in.
      const standing = await open(`${RUN}-${i}`);
      const waiting = standing.many(16);
      await sleep(ms);
      process.kill(server.pid, "SIGCONT");
      const sinceMs = performance.now();
      latecomers.push(...(await waiting));
      const again = await open(`${RUN}-${i}-again`);
      for (let status = 0; status !== 200; await sleep(20)) ({ status } = await again.one());
      recoverMs.push(performance.now() - sinceMs);
      for (const one of [standing, again]) one.close();
    }
    const sent = await stop();
    asking.close();
    const everybody = [...sent, ...latecomers];
    const late = everybody.filter(({ status, sentMs, doneMs }) => status === 200 && doneMs - sentMs > LATE_MS + GRACE_MS);
    if (late.length > 0)
      failures.push(
        `${late.length} were answered 200 after up to ${Math.max(...late.map(({ sentMs, doneMs }) => doneMs - sentMs)).toFixed(0)} ms`,
      );
    const odd = everybody.find(({ status }) => status !== 200 && status !== 503);
    if (odd) failures.push(`somebody was answered ${odd.status}: ${odd.body}`);
    const refused = everybody.filter(({ status }) => status === 503).length;
    const note = `late 200s ${late.length}; ${refused} refused who had waited longer than ${LATE_MS} ms`;
    const survived = await survivedAs(
      { run: RUN, folder, isLive: true, sent },
      { runs: stops.length, injected: stops.length, recoverMs, note, failures },
    );
    await server.kill();
    return survived;
  },
};
