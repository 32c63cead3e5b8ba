/** The log that every answer goes through before it is given. */
import type { Store } from "../store/index.ts";
import type { Ack, AppendOutcome, DecisionRecord, ShadowAnswer } from "./decision-record.ts";

export interface DecisionLogOptions {
  /** Default `durable`. */
  readonly ack?: Ack;
  /** Records that may wait; beyond it `append` throws LogOverloaded. Default 8,192. */
  readonly maxQueued?: number;
  /** Records in one transaction at most. Default 1,000. */
  readonly maxBatch?: number;
  /** A record that waited longer before its transaction began is refused instead of recorded late. Default 2,000. */
  readonly maxWaitMs?: number;
}

export class DecisionLog {
  /** @throws StorageError when the database is the trouble */
  static async open(_store: Store, _options: DecisionLogOptions = {}): Promise<DecisionLog> {
    return new DecisionLog();
  }

  /**
   * Records one answer, together with whatever else waits, in one transaction with its tallies.
   * @throws LogOverloaded when the queue is full; nothing was recorded
   * @throws StorageError `storage-full`, `storage-read-only`, `storage-unavailable`: nothing was recorded;
   *   `outcome-unknown`: retry with the same idempotency key
   */
  append(_record: DecisionRecord): Promise<AppendOutcome> {
    throw new Error("being built");
  }

  /** Records a shadow's answer to a decision that `append` has acknowledged. Dropped, and counted as such, when the queue is half full. */
  appendShadow(_answer: ShadowAnswer): void {
    throw new Error("being built");
  }

  /** Records all that waits, then refuses more. */
  async close(): Promise<void> {}
}
