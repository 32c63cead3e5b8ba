/** What others would have done on the same stream: they roll back as soon as a figure that they look at all the time looks bad. */
import type { Look } from "./fair.ts";

export const RIVALS = [
  "z test for equal rates, p < 0.05",
  "z test for equal rates, p < 0.01",
  "z test for a ratio below the limit, p < 0.05",
  "raw ratio below the limit since the start",
  "raw ratio below the limit over the last 1,000",
] as const;

/** Group decisions from which on the raw ratio is believed. */
const BELIEVED_FROM = 30;
const WINDOW = 1000;

/** Watches two cells of a ratio. */
export class Rivals {
  readonly #limit: number;
  readonly #total = { na: 0, ka: 0, nb: 0, kb: 0 };
  readonly #window = { na: 0, ka: 0, nb: 0, kb: 0 };
  readonly #looks: Look[] = [];
  #oldest = 0;
  #decisions = 0;
  #haveAllFired = false;
  /** After how many decisions each has rolled back, in the order of `RIVALS`; Infinity: not yet. */
  readonly firedAt: number[] = RIVALS.map(() => Number.POSITIVE_INFINITY);

  constructor(limit: number) {
    this.#limit = limit;
  }

  see(look: Look): void {
    if (this.#haveAllFired) return;
    this.#decisions += look.n.reduce((sum, n) => sum + n, 0);
    add(this.#total, look, 1);
    this.#slide(look);
    const { na, ka, nb, kb } = this.#total;
    if (na === 0 || nb === 0) return;
    const [pa, pb] = [ka / na, kb / nb];
    const pooled = (ka + kb) / (na + nb);
    const equal = (pa - pb) / Math.sqrt(pooled * (1 - pooled) * (1 / na + 1 / nb));
    const below = (pa - this.#limit * pb) / Math.sqrt((pa * (1 - pa)) / na + (this.#limit ** 2 * pb * (1 - pb)) / nb);
    const verdicts = [
      Math.abs(equal) > 1.959964,
      Math.abs(equal) > 2.575829,
      below < -1.644854,
      na >= BELIEVED_FROM && ka * nb < this.#limit * kb * na,
      this.#window.na >= BELIEVED_FROM && this.#window.ka * this.#window.nb < this.#limit * this.#window.kb * this.#window.na,
    ];
    for (let i = 0; i < verdicts.length; i++) if (verdicts[i]) this.firedAt[i] = Math.min(this.firedAt[i] ?? 0, this.#decisions);
    this.#haveAllFired = this.firedAt.every(Number.isFinite);
  }

  #slide(look: Look): void {
    this.#looks.push(look);
    add(this.#window, look, 1);
    while (this.#window.na + this.#window.nb > WINDOW && this.#oldest < this.#looks.length - 1) {
      const gone = this.#looks[this.#oldest++];
      if (gone) add(this.#window, gone, -1);
    }
    if (this.#oldest > 10_000) {
      this.#looks.splice(0, this.#oldest);
      this.#oldest = 0;
    }
  }
}

function add(sum: { na: number; ka: number; nb: number; kb: number }, { n, k }: Look, sign: 1 | -1): void {
  sum.na += sign * (n[0] ?? 0);
  sum.ka += sign * (k[0] ?? 0);
  sum.nb += sign * (n[1] ?? 0);
  sum.kb += sign * (k[1] ?? 0);
}
