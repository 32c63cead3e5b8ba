/** A batch on its way to the database: lists instead of objects, since the message to the writing thread is copied value by value. */
import type { AnsweredBy, DecisionRecord, ServingArm, ShadowAnswer, StoredReply } from "./decision-record.ts";

export type DecisionTuple = readonly [
  id: string,
  endpoint: string,
  release: string,
  arm: ServingArm,
  generation: number,
  cell: string,
  subject: string | null,
  payload: string,
  salt: string,
  score: number | null,
  action: string,
  favourable: 0 | 1,
  reasonsJson: string,
  answeredBy: AnsweredBy,
  because: string | null,
  decidedAtMs: number,
  latencyUs: number,
  idempotencyKey: string | null,
  bodyHash: string | null,
  source: string,
  inputBins: string | null,
];

export type ShadowTuple = readonly [
  decision: string,
  release: string,
  score: number | null,
  action: string,
  favourable: 0 | 1,
  because: string | null,
  answeredAtMs: number,
  latencyUs: number,
];

export interface Batch {
  /** Whose tallies these answers go to. */
  readonly writer: string;
  readonly decisions: readonly DecisionTuple[];
  readonly shadows: readonly ShadowTuple[];
  /**
   * Parts of `decisions` that go in as a whole or not at all, as from and up to; together they are all of them. A part in which a key
   * was used before with another body stays out.
   */
  readonly wholes?: readonly (readonly [from: number, to: number])[];
  /** Write, in the same transaction, what earlier batches add to the tables by bin. */
  readonly countBins?: true;
}

/** What became of one decision of a batch: its number, the reply recorded before, a key used with another body, or left out with such a one. */
export type Settled = number | StoredReply | "other-body" | "left-out";
export interface BatchReply {
  /** One for each decision, in order. */
  readonly settled: readonly Settled[];
  /** Shadow answers left out, because their decision isn't in the log or they were there already. */
  readonly shadowsDropped: number;
}

/** Commits batches one after the other, each in one durable transaction. */
export interface Committer {
  /** @throws StorageError; then nothing is recorded, or with `outcome-unknown` all or nothing */
  commit(batch: Batch): Promise<BatchReply>;
  /**
   * After `outcome-unknown`: makes sure that what the database shows is on disk.
   * @returns those of `ids` that are recorded, with their numbers
   */
  recorded(ids: readonly string[]): Promise<ReadonlyMap<string, number>>;
}

export const decisionTuple = (record: DecisionRecord): DecisionTuple => [
  record.id,
  record.endpoint,
  record.release,
  record.arm,
  record.generation,
  record.cell,
  record.subject,
  record.payload,
  record.salt.toString("hex"),
  record.score,
  record.action,
  record.favourable ? 1 : 0,
  record.reasons.length === 0 ? "[]" : JSON.stringify(record.reasons),
  record.answeredBy,
  record.because,
  record.decidedAtMs,
  record.latencyUs,
  record.idempotencyKey,
  record.bodyHash,
  record.source,
  record.inputBins ?? null,
];

export const shadowTuple = (answer: ShadowAnswer): ShadowTuple => [
  answer.decision,
  answer.release,
  answer.score,
  answer.action,
  answer.favourable ? 1 : 0,
  answer.because,
  answer.answeredAtMs,
  answer.latencyUs,
];
