/** Clock, ids, randomness and timers: all that a run of the product can't derive from data. */
import { randomBytes } from "node:crypto";
import type { DecisionId } from "../std.ts";

export interface Clock {
  /** Wall time in milliseconds since 1970. May jump; order things by sequence numbers, not by this. */
  nowMs(): number;
  /** Microseconds since some moment; never goes back. For durations and deadlines. */
  monotonicUs(): number;
}

export interface Ids {
  /** A fresh id as text of 36 characters (UUID version 7), sorted by creation even when the wall clock goes back. */
  next(): string;
  decision(): DecisionId;
  /** From now on ids are above `last`, which another process made: its wall clock may have been ahead of this one. */
  startAfter(last: string): void;
}

export interface Random {
  bytes(count: number): Buffer;
}

export interface Timers {
  /** Runs `task` every `periodMs`; a run that takes longer than the period is not overtaken. Returns how to stop. */
  every(periodMs: number, task: () => void | Promise<void>): () => void;
  sleep(durationMs: number): Promise<void>;
}

export interface Runtime {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: Random;
  readonly timers: Timers;
}

/** A runtime whose time moves only when told to. */
export interface SimulatedRuntime extends Runtime {
  /** Moves time forward, running what falls due on the way, in order of its due time. */
  advance(durationMs: number): Promise<void>;
}

/** The real world. */
export function systemRuntime(): Runtime {
  const clock: Clock = { nowMs: () => Date.now(), monotonicUs: () => Math.round(performance.now() * 1000) };
  const random = pooledRandom();
  return {
    clock,
    random,
    ids: timeSortedIds(clock, random),
    timers: {
      every(periodMs, task) {
        let isRunning = false;
        const run = async () => {
          if (isRunning) return;
          isRunning = true;
          try {
            await task();
          } finally {
            isRunning = false;
          }
        };
        const timer = setInterval(() => void run(), periodMs);
        timer.unref();
        return () => clearInterval(timer);
      },
      sleep: (durationMs) => new Promise((resolve) => setTimeout(resolve, durationMs)),
    },
  };
}

/**
 * A world of the test's own: the same seed gives the same ids and the same bytes.
 * @param startMs - what the wall clock shows at the beginning
 */
export function simulatedRuntime(seed: number, startMs: number): SimulatedRuntime {
  let nowMs = startMs;
  const clock: Clock = { nowMs: () => nowMs, monotonicUs: () => (nowMs - startMs) * 1000 };
  const random = seededRandom(seed);
  interface Due {
    atMs: number;
    readonly order: number;
    readonly periodMs: number | null;
    readonly task: () => void | Promise<void>;
  }
  const due: Due[] = [];
  let order = 0;
  const plan = (item: Omit<Due, "order">): Due => {
    const planned = { ...item, order: order++ };
    due.push(planned);
    return planned;
  };
  const drop = (item: Due) => {
    const at = due.indexOf(item);
    if (at >= 0) due.splice(at, 1);
  };
  return {
    clock,
    random,
    ids: timeSortedIds(clock, random),
    timers: {
      every(periodMs, task) {
        const item = plan({ atMs: nowMs + periodMs, periodMs, task });
        return () => drop(item);
      },
      sleep: (durationMs) => new Promise((resolve) => void plan({ atMs: nowMs + durationMs, periodMs: null, task: resolve })),
    },
    async advance(durationMs) {
      const untilMs = nowMs + durationMs;
      for (;;) {
        const next = due.filter((item) => item.atMs <= untilMs).toSorted((a, b) => a.atMs - b.atMs || a.order - b.order)[0];
        if (!next) break;
        nowMs = Math.max(nowMs, next.atMs);
        if (next.periodMs === null) drop(next);
        else next.atMs += next.periodMs;
        await next.task();
      }
      nowMs = untilMs;
    },
  };
}

/** `crypto.randomBytes` is cheap by the kilobyte and dear by the call. */
function pooledRandom(): Random {
  const size = 4096;
  let pool = randomBytes(size);
  let at = 0;
  return {
    bytes(count) {
      if (count > size / 4) return randomBytes(count);
      if (at + count > size) {
        pool = randomBytes(size);
        at = 0;
      }
      return pool.subarray(at, (at += count));
    },
  };
}

/** The generator splitmix32, good enough for simulations and never used for secrets outside them. */
function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const nextByte = () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) & 0xff;
  };
  return { bytes: (count) => Buffer.from(Array.from({ length: count }, nextByte)) };
}

/**
 * UUID version 7 (RFC 9562 §5.7) with the 12 bits after the version as a counter within the millisecond.
 * Where the wall clock goes back, or 4,096 ids fall in one millisecond, the time part runs ahead instead, so that ids stay sorted.
 */
function timeSortedIds(clock: Clock, random: Random): Ids {
  let lastMs = 0;
  let counter = 0;
  const next = () => {
    const nowMs = clock.nowMs();
    if (nowMs > lastMs) {
      lastMs = nowMs;
      counter = 0;
    } else if (++counter > 0xfff) {
      lastMs++;
      counter = 0;
    }
    const time = lastMs.toString(16).padStart(12, "0");
    const tail = random.bytes(8).toString("hex");
    const variant = (8 + (Number.parseInt(tail.charAt(0), 16) & 3)).toString(16);
    return `${time.slice(0, 8)}-${time.slice(8)}-7${counter.toString(16).padStart(3, "0")}-${variant}${tail.slice(1, 4)}-${tail.slice(4)}`;
  };
  return {
    next: () => next(),
    decision: () => asDecisionId(next()),
    startAfter(last) {
      const found = /^([0-9a-f]{8})-([0-9a-f]{4})-7([0-9a-f]{3})-/.exec(last);
      const atMs = Number.parseInt(`${found?.[1]}${found?.[2]}`, 16);
      const count = Number.parseInt(found?.[3] ?? "", 16);
      if (!(atMs >= lastMs)) return;
      counter = atMs > lastMs ? count : Math.max(counter, count);
      lastMs = atMs;
    },
  };
}

/** Made here, and only here, from a fresh id. */
const asDecisionId = (id: string): DecisionId => id as DecisionId;
