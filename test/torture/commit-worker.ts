/**
 * F10: the thread that commits decisions crashes in the middle of a batch. Nobody can say from inside what of the batch is on the disk, so
 * the server says what happened and ends at once: whoever waited has no answer instead of a wrong one, and a retry settles it.
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Case, Survived } from "./case.ts";
import { CRASHES, CRASH_VARIABLE } from "./crash-in-commit.ts";
import { acknowledgedOf, inspect, type Acknowledged } from "./invariants.ts";
import { retryCutOff } from "./kills-under-load.ts";
import { startLoad, type Sent } from "./load-order.ts";
import { ServerProcess } from "./server-process.ts";
import { copyOf } from "./victim-world.ts";

const HOOK = pathToFileURL(join(import.meta.dirname, "crash-in-commit.ts")).href;
const CONNECTIONS = 16;
const ENDED_WITHIN_MS = 20_000;
/** Small, so that a worker whose memory runs out does so soon. */
const HEAP = "--max-old-space-size=192";

export const commitWorker: Case = {
  id: "F10",
  title: `commit worker: ${Object.keys(CRASHES).join(", ")}`,
  section: "fault",
  cannot: () => (process.platform === "win32" ? "no signals" : undefined),
  async run(torment): Promise<Survived> {
    const { folder: prepared, token } = await torment.prepared();
    const folder = copyOf(prepared, join(torment.folder(), "data"));
    const [sent, acked, recoverMs, failures]: [Sent[], Acknowledged[], number[], string[]] = [[], [], [], []];
    let [wrong, round, cutOff] = [0, 0, 0];
    for (let i = 0; i < (torment.isShort ? 1 : 4); i++)
      for (const how of Object.keys(CRASHES)) {
        const run = `f10-${round++}`;
        const env = { [CRASH_VARIABLE]: `${how}:${torment.random.between(3, 60)}`, NODE_OPTIONS: `--import ${HOOK} ${HEAP}` };
        const report = await crashed(await ServerProcess.start({ folder, env }), token, { run, how }, failures);
        sent.push(...report);
        const found = acknowledgedOf(run, report);
        if (found.acked.length === 0) failures.push(`${how}: nothing was acknowledged before: nothing was tried`);
        const back = await ServerProcess.start({ folder });
        const open = report.filter(({ status }) => status === 0);
        const retried = await retryCutOff({ server: back, token }, run, open);
        await back.kill();
        acked.push(...found.acked, ...retried.acked);
        failures.push(...retried.failures);
        recoverMs.push(back.startMs);
        wrong += found.wrong;
        cutOff += open.length;
      }
    const found = await inspect(folder, acked, false);
    return {
      kind: "fault",
      runs: round,
      injected: round,
      acked: acked.length,
      lost: found.lost,
      doubled: found.doubled,
      wrong: wrong + found.wrong,
      tallyOff: found.tallyOff,
      serverErrors: sent.filter(({ status }) => status >= 500).length,
      recoverMs,
      note: `${cutOff} requests cut off and settled by a retry; the server says what ended, and ends`,
      failures: [...failures, ...found.failures],
    };
  },
};

async function crashed(
  server: ServerProcess,
  token: string,
  { run, how }: { readonly run: string; readonly how: string },
  failures: string[],
): Promise<readonly Sent[]> {
  const load = startLoad({ port: server.port, token, connections: CONNECTIONS, run, first: 0, durationMs: 60_000, perSecond: null });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), ENDED_WITHIN_MS);
  });
  const ended = await Promise.race([server.ended, late]);
  clearTimeout(timer);
  if (ended === null) {
    failures.push(`${how}: the server goes on without its commit worker`);
    await server.kill();
  }
  const { sent } = await load.report;
  await server.control.close();
  // A segmentation fault can't be told from inside; its supervisor sees it.
  if (how === "segfault" ? ended !== "SIGSEGV" : !/the database thread has ended: .*What was acknowledged is safe/.test(server.said))
    failures.push(`${how}: it ended with ${String(ended)} and said ${JSON.stringify(server.said)}`);
  const odd = sent.find(({ status }) => ![0, 200, 503].includes(status));
  if (odd) failures.push(`${how}: request ${odd.n} was answered ${odd.status}: ${odd.body}`);
  return sent;
}
