/** Count, mean, variance and range of numbers, in one pass. */

/** Two of them add up to that of all their numbers. */
export class Moments {
  count = 0;
  mean = 0;
  /** Squared distances from the mean. */
  squares = 0;
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;
  /** NaN and infinities, left out of all else. */
  notFinite = 0;

  /** Welford's update: no cancellation where the mean is far from 0. */
  add(value: number): void {
    if (value - value !== 0) {
      this.notFinite++;
      return;
    }
    this.count++;
    const delta = value - this.mean;
    this.mean += delta / this.count;
    this.squares += delta * (value - this.mean);
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
  }

  /** Chan's update. @param other - left as it is */
  merge(other: Pick<Moments, "count" | "mean" | "squares" | "min" | "max" | "notFinite">): void {
    this.notFinite += other.notFinite;
    if (other.count === 0) return;
    const count = this.count + other.count;
    const delta = other.mean - this.mean;
    this.mean += delta * (other.count / count);
    this.squares += other.squares + delta * delta * this.count * (other.count / count);
    this.count = count;
    this.min = Math.min(this.min, other.min);
    this.max = Math.max(this.max, other.max);
  }

  /** Each number so many times. The sums are the same in whatever order they stand. */
  addCounts(numbers: ArrayLike<number>, counts: ArrayLike<number>): void {
    const order = Array.from({ length: numbers.length }, (_, i) => i).toSorted((a, b) => (numbers[a] ?? 0) - (numbers[b] ?? 0));
    for (const i of order) {
      const [mean, count] = [numbers[i] ?? Number.NaN, counts[i] ?? 0];
      const isFinite = Number.isFinite(mean);
      this.merge({ count: isFinite ? count : 0, mean, squares: 0, min: mean, max: mean, notFinite: isFinite ? 0 : count });
    }
  }

  /** Of the sample, with n - 1; 0 for one number. */
  get variance(): number {
    return this.count > 1 ? this.squares / (this.count - 1) : 0;
  }
}
