/** Takes rollouts forward, or ends them, on what has been counted and proven; and can say what each waits for. */
import { recentForReplay } from "../decisions/index.ts";
import { guardrailWord } from "../monitoring/index.ts";
import { replay, type ReplayedAnswer } from "../serving/index.ts";
import type { Store } from "../store/index.ts";
import type { EndpointRoom } from "./endpoint-room.ts";
import { rulesAt } from "./endpoint-spec.ts";
import type { GuardrailControl } from "./guardrail-control.ts";
import { peopleIn } from "./people-in-place.ts";
import { explain } from "./refusals.ts";
import type { Releases } from "./releases.ts";
import { replayedGuardrails } from "./replayed-guardrails.ts";
import { judgeStep, type ReplayVerdict, type RolloutVerdict } from "./rollout-judge.ts";
import type { RolloutStep } from "./rollout-plan.ts";
import type { Rollout } from "./route-table.ts";
import type { Actor } from "./transition.ts";

export interface RolloutControlParts {
  readonly store: Store;
  readonly releases: Releases;
  readonly control: GuardrailControl;
}

const actor: Actor = { kind: "system", name: "rollout" };
/** Few applications say little, and a step that asked for more waits for them. */
const REPLAY_SHARE = 0.5;

export class RolloutControl {
  readonly #parts: RolloutControlParts;
  /** The replay of a step is made once, when it has enough to replay: by generation of the step's beginning. */
  readonly #replayed = new Map<string, ReplayVerdict>();

  constructor(parts: RolloutControlParts) {
    this.#parts = parts;
  }

  /** Looks at every rollout; at most one step each. */
  async tick(): Promise<void> {
    for (const room of this.#parts.releases.rooms()) {
      const { rollout } = room.table;
      if (!rollout) continue;
      const verdict = await this.#judge(room, rollout);
      if (verdict.kind === "abort") await this.#abort(room, verdict.because);
      if (verdict.kind === "go") await this.#advance(room, rollout);
    }
  }

  /** What a rollout waits for, or what will be done about it at the next tick; undefined where none is under way. */
  async verdict(room: EndpointRoom): Promise<RolloutVerdict | undefined> {
    const { rollout } = room.table;
    return rollout ? this.#judge(room, rollout) : undefined;
  }

  async #judge(room: EndpointRoom, rollout: Rollout): Promise<RolloutVerdict> {
    const { store, control } = this.#parts;
    const { release, plan, step, counted } = rollout;
    const at = plan[step];
    const armClass = at?.place === "shadow" ? "shadow" : "serving";
    const tests = at && at.place !== "none" ? await control.tests(room) : [];
    const nowMs = store.runtime.clock.nowMs();
    return judgeStep(rollout, {
      people: at ? (await peopleIn(store, room.name, release, at.place)) - counted : 0,
      guardrails: tests
        .filter((test) => test.release === release && test.armClass === armClass)
        .map((test) => ({ guardrail: test.plan.guardrail, word: guardrailWord(test) })),
      replay: at && at.replay > 0 ? await this.#replay(room, rollout, at) : null,
      hold: room.table.hold,
      frozen: rulesAt(room.definition, nowMs).frozen,
      nowMs,
    });
  }

  async #advance(room: EndpointRoom, { release, plan, step }: Rollout): Promise<void> {
    const next = plan[step + 1];
    const counted = next ? await peopleIn(this.#parts.store, room.name, release, next.place) : 0;
    const reason = `step ${step + 1} of ${plan.length} passed`;
    // Refused where somebody was quicker: the next look sees what they did.
    await this.#parts.releases.command(room.name, { kind: "advance-rollout", release, step, counted }, { actor, reason });
  }

  async #abort(room: EndpointRoom, because: string): Promise<void> {
    await this.#parts.releases.command(room.name, { kind: "abort-rollout" }, { actor, reason: because });
  }

  /** Has the release answer recent applications: it must answer them all and breach no guardrail of ratios among them. */
  async #replay(room: EndpointRoom, { release, stepSinceMs }: Rollout, { replay: asked }: RolloutStep): Promise<ReplayVerdict> {
    const key = `${room.name}/${release}/${stepSinceMs}`;
    const known = this.#replayed.get(key);
    if (known) return known;
    const { store, releases } = this.#parts;
    const recorded = await recentForReplay(store.db, room.name, { release: room.table.live, limit: asked });
    const enough = Math.ceil(asked * REPLAY_SHARE);
    if (recorded.length < enough) return { kind: "not-yet", why: `${recorded.length} applications to replay, ${enough} are the least` };
    const lent = await releases.lend(room, room.info(release));
    if (!lent.ok) return { kind: "failed", because: explain(lent.error, (id) => room.nameOf(id)) };
    try {
      const answers = await replay(lent.value.release, recorded);
      const verdict = verdictOf(room, answers);
      this.#replayed.set(key, verdict);
      return verdict;
    } finally {
      lent.value.giveBack();
    }
  }
}

function verdictOf({ definition }: EndpointRoom, answers: readonly ReplayedAnswer[]): ReplayVerdict {
  const failed = answers.filter(({ kind }) => kind === "failed").length;
  if (failed > 0) return { kind: "failed", because: `it has no answer to ${failed} of ${answers.length} recent applications` };
  const breached = replayedGuardrails(definition, answers).find(({ wouldBreach }) => wouldBreach);
  return breached
    ? { kind: "failed", because: `${breached.guardrail} would be breached on ${answers.length} recent applications` }
    : { kind: "passed" };
}
