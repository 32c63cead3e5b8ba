/** How guardrails stand: estimates with their bands and limits, evidence and what it takes. */
import {
  guardrailState,
  guardrailWord,
  type GuardrailState,
  type GuardrailWord,
  type MetricSample,
  type RunningTest,
} from "../../monitoring/index.ts";
import type { EndpointRoom, GuardrailControl } from "../../releases/index.ts";
import type { GroupNames } from "../group-names.ts";
import { SMALL_CELL } from "../group-names.ts";
import type { Collected } from "./families.ts";

type Guarded =
  | "evenkeel_guardrail_tests"
  | "evenkeel_guardrail_breached"
  | "evenkeel_guardrail_estimate"
  | "evenkeel_guardrail_band_low"
  | "evenkeel_guardrail_band_high"
  | "evenkeel_guardrail_limit"
  | "evenkeel_guardrail_evidence"
  | "evenkeel_guardrail_evidence_threshold"
  | "evenkeel_guardrail_forecast_decisions";

/** Shown with 0 too, so that a count that falls is seen to fall. */
const WORDS = [
  "no-data",
  "not-comparable",
  "not-identifiable",
  "ok",
  "watched",
  "breached",
  "paused",
] as const satisfies readonly GuardrailWord[];
/** Beyond it only those closest to proof are shown one by one. */
const MOST_TESTS = 500;
/** Some 2 ms of work; then decisions get their turn. */
const STATES_AT_ONCE = 4;

interface Shown {
  readonly room: EndpointRoom;
  readonly names: GroupNames;
  readonly test: RunningTest;
}

export class GuardrailGauges {
  readonly #control: Pick<GuardrailControl, "tests">;
  /** A test is another object once it has closed a block: until then its band, which is what costs, stays the same. */
  readonly #states = new WeakMap<RunningTest, GuardrailState>();

  constructor(control: Pick<GuardrailControl, "tests">) {
    this.#control = control;
  }

  /** @param namesIn - what the reader may call the groups of an endpoint */
  async collect(rooms: readonly EndpointRoom[], namesIn: (room: EndpointRoom) => GroupNames): Promise<Pick<Collected, Guarded>> {
    const all: Shown[] = [];
    for (const room of rooms) {
      const names = namesIn(room);
      for (const test of await this.#control.tests(room)) all.push({ room, names, test });
    }
    const shown = all.length <= MOST_TESTS ? all : all.toSorted((a, b) => urgency(b.test) - urgency(a.test)).slice(0, MOST_TESTS);
    const states = await this.#statesOf(shown);
    const of = (value: (state: GuardrailState, names: GroupNames) => number | null) =>
      states.flatMap(({ labels, state, names }): readonly MetricSample[] => {
        const known = value(state, names);
        return known === null ? [] : [{ labels, value: known }];
      });
    return {
      evenkeel_guardrail_tests: wordCounts(all),
      evenkeel_guardrail_breached: of(({ word }) => (word === "breached" ? 1 : 0)),
      evenkeel_guardrail_estimate: of((state, names) => (isHidden(state, names) ? null : state.estimate)),
      evenkeel_guardrail_band_low: of((state, names) => (isHidden(state, names) || state.estimate === null ? null : state.band[0])),
      evenkeel_guardrail_band_high: of((state, names) => (isHidden(state, names) || state.estimate === null ? null : state.band[1])),
      evenkeel_guardrail_limit: of(({ limit }) => limit),
      evenkeel_guardrail_evidence: of(({ logE }) => Math.exp(Math.min(logE, 700))),
      evenkeel_guardrail_evidence_threshold: of(({ threshold }) => Math.exp(threshold)),
      evenkeel_guardrail_forecast_decisions: of(({ forecastDecisions }) => forecastDecisions),
    };
  }

  async #statesOf(shown: readonly Shown[]) {
    const states: { readonly labels: Readonly<Record<string, string>>; readonly state: GuardrailState; readonly names: GroupNames }[] = [];
    let fresh = 0;
    for (const { room, names, test } of shown) {
      let state = this.#states.get(test);
      if (!state) {
        if (fresh++ % STATES_AT_ONCE === 0) await new Promise(setImmediate);
        state = guardrailState(test);
        this.#states.set(test, state);
      }
      states.push({ labels: labelsOf({ room, names, test }, state), state, names });
    }
    return states;
  }
}

const labelsOf = ({ room, names, test }: Shown, { guardrail, metric, group, reference }: GuardrailState) => ({
  endpoint: room.name,
  release: room.nameOf(test.release),
  arm: test.armClass,
  guardrail,
  metric,
  group: names.label(group),
  reference: names.reference(group, reference),
});

/** A breach first, then by the way that the evidence has come. */
const urgency = ({ breach, state, plan }: RunningTest): number =>
  breach ? Number.POSITIVE_INFINITY : state.test.logE / Math.log(1 / plan.alpha);

/** Numbers about so few people are for those who may see groups. */
const isHidden = ({ groupN, reference, referenceN }: GuardrailState, names: GroupNames): boolean =>
  !names.areVisible && (groupN < SMALL_CELL || (reference !== null && referenceN < SMALL_CELL));

function wordCounts(all: readonly Shown[]): readonly MetricSample[] {
  const counts = new Map<string, { readonly labels: { endpoint: string; guardrail: string; state: string }; value: number }>();
  const countOf = (endpoint: string, guardrail: string, state: string) => {
    const key = `${endpoint}\0${guardrail}\0${state}`;
    const count = counts.get(key) ?? { labels: { endpoint, guardrail, state }, value: 0 };
    counts.set(key, count);
    return count;
  };
  for (const { room, test } of all) {
    for (const word of WORDS) countOf(room.name, test.plan.guardrail, word);
    countOf(room.name, test.plan.guardrail, guardrailWord(test)).value++;
  }
  return [...counts.values()];
}
