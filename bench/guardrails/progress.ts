/** How far a long simulation is, and how long it will take. */

export interface Progress {
  readonly done: number;
  readonly all: number;
  /** Null until a piece of every kind has been timed. */
  readonly leftMs: number | null;
}

/** Guesses from the pieces that are done how long the others take: those of one kind take about as long as each other. */
export class Estimate {
  readonly #kinds = new Map<string, { all: number; done: number; ms: number }>();
  readonly #width: number;

  constructor(kinds: readonly string[], width: number) {
    this.#width = width;
    for (const kind of kinds) {
      const known = this.#kinds.get(kind) ?? { all: 0, done: 0, ms: 0 };
      this.#kinds.set(kind, { ...known, all: known.all + 1 });
    }
  }

  finished(kind: string, ms: number): Progress {
    const known = this.#kinds.get(kind);
    if (known) {
      known.done++;
      known.ms += ms;
    }
    let [done, all, left] = [0, 0, 0];
    let isKnown = true;
    for (const one of this.#kinds.values()) {
      done += one.done;
      all += one.all;
      if (one.done === 0) isKnown = false;
      else left += ((one.all - one.done) * one.ms) / one.done;
    }
    return { done, all, leftMs: isKnown ? left / this.#width : null };
  }
}

export function progressText({ done, all, leftMs }: Progress): string {
  const left =
    leftMs === null ? "" : leftMs < 90_000 ? `, some ${Math.ceil(leftMs / 1000)} s left` : `, some ${Math.ceil(leftMs / 60_000)} min left`;
  return `${done.toLocaleString("en")} of ${all.toLocaleString("en")} pieces${done === all ? "; attackers and costs" : left}`;
}

const ON_TERMINAL_EVERY_MS = 1000;
const ELSEWHERE_EVERY_MS = 30_000;

/** One line that is written over on a terminal; elsewhere a line now and then, with the time. */
export class ProgressLine {
  readonly #out: { readonly isTTY?: boolean; write(text: string): unknown };
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(out: { readonly isTTY?: boolean; write(text: string): unknown }) {
    this.#out = out;
  }

  show(progress: Progress): void {
    const nowMs = performance.now();
    const everyMs = this.#out.isTTY ? ON_TERMINAL_EVERY_MS : ELSEWHERE_EVERY_MS;
    if (progress.done < progress.all && nowMs - this.#lastMs < everyMs) return;
    this.#lastMs = nowMs;
    const text = progressText(progress);
    if (this.#out.isTTY) this.#out.write(`\r\u001b[K${text}`);
    else this.#out.write(`${new Date().toISOString()} ${text}\n`);
  }

  end(): void {
    if (this.#out.isTTY) this.#out.write("\n");
  }
}
