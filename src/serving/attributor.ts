/** Attributes the scores of ONNX models to their features, in a thread of its own. */
import { Worker } from "node:worker_threads";
import { siblingModule } from "../std.ts";
import type { AttributionReply, AttributionRequest, ExactAttribution } from "./attribution-thread.ts";

/** A forest of hundreds of deep trees takes a second; what takes longer is asked instead of read. */
const TIMEOUT_MS = 10_000;
const MEMORY_MB = 1024;

export class Attributor {
  #thread: Worker | null = null;
  readonly #waiting = new Map<number, (found: ExactAttribution | null) => void>();
  #next = 0;

  /**
   * Exact values for a person against reference rows, or null where the file doesn't say in an understood form what it computes, or
   * where reading and computing take too much time or memory.
   */
  attribute(request: Omit<AttributionRequest, "id">): Promise<ExactAttribution | null> {
    const id = this.#next++;
    const thread = (this.#thread ??= this.#start());
    return new Promise((resolve) => {
      const timer = setTimeout(() => void this.#end(thread), TIMEOUT_MS);
      this.#waiting.set(id, (found) => {
        clearTimeout(timer);
        resolve(found);
      });
      thread.postMessage({ ...request, id });
    });
  }

  async close(): Promise<void> {
    if (this.#thread) await this.#end(this.#thread);
  }

  /** When somebody asks for the first time: most servers never start it. */
  #start(): Worker {
    const thread = new Worker(siblingModule(import.meta.url, "./attribution-thread"), {
      execArgv: [],
      name: "attribution",
      resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB },
    });
    thread.unref();
    thread.on("message", ({ id, attribution }: AttributionReply) => {
      const told = this.#waiting.get(id);
      this.#waiting.delete(id);
      told?.(attribution);
    });
    thread.on("error", () => void this.#end(thread));
    thread.on("exit", () => void this.#end(thread));
    return thread;
  }

  /** Whoever waits is told that there is no exact value; the next request starts a new thread. */
  async #end(thread: Worker): Promise<void> {
    if (this.#thread !== thread) return;
    this.#thread = null;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const told of waiting) told(null);
    await thread.terminate();
  }
}
