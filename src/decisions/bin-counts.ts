/**
 * Counting answers finely: latencies, scores and inputs by bin. Pure, as `tally.ts` is.
 *
 * A batch touches many bins, so they are added up in memory and written every two seconds or so, with how far the log has been counted;
 * what isn't written when a process ends is counted again from the log.
 */
import type { Arm } from "./decision-record.ts";
import { ERASED_CELL } from "./digest.ts";
import type { CountedAnswer } from "./tally.ts";

const HOUR_MS = 3_600_000;
const HOURS_A_DAY = 24;

/** Whole hours since 1970 (UTC). */
export const hourOf = (atMs: number): number => Math.floor(atMs / HOUR_MS);

/** Buckets up to this one are 1 µs; their upper bounds are 2^(i/8) seconds. */
const BUCKET_LEAST = -159;
/** Two hours: nothing takes longer. */
const BUCKET_MOST = 104;
const BUCKETS = BUCKET_MOST - BUCKET_LEAST + 1;
const BOUNDS = Float64Array.from({ length: BUCKETS }, (_, i) => 2 ** ((BUCKET_LEAST + i) / 8));

/**
 * The bucket of a latency: the smallest i with seconds <= 2^(i/8), as in Prometheus' native histograms of schema 3. What took no time, or
 * less (a clock that stepped), is in the one of 1 µs.
 */
export function latencyBucketOf(latencyUs: number): number {
  if (!(latencyUs > 1)) return BUCKET_LEAST;
  const seconds = latencyUs / 1e6;
  let bucket = Math.min(BUCKET_MOST, Math.max(BUCKET_LEAST, Math.ceil(8 * Math.log2(seconds))));
  // The logarithm is rounded; bounds, which are what others compare with, aren't.
  if (bucket > BUCKET_LEAST && seconds <= (BOUNDS[bucket - 1 - BUCKET_LEAST] ?? 0)) bucket--;
  else if (bucket < BUCKET_MOST && seconds > (BOUNDS[bucket - BUCKET_LEAST] ?? 0)) bucket++;
  return bucket;
}

export const SCORE_BINS = 100;
const SCORE_EDGES = Float64Array.from({ length: SCORE_BINS + 1 }, (_, i) => i / SCORE_BINS);

/** The bin of a score: i of [i/100, (i+1)/100), the last one closed. Found by edges: 0.29 · 100 is below 29 in doubles. */
export function scoreBinOf(score: number): number {
  const bin = Math.min(SCORE_BINS - 1, Math.max(0, Math.floor(score * SCORE_BINS)));
  if (bin > 0 && score < (SCORE_EDGES[bin] ?? 0)) return bin - 1;
  return bin < SCORE_BINS - 1 && score >= (SCORE_EDGES[bin + 1] ?? 1) ? bin + 1 : bin;
}

/** Bins of one input at most, special ones included. */
export const INPUT_BINS = 200;
/** Inputs come as a text with one character each, which no database and no JSON minds: the bin is its code less that of `!`. */
export const FIRST_INPUT_BIN = 33;

/** What bins need to know of an answer. */
export type BinnedAnswer = Pick<CountedAnswer, "endpoint" | "release" | "arm" | "cell" | "atMs" | "score" | "latencyUs" | "inputBins">;

/** Latencies are nobody's; the score of somebody erased has been counted already, in the cell that is gone. */
export const uncelled = (answer: BinnedAnswer): BinnedAnswer =>
  answer.cell === ERASED_CELL ? { ...answer, score: null, inputBins: null } : answer;

interface Series {
  readonly endpoint: string;
  readonly release: string;
  readonly arm: Arm;
  readonly hour: number;
}
export interface LatencyIncrement extends Series {
  readonly bucket: number;
  readonly count: number;
}
export interface ScoreIncrement extends Omit<Series, "hour"> {
  /** Whole days since 1970 (UTC). */
  readonly day: number;
  readonly cell: string;
  readonly bin: number;
  readonly count: number;
  /** Sum of round(score · 10⁶). */
  readonly sumU6: number;
}
export interface InputIncrement extends Series {
  /** Its place in the input profile of the release. */
  readonly input: number;
  readonly bin: number;
  readonly count: number;
}

interface Bins {
  readonly counts: Uint32Array;
  readonly sumsU6: Float64Array;
}

class SeriesCounts {
  readonly of: Series;
  readonly latencies = new Uint32Array(BUCKETS);
  readonly scores = new Map<string, Bins>();
  readonly inputs: Uint32Array[] = [];

  constructor(of: Series) {
    this.of = of;
  }

  add({ cell, score, latencyUs, inputBins }: BinnedAnswer): void {
    const bucket = latencyBucketOf(latencyUs) - BUCKET_LEAST;
    this.latencies[bucket] = (this.latencies[bucket] ?? 0) + 1;
    if (score !== null) this.#addScore(cell, score);
    if (inputBins === null) return;
    for (let i = 0; i < inputBins.length; i++) {
      const counts = (this.inputs[i] ??= new Uint32Array(INPUT_BINS));
      const bin = inputBins.charCodeAt(i) - FIRST_INPUT_BIN;
      counts[bin] = (counts[bin] ?? 0) + 1;
    }
  }

  #addScore(cell: string, score: number): void {
    let bins = this.scores.get(cell);
    if (!bins) this.scores.set(cell, (bins = { counts: new Uint32Array(SCORE_BINS), sumsU6: new Float64Array(SCORE_BINS) }));
    const bin = scoreBinOf(score);
    bins.counts[bin] = (bins.counts[bin] ?? 0) + 1;
    bins.sumsU6[bin] = (bins.sumsU6[bin] ?? 0) + Math.round(score * 1e6);
  }
}

/** Adds answers up until they are taken out. */
export class BinCounts {
  /** By arm in release in hour: answers come of few of them at a time. */
  #series = new Map<number, Map<string, Map<Arm, SeriesCounts>>>();

  add(answer: BinnedAnswer): void {
    const hour = hourOf(answer.atMs);
    let releases = this.#series.get(hour);
    if (!releases) this.#series.set(hour, (releases = new Map()));
    let arms = releases.get(answer.release);
    if (!arms) releases.set(answer.release, (arms = new Map()));
    let series = arms.get(answer.arm);
    if (!series) {
      const { endpoint, release, arm } = answer;
      arms.set(arm, (series = new SeriesCounts({ endpoint, release, arm, hour })));
    }
    series.add(answer);
  }

  clear(): void {
    this.#series = new Map();
  }

  *#all(): Generator<SeriesCounts> {
    for (const releases of this.#series.values()) for (const arms of releases.values()) yield* arms.values();
  }

  *latencies(): Generator<LatencyIncrement> {
    for (const { of, latencies } of this.#all())
      for (const [i, count] of latencies.entries()) if (count > 0) yield { ...of, bucket: BUCKET_LEAST + i, count };
  }

  *scores(): Generator<ScoreIncrement> {
    for (const { of, scores } of this.#all()) {
      const { endpoint, release, arm, hour } = of;
      const day = Math.floor(hour / HOURS_A_DAY);
      for (const [cell, { counts, sumsU6 }] of scores)
        for (const [bin, count] of counts.entries())
          if (count > 0) yield { endpoint, release, arm, day, cell, bin, count, sumU6: sumsU6[bin] ?? 0 };
    }
  }

  *inputs(): Generator<InputIncrement> {
    for (const { of, inputs } of this.#all())
      for (const [input, counts] of inputs.entries())
        for (const [bin, count] of counts.entries()) if (count > 0) yield { ...of, input, bin, count };
  }
}
