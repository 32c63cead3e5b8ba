/**
 * A model in a scorer process that is kept alive: whatever waits goes in one batch, what takes too long is given up, what hangs or
 * dies is replaced.
 */
import { err, ok, type Issue, type Result } from "../std.ts";
import type { Clock } from "../store/index.ts";
import { MAX_BATCH_ROWS, ModelProcess, type LoadedModel, type ModelProcessOptions } from "./model-process.ts";
import { ScorerError, type Model } from "./scorer.ts";
import { WaitingCalls, type Call } from "./waiting-calls.ts";

export interface BatchedModelOptions extends ModelProcessOptions {
  readonly clock: Clock;
  /**
   * A process that holds a batch longer than this is killed, or longer than four times what so many rows have ever taken at best, up to ten
   * seconds: a batch may be slow because it is big. Those who wait have long been answered otherwise. Default 1,000.
   */
  readonly hangMs?: number;
  /** Wait before the first replacement, doubled up to 10 s while replacements fail. Default 100. */
  readonly backoffMs?: number;
  /** Rows in one batch at most; 1,024 by default. */
  readonly maxRows?: number;
}

const MAX_BACKOFF_MS = 10_000;
/** So many times what a batch should take, it may take. */
const PATIENCE = 4;
/** Nobody waits longer for a batch. */
const MAX_HANG_MS = 10_000;
/** A process that lived this long has proved itself: the next wait is short again. */
const PROVEN_MS = 30_000;
/** Beyond it nobody would be answered in time: refuse at once. */
const MAX_WAITING_ROWS = 4 * MAX_BATCH_ROWS;

export class BatchedModel implements Model {
  readonly loaded: LoadedModel;
  readonly #options: BatchedModelOptions;
  readonly #width: number;
  readonly #maxRows: number;
  readonly #clock: Clock;
  #state: { kind: "up"; process: ModelProcess; sinceUs: number } | { kind: "down"; timer: NodeJS.Timeout | undefined } | { kind: "closed" };
  readonly #calls: WaitingCalls<Float32Array>;
  #batch: { readonly calls: readonly Call<Float32Array>[]; readonly sentUs: number; readonly hangTimer: NodeJS.Timeout } | null = null;
  #isPlanned = false;
  #backoffMs: number;
  #replacements = 0;
  #batches = 0;
  /** Of all batches so far, in the one that went best; null before the first. */
  #rowMs: number | null = null;

  private constructor(options: BatchedModelOptions, loaded: LoadedModel, process: ModelProcess) {
    this.#options = options;
    this.#width = options.form.width;
    this.#maxRows = options.maxRows ?? MAX_BATCH_ROWS;
    this.#clock = options.clock;
    this.#calls = new WaitingCalls({ clock: options.clock, maxRows: MAX_WAITING_ROWS });
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

  get maxRows(): number {
    return this.#maxRows;
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
    if (count > this.#maxRows || !Number.isInteger(count) || count === 0)
      throw new RangeError(`${rows.length} numbers in rows of ${this.#width}`);
    if (this.#state.kind === "closed") return Promise.reject(new ScorerError("closed", "the release is no longer loaded"));
    if (this.#state.kind === "down") return Promise.reject(new ScorerError("down", "the scorer process is being replaced"));
    // A process that is late with its batch would be late with this row too: don't wait to find out.
    if (this.#batch && this.#clock.monotonicUs() - this.#batch.sentUs > timeoutMs * 1000)
      return Promise.reject(new ScorerError("timeout", "the scorer does not answer"));
    const scores = this.#calls.add(rows, count, timeoutMs);
    this.#planSend();
    return scores;
  }

  async close(): Promise<void> {
    const state = this.#state;
    this.#state = { kind: "closed" };
    this.#calls.failAll(new ScorerError("closed", "the release is no longer loaded"));
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
    const calls = this.#calls.take(this.#maxRows);
    const [first] = calls;
    if (first === undefined) return;
    const count = calls.reduce((sum, call) => sum + call.count, 0);
    const rows = calls.length === 1 ? first.rows : new Float32Array(count * this.#width);
    if (calls.length > 1) {
      let at = 0;
      for (const call of calls) {
        rows.set(call.rows, at);
        at += call.rows.length;
      }
    }
    this.#batches++;
    const killIfHanging = () => {
      if (this.#batch?.calls === calls) void process.kill();
    };
    const hangTimer = setTimeout(() => setImmediate(killIfHanging), this.#hangMsOf(count));
    const sentUs = this.#clock.monotonicUs();
    this.#batch = { calls, sentUs, hangTimer };
    process.run(rows, count).then(
      (scores) => {
        this.#endBatch();
        this.#rowMs = Math.min(this.#rowMs ?? Number.POSITIVE_INFINITY, (this.#clock.monotonicUs() - sentUs) / 1000 / count);
        this.#calls.deliver(calls, scores);
        this.#send();
      },
      (error: unknown) => {
        this.#endBatch();
        const trouble = error instanceof ScorerError ? error : new ScorerError("failed", String(error), { cause: error });
        if (trouble.trouble === "failed" && calls.length > 1) {
          for (const call of calls) call.isAlone = true;
          this.#calls.putBack(calls);
        } else this.#calls.fail(calls, trouble);
        this.#send();
      },
    );
  }

  /** How long a batch may take. Of the first nothing is known but what a row by itself may take. */
  #hangMsOf(count: number): number {
    const { hangMs = 1000 } = this.#options;
    const rowMs = this.#rowMs === null ? hangMs : PATIENCE * this.#rowMs;
    return Math.max(hangMs, Math.min(MAX_HANG_MS, rowMs * count));
  }

  #endBatch(): void {
    if (this.#batch) clearTimeout(this.#batch.hangTimer);
    this.#batch = null;
  }

  #up(process: ModelProcess): { kind: "up"; process: ModelProcess; sinceUs: number } {
    const sinceUs = this.#clock.monotonicUs();
    void process.ended.then((how) => {
      if (this.#state.kind !== "up" || this.#state.process !== process) return;
      if (this.#clock.monotonicUs() - sinceUs > PROVEN_MS * 1000) this.#backoffMs = this.#options.backoffMs ?? 100;
      this.#goDown();
      this.#calls.failAll(new ScorerError("crashed", `the scorer process ended: ${how}`));
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
