/**
 * Points of metrics that come while others are being written: all of them are written together next, in one transaction. Clients log by the
 * thousand, several at once, and each would wait for a sync of its own.
 */
import type { Transaction } from "kysely";
import type { Schema, Store } from "../store/index.ts";

interface Waiting<Points, Done> {
  readonly run: string;
  readonly points: readonly Points[];
  readonly resolve: (done: Done) => void;
  readonly reject: (error: unknown) => void;
}

/** Of a client's at most 1,000 points each: longer transactions would keep decisions waiting. */
const TOGETHER_MAX = 8;

export class PointGroup<Points, Done> {
  readonly #store: Pick<Store, "transaction">;
  readonly #writerOf: (tx: Transaction<Schema>) => Promise<(run: string, points: readonly Points[]) => Promise<Done>>;
  readonly #waiting: Waiting<Points, Done>[] = [];
  #isWriting = false;

  /** @param writerOf - begins a transaction's work, and gives what writes the points of one caller in it, or says why it doesn't */
  constructor(
    store: Pick<Store, "transaction">,
    writerOf: (tx: Transaction<Schema>) => Promise<(run: string, points: readonly Points[]) => Promise<Done>>,
  ) {
    this.#store = store;
    this.#writerOf = writerOf;
  }

  /** Resolves once they survive a power cut. */
  write(run: string, points: readonly Points[]): Promise<Done> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ run, points, resolve, reject });
      if (!this.#isWriting) void this.#writeAll();
    });
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    while (this.#waiting.length > 0) {
      const together = this.#waiting.splice(0, TOGETHER_MAX);
      try {
        const all = await this.#store.transaction(async (tx) => {
          const write = await this.#writerOf(tx);
          const done: (readonly [Waiting<Points, Done>, Done])[] = [];
          for (const one of together) done.push([one, await write(one.run, one.points)]);
          return done;
        });
        for (const [{ resolve }, done] of all) resolve(done);
      } catch (error) {
        for (const { reject } of together) reject(error);
      }
    }
    this.#isWriting = false;
  }
}
