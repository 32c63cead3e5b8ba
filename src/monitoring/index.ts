export { blockSince, MIN_CELL, type BlockVerdict, type Cumulative } from "./blocks.ts";
export { differenceBand, pooledEvidence, rateBand, ratioBand, type Band, type Total } from "./confidence-sequence.ts";
export { GuardrailEvaluator, type WatchedEndpoint, type WatchedRelease } from "./evaluator.ts";
export {
  GuardrailSpec,
  METRICS,
  guardrailIssues,
  labelOf,
  planTests,
  sideOf,
  type Group,
  type MetricName,
  type PlannedTest,
} from "./guardrail.ts";
export { guardrailState, type GuardrailState, type GuardrailWord } from "./guardrail-state.ts";
export { wilson } from "./intervals.ts";
export { Breach, type RunningTest } from "./test-record.ts";
