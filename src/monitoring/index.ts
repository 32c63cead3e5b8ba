export { MIN_CELL, blockSince, type BlockVerdict, type Cumulative } from "./blocks.ts";
export { restsOn } from "./breach.ts";
export { differenceBand, pooledEvidence, rateBand, ratioBand, type Band, type Total } from "./confidence-sequence.ts";
export { groupCoverage, type GroupCoverage, type ServedRoute } from "./counting.ts";
export { EXPOSITION_CONTENT_TYPE, bounded, exposition, type HistogramSample, type MetricFamily, type MetricSample } from "./exposition.ts";
export { GuardrailEvaluator, type WatchedEndpoint, type WatchedRelease } from "./evaluator.ts";
export { isDifferenceBelow, isRateAbove, isRatioBelow, ratioOf } from "./exact.ts";
export { GuardrailSpec, REST, guardrailIssues, type DeclaredGroups } from "./guardrail.ts";
export {
  DECISIONS_TO_SAY,
  breachFigures,
  guardrailState,
  guardrailStates,
  guardrailWord,
  type GuardrailState,
  type GuardrailWord,
  type RankedState,
} from "./guardrail-state.ts";
export { newcombe, wilson } from "./intervals.ts";
export { METRICS, metricOf, type MetricName } from "./metrics.ts";
export { labelOf, planTests, sideOf, type Group, type PlannedTest, type Side } from "./plan.ts";
export { sampleRatioEvidence, SAMPLE_RATIO_PROOF } from "./sample-ratio.ts";
export { Breach, type RunningTest } from "./test-record.ts";
