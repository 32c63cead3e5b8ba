/**
 * A model behind a server: whatever waits goes in one request, a few requests at a time; a server that fails is left alone for a
 * while (`circuit-breaker.ts`); calls are made again only where that is harmless and rare.
 */
import { assert, unreachable } from "../std.ts";
import type { Clock } from "../store/index.ts";
import { CLOSED, admit, record, type Breaker, type CallResult, type Ticket } from "./circuit-breaker.ts";
import { CallFailed, type HttpAnswer, type HttpCaller } from "./http-caller.ts";
import { ScorerError } from "./scorer.ts";
import type { TraceContext } from "./trace-context.ts";
import { WaitingCalls, type Call } from "./waiting-calls.ts";
import type { Cell, WireForm } from "./wire-forms.ts";

type Rows = readonly (readonly Cell[])[];
interface Asked {
  readonly rows: Rows;
  readonly trace: TraceContext | undefined;
}

export interface HttpModelOptions {
  readonly caller: HttpCaller;
  readonly form: WireForm;
  readonly clock: Clock;
  /** Requests under way at most. */
  readonly connections: number;
  /** In [0, 1): so that many gateways don't try a server again in the same moment. */
  readonly jitter: () => number;
}

/** More would not be answered in time. */
const MAX_WAITING_ROWS = 4096;
/** Calls made once more, at most so many at once and on average one in ten. */
const MOST_RETRIES = 10;
const RETRIES_A_CALL = 0.1;
/** One person's inputs may have caused these; the others in the batch are asked about again. */
const ABOUT_THE_ROWS = new Set([400, 413, 422, 500]);

export interface HttpModelStats {
  readonly breaker: Breaker["kind"];
  readonly opened: number;
  readonly requests: number;
  readonly retries: number;
}

export class HttpModel {
  readonly #options: HttpModelOptions;
  readonly #calls: WaitingCalls<Asked>;
  #breaker: Breaker = CLOSED;
  #opened = 0;
  #retries = MOST_RETRIES;
  #requests = 0;
  #retried = 0;
  #underWay = 0;
  #isPlanned = false;
  #isClosed = false;

  constructor(options: HttpModelOptions) {
    this.#options = options;
    this.#calls = new WaitingCalls({ clock: options.clock, maxRows: MAX_WAITING_ROWS });
  }

