/**
 * The order in which requests get their turn of the event loop. Deciding by rules happens on the spot, so when more come than can be
 * decided, the loop's turns grow, and everybody waits in the system's buffers where nobody sees it. The door decides on a few in each
 * turn and lets the others wait here, first come, first served: the next turn comes soon, and whoever would wait too long hears it at once.
 */
import type { Clock } from "../store/index.ts";

export interface DoorOptions {
  readonly clock: Clock;
  /** Time that may pass in one turn before the others wait for the next. */
  readonly turnMs: number;
  /** Nobody waits longer for a turn: who would is turned away when they come. */
  readonly maxWaitMs: number;
}

interface Waiting {
  readonly sinceUs: number;
  readonly begin: () => void;
  readonly turnAway: () => void;
}

/** What earlier turns still weigh in what a request costs, a turn later. */
const REMEMBERED = 0.9;
/** A turn that takes longer was held up from outside: it says nothing about what the next ones will take. */
const LONGEST_TURN_US = 50_000;
/** Of the limit: only when some have waited without a break for so long is it overload, and not a hiccup of the machine. */
const SUSTAINED = 2;
/** Of the limit: who was let in stays for so long, even when the process is held up meanwhile. */
const PATIENCE = 5;

export class Door {
  readonly #clock: Clock;
  readonly #turnUs: number;
  readonly #maxWaitUs: number;
  /** Oldest first, from `#head` on: taking one costs the same however many wait. */
  #waiting: Waiting[] = [];
  #head = 0;
  /** When the first request of this turn came; null until one has. */
  #turnSinceUs: number | null = null;
  /** Since when there has always been somebody waiting; null while nobody is. */
  #crowdedSinceUs: number | null = null;
  /** The last turn that left some waiting: what the loop does until the next one is what it can do. */
  #busySinceUs: number | null = null;
  #begun = 0;
  /** The loop's time in busy turns, with all that is read, recorded, answered and turned away, and how many began in it; older ones fade. */
  #busyUs = 0;
  #busyBegun = 0;

  constructor({ clock, turnMs, maxWaitMs }: DoorOptions) {
    this.#clock = clock;
    this.#turnUs = turnMs * 1000;
    this.#maxWaitUs = maxWaitMs * 1000;
  }

  get waiting(): number {
    return this.#waiting.length - this.#head;
  }

  /** @returns what `begin` gives, called now or when its turn has come; null where nobody could begin it in time */
  enter<T>(begin: () => Promise<T>): Promise<T | null> {
    const nowUs = this.#clock.monotonicUs();
    this.#turnSinceUs ??= this.#openTurn(nowUs);
    if (this.waiting === 0 && nowUs - this.#turnSinceUs < this.#turnUs) return this.#begin(begin);
    this.#crowdedSinceUs ??= nowUs;
    if (this.isFull(nowUs)) return Promise.resolve(null);
    return new Promise((resolve, reject) => {
      this.#waiting.push({
        sinceUs: nowUs,
        begin: () => void this.#begin(begin).then(resolve, reject),
        turnAway: () => resolve(null),
      });
    });
  }

  /** Whether who comes now would wait too long, and not for a moment only. */
  isFull(nowUs: number): boolean {
    if (this.#crowdedSinceUs === null || nowUs - this.#crowdedSinceUs <= SUSTAINED * this.#maxWaitUs) return false;
    return this.waiting * this.#busyUs > this.#maxWaitUs * this.#busyBegun;
  }

  #openTurn(nowUs: number): number {
    setImmediate(() => this.#nextTurn());
    return nowUs;
  }

  #nextTurn(): void {
    const startedUs = this.#clock.monotonicUs();
    this.#turnSinceUs = null;
    if (this.#busySinceUs !== null) {
      // Sums, not a mean of means: one turn that was held up with a single request in it says little.
      this.#busyUs = this.#busyUs * REMEMBERED + Math.min(LONGEST_TURN_US, startedUs - this.#busySinceUs);
      this.#busyBegun = this.#busyBegun * REMEMBERED + this.#begun;
    }
    this.#begun = 0;
    this.#busySinceUs = null;
    if (this.waiting === 0) return;
    this.#turnSinceUs = this.#openTurn(startedUs);
    for (let nowUs = startedUs; this.waiting > 0 && nowUs - startedUs < this.#turnUs; nowUs = this.#clock.monotonicUs()) {
      const next = this.#waiting[this.#head++];
      // Its turn came later than was foreseen; whoever asked may have given up, and others still have time.
      if (next && nowUs - next.sinceUs > PATIENCE * this.#maxWaitUs) next.turnAway();
      else next?.begin();
    }
    if (this.waiting > 0) this.#busySinceUs = startedUs;
    else this.#crowdedSinceUs = null;
    if (this.#head > this.#waiting.length / 2) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
  }

  #begin<T>(begin: () => Promise<T>): Promise<T> {
    this.#begun++;
    return begin();
  }
}
