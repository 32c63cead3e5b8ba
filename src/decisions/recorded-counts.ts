/** How many decisions this process has recorded, by what they were: for whoever scrapes it. Counters of a process start with it. */
import type { DecisionTuple, Settled } from "./batch.ts";
import type { AnsweredBy } from "./decision-record.ts";

/** Decisions of one kind since the log was opened. */
export interface RecordedCount {
  readonly endpoint: string;
  readonly release: string;
  readonly route: AnsweredBy;
  readonly action: string;
  readonly count: number;
  /** Of them, those that another release answered than the planned one. */
  readonly fellBack: number;
}

export class RecordedCounts {
  readonly #counts = new Map<string, { -readonly [K in keyof RecordedCount]: RecordedCount[K] }>();

  /** @param settled - what the committer said of it: only what it recorded now counts */
  add(tuple: DecisionTuple, settled: Settled | undefined): void {
    const isOwn = typeof settled === "object" && settled.id === tuple[0];
    if (typeof settled !== "number" && !isOwn) return;
    const [, endpoint, release, , , , , , , , action, , , route, because] = tuple;
    const key = `${endpoint}\0${release}\0${route}\0${action}`;
    let counted = this.#counts.get(key);
    if (!counted) this.#counts.set(key, (counted = { endpoint, release, route, action, count: 0, fellBack: 0 }));
    counted.count++;
    if (because !== null) counted.fellBack++;
  }

  list(): readonly RecordedCount[] {
    return [...this.#counts.values()].map((counted) => ({ ...counted }));
  }
}
