/** Ends a server whose event loop has stopped turning: a supervisor can start it afresh, but not wake it. */
import { Worker } from "node:worker_threads";
import { siblingModule } from "../std.ts";
import type { WatchdogData } from "./watchdog-thread.ts";

const BEAT_MS = 1000;

/**
 * The watching thread counts its own ticks and not the time: after the whole process was stopped or its machine asleep, both go on
 * together and nothing has been missed.
 * @param stalledBeats - ends the process after so many beats of a second that didn't come
 * @returns what stops the watch
 */
export function startWatchdog(stalledBeats: number): () => void {
  const beats = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const beat = setInterval(() => void Atomics.add(beats, 0, 1), BEAT_MS);
  const workerData: WatchdogData = { beats, stalledBeats, beatMs: BEAT_MS };
  const watcher = new Worker(siblingModule(import.meta.url, "./watchdog-thread"), { workerData, execArgv: [], name: "watchdog" });
  watcher.unref();
  beat.unref();
  return () => {
    clearInterval(beat);
    void watcher.terminate();
  };
}
