/** Tells a release that can't serve from one that stumbled: counts events, not rows. Pure but for what it remembers. */
import type { ReleaseId } from "../std.ts";
import type { ScorerError, ScorerTrouble } from "./scorer.ts";

/** So many events within this time. */
export const FAILURE_EVENTS = 3;
export const FAILURES_WITHIN_US = 10_000_000;
/** While others are answered, failures closer together than this are one event. */
const ONE_EVENT_US = 1_000_000;
/** While nobody is answered, one event lasts this long: so long a crashed process may take to be replaced. */
const SILENT_EVENT_US = 3_000_000;
/** Of the requests since the first of the events: below it, the release mostly serves, and a guardrail on `fallback_rate` is what watches. */
const FAILED_SHARE = 0.5;

/**
 * What begins an event by itself. While a process is being replaced (`down`) it is the crash before that counts; a breaker that is open, a
 * full queue or a release that is being unloaded says nothing new; and an input that an expression can't be computed for is the person's.
 */
const BEGINS: Readonly<Record<ScorerTrouble, boolean>> = {
  timeout: true,
  crashed: true,
  "bad-score": true,
  failed: true,
  "bad-answer": true,
  labels: true,
  down: false,
  "breaker-open": false,
  overloaded: false,
  "not-computable": false,
  closed: false,
};

interface FailureEvent {
  readonly atUs: number;
  /** Answers that the release had given until then. */
  readonly answered: number;
  crash: ScorerError | null;
  failures: number;
}
interface Watched {
  answered: number;
  answeredAtLast: number;
  events: FailureEvent[];
}

/** What a release's failures have come to. */
export interface FailureFigures {
  /** Distinct ones: a batch that fails, a process that dies or hangs, a second or three of nothing but failures. */
  readonly events: number;
  /** Requests that it failed, and those that it answered, since the first of the events. */
  readonly failures: number;
  readonly answered: number;
}

/** Failures of one kind since a release was loaded. */
export interface FailureCount {
  readonly release: ReleaseId;
  readonly trouble: ScorerTrouble;
  readonly count: number;
}

export class FailureWatch {
  readonly #watched = new Map<ReleaseId, Watched>();
  readonly #counts = new Map<ReleaseId, Map<ScorerTrouble, number>>();

  answered(release: ReleaseId, count = 1): void {
    const watched = this.#watched.get(release);
    // Nobody counts for a release that never failed.
    if (watched) watched.answered += count;
  }

  /** @returns what it has come to when the release can't be said to serve any more, at most once for the same events */
  failed(release: ReleaseId, error: ScorerError, nowUs: number): FailureFigures | undefined {
    this.#count(release, error.trouble);
    const watched = this.#watched.get(release) ?? { answered: 0, answeredAtLast: 0, events: [] };
    this.#watched.set(release, watched);
    watched.events = watched.events.filter(({ atUs }) => nowUs - atUs <= FAILURES_WITHIN_US);
    const last = watched.events.at(-1);
    if (last && !beginsAnother(watched, last, error, nowUs)) {
      last.failures++;
      if (error.trouble === "crashed") last.crash ??= error;
    } else if (BEGINS[error.trouble]) {
      const crash = error.trouble === "crashed" ? error : null;
      watched.events.push({ atUs: nowUs, answered: watched.answered, crash, failures: 1 });
    }
    watched.answeredAtLast = watched.answered;
    const [first] = watched.events;
    if (!first || watched.events.length < FAILURE_EVENTS) return undefined;
    const failures = watched.events.reduce((sum, event) => sum + event.failures, 0);
    const answered = watched.answered - first.answered;
    if (failures < FAILED_SHARE * (failures + answered)) return undefined;
    const events = watched.events.length;
    watched.events = [];
    return { events, failures, answered };
  }

  /** All failures, those included that say nothing about the release. */
  counts(): readonly FailureCount[] {
    return [...this.#counts].flatMap(([release, counts]) => [...counts].map(([trouble, count]) => ({ release, trouble, count })));
  }

  /** Forgets all but these. */
  keep(releases: ReadonlySet<ReleaseId>): void {
    for (const known of [this.#watched, this.#counts])
      for (const release of known.keys()) if (!releases.has(release)) known.delete(release);
  }

  #count(release: ReleaseId, trouble: ScorerTrouble): void {
    const counts = this.#counts.get(release) ?? new Map<ScorerTrouble, number>();
    this.#counts.set(release, counts.set(trouble, (counts.get(trouble) ?? 0) + 1));
  }
}

function beginsAnother(watched: Watched, last: FailureEvent, error: ScorerError, nowUs: number): boolean {
  if (!BEGINS[error.trouble]) return false;
  // All rows of a process that dies share one error. A process that hangs ends in a crash, which is the same event.
  if (error.trouble === "crashed" && last.crash !== null) return last.crash !== error;
  const hasAnswered = watched.answered > watched.answeredAtLast;
  return nowUs - last.atUs >= (hasAnswered ? ONE_EVENT_US : SILENT_EVENT_US);
}
