export { DecisionLog, type DecisionLogOptions } from "./decision-log.ts";
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
export {
  readFlips,
  readMinutes,
  readTotals,
  readTotalsBySource,
  type FlipRow,
  type MinuteRow,
  type SourceTotalRow,
  type TotalRow,
} from "./read-tallies.ts";
export { REPEAT_WITHIN_MS, UNKNOWN_GROUP, cellKey, groupsOf, minuteOf } from "./tally.ts";
export { eraseSubject, sweepErased } from "./erase.ts";
export { readOutcomes, recordOutcomes, type KnownOutcome, type Outcome, type RecordedOutcomes } from "./outcomes.ts";
export {
  isReplayable,
  readDecision,
  readDecisions,
  readLogEnd,
  readShadowAnswers,
  recentForReplay,
  type DecisionFilter,
  type DecisionPage,
  type RecordedDecision,
  type ReplayableDecision,
} from "./read-decisions.ts";
export { recount, type Recount, type TallyDifference } from "./recount.ts";
export { verifyLog, type LogHead, type LogVerdict } from "./verify-log.ts";
