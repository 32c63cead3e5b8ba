/** The thread of the watchdog: nothing but a timer, so that it goes on when the main thread doesn't. */
import { writeSync } from "node:fs";
import { workerData } from "node:worker_threads";

export interface WatchdogData {
  /** Counts up once a beat while the main thread's event loop turns. */
  readonly beats: Int32Array<SharedArrayBuffer>;
  readonly stalledBeats: number;
  readonly beatMs: number;
}
/** Only `watchdog.ts` starts this. */
const { beats, stalledBeats, beatMs } = workerData as WatchdogData;

let last = Atomics.load(beats, 0);
let missed = 0;
setInterval(() => {
  const now = Atomics.load(beats, 0);
  missed = now === last ? missed + 1 : 0;
  last = now;
  if (missed < stalledBeats) return;
  writeSync(
    2,
    `evenkeel up: nothing has moved for ${missed} s. What was acknowledged is safe; ending so that a supervisor can start afresh.\n`,
  );
  process.kill(process.pid, "SIGKILL");
}, beatMs);
