/** Writes down when the wall clock jumps: from then on, times in the logs are to be read with care, and somebody should know why. */
import type { Store } from "../store/index.ts";
import type { Audit } from "./audit.ts";

/** Between two ticks. Time services move a clock that is a little off by slowing it down, and that is no jump. */
const JUMP_MS = 5000;

export class ClockWatch {
  readonly #store: Store;
  readonly #audit: Audit;
  #aheadMs: number;
  #jumps = 0;

  constructor(store: Store, audit: Audit) {
    this.#store = store;
    this.#audit = audit;
    this.#aheadMs = this.#wallAheadMs();
  }

  /** How often the wall clock has jumped since the start. */
  get jumps(): number {
    return this.#jumps;
  }

  /** Compares how far the wall clock and the monotonic one have come since the last tick. */
  async tick(): Promise<void> {
    const aheadMs = this.#wallAheadMs();
    const byMs = Math.round(aheadMs - this.#aheadMs);
    this.#aheadMs = aheadMs;
    if (Math.abs(byMs) <= JUMP_MS) return;
    this.#jumps++;
    await this.#store.transaction(async (tx) => {
      await this.#audit.append(tx, { actor: "clock", action: "clock.jumped", object: "server/clock", payload: { byMs } });
    });
  }

  #wallAheadMs(): number {
    const { clock } = this.#store.runtime;
    return clock.nowMs() - clock.monotonicUs() / 1000;
  }
}