  /** Since it was made; `breaker` is of now. */
  stats(): HttpModelStats {
    return { breaker: this.#breaker.kind, opened: this.#opened, requests: this.#requests, retries: this.#retried };
  }

  get maxRows(): number {
    return this.#options.form.maxRows;
  }

  /**
   * @param rows - at most `maxRows`
   * @param trace - sent along; a request that goes for several calls carries the first one's
   * @returns one number for each row; NaN where the server gave none
   * @throws ScorerError
   */
  run(rows: Rows, timeoutMs: number, trace?: TraceContext): Promise<Float64Array> {
    assert(rows.length > 0 && rows.length <= this.maxRows, `${rows.length} rows in a request of at most ${this.maxRows}`);
    if (this.#isClosed) return Promise.reject(closed());
    if (this.#breaker.kind === "open" && this.#nowMs() < this.#breaker.untilMs) return Promise.reject(breakerOpen());
    const scores = this.#calls.add({ rows, trace }, rows.length, timeoutMs);
    this.#planSend();
    return scores;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#calls.failAll(closed());
    await this.#options.caller.close();
  }

  #nowMs(): number {
    return this.#options.clock.monotonicUs() / 1000;
  }

  /** At the end of this turn of the event loop: requests that have arrived together go together, and nobody waits for more to come. */
  #planSend(): void {
    if (this.#isPlanned || this.#underWay >= this.#options.connections) return;
    this.#isPlanned = true;
    setImmediate(() => {
      this.#isPlanned = false;
      this.#send();
    });
  }

  #send(): void {
    while (this.#underWay < this.#options.connections && this.#calls.hasWaiting) {
      const calls = this.#calls.take(this.maxRows);
      if (calls.length > 0) this.#begin(calls);
    }
  }

  #begin(calls: readonly Call<Asked>[]): void {
    const { breaker, ticket } = admit(this.#breaker, this.#nowMs());
    this.#breaker = breaker;
    if (ticket === null) return this.#calls.fail(calls, breakerOpen());
    this.#underWay++;
    void this.#ask(calls, ticket).finally(() => {
      this.#underWay--;
      this.#send();
    });
  }

  async #ask(calls: readonly Call<Asked>[], ticket: Ticket): Promise<void> {
    const count = calls.reduce((sum, call) => sum + call.count, 0);
    const outcome = await this.#outcomeOf(calls, count);
    const before = this.#breaker;
    this.#breaker = record(before, { ticket, result: resultOf(outcome, count), nowMs: this.#nowMs(), jitter: this.#options.jitter() });
    if (this.#breaker.kind === "open" && before.kind !== "open") this.#opened++;
    if (outcome.kind === "scored") return this.#calls.deliver(calls, outcome.scores);
    if (!outcome.isAboutRows || calls.length < 2 || !this.#mayRetry(calls)) return this.#calls.fail(calls, outcome.error);
    // One person's inputs may be the reason, who must cost nobody else the answer: each half is asked about by itself.
    const half = Math.ceil(calls.length / 2);
    this.#begin(calls.slice(0, half));
    this.#begin(calls.slice(half));
  }

  async #outcomeOf(calls: readonly Call<Asked>[], count: number): Promise<Outcome> {
    try {
      const body = this.#options.form.encode(calls.flatMap((call) => call.rows.rows));
      return this.#read(await this.#answered(calls, body), count);
    } catch (error) {
      const trouble = error instanceof CallFailed ? error.trouble : "failed";
      const message = error instanceof Error ? error.message : String(error);
      return { kind: "failed", error: new ScorerError(trouble, message, { cause: error }), isAboutRows: false };
    }
  }

  /** Once more at most, and only where nothing was sent. */
  async #answered(calls: readonly Call<Asked>[], body: string): Promise<HttpAnswer> {
    const { caller, form } = this.#options;
    const lastUs = lastOf(calls);
    const trace = calls.find((call) => call.rows.trace !== undefined)?.rows.trace;
    const post = () => {
      this.#requests++;
      const leftMs = Math.max(1, (lastUs - this.#options.clock.monotonicUs()) / 1000);
      return caller.post(form.url, body, { contentType: form.contentType, trace }, leftMs);
    };
    this.#retries = Math.min(MOST_RETRIES, this.#retries + RETRIES_A_CALL);
    try {
      return await post();
    } catch (error) {
      if (!(error instanceof CallFailed) || error.wasSent || !this.#mayRetry(calls)) throw error;
      return post();
    }
  }

  #read({ status, text, contentType }: HttpAnswer, count: number): Outcome {
    const failed = (trouble: ScorerError["trouble"], message: string, isAboutRows = false): Outcome => ({
      kind: "failed",
      error: new ScorerError(trouble, message),
      isAboutRows,
    });
    if (status !== 200) return failed("failed", `the server answered with status ${status}`, ABOUT_THE_ROWS.has(status));
    const answered = this.#options.form.decode(text, contentType, count);
    switch (answered.kind) {
      case "scores":
        return { kind: "scored", scores: answered.scores };
      case "labels":
        return failed("labels", `the server answered labels: ${answered.what}`);
      case "wrong":
        return failed("bad-answer", `expected ${answered.expected}, the server answered ${answered.got}`);
      default:
        return unreachable(answered);
    }
  }

  #mayRetry(calls: readonly Call<Asked>[]): boolean {
    if (this.#isClosed || this.#retries < 1 || this.#options.clock.monotonicUs() >= lastOf(calls)) return false;
    this.#retries--;
    this.#retried++;
    return true;
  }
}

type Outcome =
  | { readonly kind: "scored"; readonly scores: Float64Array }
  /** `isAboutRows`: what was asked may be the reason, not the server. */
  | { readonly kind: "failed"; readonly error: ScorerError; readonly isAboutRows: boolean };

/** A server that has no score for most is no better than one that fails. */
function resultOf(outcome: Outcome, count: number): CallResult {
  if (outcome.kind === "failed") return outcome.error.trouble === "closed" ? "none" : "bad";
  return 2 * outcome.scores.filter((score) => score >= 0 && score <= 1).length > count ? "good" : "bad";
}

/** When the last of those who wait gives up. */
const lastOf = (calls: readonly Call<Asked>[]) => calls.reduce((last, { deadlineUs }) => Math.max(last, deadlineUs), 0);

const closed = () => new ScorerError("closed", "the release is no longer loaded");
const breakerOpen = () => new ScorerError("breaker-open", "the server failed too often and isn't asked for now");
