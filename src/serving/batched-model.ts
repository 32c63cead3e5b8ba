/**
 * A model in a scorer process that is kept alive: whatever waits goes in one batch, what takes too long is given up, what hangs or
 * dies is replaced.
 */
import { err, ok, type Issue, type Result } from "../std.ts";
import type { Clock } from "../store/index.ts";
import { MAX_BATCH_ROWS, ModelProcess, type LoadedModel, type ModelProcessOptions } from "./model-process.ts";
import { ScorerError, type Model } from "./scorer.ts";

export interface BatchedModelOptions extends ModelProcessOptions {
  readonly clock: Clock;
  /** A process that holds a batch longer than this is killed. Those who wait have long been answered otherwise. Default 1,000. */
  readonly hangMs?: number;
  /** Wait before the first replacement, doubled up to 10 s while replacements fail. Default 100. */
  readonly backoffMs?: number;
}

const MAX_BACKOFF_MS = 10_000;
/** A process that lived this long has proved itself: the next wait is short again. */
const PROVEN_MS = 30_000;
/** Beyond it nobody would be answered in time: refuse at once. */
const MAX_WAITING_ROWS = 4 * MAX_BATCH_ROWS;

interface Call {
  readonly rows: Float32Array;
  readonly deadlineUs: number;
  readonly resolve: (scores: Float64Array) => void;
  readonly reject: (error: ScorerError) => void;
  isSettled: boolean;
  /** The batch it was in failed: it is asked again by itself, so that one person's odd inputs cost nobody else the answer. */
  isAlone: boolean;
}

export class BatchedModel implements Model {
  readonly loaded: LoadedModel;
  readonly #options: BatchedModelOptions;
  readonly #width: number;
  readonly #clock: Clock;
  #state: { kind: "up"; process: ModelProcess; sinceUs: number } | { kind: "down"; timer: NodeJS.Timeout | undefined } | { kind: "closed" };
  #waiting: Call[] = [];
  #waitingRows = 0;
  #batch: { readonly calls: readonly Call[]; readonly sentUs: number } | null = null;
  #isPlanned = false;
  #watch: { readonly timer: NodeJS.Timeout; readonly atUs: number } | null = null;
  #backoffMs: number;
  #replacements = 0;
  #batches = 0;

  private constructor(options: BatchedModelOptions, loaded: LoadedModel, process: ModelProcess) {
    this.#options = options;
    this.#width = options.width;
    this.#clock = options.clock;
    this.#backoffMs = options.backoffMs ?? 100;
    this.loaded = loaded;
    this.#state = this.#up(process);
  }

  /** Issues say why the model is refused. @throws ScorerError when no process can be started */
  static async open(options: BatchedModelOptions): Promise<Result<BatchedModel, readonly Issue[]>> {
    const started = await ModelProcess.start(options);
    return started.ok ? ok(new BatchedModel(options, started.value.loaded, started.value.process)) : err(started.error);
  }

  /** Process id of the scorer process; undefined while it is being replaced. */
  get pid(): number | undefined {
    return this.#state.kind === "up" ? this.#state.process.pid : undefined;
  }

  /** How often the process had to be replaced. */
  get replacements(): number {
    return this.#replacements;
  }

  /** Batches sent. Rows divided by it say how well calls go together. */
  get batches(): number {
    return this.#batches;
  }

