/** How tests stand, as the API gives them: groups by letters and small cells left out for readers who may not see groups. */
import { guardrailStates, type RankedState, type RunningTest } from "../monitoring/index.ts";
import type { EndpointRoom } from "../releases/index.ts";
import type { GuardrailStateView } from "./endpoint-view.ts";
import { SMALL_CELL, type GroupNames } from "./group-names.ts";

/**
 * Of a state in a span that its reader chose, or at a moment that is kept: subtracted from another one its counts would tell of single
 * people, so whoever may not see groups gets none.
 */
export const WITHOUT_FIGURES = {
  groupDecisions: null,
  referenceDecisions: null,
  estimate: null,
  band: null,
  likeForLike: null,
  likeForLikeInterval: null,
  mixDiffers: false,
  forecastDecisions: null,
} as const;

/** All tests, ranked among those of the same life of their release. */
export function guardrailViews(room: EndpointRoom, tests: readonly RunningTest[], names: GroupNames): GuardrailStateView[] {
  const lives = Map.groupBy(tests, ({ release, armClass, epoch }) => `${release} ${armClass} ${epoch}`);
  const ranked = new Map<RunningTest, RankedState>();
  for (const life of lives.values()) {
    const states = guardrailStates(life);
    for (const [i, test] of life.entries()) {
      const state = states[i];
      if (state) ranked.set(test, state);
    }
  }
  return tests.flatMap((test) => {
    const state = ranked.get(test);
    return state ? [guardrailStateView(room, test, state, names)] : [];
  });
}

export function guardrailStateView(
  room: EndpointRoom,
  { release, armClass }: Pick<RunningTest, "release" | "armClass">,
  state: RankedState,
  names: GroupNames,
): GuardrailStateView {
  const isHidden = !names.areVisible && (state.groupN < SMALL_CELL || (state.reference !== null && state.referenceN < SMALL_CELL));
  const interval = ([low, high]: readonly [number, number | null]) => ({ low, high });
  return {
    guardrail: state.guardrail,
    metric: state.metric,
    action: state.action,
    release: room.nameOf(release),
    arm: armClass,
    group: names.label(state.group),
    reference: names.reference(state.group, state.reference),
    limit: state.limit,
    direction: state.direction,
    state: state.word,
    groupDecisions: isHidden ? null : state.groupN,
    referenceDecisions: isHidden ? null : state.referenceN,
    estimate: isHidden ? null : state.estimate,
    band: isHidden || state.estimate === null ? null : interval(state.band),
    likeForLike: isHidden ? null : state.likeForLike,
    likeForLikeInterval: isHidden || state.likeForLikeInterval === null ? null : interval(state.likeForLikeInterval),
    mixDiffers: !isHidden && state.mixDiffers,
    isNamed: state.isNamed,
    isWarned: state.isWarned,
    why: state.why,
    odds: state.odds,
    evidence: Math.exp(Math.min(state.logE, 700)),
    threshold: Math.exp(state.threshold),
    forecastDecisions: state.forecastDecisions,
    paused: state.paused,
  };
}
