/** Answers that are recorded together or not at all: the requests that ask for many decisions at once. */
import { asError, assert, err, ok, type Result } from "../std.ts";
import { StorageError, type Store } from "../store/index.ts";
import { decisionTuple, type Batch, type BatchReply, type Committer, type DecisionTuple, type Settled } from "./batch.ts";
import { LogOverloaded, type AppendOutcome, type DecisionRecord } from "./decision-record.ts";
import type { RecordedCounts } from "./recorded-counts.ts";

type Appended = Result<readonly AppendOutcome[], readonly number[]>;

interface Whole {
  readonly tuples: readonly DecisionTuple[];
  readonly sinceUs: number;
  readonly resolve: (appended: Appended) => void;
  readonly reject: (error: Error) => void;
}

/** A transaction holds up every single decision that comes meanwhile: wholes share one only up to this many rows. */
const ROWS_AT_ONCE = 1000;
/** More would wait longer than their callers. */
const MAX_WAITING = 2;
const MAX_WAITING_ROWS = 4000;

/** The queue of wholes beside the one of single decisions; the decision log takes from both in turn. */
export class Wholes {
  readonly #store: Store;
  readonly #committer: Committer;
  readonly #maxWaitUs: number;
  readonly #recorded: RecordedCounts;
  readonly #onTrouble: (error: Error) => void;
  #queue: Whole[] = [];
  committed = 0;
  batches = 0;
  overloaded = 0;

  constructor(
    store: Store,
    committer: Committer,
    {
      maxWaitUs,
      recorded,
      onTrouble,
    }: { readonly maxWaitUs: number; readonly recorded: RecordedCounts; readonly onTrouble: (error: Error) => void },
  ) {
    this.#store = store;
    this.#committer = committer;
    this.#maxWaitUs = maxWaitUs;
    this.#recorded = recorded;
    this.#onTrouble = onTrouble;
  }

  get areWaiting(): boolean {
    return this.#queue.length > 0;
  }

  append(records: readonly DecisionRecord[]): Promise<Appended> {
    const keys = records.flatMap(({ idempotencyKey }) => (idempotencyKey === null ? [] : [idempotencyKey]));
    assert(new Set(keys).size === keys.length, "a whole has every idempotency key once");
    for (const { score } of records) assert(score === null || Number.isFinite(score), "a recorded score is finite");
    if (records.length === 0) return Promise.resolve(ok([]));
    const waitingRows = this.#queue.reduce((rows, { tuples }) => rows + tuples.length, 0);
    // Small ones are many and share a transaction; large ones wait two at most.
    if (this.#queue.length >= MAX_WAITING && waitingRows + records.length > MAX_WAITING_ROWS)
      return Promise.reject(this.#tooMany(`${this.#queue.length} requests for many decisions wait to be recorded`));
    const tuples = records.map(decisionTuple);
    const sinceUs = this.#store.runtime.clock.monotonicUs();
    return new Promise((resolve, reject) => void this.#queue.push({ tuples, sinceUs, resolve, reject }));
  }

  /** Commits the next ones, if any wait, in one transaction. @returns whether there were any */
  async commitSome(): Promise<boolean> {
    const some = this.#take();
    if (some.length > 0) await this.#commit(some);
    return some.length > 0;
  }

  #take(): readonly Whole[] {
    const oldestUs = this.#store.runtime.clock.monotonicUs() - this.#maxWaitUs;
    const taken: Whole[] = [];
    let rows = 0;
    let at = 0;
    for (const whole of this.#queue) {
      if (taken.length > 0 && rows + whole.tuples.length > ROWS_AT_ONCE) break;
      at++;
      if (whole.sinceUs < oldestUs) {
        whole.reject(this.#tooMany(`waited ${this.#maxWaitUs / 1000} ms to be recorded`));
        continue;
      }
      rows += whole.tuples.length;
      taken.push(whole);
    }
    this.#queue = this.#queue.slice(at);
    return taken;
  }

  async #commit(some: readonly Whole[]): Promise<void> {
    try {
      const decisions = some.flatMap(({ tuples }) => tuples);
      let at = 0;
      const wholes = some.map(({ tuples }) => [at, (at += tuples.length)] as const);
      const { settled } = await this.#surely({ writer: this.#store.writer, decisions, shadows: [], wholes });
      this.batches++;
      for (const [at, tuple] of decisions.entries()) this.#recorded.add(tuple, settled[at]);
      for (const [i, [from, to]] of wholes.entries()) {
        const appended = appendedOf(settled.slice(from, to), decisions.slice(from, to));
        if (appended.ok) this.committed += to - from;
        some[i]?.resolve(appended);
      }
    } catch (error) {
      const trouble = asError(error);
      if (!(trouble instanceof StorageError) && some.length > 1) {
        // The program is wrong about one of them: the others must not pay for it.
        for (const whole of some) await this.#commit([whole]);
        return;
      }
      if (!(trouble instanceof StorageError)) this.#onTrouble(trouble);
      for (const { reject } of some) reject(trouble);
    }
  }

  /** When nobody knows what became of a commit, the same batch again settles it: whatever is recorded is found, the rest goes in. */
  async #surely(batch: Batch): Promise<BatchReply> {
    try {
      return await this.#committer.commit(batch);
    } catch (error) {
      if (!(error instanceof StorageError && error.trouble === "outcome-unknown")) throw error;
      this.#onTrouble(error);
      await this.#committer.recorded(batch.decisions.slice(0, 1).map(([id]) => id)); // what is found from now on is on disk
      return this.#committer.commit(batch);
    }
  }

  #tooMany(message: string): LogOverloaded {
    this.overloaded++;
    return new LogOverloaded(this.#queue.length, message);
  }
}

function appendedOf(settled: readonly Settled[], tuples: readonly DecisionTuple[]): Appended {
  const reused = settled.flatMap((one, at) => (one === "other-body" ? [at] : []));
  if (reused.length > 0) return err(reused);
  return ok(
    settled.map((one, at) => {
      // Found under its own id: recorded by the commit that nobody had heard of.
      const isOwn = typeof one === "object" && one.id === tuples[at]?.[0];
      return isOwn ? { seq: one.seq } : outcomeOf(one);
    }),
  );
}

export function outcomeOf(settled: Settled | undefined): AppendOutcome {
  assert(settled !== undefined && settled !== "left-out", "the committer settles every decision of a batch");
  if (typeof settled === "number") return { seq: settled };
  return settled === "other-body" ? { conflict: settled } : { replayed: settled };
}
