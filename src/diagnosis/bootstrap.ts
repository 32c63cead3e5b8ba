/**
 * How far the harm could be off because of who happened to apply: a Poisson bootstrap over people. Pure: a person's weight in a
 * draw depends on nothing but the person and the draw, so every coalition sees the same people with the same weights, and only
 * paired differences remain.
 */
import { assert } from "../std.ts";

/** People that both releases are asked about; one row each. */
export interface Window {
  /** 1: in the harmed group. 0: in the group that it is compared with. -1: in neither. */
  readonly sides: Int8Array;
  /** A number for each person; the same person has the same one everywhere. */
  readonly people: Uint32Array;
}
/** For each row of a window 1 where the answer is favourable, else 0. */
export type Answers = Uint8Array;

/** Counts that the harm is computed from. */
export interface SideCounts {
  readonly harmed: number;
  readonly harmedFavourable: number;
  readonly reference: number;
  readonly referenceFavourable: number;
}

export const DRAWS = 400;

/** 32 bits from a text: FNV-1a, mixed so that texts that differ in one character are far apart. */
export function personNumber(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mix(hash);
}

export function countSides({ sides }: Window, answers: Answers): SideCounts {
  let [harmed, harmedFavourable, reference, referenceFavourable] = [0, 0, 0, 0];
  for (let i = 0; i < sides.length; i++) {
    const favourable = answers[i] ?? 0;
    if (sides[i] === 1) {
      harmed++;
      harmedFavourable += favourable;
    } else if (sides[i] === 0) {
      reference++;
      referenceFavourable += favourable;
    }
  }
  return { harmed, harmedFavourable, reference, referenceFavourable };
}

/** How far the harmed group's selection rate is behind the reference's, 0…1; negative where it is ahead. NaN where a side is empty. */
export const gapOf = ({ harmed, harmedFavourable, reference, referenceFavourable }: SideCounts): number =>
  referenceFavourable / reference - harmedFavourable / harmed;

/** How the bootstrap is done: it takes some tenths of a second, in which a server must answer others. */
export interface DrawOptions {
  readonly draws?: number;
  /** Awaited after every few milliseconds' work. */
  readonly pause?: () => Promise<void>;
}
const DRAWS_AT_ONCE = 10;

/**
 * The gap of each of several answers to one window, in each of the draws (400 by default).
 * @returns for each answers an array with a gap for each draw; NaN where a draw leaves a side empty
 */
export async function bootstrapGaps(
  window: Window,
  answers: readonly Answers[],
  { draws = DRAWS, pause }: DrawOptions = {},
): Promise<Float64Array[]> {
  const { sides, people } = window;
  for (const one of answers) assert(one.length === sides.length && people.length === sides.length, "an answer for each person");
  const { patternOf, firstRows } = patterns(sides, answers);
  const gaps = answers.map(() => new Float64Array(draws));
  const weights = new Float64Array(firstRows.length);
  for (let draw = 0; draw < draws; draw++) {
    if (pause && draw % DRAWS_AT_ONCE === 0) await pause();
    weights.fill(0);
    const salt = mix(draw + 0x9e3779b9);
    for (let i = 0; i < people.length; i++) {
      const at = patternOf[i] ?? 0;
      weights[at] = (weights[at] ?? 0) + poissonOne(mix((people[i] ?? 0) ^ salt));
    }
    for (const [k, one] of answers.entries()) {
      let [harmed, harmedFavourable, reference, referenceFavourable] = [0, 0, 0, 0];
      for (let at = 0; at < firstRows.length; at++) {
        const row = firstRows[at] ?? 0;
        const weight = weights[at] ?? 0;
        const favourable = one[row] === 1 ? weight : 0;
        if (sides[row] === 1) {
          harmed += weight;
          harmedFavourable += favourable;
        } else if (sides[row] === 0) {
          reference += weight;
          referenceFavourable += favourable;
        }
      }
      const mine = gaps[k];
      if (mine) mine[draw] = gapOf({ harmed, harmedFavourable, reference, referenceFavourable });
    }
  }
  return gaps;
}

/** People on one side with the same answers everywhere add up: most people get the same from most coalitions, so patterns are few. */
function patterns(sides: Int8Array, answers: readonly Answers[]): { readonly patternOf: Int32Array; readonly firstRows: number[] } {
  const patternOf = new Int32Array(sides.length);
  const known = new Map<string, number>();
  const firstRows: number[] = [];
  for (let i = 0; i < sides.length; i++) {
    let key = String(sides[i]);
    for (const one of answers) key += one[i] === 1 ? "1" : "0";
    let pattern = known.get(key);
    if (pattern === undefined) {
      pattern = firstRows.length;
      known.set(key, pattern);
      firstRows.push(i);
    }
    patternOf[i] = pattern;
  }
  return { patternOf, firstRows };
}

/** The finaliser of MurmurHash3: every bit of the input moves every bit of the output. */
function mix(value: number): number {
  let h = value >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** `CUMULATIVE[k]`: 2^32 times the chance that a Poisson variable of mean 1 is at most k. */
const CUMULATIVE = Float64Array.from({ length: 12 }, (_, k) => {
  let [term, sum] = [Math.exp(-1), 0];
  for (let i = 0; i <= k; i++) {
    sum += term;
    term /= i + 1;
  }
  return sum * 4_294_967_296;
});

/** A uniform 32-bit number as a draw from the Poisson distribution of mean 1. */
function poissonOne(uniform: number): number {
  let k = 0;
  while (k < 11 && uniform >= (CUMULATIVE[k] ?? Infinity)) k++;
  return k;
}
