/**
 * How many different values there are, of any number of them, in two kilobytes: HyperLogLog (Flajolet et al. 2007), read with the estimator of
 * Ertl ("New cardinality estimation algorithms for HyperLogLog sketches", 2017), which needs no corrections for few or many. The standard
 * error is 2.3 %. Whatever order values come in, and however sketches of parts are merged, the result is the same.
 */

const INDEX_BITS = 11;
const REGISTERS = 1 << INDEX_BITS;
/** Bits that the first one is looked for in. */
const RANK_BITS = 32;

export class DistinctSketch {
  readonly #registers = new Uint8Array(REGISTERS);
  /** Every register has at least that, so most values needn't look for theirs. */
  #least = 0;
  /** Registers that have no more. */
  #atLeast = REGISTERS;

  /** @param high - and `low`: 64 bits of a value's hash, as two whole numbers */
  add(high: number, low: number): void {
    const rank = Math.clz32(low) + 1;
    if (rank > this.#least) this.#raise(high >>> (32 - INDEX_BITS), rank);
  }

  /** @param other - left as it is */
  merge(other: DistinctSketch): void {
    for (let i = 0; i < REGISTERS; i++) this.#raise(i, other.#registers[i] ?? 0);
  }

  estimate(): number {
    const counts = new Float64Array(RANK_BITS + 2);
    for (const rank of this.#registers) counts[rank] = (counts[rank] ?? 0) + 1;
    let sum = REGISTERS * tau(1 - (counts[RANK_BITS + 1] ?? 0) / REGISTERS);
    for (let rank = RANK_BITS; rank >= 1; rank--) sum = (sum + (counts[rank] ?? 0)) / 2;
    sum += REGISTERS * sigma((counts[0] ?? 0) / REGISTERS);
    return Math.round(REGISTERS ** 2 / (2 * Math.LN2) / sum);
  }

  #raise(at: number, rank: number): void {
    const before = this.#registers[at] ?? 0;
    if (rank <= before) return;
    this.#registers[at] = rank;
    if (before > this.#least || --this.#atLeast > 0) return;
    this.#least++;
    for (;;) {
      for (let i = 0; i < REGISTERS; i++) if (this.#registers[i] === this.#least) this.#atLeast++;
      if (this.#atLeast > 0) return;
      this.#least++;
    }
  }
}

/** Ertl's σ: what registers that no value reached stand for. */
function sigma(share: number): number {
  if (share === 1) return Number.POSITIVE_INFINITY;
  let [x, y, sum, before] = [share, 1, share, -1];
  while (sum !== before) {
    before = sum;
    x *= x;
    sum += x * y;
    y += y;
  }
  return sum;
}

/** Ertl's τ: what registers that are full stand for. */
function tau(share: number): number {
  if (share === 0 || share === 1) return 0;
  let [x, y, sum, before] = [share, 1, 1 - share, -1];
  while (sum !== before) {
    before = sum;
    x = Math.sqrt(x);
    y /= 2;
    sum -= (1 - x) ** 2 * y;
  }
  return sum / 3;
}

/** Hashes values for sketches: 64 bits, spread evenly, the same for the same bytes. For speed the bits stand in two fields. */
export class ValueHash {
  high = 0;
  low = 0;

  of(bytes: DataView, start: number, end: number): void {
    let high = 0x9e3779b9 ^ (end - start);
    let low = 0x243f6a88;
    let at = start;
    for (; at + 4 <= end; at += 4) {
      const word = bytes.getInt32(at, true);
      high = Math.imul(high ^ word, 0x85ebca6b);
      high ^= high >>> 15;
      low = Math.imul((low + word) | 0, 0xc2b2ae35);
      low ^= low >>> 13;
    }
    for (; at < end; at++) {
      const byte = bytes.getUint8(at);
      high = Math.imul(high ^ byte, 0x01000193);
      low = Math.imul((low + byte) | 0, 0x27d4eb2f);
      low ^= low >>> 15;
    }
    high = stirred(high ^ (low >>> 16));
    this.high = high;
    this.low = stirred((low + high) | 0);
  }
}

/** The last step of MurmurHash3 (Appleby): every bit of the result depends on all of them. */
export function stirred(bits: number): number {
  let value = bits ^ (bits >>> 16);
  value = Math.imul(value, 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return value ^ (value >>> 16);
}
