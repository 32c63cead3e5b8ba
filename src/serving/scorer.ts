/** What turns a person's inputs into a score. */
import { Type, type Static } from "typebox";
import { ModelExamples } from "../registry/index.ts";
import type { BlobId } from "../std.ts";
import { CellTest } from "./cell-tests.ts";
import { ContainerScorerSpec } from "./container-scorer-spec.ts";
import { HttpScorerSpec } from "./http-scorer-spec.ts";
import type { Inputs } from "./inputs.ts";
import type { TraceContext } from "./trace-context.ts";

const Score = Type.Number({ minimum: 0, maximum: 1 });
const Reason = Type.Optional(Type.String({ maxLength: 1000, description: "Told to the person with the answer" }));

const Otherwise = Type.Object({ score: Score, reason: Reason }, { additionalProperties: false, description: "Where no rule holds" });

/** The first rule whose condition holds gives the score. */
export const ConditionsSpec = Type.Object(
  {
    kind: Type.Literal("rules"),
    rules: Type.Array(
      Type.Object(
        {
          when: Type.String({ minLength: 1, maxLength: 4096, description: "CEL condition over the inputs" }),
          score: Score,
          reason: Reason,
        },
        { title: "Rule", additionalProperties: false },
      ),
      { maxItems: 1000 },
    ),
    otherwise: Otherwise,
  },
  { title: "Conditions", additionalProperties: false },
);
export type ConditionsSpec = Static<typeof ConditionsSpec>;

const Points = Type.Number({ minimum: -1e6, maximum: 1e6 });
const Cel = Type.String({
  minLength: 1,
  maxLength: 4096,
  description: "CEL expression over the inputs that gives a number, or true or false",
});

/** Points for what each characteristic of a person is, added up; the credit industry's form. */
export const ScorecardSpec = Type.Object(
  {
    kind: Type.Literal("rules"),
    scorecard: Type.Object(
      {
        base: Type.Optional(Type.Number({ minimum: -1e6, maximum: 1e6, description: "Points that everybody has; 0 by default" })),
        scale: Type.Union(
          [
            Type.Object({ from: Points, to: Points }, { additionalProperties: false, description: "Points of the scores 0 and 1" }),
            Type.Object(
              {
                at: Points,
                odds: Type.Number({ exclusiveMinimum: 0, maximum: 1e9 }),
                double: Type.Number({ exclusiveMinimum: 0, maximum: 1e6 }),
              },
              { additionalProperties: false, description: "At so many points the odds are so many to 1, and so many more double them" },
            ),
          ],
          { description: "How points become a score" },
        ),
        characteristics: Type.Array(
          Type.Object(
            {
              name: Type.Optional(Type.String({ minLength: 1, maxLength: 250, description: "The input's by default" })),
              input: Type.Optional(Type.String({ maxLength: 250 })),
              cel: Type.Optional(Cel),
              reason: Reason,
              bins: Type.Array(
                Type.Object({ is: CellTest, points: Points, reason: Reason }, { title: "Bin", additionalProperties: false }),
                { minItems: 1, maxItems: 200 },
              ),
              otherwise: Type.Optional(Type.Object({ points: Points, reason: Reason }, { additionalProperties: false })),
            },
            { title: "Characteristic", additionalProperties: false },
          ),
          { minItems: 1, maxItems: 200 },
        ),
        reasons: Type.Optional(Type.Integer({ minimum: 0, maximum: 4, description: "Principal reasons at most; 4 by default" })),
      },
      { additionalProperties: false },
    ),
  },
  { title: "Scorecard", additionalProperties: false },
);
export type ScorecardSpec = Static<typeof ScorecardSpec>;

/** What a table does where several of its rows hold, by the names of DMN. */
export const HitPolicy = Type.Union(
  [
    Type.Literal("unique"),
    Type.Literal("first"),
    Type.Literal("priority"),
    Type.Literal("any"),
    Type.Literal("collect_sum"),
    Type.Literal("collect_min"),
    Type.Literal("collect_max"),
  ],
  { description: "unique: never more than one; any: all that hold say the same; priority: the highest; collect: all together" },
);
export type HitPolicy = Static<typeof HitPolicy>;

/** Rows of tests, each with a score. */
export const DecisionTableSpec = Type.Object(
  {
    kind: Type.Literal("rules"),
    table: Type.Object(
      {
        hit: HitPolicy,
        columns: Type.Optional(
          Type.Record(Type.String({ pattern: "^[A-Za-z_][A-Za-z0-9_]{0,249}$" }), Cel, { maxProperties: 50, additionalProperties: false }),
        ),
        rows: Type.Array(
          Type.Object(
            {
              when: Type.Record(Type.String({ maxLength: 250 }), CellTest, {
                maxProperties: 50,
                description: "Tests of inputs and columns, which must all hold; of what isn't named, anything will do",
              }),
              score: Score,
              reason: Reason,
              priority: Type.Optional(Type.Integer({ minimum: 0, maximum: 1000, description: "For hit: priority; 0 by default" })),
            },
            { title: "Row", additionalProperties: false },
          ),
          { minItems: 1, maxItems: 1000 },
        ),
        otherwise: Type.Optional(Otherwise),
      },
      { additionalProperties: false },
    ),
  },
  { title: "Decision table", additionalProperties: false },
);
export type DecisionTableSpec = Static<typeof DecisionTableSpec>;

/** Rules run in process: they can't hang and need nothing. */
export const RulesScorerSpec = Type.Union([ConditionsSpec, ScorecardSpec, DecisionTableSpec], { title: "Rules" });
export type RulesScorerSpec = Static<typeof RulesScorerSpec>;

