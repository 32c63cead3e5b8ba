/** What blame works on once everything has been scored: two windows of people and what each model says to them. Pure. */
import type { Policy } from "../serving/index.ts";
import type { Answers, Window } from "./bootstrap.ts";
import type { HarmLimit } from "./measure.ts";

/** Which of the two releases a part is taken from. */
export type Which = "good" | "bad";

/** Scores of one model for the people of each window, in their order. The same array object stands for the same model. */
export type ModelScores = readonly Float64Array[];

export interface Scene {
  /** The good release's own applicants, then the bad one's; one window where there is only one population. */
  readonly windows: readonly Window[];
  /** Models as they served: scorer and features. */
  readonly served: Readonly<Record<Which, ModelScores>>;
  readonly policies: Readonly<Record<Which, Policy>>;
  /** Which of the three differ between the releases; what doesn't can't be to blame. */
  readonly differs: { readonly model: boolean; readonly threshold: boolean };
  readonly limit: HarmLimit | null;
}

/** Makes answers of scores, each once: what is the same is then the same array, and measured once. */
export class Answering {
  readonly #scene: Scene;
  readonly #known = new Map<Float64Array, Map<Which, Answers>>();

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  of(scores: ModelScores, policy: Which, window: number): Answers {
    const mine = scores[window];
    if (!mine) throw new RangeError(`there is no window ${window}`);
    const which = this.#scene.differs.threshold ? policy : "good";
    const byPolicy = this.#known.get(mine) ?? new Map<Which, Answers>();
    this.#known.set(mine, byPolicy);
    let answers = byPolicy.get(which);
    if (!answers) {
      const policy = this.#scene.policies[which];
      answers = Uint8Array.from(mine, (score) => (policy.decide(score, {}).favourable ? 1 : 0));
      byPolicy.set(which, answers);
    }
    return answers;
  }
}
