/** A model behind a server that speaks HTTP, as people write it. Data, as it stands in YAML. */
import { Type, type Static } from "typebox";

const Pointer = (description: string) => Type.String({ pattern: "^(/[^/]*)*$", maxLength: 1000, description });
const Name = (description: string) => Type.String({ minLength: 1, maxLength: 250, description });

/** A value that isn't kept with the release: the server's environment has it as EVENKEEL_SECRET_ and the name in capitals. */
export const Secret = Type.Object({ secret: Type.String({ pattern: "^[a-z][a-z0-9_]{0,62}$" }) }, { additionalProperties: false });

const where = {
  kind: Type.Literal("http"),
  url: Type.String({ maxLength: 2000, description: "Where the server is: http://models.internal:8080" }),
};

const common = {
  send: Type.Optional(
    Type.Union([Type.Literal("features"), Type.Literal("inputs")], {
      description: "features: the feature set, computed here (default); inputs: the endpoint's inputs as they came, texts too",
    }),
  ),
  gives: Type.Optional(
    Type.Union([Type.Literal("scores"), Type.Literal("labels")], {
      description: "labels: the server can only say 0 or 1, and the policy has two bands",
    }),
  ),
  column: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 63, description: "Which number of each row, where there are several; the last of two by default" }),
  ),
  field: Type.Optional(Name("Which field of each row, where rows are objects")),
  headers: Type.Optional(
    Type.Record(Type.String({ pattern: "^[A-Za-z][A-Za-z0-9-]{0,99}$" }), Type.Union([Type.String({ pattern: "^[ -~]*$" }), Secret]), {
      maxProperties: 20,
      additionalProperties: false,
    }),
  ),
  timeout_ms: Type.Optional(Type.Integer({ minimum: 1, maximum: 60_000, description: "For one decision; the gateway's 200 at most" })),
  batch: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: "People in one request at most; 256 by default" })),
  connections: Type.Optional(Type.Integer({ minimum: 1, maximum: 64, description: "Requests under way at most; 4 by default" })),
};

/** How each protocol is spoken, wherever the server runs: in the order of `HttpScorerSpec`. */
export const protocols = {
  /** Open Inference Protocol v2: Triton, KServe, MLServer, OpenVINO, Seldon, TorchServe. */
  oip: {
    ...common,
    protocol: Type.Literal("oip"),
    model: Name("Its name at the server"),
    version: Type.Optional(Type.String({ pattern: "^[A-Za-z0-9._-]{1,100}$" })),
    layout: Type.Optional(
      Type.Union([Type.Literal("columns"), Type.Literal("tensor")], { description: "One input a column (default), or all in one tensor" }),
    ),
    input: Type.Optional(Name("The tensor's name; input-0 by default")),
    datatype: Type.Optional(
      Type.Union([Type.Literal("FP32"), Type.Literal("FP64")], { description: "Of numbers; FP32 in a tensor, FP64 in columns by default" }),
    ),
    output: Type.Optional(Name("Which output holds the score; the first of a floating-point type by default")),
    content_type: Type.Optional(Name("What MLServer is told of the rows: pd, np")),
  },
  /** MLflow's scoring server: `/invocations`. */
  mlflow: {
    ...common,
    protocol: Type.Literal("mlflow"),
    layout: Type.Optional(
      Type.Union([Type.Literal("split"), Type.Literal("objects"), Type.Literal("lists"), Type.Literal("columns")], {
        description: "dataframe_split (default), dataframe_records, instances or inputs",
      }),
    ),
  },
  /** KServe v1 and TensorFlow Serving: `:predict`. */
  kserve_v1: {
    ...common,
    protocol: Type.Literal("kserve_v1"),
    model: Name("Its name at the server"),
    layout: Type.Optional(
      Type.Union([Type.Literal("lists"), Type.Literal("objects")], { description: "Each row of instances; lists by default" }),
    ),
  },
  /** The contract of SageMaker's containers: `/invocations`, `/ping`. */
  sagemaker: {
    ...common,
    protocol: Type.Literal("sagemaker"),
    layout: Type.Optional(
      Type.Union([Type.Literal("csv"), Type.Literal("lists"), Type.Literal("objects")], {
        description: "CSV without a header line (default), or JSON with rows in instances",
      }),
    ),
    scores: Type.Optional(Pointer("Where the scores are in a JSON answer; /predictions by default")),
  },
  /** Any other server that takes and gives JSON. */
  template: {
    ...common,
    protocol: Type.Literal("template"),
    body: Type.Optional(Type.Unknown({ description: "What every request has besides the rows" })),
    rows: Pointer("Where the rows go in it; an empty text: they are the body"),
    layout: Type.Optional(
      Type.Union([Type.Literal("lists"), Type.Literal("objects"), Type.Literal("columns"), Type.Literal("list"), Type.Literal("object")], {
        description: "Of the rows; list and object: one person in each request. objects by default",
      }),
    ),
    scores: Pointer("Where the scores are in the answer"),
    ready: Type.Optional(
      Type.String({ pattern: "^/[!-~]*$", maxLength: 1000, description: "A path that answers 200 once the server is ready" }),
    ),
  },
};

/** Open Inference Protocol v2: Triton, KServe, MLServer, OpenVINO, Seldon, TorchServe. */
export const OipScorerSpec = Type.Object({ ...where, ...protocols.oip }, { title: "Open Inference Protocol", additionalProperties: false });
/** MLflow's scoring server: `/invocations`. */
export const MlflowScorerSpec = Type.Object({ ...where, ...protocols.mlflow }, { title: "MLflow", additionalProperties: false });
/** KServe v1 and TensorFlow Serving: `:predict`. */
export const KserveScorerSpec = Type.Object({ ...where, ...protocols.kserve_v1 }, { title: "KServe v1", additionalProperties: false });
/** The contract of SageMaker's containers: `/invocations`, `/ping`. */
export const SagemakerScorerSpec = Type.Object({ ...where, ...protocols.sagemaker }, { title: "SageMaker", additionalProperties: false });
/** Any other server that takes and gives JSON. */
export const TemplateScorerSpec = Type.Object({ ...where, ...protocols.template }, { title: "JSON template", additionalProperties: false });

/** A model behind a server that speaks HTTP. */
export const HttpScorerSpec = Type.Union([OipScorerSpec, MlflowScorerSpec, KserveScorerSpec, SagemakerScorerSpec, TemplateScorerSpec]);
export type HttpScorerSpec = Static<typeof HttpScorerSpec>;
