export {
  ABOUT_NOTHING,
  Matcher,
  alertKinds,
  newsWords,
  severities,
  type Alert,
  type AlertKind,
  type Condition,
  type Facts,
  type News,
  type Severity,
  type Silence,
} from "./alerts/alert.ts";
export { Alerts, type AlertDetail, type AlertRefusal, type AlertStatus, type ChannelStatus } from "./alerts/alerts.ts";
export type { Before, DeclarationKind, DeclarationRefusal } from "./alerts/declared.ts";
export type { Seen } from "./alerts/reconcile.ts";
export { AlertsSpec, ChannelSpec, unknownIssues } from "./alerts/spec.ts";
export { noticeStates, type StoredNotice, type Telling } from "./alerts/stored-notices.ts";
export type { Tested } from "./alerts/try-channel.ts";
export { groupFor, titleFor } from "./alerts/words.ts";
export { MIN_CELL, blockSince, type BlockVerdict, type Cumulative } from "./blocks.ts";
export { restsOn } from "./breach.ts";
export { evaluateCase, parseCases, type CaseResult, type EvidenceCase } from "./cases.ts";
export { differenceBand, pooledEvidence, rateBand, ratioBand, type Band, type Total } from "./confidence-sequence.ts";
export { CellSides, cumulativeOf, groupCoverage, selections, type GroupCoverage, type ServedRoute } from "./counting.ts";
export { undecidableIssues } from "./decidable.ts";
export { binomial, uniformStream, type Uniform } from "./draws.ts";
export { arrivals, boundDecisions, quantileOf, simulateDelays, slackOf, smallestShare, type Truth } from "./expected-delay.ts";
export { MinuteFold, isInMinutes, testsFromTheStart, type FoldedTest } from "./fold.ts";
export { EXPOSITION_CONTENT_TYPE, bounded, exposition, type HistogramSample, type MetricFamily, type MetricSample } from "./exposition.ts";
export { GuardrailEvaluator } from "./evaluator.ts";
export { isDifferenceBelow, isRateAbove, isRatioBelow, ratioOf } from "./exact.ts";
export { WARNING_BUDGET } from "./breach-evidence.ts";
export type { BreachCounts } from "./expectation-hours.ts";
export {
  ExpectationWatch,
  type BreachState,
  type ExpectationState,
  type ExpectationTotal,
  type ExpectationWarning,
} from "./expectation-watch.ts";
export { GuardrailSpec, PREVIOUS, REST, guardrailIssues, type DeclaredGroups } from "./guardrail.ts";
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
export { METRICS, kindOf, metricOf, type Direction, type MetricName } from "./metrics.ts";
export { advance, reconcile } from "./running-tests.ts";
export { labelOf, planTests, sideOf, type Group, type PlannedTest, type Side } from "./plan.ts";
export {
  TEST_KINDS,
  cellsOf,
  closeBlock,
  limitTrouble,
  startTest,
  type TestDefinition,
  type TestKind,
  type TestState,
} from "./sequential-test.ts";
export { RequestTally } from "./request-tally.ts";
export { sampleRatioEvidence, SAMPLE_RATIO_PROOF } from "./sample-ratio.ts";
export { additionBy, provenGuardrail } from "./spent.ts";
export { Breach, type RunningTest } from "./test-record.ts";
export { MetricAnswer, type GroupValues, type Reason } from "./values/answer.ts";
export { DRIFT_MEASURES, isDriftMeasure, type DriftMeasure } from "./values/drift.ts";
export { GROUP_METRICS, groupAnswers, isGroupMetric, type GroupMetricName, type GroupQuestion } from "./values/group-metrics.ts";
export { countCells, type CellCounts, type GroupTable } from "./values/groups.ts";
export { INPUT_METRICS, isInputMetric, type InputMetricName, type InputReference } from "./values/input-answers.ts";
export { OTHER_WRITERS, trainedMix } from "./values/mix-drift.ts";
export { readDriftAnswers, withoutOdds, type Trained } from "./values/read-drift.ts";
export { readPublished, type Published, type PublishedPart } from "./values/read-published.ts";
export { readInputAnswers } from "./values/read-inputs.ts";
export { readAnswers, type MetricsQuestion, type WindowedAnswer } from "./values/read-answers.ts";
export { readCells, type Window } from "./values/read-cells.ts";
export { edgeBefore, isEdge } from "./values/spans.ts";
export { hiddenIn, keyOf as groupKey, withoutSmallCells, type Hidden } from "./values/small-cells.ts";
export { SERVICE_METRICS, isServiceMetric, latencyQuantile, type ServiceMetricName } from "./values/service.ts";
export type { Labels, Terms } from "./values/rates.ts";
export {
  evidenceWithoutEach,
  restsOnWriter,
  writerDrifts,
  type BlocksByWriter,
  type WithoutWriter,
  type WriterCells,
  type WriterDrift,
} from "./writers.ts";
export type { WatchedEndpoint, WatchedRelease } from "./watched.ts";
