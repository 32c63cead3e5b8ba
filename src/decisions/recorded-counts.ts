/** How many decisions this process has recorded, by what they were: for whoever scrapes it. Counters of a process start with it. */
import type { DecisionTuple, Settled } from "./batch.ts";
import type { AnsweredBy } from "./decision-record.ts";
import { Durations, type DurationCounts } from "./durations.ts";
import { Scores, type ScoreCounts } from "./score-counts.ts";

/** Decisions of one kind since the log was opened. */
export interface RecordedCount {
  readonly endpoint: string;
  readonly release: string;
  readonly route: AnsweredBy;
  readonly action: string;
  readonly count: number;
  /** Of them, those that another release answered than the planned one. */
  readonly fellBack: number;
  /** From the request to the answer, which was then recorded. */
  readonly latency: DurationCounts;
  /** Of those that have one. */
  readonly scores: ScoreCounts;
}

interface Counted {
  readonly what: Pick<RecordedCount, "endpoint" | "release" | "route" | "action">;
  readonly latency: Durations;
  readonly scores: Scores;
  count: number;
  fellBack: number;
}

export class RecordedCounts {
  /** Oldest kind first, for ever: whoever shows only some of them shows the same ones each time. */
  readonly #counts = new Map<string, Counted>();
  readonly #onRecorded: (endpoint: string) => void;

  /** @param onRecorded - told of each decision that is recorded now and was not before */
  constructor(onRecorded: (endpoint: string) => void = () => undefined) {
    this.#onRecorded = onRecorded;
  }

  /** @param settled - what the committer said of it: only what it recorded now counts */
  add(tuple: DecisionTuple, settled: Settled | undefined): void {
    const isOwn = typeof settled === "object" && settled.id === tuple[0];
    if (typeof settled !== "number" && !isOwn) return;
    const [, endpoint, release, , , , , , , score, action, , , route, because, , latencyUs] = tuple;
    const key = `${endpoint}\0${release}\0${route}\0${action}`;
    let counted = this.#counts.get(key);
    if (!counted) {
      counted = { what: { endpoint, release, route, action }, latency: new Durations(), scores: new Scores(), count: 0, fellBack: 0 };
      this.#counts.set(key, counted);
    }
    counted.count++;
    counted.latency.add(latencyUs);
    if (score !== null) counted.scores.add(score);
    if (because !== null) counted.fellBack++;
    this.#onRecorded(endpoint);
  }

  list(): readonly RecordedCount[] {
    return [...this.#counts.values()].map(({ what, count, fellBack, latency, scores }) => ({
      ...what,
      count,
      fellBack,
      latency: latency.counts(),
      scores: scores.counts(),
    }));
  }
}
