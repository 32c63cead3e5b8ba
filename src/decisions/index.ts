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