  run(rows: Float32Array, timeoutMs: number): Promise<Float64Array> {
    const count = rows.length / this.#width;
    if (count > MAX_BATCH_ROWS || !Number.isInteger(count) || count === 0)
      throw new RangeError(`${rows.length} numbers in rows of ${this.#width}`);
    if (this.#state.kind === "closed") return Promise.reject(new ScorerError("closed", "the release is no longer loaded"));
    if (this.#state.kind === "down") return Promise.reject(new ScorerError("down", "the scorer process is being replaced"));
    if (this.#waitingRows + count > MAX_WAITING_ROWS) return Promise.reject(new ScorerError("overloaded", "too many wait for the scorer"));
    const nowUs = this.#clock.monotonicUs();
    // A process that is late with its batch would be late with this row too: don't wait to find out.
    if (this.#batch && nowUs - this.#batch.sentUs > timeoutMs * 1000)
      return Promise.reject(new ScorerError("timeout", "the scorer does not answer"));
    return new Promise((resolve, reject) => {
      const call: Call = { rows, deadlineUs: nowUs + timeoutMs * 1000, resolve, reject, isSettled: false, isAlone: false };
      this.#waiting.push(call);
      this.#waitingRows += count;
      this.#watchUntil(call.deadlineUs);
      this.#planSend();
    });
  }

  async close(): Promise<void> {
    const state = this.#state;
    this.#state = { kind: "closed" };
    if (this.#watch) clearTimeout(this.#watch.timer);
    this.#watch = null;
    this.#giveUp(() => true, new ScorerError("closed", "the release is no longer loaded"));
    if (state.kind === "up") await state.process.kill();
    if (state.kind === "down") clearTimeout(state.timer);
  }

  /** At the end of this turn of the event loop: requests that have arrived together go together, and nobody waits for more to come. */
  #planSend(): void {
    if (this.#batch || this.#isPlanned) return;
    this.#isPlanned = true;
    setImmediate(() => {
      this.#isPlanned = false;
      this.#send();
    });
  }

  #send(): void {
    if (this.#batch || this.#state.kind !== "up") return;
    const { process } = this.#state;
    const calls: Call[] = [];
    let numbers = 0;
    let taken = 0;
    for (const call of this.#waiting) {
      if (!call.isSettled) {
        if (numbers + call.rows.length > MAX_BATCH_ROWS * this.#width || calls[0]?.isAlone || (calls.length > 0 && call.isAlone)) break;
        numbers += call.rows.length;
        calls.push(call);
      }
      this.#waitingRows -= call.rows.length / this.#width;
      taken++;
    }
    this.#waiting = this.#waiting.slice(taken);
    const [first] = calls;
    if (first === undefined) return;
    const rows = calls.length === 1 ? first.rows : new Float32Array(numbers);
    if (calls.length > 1) {
      let at = 0;
      for (const call of calls) {
        rows.set(call.rows, at);
        at += call.rows.length;
      }
    }
    this.#batches++;
    this.#batch = { calls, sentUs: this.#clock.monotonicUs() };
    process.run(rows, numbers / this.#width).then(
      (scores) => {
        this.#batch = null;
        this.#deliver(calls, scores);
        this.#send();
      },
      (error: unknown) => {
        this.#batch = null;
        const trouble = error instanceof ScorerError ? error : new ScorerError("failed", String(error), { cause: error });
        if (trouble.trouble === "failed" && calls.length > 1) this.#askAlone(calls);
        else for (const call of calls) settle(call, trouble);
        this.#send();
      },
    );
  }

  #askAlone(calls: readonly Call[]): void {
    for (const call of calls) call.isAlone = true;
    this.#waiting = [...calls, ...this.#waiting];
    this.#waitingRows += calls.reduce((rows, call) => rows + call.rows.length / this.#width, 0);
  }

  #deliver(calls: readonly Call[], scores: Float64Array): void {
    let at = 0;
    for (const call of calls) {
      const count = call.rows.length / this.#width;
      if (!call.isSettled) {
        call.isSettled = true;
        call.resolve(calls.length === 1 ? scores : scores.subarray(at, at + count));
      }
      at += count;
    }
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
    if (this.#state.kind === "closed") return;
    const nowUs = this.#clock.monotonicUs();
    this.#giveUp((call) => call.deadlineUs <= nowUs, new ScorerError("timeout", "the scorer did not answer in time"));
    this.#waiting = this.#waiting.filter((call) => !call.isSettled);
    this.#waitingRows = this.#waiting.reduce((rows, call) => rows + call.rows.length / this.#width, 0);
    let nextUs = Number.POSITIVE_INFINITY;
    for (const call of this.#calls()) if (!call.isSettled) nextUs = Math.min(nextUs, call.deadlineUs);
    if (this.#batch) {
      const hangsUs = this.#batch.sentUs + (this.#options.hangMs ?? 1000) * 1000;
      if (hangsUs <= nowUs && this.#state.kind === "up") void this.#state.process.kill();
      else nextUs = Math.min(nextUs, hangsUs);
    }
    if (nextUs < Number.POSITIVE_INFINITY) this.#watchUntil(nextUs);
  }

  *#calls(): Iterable<Call> {
    if (this.#batch) yield* this.#batch.calls;
    yield* this.#waiting;
  }

  #giveUp(isOver: (call: Call) => boolean, error: ScorerError): void {
    for (const call of this.#calls()) if (isOver(call)) settle(call, error);
  }

  #up(process: ModelProcess): { kind: "up"; process: ModelProcess; sinceUs: number } {
    const sinceUs = this.#clock.monotonicUs();
    void process.ended.then((how) => {
      if (this.#state.kind !== "up" || this.#state.process !== process) return;
      if (this.#clock.monotonicUs() - sinceUs > PROVEN_MS * 1000) this.#backoffMs = this.#options.backoffMs ?? 100;
      this.#goDown();
      this.#giveUp(() => true, new ScorerError("crashed", `the scorer process ended: ${how}`));
      this.#waiting = [];
      this.#waitingRows = 0;
    });
    return { kind: "up", process, sinceUs };
  }

  #goDown(): void {
    const state: { kind: "down"; timer: NodeJS.Timeout | undefined } = { kind: "down", timer: undefined };
    this.#state = state;
    state.timer = setTimeout(() => void this.#replace(), this.#backoffMs);
    this.#backoffMs = Math.min(MAX_BACKOFF_MS, this.#backoffMs * 2);
  }

  async #replace(): Promise<void> {
    this.#replacements++;
    let process: ModelProcess | undefined;
    try {
      const started = await ModelProcess.start(this.#options);
      if (started.ok) ({ process } = started.value);
    } catch (error) {
      if (!(error instanceof ScorerError)) throw error; // no process today: try again later
    }
    if (this.#state.kind === "closed") {
      await process?.kill();
      return;
    }
    if (process) this.#state = this.#up(process);
    else this.#goDown();
  }
}

function settle(call: Call, error: ScorerError): void {
  if (call.isSettled) return;
  call.isSettled = true;
  call.reject(error);
}