/** How a model is asked, and run. */
const onnxSettings = {
  output: Type.Optional(Type.String({ description: "Output that holds the score; by default the only one of a floating-point type" })),
  column: Type.Optional(Type.Integer({ minimum: 0, maximum: 63, description: "Column of the output; by default the last of at most two" })),
  class: Type.Optional(
    Type.String({
      maxLength: 250,
      description: "The column by the name of its class, where the model names its classes; instead of column",
    }),
  ),
  threads: Type.Optional(Type.Integer({ minimum: 1, maximum: 64, description: "Threads for one batch, 1 by default" })),
  batch: Type.Optional(
    Type.Object(
      { max_rows: Type.Integer({ minimum: 1, maximum: 1024, description: "People in one batch at most, 1,024 by default" }) },
      { additionalProperties: false, description: "Whoever waits goes along; a batch never waits while the model is idle" },
    ),
  ),
  examples: Type.Optional(ModelExamples),
};
/** The settings alone, for a release of a registered model. */
export const OnnxSettings = Type.Object(onnxSettings, { title: "OnnxSettings", additionalProperties: false });
export type OnnxSettings = Static<typeof OnnxSettings>;

/** A model in ONNX format. Runs in a process of its own. */
export const OnnxScorerSpec = Type.Object(
  {
    kind: Type.Literal("onnx"),
    model: Type.String({ pattern: "^sha256:[0-9a-f]{64}$", description: "Blob with the model, or with the manifest of its folder" }),
    ...onnxSettings,
  },
  { additionalProperties: false },
);
export type OnnxScorerSpec = Static<typeof OnnxScorerSpec>;

/** How a release scores. */
export const ScorerSpec = Type.Union([RulesScorerSpec, OnnxScorerSpec, HttpScorerSpec, ContainerScorerSpec], { title: "Scorer" });
export type ScorerSpec = Static<typeof ScorerSpec>;

/** The schema has checked its form. */
export const blobOf = (spec: OnnxScorerSpec): BlobId => spec.model as BlobId;

/** What a scorer gives for one person. */
export interface Scored {
  /** In [0, 1]. */
  readonly score: number;
  /** What gave it, the weightiest first; none where the scorer has none. */
  readonly reasons: readonly string[];
}

/** Why there is no score. Decisions are then answered by the next release in line. */
export type ScorerTrouble =
  /** No answer within the time given. */
  | "timeout"
  /** The process ended while it had the batch. */
  | "crashed"
  /** The process is being replaced, or the server can't be reached. */
  | "down"
  /** The server failed too often: it isn't asked for a while. */
  | "breaker-open"
  /** More rows wait than the scorer will ever answer in time. */
  | "overloaded"
  /** The model gave no number, or one outside of [0, 1]. */
  | "bad-score"
  /** An expression could not be computed for these inputs. */
  | "not-computable"
  /** The runtime or the server refused the batch. */
  | "failed"
  /** What the server answered holds no score for every row. */
  | "bad-answer"
  /** The server answered labels, over which no policy can be laid. */
  | "labels"
  | "closed";

/** There is no score. The world's fault, not the program's: the gateway asks the next release. */
export class ScorerError extends Error {
  override readonly name = "ScorerError";
  readonly trouble: ScorerTrouble;
  constructor(trouble: ScorerTrouble, message: string, options?: ErrorOptions) {
    super(message, options);
    this.trouble = trouble;
  }
}

/** Turns the inputs of people into scores. One per loaded release; safe for concurrent calls. */
export interface Scorer {
  /**
   * One person. Answers at once where nothing has to be waited for, so that rules cost no turn of the event loop.
   * @param trace - sent along by those that ask a server
   * @throws ScorerError at once or later
   */
  score(inputs: Inputs, timeoutMs: number, trace?: TraceContext): Scored | Promise<Scored>;
  /** Many people, in their order; a person who can't be scored gets the reason. Gives way to single ones between batches. */
  scoreMany(inputs: readonly Inputs[]): Promise<readonly (Scored | ScorerError)[]>;
  /** Frees its memory and process. Calls under way fail as `closed`. */
  close(): Promise<void>;
  /** Its way in below the inputs, for mixing the rows of two people; none for rules, which say their reasons themselves. */
  readonly rows?: ScorerRows;
}

/** One value of a row: what is missing is NaN or null. */
export type RowValue = number | string | boolean | null;

/** The rows that a scorer makes of people's inputs before its model sees them. */
export interface ScorerRows {
  /** What the columns hold: features of the feature set, or inputs of the endpoint where those are sent. */
  readonly columns: { readonly kind: "features" | "inputs"; readonly names: readonly string[] };
  /** @throws ScorerError where it can't be computed */
  readonly rowOf: (inputs: Inputs) => readonly RowValue[];
  /** Scores in the order of the rows. Gives way to single decisions between batches. @throws ScorerError */
  readonly score: (rows: readonly (readonly RowValue[])[]) => Promise<Float64Array>;
}

/** Rows of features to raw outputs. */
export interface Model {
  /**
   * @param rows - features in the order of the feature set, row-major, length `n * width`, at most `maxRows` rows
   * @returns one number for each row, as the model gave it: it may be anything, NaN too
   * @throws ScorerError
   */
  run(rows: Float32Array, timeoutMs: number): Promise<Float64Array>;
  /** In one call. */
  readonly maxRows: number;
  close(): Promise<void>;
}

/** @throws ScorerError when it is no score */
export function checkedScore(score: number): number {
  if (score >= 0 && score <= 1) return score;
  throw new ScorerError("bad-score", `expected a score from 0 to 1, the model gave ${score}`);
}
