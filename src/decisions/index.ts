export { DecisionLog, type DecisionLogMetrics, type DecisionLogOptions } from "./decision-log.ts";
export {
  LogOverloaded,
  armClassOf,
  type Ack,
  type AnsweredBy,
  type AppendOutcome,
  type Arm,
  type ArmClass,
  type DecisionRecord,
  type ServingArm,
  type ShadowAnswer,
  type StoredReply,
} from "./decision-record.ts";
export { DURATION_BOUNDS, Durations, addDurations, type DurationCounts } from "./durations.ts";
export { ERASED_CELL } from "./digest.ts";
export { eraseSubject, sweepErased } from "./erase.ts";
export { matureOutcomes, readMatured, type MaturedRow, type MaturedState } from "./matured.ts";
export { readOutcomes, recordOutcomes, type KnownOutcome, type Outcome, type RecordedOutcomes } from "./outcomes.ts";
export { SCORE_BINS, hourOf, latencyBucketOf, scoreBinOf } from "./bin-counts.ts";
export {
  readInputWindow,
  readLatencyTotals,
  readLatencyWindow,
  readScoreOutcomes,
  readScoreTotals,
  readScoreWindow,
  type InputRow,
  type LatencyRow,
  type ScoreOutcomeRow,
  type ScoreRow,
} from "./read-bins.ts";
export { BIN_NAMES, InputProfile, OWN_BINS, binCount, binLabel, inputBinner, type ProfiledInput } from "./input-profile.ts";
export { readDays, readMadeBy, type DayRow, type DecisionHead } from "./read-days.ts";
export {
  isReplayable,
  readDecision,
  readDecisions,
  readForReplay,
  readLogEnd,
  readShadowAnswers,
  recentForReplay,
  type DecisionFilter,
  type DecisionPage,
  type PageRequest,
  type RecordedDecision,
  type RecordedShadow,
  type ReplayableDecision,
} from "./read-decisions.ts";
export {
  readDaily,
  readDailyCells,
  readDailyOutcomes,
  readPeriod,
  type DailyCellRow,
  type DailyOutcomeRow,
  type DailyRow,
} from "./read-period.ts";
export {
  readFlips,
  readMinutes,
  readMinutesByDay,
  readOutcomeTotals,
  readTotals,
  readTotalsBySource,
  readWindow,
  type FlipRow,
  type MinuteRow,
  type OutcomeTotalRow,
  type SourceTotalRow,
  type TallyFilter,
  type TotalRow,
} from "./read-tallies.ts";
export type { RecordedCount } from "./recorded-counts.ts";
export { readSpansBySource, readWindowBySource, type SpanBySource } from "./read-minutes-by-source.ts";
export { SCORE_BOUNDS, addScores, type ScoreCounts } from "./score-counts.ts";
export { recount, type Recount } from "./recount.ts";
export type { TallyDifference } from "./tally-difference.ts";
export { appendDurably, makeFolder } from "./sinks/files.ts";
export { Lease } from "./sinks/lease.ts";
export type { SinkState, SinkStatus } from "./sinks/sink-status.ts";
export { Sinks, type AppliedSink, type SinkActor, type SinkRefusal } from "./sinks/sinks.ts";
export { SinkSpec } from "./sinks/spec.ts";
export { REPEAT_WITHIN_MS, UNKNOWN_GROUP, cellKey, groupsOf, minuteOf, type Counts } from "./tally.ts";
export { verifyLog, type LogHead, type LogProblem, type LogVerdict } from "./verify-log.ts";
