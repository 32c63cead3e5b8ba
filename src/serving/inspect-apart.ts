/** `inspectModel` on a thread of its own, with limits of time and memory: the file may be anything. */
import { Worker } from "node:worker_threads";
import { err, siblingModule, type Issue, type Result } from "../std.ts";
import type { Inspection } from "./inspect-thread.ts";
import type { OnnxModel } from "./onnx-model.ts";

const WITHIN_MS = 10_000;
const MAX_HEAP_MB = 512;

type Inspected = Result<OnnxModel, readonly Issue[]>;
/** Only `inspect-thread.ts` answers. */
const asInspected = (value: unknown) => value as Inspected;

/** Reads the header of a model; issues also for a file that takes too long to read. */
export async function inspectApart(inspection: Inspection): Promise<Inspected> {
  const worker = new Worker(siblingModule(import.meta.url, "./inspect-thread"), {
    workerData: inspection,
    execArgv: [],
    name: "inspection",
    resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
  });
  let timer: NodeJS.Timeout | undefined;
  const refuse = (expected: string, got: string): Inspected => err([{ path: "", expected, got }]);
  try {
    return await new Promise((resolve) => {
      worker.once("message", (answer) => resolve(asInspected(answer)));
      worker.once("error", (error) => resolve(refuse("a model that can be read", error instanceof Error ? error.message : String(error))));
      timer = setTimeout(
        () => resolve(refuse(`a model that can be read within ${WITHIN_MS / 1000} s`, "one that takes longer")),
        WITHIN_MS,
      );
    });
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}
