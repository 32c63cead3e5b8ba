import { asError } from "../std.ts";
import type { Runtime } from "../store/index.ts";

export interface Repeated {
  /** Resolves when the work that has begun is done. */
  settled(): Promise<void>;
  /** Begins no more. */
  stop(): Promise<void>;
}

/** Work that is done again and again until it is stopped; an error of one time is told and doesn't end it. */
export function repeatedly({ timers }: Runtime, everyMs: number, work: () => Promise<void>, onError: (error: Error) => void): Repeated {
  let current: Promise<void> = Promise.resolve();
  const end = timers.every(everyMs, () => (current = work().catch((error: unknown) => onError(asError(error)))));
  return {
    settled: () => current,
    stop() {
      end();
      return current;
    },
  };
}
