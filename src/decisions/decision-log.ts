/** The log that every answer goes through before it is given. */
import { StorageError, type Clock, type Store } from "../store/index.ts";
import { asError, assert, ok, type Result } from "../std.ts";
import { decisionTuple, shadowTuple, type Committer, type DecisionTuple, type ShadowTuple } from "./batch.ts";
import { openCommitter } from "./committer.ts";
import { LogOverloaded, type Ack, type AppendOutcome, type DecisionRecord, type ShadowAnswer } from "./decision-record.ts";
import { Durations, type DurationCounts } from "./durations.ts";
import { RecordedCounts, type RecordedCount } from "./recorded-counts.ts";
import { Wholes, outcomeOf } from "./wholes.ts";

export interface DecisionLogOptions {
  /** Default `durable`. */
  readonly ack?: Ack;
  /** Records that may wait; beyond it `append` throws LogOverloaded. Default 8,192. */
  readonly maxQueued?: number;
  /** Records in one transaction at most. Default 1,000. */
  readonly maxBatch?: number;
  /** A record that waited longer before its transaction began is refused instead of recorded late. Default 2,000. */
  readonly maxWaitMs?: number;
  /** Told what nobody waits for: shadow answers and, under `ack: "memory"`, decisions that could not be recorded. */
  readonly onTrouble?: (error: Error) => void;
  /** Told of each decision that is recorded and in the tallies. Whoever waits for the answer waits for this too. */
  readonly onRecorded?: (endpoint: string) => void;
}

/** Counts since the log was opened. */
export interface DecisionLogMetrics {
  /** Waiting now. */
  readonly queued: number;
  readonly committed: number;
  readonly batches: number;
  /** Refused, because too many waited or one waited too long. */
  readonly overloaded: number;
  readonly shadowsDropped: number;
  /** Of `committed`, those that went in as parts of a whole. */
  readonly inWholes: number;
  /** Acknowledged from memory and then not recorded. */
  readonly lost: number;
  /** From a batch's way to the database until it is durable: one transaction and its fsync. Those that failed count too. */
  readonly commits: DurationCounts;
}

interface Waiting {
  readonly tuple: DecisionTuple;
  readonly sinceUs: number;
  /** Undefined once acknowledged from memory. */
  readonly answer: { resolve(outcome: AppendOutcome): void; reject(error: Error): void } | undefined;
}

/** How often what is counted by bin is written: with the next commit, or by itself when nothing more comes. */
const COUNT_BINS_EVERY_MS = 2000;

/** How long a failing disk or database is left alone before what was acknowledged from memory is tried again. */
const RETRY_AFTER_MS = 200;

/**
 * Group commit: a batch is whatever waits while the one before is being written, so that one fsync serves as many decisions as the
 * disk makes wait. Decisions get their numbers in the order of `append`.
 */
export class DecisionLog {
  readonly ack: Ack;
  readonly #committer: Committer;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #maxQueued: number;
  readonly #maxBatch: number;
  readonly #maxWaitUs: number;
  readonly #onTrouble: (error: Error) => void;
  readonly #recorded: RecordedCounts;
  readonly #wholes: Wholes;
  #queue: Waiting[] = [];
  #shadows: ShadowTuple[] = [];
  #running: Promise<void> | undefined;
  readonly #stopCounting: () => void;
  /** Recorded answers that no write of bins has covered yet. */
  #uncounted = false;
  #isCountingDue = false;
  #isClosing = false;
  #committed = 0;
  #batches = 0;
  #overloaded = 0;
  #shadowsDropped = 0;
  #lost = 0;
  readonly #commits = new Durations();

  private constructor(store: Store, committer: Committer, options: DecisionLogOptions) {
    this.#store = store;
    this.#clock = store.runtime.clock;
    this.#committer = timed(committer, this.#clock, this.#commits);
    this.ack = options.ack ?? "durable";
    this.#maxQueued = options.maxQueued ?? 8192;
    this.#maxBatch = options.maxBatch ?? 1000;
    this.#maxWaitUs = (options.maxWaitMs ?? 2000) * 1000;
    this.#onTrouble = options.onTrouble ?? (() => undefined);
    this.#recorded = new RecordedCounts(options.onRecorded);
    this.#wholes = new Wholes(store, this.#committer, { maxWaitUs: this.#maxWaitUs, recorded: this.#recorded, onTrouble: this.#onTrouble });
    this.#stopCounting = store.runtime.timers.every(COUNT_BINS_EVERY_MS, () => this.#countBins());
  }

  /** One log for a store: it knows where the log ends. @throws StorageError when the database is the trouble */
  static async open(store: Store, options: DecisionLogOptions = {}): Promise<DecisionLog> {
    const { last } = await store.db
      .selectFrom("decision")
      .select((eb) => eb.fn.max("id").as("last"))
      .executeTakeFirstOrThrow();
    if (last !== null) store.runtime.ids.startAfter(last);
    return new DecisionLog(store, await openCommitter(store), options);
  }

