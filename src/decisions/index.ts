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
