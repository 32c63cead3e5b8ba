/** F18: files that are no good models are registered while the server decides: each is refused with its reason, and nobody feels it. */
import { join } from "node:path";
import { EvenkeelProblem } from "../../src/client.ts";
import type { BlobView } from "../../src/api/index.ts";
import { ODD_MODELS, type OddModel } from "../fixtures/odd-models.ts";
import type { Case, Survived } from "./case.ts";
import { RUN, nowMs, oddStatuses, pause, settle } from "./disk-load.ts";
import { startLoad } from "./load-order.ts";
import { startProbed, type ProbedServer } from "./probed-server.ts";
import { copyOf } from "./victim-world.ts";

/** A trial has 10 s to load and 10 s to score; the rest is for a machine that does other things as well. */
const REFUSED_WITHIN_MS = 45_000;
/** Of the serving thread, at the 99th percentile: far less than a native call would hold it up, and more than a busy machine does. */
const MAX_LAG_MS = 50;
const A_SECOND = 50;
const MAX_MS = 600_000;

export const oddModels: Case = {
  id: "F18",
  title: "odd ONNX files registered",
  section: "fault",
  cannot: () => undefined,
  async run(torment): Promise<Survived> {
    const scratch = torment.folder();
    const { folder: prepared, token } = await torment.prepared();
    const folder = copyOf(prepared, join(scratch, "data"));
    const probed = await startProbed(folder, scratch);
    const { server, lags } = probed;
    const files = torment.isShort ? ODD_MODELS.filter(({ isHeavy }) => !isHeavy) : ODD_MODELS;
    const [failures, tookMs]: [string[], number[]] = [[], []];
    // One connection: others would be idle until the server closes them, in the moment in which they are used again.
    const running = startLoad({ port: server.port, token, connections: 1, run: RUN, first: 0, durationMs: MAX_MS, perSecond: A_SECOND });
    await running.sending;
    await lags();
    await pause(2000);
    const before = await lags();
    for (const odd of files) {
      torment.say(odd.what);
      const startedMs = nowMs();
      const trouble = await registered(probed, odd);
      tookMs.push(nowMs() - startedMs);
      if (trouble) failures.push(`${odd.what}: ${trouble}`);
    }
    const lag = await lags();
    running.stop();
    const report = await running.report;
    failures.push(...oddStatuses(report, [200]));
    // Where others keep the processors busy, the thread is held up without our doing.
    if (lag.p99Ms > MAX_LAG_MS && before.p99Ms < MAX_LAG_MS / 2)
      failures.push(`the serving thread was held up ${lag.p99Ms.toFixed(0)} ms at the 99th percentile; expected below ${MAX_LAG_MS}`);
    const note = `loop lag p99 ${lag.p99Ms.toFixed(1)} max ${lag.maxMs.toFixed(1)} ms (before: ${before.p99Ms.toFixed(1)}, ${before.maxMs.toFixed(1)}); the slowest refusal took ${(Math.max(...tookMs) / 1000).toFixed(1)} s`;
    const survived = await settle(folder, report, true, { runs: files.length, injected: files.length, recoverMs: [], note, failures });
    await server.kill();
    return survived;
  },
};

/** What was wrong with the answer; undefined where the file was refused with a reason. */
async function registered({ server }: ProbedServer, { what, bytes, mayPass = false }: OddModel): Promise<string | undefined> {
  const { id } = await server.control.put<BlobView>("/v1/blobs", bytes());
  try {
    await server.control.post("/v1/models/odd/versions", { blob: id }, { timeoutMs: REFUSED_WITHIN_MS });
    return mayPass ? undefined : "it was registered";
  } catch (error) {
    if (!(error instanceof EvenkeelProblem)) return `no answer: ${error instanceof Error ? error.message : String(error)}`;
    const { status, errors = [] } = error.problem;
    return status === 422 && errors.length > 0
      ? undefined
      : `answered with ${status} ${JSON.stringify(error.problem)}, expected 422 and why ${what} is no model`;
  }
}
