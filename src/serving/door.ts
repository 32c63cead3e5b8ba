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
/** Of the limit: when some have waited without a break for so long it is overload, and not a hiccup of the machine. */
const SUSTAINED = 2;
/**
 * Of the limit: under overload a long queue makes everybody late and nobody more likely to be answered, so that only as many wait as
 * keep the next turns busy (Nichols and Jacobson, "Controlling queue delay", ACM Queue 10(5), 2012).
 */
const STANDING = 0.15;
/**
 * Reading and turning away take their time of the loop as well; who was let in gets so many times as much in the next turn, up to so
 * many turns, or a flood of those who are turned away would leave no time to decide.
 */
const [OWN_SHARE, LONGEST_OWN_TURN] = [4, 3];
/** So many requests into a process its code is still being compiled, and what they took says little about those to come. */
const NEW_REQUESTS = 500;
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
  /** Overload is over once nobody had to be turned away for a while, not whenever the short queue is empty. */
  #overloadUntilUs = Number.NEGATIVE_INFINITY;
  /** The last turn that left some waiting: what the loop does until the next one is what it can do. */
  #busySinceUs: number | null = null;
  /** When that turn's own work was done. */
  #turnEndUs = 0;
  #begun = 0;
  #begunInAll = 0;
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

  /** Whether who comes now would wait too long. */
  isFull(nowUs: number): boolean {
    if (this.#begunInAll < NEW_REQUESTS) return false;
    const isCrowd = this.#crowdedSinceUs !== null && nowUs - this.#crowdedSinceUs > SUSTAINED * this.#maxWaitUs;
    const share = isCrowd || nowUs <= this.#overloadUntilUs ? STANDING : 1;
    const isFull = this.waiting * this.#busyUs > share * this.#maxWaitUs * this.#busyBegun;
    if (isFull) this.#overloadUntilUs = nowUs + SUSTAINED * this.#maxWaitUs;
    return isFull;
  }

  #openTurn(nowUs: number): number {
    setImmediate(() => this.#nextTurn());
    return nowUs;
  }

  #nextTurn(): void {
    const startedUs = this.#clock.monotonicUs();
    this.#turnSinceUs = null;
    let turnUs = this.#turnUs;
    if (this.#busySinceUs !== null) {
      turnUs = Math.min(LONGEST_OWN_TURN * turnUs, Math.max(turnUs, OWN_SHARE * (startedUs - this.#turnEndUs)));
      // Sums, not a mean of means: one turn that was held up with a single request in it says little.
      this.#busyUs = this.#busyUs * REMEMBERED + Math.min(LONGEST_TURN_US, startedUs - this.#busySinceUs);
      this.#busyBegun = this.#busyBegun * REMEMBERED + this.#begun;
    }
    this.#begun = 0;
    this.#busySinceUs = null;
    if (this.waiting === 0) return;
    this.#turnSinceUs = this.#openTurn(startedUs);
    let nowUs = startedUs;
    for (; this.waiting > 0 && nowUs - startedUs < turnUs; nowUs = this.#clock.monotonicUs()) {
      const next = this.#waiting[this.#head++];
      // Its turn came later than was foreseen; whoever asked may have given up, and others still have time.
      if (next && nowUs - next.sinceUs > PATIENCE * this.#maxWaitUs) next.turnAway();
      else next?.begin();
    }
    this.#turnEndUs = nowUs;
    if (this.waiting > 0) this.#busySinceUs = startedUs;
    else this.#crowdedSinceUs = null;
    if (this.#head > this.#waiting.length / 2) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
  }

  #begin<T>(begin: () => Promise<T>): Promise<T> {
    this.#begun++;
    this.#begunInAll++;
    return begin();
  }
}
