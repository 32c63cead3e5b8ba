export { OIP_OUTPUTS, PREDICTIONS, parseEndpoint, type EndpointDefinition, EndpointSpec } from "./endpoint-spec.ts";
export { AbControl, type AbComparison, type AbPast } from "./ab-control.ts";
export {
  DecisionLineage,
  type DayCount,
  type DecisionTrace,
  type MadeWithPage,
  type PageEnd,
  type ReleaseCount,
  type RouteAt,
} from "./decision-lineage.ts";
export { DrillMode, Drills, type Drill } from "./drill.ts";
export type { EndpointRoom } from "./endpoint-room.ts";
export { FailureControl } from "./failure-control.ts";
export { Rollbacks } from "./rollbacks.ts";
export { GuardrailControl, decisionsOf, findingOf } from "./guardrail-control.ts";
export { simulateGuardrails, simulationQuestion, type SimulatedTest, type Simulation } from "./guardrail-simulation.ts";
export { AlertConditions, guardrailsTelling } from "./alert-conditions.ts";
export {
  breachIn,
  movesFrom,
  saidStates,
  type CandidateTried,
  type Incident,
  type IncidentBody,
  type IncidentEvent,
  type IncidentHead,
  type IncidentState,
  type SaidState,
} from "./incident-record.ts";
export { Incidents, type IncidentRefusal } from "./incidents.ts";
export { InputProfiles, readInputProfile } from "./input-profiles.ts";
export { LoadedAhead } from "./loaded-ahead.ts";
export { madeOf, type CodeStep, type MadeOf, type RunCode, type UsedDataset, type UsedRun } from "./made-of.ts";
export { MetricsSpec, metricTerms, type MetricTerms } from "./metrics-spec.ts";
export { modelCard, type CardUse, type ModelCard } from "./model-card.ts";
export { Looks } from "./looks.ts";
export { MemoryBudget } from "./memory-budget.ts";
export { OpenLineage } from "./openlineage/exporter.ts";
export type { TargetSpec as OpenLineageTarget } from "./openlineage/targets.ts";
export { previewRollback, type RollbackPreview } from "./rollback-preview.ts";
export { explain, type ReleaseRefusal } from "./refusals.ts";
export { readEndpoints, readReleases, type ReleaseInfo } from "./release-rows.ts";
export { ReleaseSpec } from "./release-spec.ts";
export type { By } from "./release-writer.ts";
export { Releases, type Applied, type Switched } from "./releases.ts";
export { RolloutControl } from "./rollout-control.ts";
export type { RolloutVerdict, WaitsFor } from "./rollout-judge.ts";
export type { Wish } from "./route-commands.ts";
export { ScoreReferences, readScoreReference, type ScoreReference } from "./score-references.ts";
export { TransitionCounts, rollbackTriggers } from "./transition-counts.ts";
export { besideLive, placesOf, rollbackCandidates, standbyOf, type AbTest, type OpenTable } from "./route-table.ts";
export { asCommandId, subjectOf, type Actor, type Change, type Place, type Transition } from "./transition.ts";
