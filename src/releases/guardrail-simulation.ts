/** How guardrails would have done on the recorded decisions of an endpoint. Reads, and changes nothing. */
import { readMinutesByDay, type ArmClass } from "../decisions/index.ts";
import {
  MinuteFold,
  guardrailStates,
  isInMinutes,
  planTests,
  testsFromTheStart,
  type FoldedTest,
  type GuardrailSpec,
  type RankedState,
} from "../monitoring/index.ts";
import { ok, type EndpointName, type Issue, type ReleaseId, type Result } from "../std.ts";
import type { StoreView } from "../store/index.ts";
import { parseEndpoint, type EndpointDefinition } from "./endpoint-spec.ts";

/** One test of one release. */
export interface SimulatedTest {
  readonly release: ReleaseId;
  readonly armClass: ArmClass;
  readonly state: RankedState;
  /** Where it would have had its proof; null: never. */
  readonly proven: { readonly atMs: number; readonly decisions: number } | null;
}
export interface Simulation {
  readonly tests: readonly SimulatedTest[];
  /** Guardrails that minutes don't tell enough about. */
  readonly leftOut: readonly { readonly guardrail: string; readonly why: string }[];
}

export interface SimulationQuestion {
  readonly endpoint: EndpointName;
  readonly groups: Readonly<Record<string, readonly string[]>>;
  readonly guardrails: readonly GuardrailSpec[];
  readonly budget: number;
  readonly favourable: ReadonlySet<string>;
  readonly releases: readonly ReleaseId[];
  readonly fromMs: number;
  readonly toMs: number;
}

const MINUTE_MS = 60_000;
const ARM_CLASSES = ["serving", "shadow"] as const satisfies readonly ArmClass[];

export async function simulateGuardrails(db: StoreView["db"], question: SimulationQuestion): Promise<Simulation> {
  const { endpoint, groups, guardrails, budget, favourable, releases, fromMs, toMs } = question;
  const [fromMinute, toMinute] = [Math.floor(fromMs / MINUTE_MS), Math.ceil(toMs / MINUTE_MS)];
  const tests: SimulatedTest[] = [];
  for (const release of releases) {
    const folds = ARM_CLASSES.map((armClass) => {
      const plans = planTests(guardrails, groups, budget, armClass).filter(isInMinutes);
      const owner = { endpoint, release, armClass, epoch: 0 };
      return new MinuteFold({ armClass, favourable, tests: testsFromTheStart({ owner, plans, favourable, budget }) });
    });
    for await (const rows of readMinutesByDay(db, { endpoint, release, fromMinute, toMinute })) for (const fold of folds) fold.add(rows);
    for (const fold of folds) tests.push(...told(fold.tests));
  }
  const known = new Set(
    ARM_CLASSES.flatMap((armClass) => planTests(guardrails, groups, budget, armClass).filter(isInMinutes)).map(
      ({ guardrail }) => guardrail,
    ),
  );
  const leftOut = guardrails
    .filter(({ name }) => !known.has(name))
    .map(({ name, metric }) => ({ guardrail: name, why: `the counts of minutes don't say what ${metric} needs` }));
  return { tests, leftOut };
}

/** Those that had anybody to count. */
function told(folded: readonly FoldedTest[]): readonly SimulatedTest[] {
  const states = guardrailStates(folded.map(({ test }) => test));
  return folded.flatMap(({ test: { release, armClass }, proven }, i): SimulatedTest[] => {
    const state = states[i];
    if (!state || state.groupN + state.referenceN === 0) return [];
    const at = proven && { atMs: (proven.minute + 1) * MINUTE_MS, decisions: proven.decisions };
    return [{ release, armClass, state: at ? { ...state, word: "breached" } : state, proven: at }];
  });
}

/** What was asked for: guardrails in place of the declared ones, releases, and a span of time. */
export interface SimulationAsked {
  readonly guardrails?: unknown;
  readonly budget?: unknown;
  readonly fromMs?: number;
  readonly toMs?: number;
}

/** Whether the guardrails could be declared so; issues have paths as in a declaration (`/guardrails/0/limit`). */
export function simulationQuestion(
  definition: EndpointDefinition,
  releases: readonly ReleaseId[],
  { guardrails, budget, fromMs = 0, toMs = Number.MAX_SAFE_INTEGER }: SimulationAsked,
): Result<SimulationQuestion, readonly Issue[]> {
  const changed = parseEndpoint({
    ...definition.spec,
    ...(guardrails === undefined ? {} : { guardrails }),
    ...(budget === undefined ? {} : { budget }),
  });
  if (!changed.ok) return changed;
  const { spec, compiled } = changed.value;
  return ok({
    endpoint: compiled.name,
    groups: spec.groups ?? {},
    guardrails: changed.value.guardrails,
    budget: changed.value.budget,
    favourable: new Set(Object.entries(spec.actions).flatMap(([action, { favourable }]) => (favourable ? [action] : []))),
    releases,
    fromMs,
    toMs,
  });
}
