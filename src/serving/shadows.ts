/** Answers that nobody receives: given after the real one, when there is time, and dropped when there is none. */
import type { DecisionLog } from "../decisions/index.ts";
import type { DecisionId } from "../std.ts";
import type { Clock } from "../store/index.ts";
import type { DecisionRequest, Inputs } from "./inputs.ts";
import { answerOf, type LoadedRelease } from "./loaded-release.ts";
import { ScorerError } from "./scorer.ts";

interface Job {
  readonly decision: DecisionId;
  readonly inputs: Inputs;
  readonly groups: DecisionRequest["groups"];
}

export interface ShadowStats {
  readonly queued: number;
  readonly answered: number;
  /** Dropped because too many waited. */
  readonly shed: number;
  /** The shadow had no answer. These aren't recorded: a person would have been answered by another release. */
  readonly failed: number;
}

const JOBS_AT_ONCE = 128;

export class Shadows {
  readonly #log: Pick<DecisionLog, "appendShadow">;
  readonly #clock: Clock;
  readonly #maxQueued: number;
  readonly #onFailure: (release: LoadedRelease, error: ScorerError) => void;
  readonly #jobs = new Map<LoadedRelease, Job[]>();
  readonly #running = new Map<LoadedRelease, Promise<void>>();
  #queued = 0;
  #answered = 0;
  #shed = 0;
  #failed = 0;

  constructor(options: {
    readonly log: Pick<DecisionLog, "appendShadow">;
    readonly clock: Clock;
    readonly maxQueued: number;
    readonly onFailure: (release: LoadedRelease, error: ScorerError) => void;
  }) {
    this.#log = options.log;
    this.#clock = options.clock;
    this.#maxQueued = options.maxQueued;
    this.#onFailure = options.onFailure;
  }

  offer(release: LoadedRelease, decision: DecisionId, { inputs, groups }: Pick<DecisionRequest, "inputs" | "groups">): void {
    if (this.#queued >= this.#maxQueued) return void this.#shed++;
    const jobs = this.#jobs.get(release);
    if (jobs) jobs.push({ decision, inputs, groups });
    else this.#jobs.set(release, [{ decision, inputs, groups }]);
    this.#queued++;
    if (!this.#running.has(release)) this.#running.set(release, this.#run(release));
  }

  shed(count: number): void {
    this.#shed += count;
  }

  /** Resolves when nothing waits or runs. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.values());
  }

  stats(): ShadowStats {
    return { queued: this.#queued, answered: this.#answered, shed: this.#shed, failed: this.#failed };
  }

  async #run(release: LoadedRelease): Promise<void> {
    await Promise.resolve(); // whoever offers has an answer to give first
    for (let jobs = this.#jobs.get(release); jobs && jobs.length > 0; jobs = this.#jobs.get(release)) {
      this.#jobs.set(release, jobs.slice(JOBS_AT_ONCE));
      const some = jobs.slice(0, JOBS_AT_ONCE);
      this.#queued -= some.length;
      await this.#answer(release, some);
    }
    this.#jobs.delete(release);
    this.#running.delete(release);
  }

  async #answer(release: LoadedRelease, jobs: readonly Job[]): Promise<void> {
    const startedUs = this.#clock.monotonicUs();
    const scored = await release.scorer.scoreMany(jobs.map(({ inputs }) => inputs));
    const latencyUs = Math.round((this.#clock.monotonicUs() - startedUs) / jobs.length);
    for (const [i, { decision, groups }] of jobs.entries()) {
      const each = scored[i];
      if (each === undefined || each instanceof ScorerError) {
        this.#failed++;
        if (each && each.trouble !== "closed") this.#onFailure(release, each);
        continue;
      }
      const { score, action, favourable } = answerOf(release, each, groups);
      this.#answered++;
      this.#log.appendShadow({
        decision,
        release: release.id,
        score,
        action,
        favourable,
        because: null,
        answeredAtMs: this.#clock.nowMs(),
        latencyUs,
      });
    }
  }
}
