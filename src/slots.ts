/** How many may work at once: whoever finds no place waits, first come, first served. */
export class Slots {
  readonly width: number;
  #free: number;
  readonly #waiting: (() => void)[] = [];

  /** Who has no place yet. */
  get waiting(): number {
    return this.#waiting.length;
  }

  constructor(width: number) {
    this.width = Math.max(1, width);
    this.#free = this.width;
  }

  async within<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}

/** Runs jobs with at most `width` under way; the first failure ends it once those have ended. */
export async function inParallel<T>(jobs: readonly T[], width: number, work: (job: T) => Promise<void>): Promise<void> {
  const queue = jobs.values();
  const worker = async () => {
    for (const job of queue) await work(job);
  };
  await Promise.all(Array.from({ length: Math.max(1, width) }, worker));
}