  /**
   * Records one answer, together with whatever else waits, in one transaction with its tallies.
   * @throws LogOverloaded when too many wait, or this one waited too long; nothing was recorded
   * @throws StorageError `storage-full`, `storage-read-only`, `storage-unavailable`: nothing was recorded;
   *   `outcome-unknown`: it may or may not be recorded, and a retry with the same idempotency key settles it
   */
  append(record: DecisionRecord): Promise<AppendOutcome> {
    if (this.#isClosing) return Promise.reject(new StorageError("storage-unavailable", "the decision log is closing"));
    assert(record.score === null || Number.isFinite(record.score), "a recorded score is finite");
    if (this.ack === "off") return unnumbered;
    if (this.#queue.length >= this.#maxQueued) return Promise.reject(this.#tooMany(`${this.#queue.length} decisions wait to be recorded`));
    const tuple = decisionTuple(record);
    const sinceUs = this.#clock.monotonicUs();
    // Only the log knows whether a key is new, so those that carry one wait whatever `ack` says.
    if (this.ack === "memory" && record.idempotencyKey === null) {
      this.#queue.push({ tuple, sinceUs, answer: undefined });
      this.#start();
      return unnumbered;
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ tuple, sinceUs, answer: { resolve, reject } });
      this.#start();
    });
  }

  /**
   * Records answers as a whole, in one transaction: all of them, or none. Always waited for, whatever `ack` says. Decisions by `append`
   * go first: wholes are refused when half of what may wait is taken, or another two of them wait.
   * @param records - of one endpoint and source, no idempotency key twice
   * @returns what became of each, in their order; or the places of those whose idempotency key was used with another body
   * @throws as `append`
   */
  appendWhole(records: readonly DecisionRecord[]): Promise<Result<readonly AppendOutcome[], readonly number[]>> {
    if (this.#isClosing) return Promise.reject(new StorageError("storage-unavailable", "the decision log is closing"));
    if (this.ack === "off") return Promise.resolve(ok(records.map(() => ({ seq: null }))));
    if (this.#queue.length >= this.#maxQueued / 2)
      return Promise.reject(this.#tooMany(`${this.#queue.length} decisions wait to be recorded`));
    const appended = this.#wholes.append(records);
    this.#start();
    return appended;
  }

  /**
   * Records a shadow's answer to a decision that `append` has recorded, with the batch after next at the latest. Left out, and counted
   * as dropped, when half the queue is taken, or when the decision isn't in the log.
   */
  appendShadow(answer: ShadowAnswer): void {
    assert(answer.score === null || Number.isFinite(answer.score), "a recorded score is finite");
    if (this.ack === "off") return;
    if (this.#isClosing || this.#queue.length + this.#shadows.length >= this.#maxQueued / 2) {
      this.#shadowsDropped++;
      return;
    }
    this.#shadows.push(shadowTuple(answer));
    this.#start();
  }

  metrics(): DecisionLogMetrics {
    return {
      queued: this.#queue.length,
      committed: this.#committed + this.#wholes.committed,
      batches: this.#batches + this.#wholes.batches,
      overloaded: this.#overloaded + this.#wholes.overloaded,
      shadowsDropped: this.#shadowsDropped,
      inWholes: this.#wholes.committed,
      lost: this.#lost,
      commits: this.#commits.counts(),
    };
  }

  /** What this process has recorded since it opened the log. */
  recorded(): readonly RecordedCount[] {
    return this.#recorded.list();
  }

  /** Resolves when all that waits now has been recorded or refused, and counted by bin. */
  async flush(): Promise<void> {
    await this.#settled();
    this.#countBins();
    await this.#settled();
  }

  async #settled(): Promise<void> {
    while (this.#running) await this.#running;
  }

  /** Records all that waits, and takes no more. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#stopCounting();
    await this.flush();
  }

  #countBins(): void {
    if (!this.#uncounted) return;
    this.#isCountingDue = true;
    this.#start();
  }

  #start(): void {
    // A run that finds nothing ends before it is kept here, and would be kept for ever.
    if (this.#hasWork) this.#running ??= this.#run();
  }

  get #hasWork(): boolean {
    return this.#queue.length > 0 || this.#shadows.length > 0 || this.#wholes.areWaiting || this.#isCountingDue;
  }

  async #run(): Promise<void> {
    try {
      while (this.#hasWork) {
        // Whatever arrived in this turn of the event loop belongs to the batch as well.
        await new Promise(setImmediate);
        const shadows = this.#shadows.splice(0, this.#maxBatch);
        await this.#commit(this.#take(), shadows);
        if (await this.#wholes.commitSome()) this.#uncounted = true;
      }
    } finally {
      this.#running = undefined;
    }
  }

  #take(): readonly Waiting[] {
    const taken = this.#queue.length <= this.#maxBatch ? this.#queue : this.#queue.slice(0, this.#maxBatch);
    this.#queue = this.#queue.length <= this.#maxBatch ? [] : this.#queue.slice(this.#maxBatch);
    const oldestUs = this.#clock.monotonicUs() - this.#maxWaitUs;
    const first = taken[0];
    if (first === undefined || first.sinceUs >= oldestUs) return taken;
    return taken.filter(({ sinceUs, answer }) => {
      if (answer === undefined || sinceUs >= oldestUs) return true;
      answer.reject(this.#tooMany(`waited ${this.#maxWaitUs / 1000} ms to be recorded`));
      return false;
    });
  }

  async #commit(waiting: readonly Waiting[], shadows: readonly ShadowTuple[]): Promise<void> {
    const isCounting = this.#isCountingDue;
    if (waiting.length === 0 && shadows.length === 0 && !isCounting) return;
    this.#isCountingDue = false;
    const isEmpty = waiting.length + shadows.length === 0;
    // What this very batch adds is for the next time.
    this.#uncounted = !isEmpty;
    try {
      const batch = { writer: this.#store.writer, decisions: waiting.map(({ tuple }) => tuple), shadows };
      const reply = await this.#committer.commit(isCounting ? { ...batch, countBins: true } : batch);
      if (isEmpty) return;
      this.#batches++;
      this.#committed += waiting.length;
      this.#shadowsDropped += reply.shadowsDropped;
      for (const [at, { answer, tuple }] of waiting.entries()) {
        this.#recorded.add(tuple, reply.settled[at]);
        answer?.resolve(outcomeOf(reply.settled[at]));
      }
    } catch (error) {
      if (isCounting) this.#uncounted = true;
      const trouble = asError(error);
      if (!(trouble instanceof StorageError)) await this.#commitApart(waiting, shadows, trouble);
      else if (trouble.trouble === "outcome-unknown") await this.#lookUp(waiting, shadows, trouble);
      else await this.#refuse(waiting, shadows, trouble);
    }
  }

  /** The program is wrong about one record: the others must not pay for it. */
  async #commitApart(waiting: readonly Waiting[], shadows: readonly ShadowTuple[], error: Error): Promise<void> {
    if (waiting.length + shadows.length <= 1) {
      for (const { answer } of waiting) answer?.reject(error);
      this.#lost += waiting.filter(({ answer }) => answer === undefined).length;
      this.#shadowsDropped += shadows.length;
      this.#onTrouble(error);
      return;
    }
    if (shadows.length > 0 && waiting.length > 0) {
      await this.#commit(waiting, []);
      return this.#commit([], shadows);
    }
    const half = Math.ceil((waiting.length + shadows.length) / 2);
    await this.#commit(waiting.slice(0, half), shadows.slice(0, half));
    await this.#commit(waiting.slice(half), shadows.slice(half));
  }

  /** The commit itself failed: what is on disk decides, record by record. */
  async #lookUp(waiting: readonly Waiting[], shadows: readonly ShadowTuple[], error: StorageError): Promise<void> {
    this.#onTrouble(error);
    let recorded: ReadonlyMap<string, number>;
    try {
      recorded = await this.#committer.recorded(waiting.map(({ tuple }) => tuple[0]));
    } catch {
      return this.#refuse(waiting, shadows, error);
    }
    const absent: Waiting[] = [];
    for (const one of waiting) {
      const seq = recorded.get(one.tuple[0]);
      if (seq === undefined) absent.push(one);
      else {
        this.#recorded.add(one.tuple, seq);
        one.answer?.resolve({ seq });
      }
    }
    this.#committed += recorded.size;
    const notThere = new StorageError("storage-unavailable", `not recorded: ${error.message}`, { cause: error });
    await this.#refuse(absent, absent.length === waiting.length ? shadows : [], notThere);
  }

  /** Those who wait are told; what was acknowledged from memory stays, and is tried again after a while. */
  async #refuse(waiting: readonly Waiting[], shadows: readonly ShadowTuple[], error: StorageError): Promise<void> {
    this.#shadowsDropped += shadows.length;
    for (const { answer } of waiting) answer?.reject(error);
    const kept = waiting.filter(({ answer }) => answer === undefined);
    if (kept.length === 0) return;
    this.#onTrouble(error);
    if (this.#isClosing) {
      this.#lost += kept.length;
      return;
    }
    this.#queue = [...kept, ...this.#queue];
    await this.#store.runtime.timers.sleep(RETRY_AFTER_MS);
  }

  #tooMany(message: string): LogOverloaded {
    this.#overloaded++;
    return new LogOverloaded(this.#queue.length, message);
  }
}

const timed = (committer: Committer, clock: Clock, durations: Durations): Committer => ({
  recorded: (ids) => committer.recorded(ids),
  async commit(batch) {
    const startedUs = clock.monotonicUs();
    try {
      return await committer.commit(batch);
    } finally {
      durations.add(clock.monotonicUs() - startedUs);
    }
  },
});

const unnumbered: Promise<AppendOutcome> = Promise.resolve({ seq: null });
