/** Reads some rows of a version for a server that must go on answering. */
import { isMainThread, workerData } from "node:worker_threads";
import { Blobs, systemRuntime } from "../store/index.ts";
import { answer } from "./apart.ts";
import { readRowsInWords, type RowsOrder } from "./rows-in-words.ts";

/** Only `rows-in-words.ts` starts this, with what it says. */
const asOrder = (value: unknown) => value as RowsOrder;

if (!isMainThread) {
  const { folder, asked } = asOrder(workerData);
  await answer(() => readRowsInWords(new Blobs(folder, systemRuntime().ids), asked));
}
