/** Reads the columns of a version for a server that must go on answering. */
import { isMainThread, workerData } from "node:worker_threads";
import { Blobs, systemRuntime } from "../store/index.ts";
import { answer } from "./apart.ts";
import { readHistograms, type HistogramsOrder } from "./column-histograms.ts";

/** Only `column-histograms.ts` starts this, with what it says. */
const asOrder = (value: unknown) => value as HistogramsOrder;

if (!isMainThread) {
  const { folder, asked } = asOrder(workerData);
  await answer(() => readHistograms(new Blobs(folder, systemRuntime().ids), asked));
}
