/** Reads a model's file for whoever must not be kept waiting by it: an odd file may take long to read. */
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import { readModelFiles, type ModelFile } from "./model-files.ts";
import { inspectModel } from "./onnx-model.ts";

/** What the thread is given. */
export interface Inspection {
  readonly model: ModelFile;
  readonly beside: ReadonlyMap<string, number>;
}
/** Only `inspectApart` starts this, with what it says. */
const asInspection = (value: unknown) => value as Inspection;

if (!isMainThread) {
  const { model, beside } = asInspection(workerData);
  const bytes = await readModelFiles({ model });
  parentPort?.postMessage(bytes.ok ? inspectModel(bytes.value.model, beside) : bytes);
}
