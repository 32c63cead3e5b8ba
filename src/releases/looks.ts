/**
 * When guardrails look. Every so often, and between these ticks at an endpoint of which so many more decisions have been recorded: a look
 * closes blocks, and evidence grows by the block, so how many people a harm hits until it is proven must not depend on how many come
 * in a second. Only the number of decisions and the clock say when, never what the answers were: else the proof breaks (sequential-tests §2).
 */
import { asError } from "../std.ts";
import type { Runtime } from "../store/index.ts";

export interface LooksParts {
  readonly runtime: Pick<Runtime, "clock" | "timers">;
  /** One look between ticks. @returns how many tests it was about */
  readonly lookAt: (endpoint: string) => Promise<number>;
  readonly onError: (error: Error) => void;
}

/** Decisions of an endpoint from which on a look is due. With fewer a proof needs hardly fewer; with more than 200 it needs many more. */
export const LOOK_AFTER = 100;
/**
 * Between two such looks at an endpoint at least, and so much more for each test: looking at one takes some 0.03 ms of the thread that
 * answers people, so it costs a small share of the time however much comes and however many groups there are.
 */
const GAP_MS = 40;
const GAP_PER_TEST_MS = 1;
/** Where a look has failed, the next ones are left to the ticks for a while. */
const GAP_AFTER_ERROR_MS = 1000;

interface Pace {
  /** Decisions since the last look between ticks began. */
  waiting: number;
  isComing: boolean;
  notBeforeUs: number;
}

export class Looks {
  readonly #parts: LooksParts;
  readonly #paces = new Map<string, Pace>();
  #turn: Promise<void> = Promise.resolve();
  #isStopping = false;

  constructor(parts: LooksParts) {
    this.#parts = parts;
  }

  /** One more decision of the endpoint has been recorded. Called for each of them, so it does next to nothing. */
  note(endpoint: string): void {
    let pace = this.#paces.get(endpoint);
    if (!pace) this.#paces.set(endpoint, (pace = { waiting: 0, isComing: false, notBeforeUs: Number.NEGATIVE_INFINITY }));
    if (++pace.waiting < LOOK_AFTER || pace.isComing || this.#isStopping) return;
    pace.isComing = true;
    void this.#come(endpoint, pace);
  }

  /** Everything that acts on what is seen goes one after the other, ticks too: what one of them decides the next one has to know. */
  inTurn(work: () => Promise<void>): Promise<void> {
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => undefined);
    return mine;
  }

  /** Resolves when the looks that have begun are done. */
  settled(): Promise<void> {
    return this.#turn;
  }

  /** Begins no more. */
  stop(): Promise<void> {
    this.#isStopping = true;
    return this.#turn;
  }

  async #come(endpoint: string, pace: Pace): Promise<void> {
    const { runtime, lookAt, onError } = this.#parts;
    const { clock, timers } = runtime;
    const waitMs = (pace.notBeforeUs - clock.monotonicUs()) / 1000;
    if (waitMs > 0) await timers.sleep(waitMs);
    let gapMs = GAP_AFTER_ERROR_MS;
    await this.inTurn(async () => {
      pace.waiting = 0;
      if (!this.#isStopping) gapMs = GAP_MS + GAP_PER_TEST_MS * (await lookAt(endpoint));
    }).catch((error: unknown) => onError(asError(error)));
    pace.notBeforeUs = clock.monotonicUs() + gapMs * 1000;
    pace.isComing = false;
    if (pace.waiting >= LOOK_AFTER && !this.#isStopping) {
      pace.isComing = true;
      void this.#come(endpoint, pace);
    }
  }
}
