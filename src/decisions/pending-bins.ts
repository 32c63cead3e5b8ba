/** Counts by bin that wait in memory to be written, and from where in the log they go on. The same on every database. */
import { BinCounts, type BinnedAnswer } from "./bin-counts.ts";

/** What is stored of a writer's cursor. */
export interface BinCursor {
  readonly batch: number;
  readonly revision: number;
}
export const BEGINNING: BinCursor = { batch: 0, revision: 0 };

export class PendingBins {
  readonly counts = new BinCounts();
  /** The cursor that `counts` goes on from; undefined where it must be read, and the log counted from there. */
  #cursor: BinCursor | undefined;
  /** What the transaction under way has written, were it to succeed. */
  #written: BinCursor | undefined;

  /** Whether the counts go on from what is stored; else they have been thrown away, and the log is to be counted from there. */
  goOnFrom(stored: BinCursor): boolean {
    if (this.#cursor !== undefined && this.#cursor.batch === stored.batch && this.#cursor.revision === stored.revision) return true;
    this.counts.clear();
    return false;
  }

  /** The transaction under way has written all counts, up to this batch. */
  wrote(cursor: BinCursor): void {
    this.#written = cursor;
  }

  /** The transaction is on disk, with these answers in it. */
  committed(answers: readonly BinnedAnswer[]): void {
    if (this.#written) {
      this.counts.clear();
      this.#cursor = this.#written;
      this.#written = undefined;
    }
    if (this.#cursor !== undefined) for (const answer of answers) this.counts.add(answer);
  }

  /** The transaction failed, and only the database knows what is in it. */
  forget(): void {
    this.counts.clear();
    this.#cursor = undefined;
    this.#written = undefined;
  }
}
