/** Those who wait for scores: bounded, each with a deadline of its own, put together into batches by whoever scores. */
import type { Clock } from "../store/index.ts";
import { ScorerError } from "./scorer.ts";

/** One caller's rows. */
export interface Call<Rows> {
  readonly rows: Rows;
  readonly count: number;
  readonly deadlineUs: number;
  /** It goes in a batch by itself: the one that it was in failed, and one person's odd inputs must cost nobody else the answer. */
  isAlone: boolean;
  readonly isSettled: boolean;
}

interface Waiter<Rows> extends Call<Rows> {
  isSettled: boolean;
  isWaiting: boolean;
  readonly resolve: (scores: Float64Array) => void;
  readonly reject: (error: ScorerError) => void;
}

export class WaitingCalls<Rows> {
  readonly #clock: Clock;
  readonly #maxRows: number;
  /** Oldest first; may hold some that have been given up meanwhile. */
  #queue: Waiter<Rows>[] = [];
  #waitingRows = 0;
  /** Waiting or in a batch. */
  readonly #unsettled = new Set<Waiter<Rows>>();
  #watch: { readonly timer: NodeJS.Timeout; readonly atUs: number } | null = null;

  /** @param options.maxRows - that wait at most: beyond it nobody would be answered in time */
  constructor({ clock, maxRows }: { readonly clock: Clock; readonly maxRows: number }) {
    this.#clock = clock;
    this.#maxRows = maxRows;
  }

  get hasWaiting(): boolean {
    return this.#waitingRows > 0;
  }

  /** @returns the scores, or ScorerError `overloaded` at once, `timeout` at the deadline, or what the batch ended in */
  add(rows: Rows, count: number, timeoutMs: number): Promise<Float64Array> {
    if (this.#waitingRows + count > this.#maxRows) return Promise.reject(new ScorerError("overloaded", "too many wait for the scorer"));
    return new Promise((resolve, reject) => {
      const deadlineUs = this.#clock.monotonicUs() + timeoutMs * 1000;
      const call = { rows, count, deadlineUs, resolve, reject, isSettled: false, isWaiting: true, isAlone: false };
      this.#queue.push(call);
      this.#unsettled.add(call);
      this.#waitingRows += count;
      this.#watchUntil(deadlineUs);
    });
  }

  /** The next batch, out of those who wait; none when nobody does. */
  take(maxRows: number): readonly Call<Rows>[] {
    const calls: Waiter<Rows>[] = [];
    let rows = 0;
    let looked = 0;
    for (const call of this.#queue) {
      if (!call.isSettled) {
        const [first] = calls;
        if (first && (rows + call.count > maxRows || first.isAlone || call.isAlone)) break;
        rows += call.count;
        calls.push(call);
        call.isWaiting = false;
        this.#waitingRows -= call.count;
      }
      looked++;
    }
    this.#queue = this.#queue.slice(looked);
    return calls;
  }

  /** They wait again, before all others. */
  putBack(calls: readonly Call<Rows>[]): void {
    const back = calls.flatMap((call) => this.#waiter(call));
    for (const call of back) {
      call.isWaiting = true;
      this.#waitingRows += call.count;
    }
    this.#queue = [...back, ...this.#queue];
  }

  /** @param scores - of all rows of the batch, in its order */
  deliver(calls: readonly Call<Rows>[], scores: Float64Array): void {
    let at = 0;
    for (const call of calls) {
      for (const waiter of this.#waiter(call)) {
        this.#settle(waiter);
        waiter.resolve(calls.length === 1 ? scores : scores.subarray(at, at + call.count));
      }
      at += call.count;
    }
  }

  fail(calls: Iterable<Call<Rows>>, error: ScorerError): void {
    for (const call of calls) {
      for (const waiter of this.#waiter(call)) {
        this.#settle(waiter);
        waiter.reject(error);
      }
    }
  }

  /** Everybody, in batches too. */
  failAll(error: ScorerError): void {
    this.fail([...this.#unsettled], error);
    this.#queue = [];
    if (this.#watch) clearTimeout(this.#watch.timer);
    this.#watch = null;
  }

  /** The caller's side of a call, unless it has been given up. */
  #waiter(call: Call<Rows>): readonly Waiter<Rows>[] {
    const waiter = asWaiter(call);
    return this.#unsettled.has(waiter) ? [waiter] : [];
  }

  #settle(waiter: Waiter<Rows>): void {
    waiter.isSettled = true;
    if (waiter.isWaiting) this.#waitingRows -= waiter.count;
    waiter.isWaiting = false;
    this.#unsettled.delete(waiter);
  }

  /** One timer for all: set to the earliest deadline, and looked at again when it comes. */
  #watchUntil(atUs: number): void {
    if (this.#watch) {
      if (this.#watch.atUs <= atUs) return;
      clearTimeout(this.#watch.timer);
    }
    const inMs = Math.max(1, Math.ceil((atUs - this.#clock.monotonicUs()) / 1000));
    // Timers run before sockets are read: an answer that has already come, while this thread was busy, gets its turn first.
    this.#watch = { atUs, timer: setTimeout(() => setImmediate(() => this.#look()), inMs) };
  }

  #look(): void {
    this.#watch = null;
    const nowUs = this.#clock.monotonicUs();
    const late = [...this.#unsettled].filter(({ deadlineUs }) => deadlineUs <= nowUs);
    this.fail(late, new ScorerError("timeout", "the scorer did not answer in time"));
    if (late.length > 0) this.#queue = this.#queue.filter(({ isSettled }) => !isSettled);
    let nextUs = Number.POSITIVE_INFINITY;
    for (const { deadlineUs } of this.#unsettled) nextUs = Math.min(nextUs, deadlineUs);
    if (nextUs < Number.POSITIVE_INFINITY) this.#watchUntil(nextUs);
  }
}

/** Calls are made by `add` only. */
const asWaiter = <Rows>(call: Call<Rows>) => call as Waiter<Rows>;
