/**
 * Loaded into a server before it starts (`NODE_OPTIONS=--import=…`): measures how long its serving thread is held up. At SIGUSR2 it writes what
 * it found since the last time to the file in EVENKEEL_TORTURE_LAGS, and begins anew.
 */
import { writeFileSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { isMainThread } from "node:worker_threads";

const RESOLUTION_MS = 1;
const file = process.env["EVENKEEL_TORTURE_LAGS"];
if (isMainThread && file !== undefined) {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delays.enable();
  const lateMs = (ns: number) => Math.max(0, ns / 1e6 - RESOLUTION_MS);
  process.on("SIGUSR2", () => {
    writeFileSync(file, JSON.stringify({ p99Ms: lateMs(delays.percentile(99)), maxMs: lateMs(delays.max) }));
    delays.reset();
  });
}
