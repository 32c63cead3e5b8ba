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
export { differenceBand, pooledEvidence, rateBand, ratioBand, type Band, type Total } from "./confidence-sequence.ts";
export { groupCoverage, type GroupCoverage, type ServedRoute } from "./counting.ts";
export { EXPOSITION_CONTENT_TYPE, exposition, type MetricFamily, type MetricSample } from "./exposition.ts";
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
