/** A model in a container that this server runs, as people write it. Data, as it stands in YAML. */
import { Type, type Static } from "typebox";
import { Secret, protocols, type HttpScorerSpec } from "./http-scorer-spec.ts";

const container = {
  kind: Type.Literal("container"),
  image: Type.String({
    minLength: 1,
    maxLength: 500,
    description: "By digest: registry.example.com/credit@sha256:…; sha256:… alone is an image that this machine's engine has",
  }),
  port: Type.Integer({ minimum: 1024, maximum: 65_535, description: "Where the model's server listens inside" }),
  path: Type.Optional(Type.String({ pattern: "^/[!-~]*$", maxLength: 1000, description: "What its addresses begin with, if anything" })),
  args: Type.Optional(
    Type.Array(Type.String({ maxLength: 1000 }), {
      maxItems: 50,
      description: "Instead of the image's own; serve for SageMaker's contract",
    }),
  ),
  env: Type.Optional(
    Type.Record(Type.String({ pattern: "^[A-Za-z_][A-Za-z0-9_]{0,99}$" }), Type.Union([Type.String({ maxLength: 10_000 }), Secret]), {
      maxProperties: 100,
      additionalProperties: false,
    }),
  ),
  user: Type.Optional(Type.Enum(["image"], { description: "The image's own, should it insist; by default nobody in particular, 65532" })),
  memory_mb: Type.Optional(Type.Integer({ minimum: 16, maximum: 1_000_000, description: "512 by default; without swap" })),
  cpus: Type.Optional(Type.Number({ minimum: 0.1, maximum: 256, description: "1 by default" })),
  pids: Type.Optional(Type.Integer({ minimum: 8, maximum: 32_768, description: "Processes and threads, 256 by default" })),
  start_timeout_ms: Type.Optional(
    Type.Integer({ minimum: 1000, maximum: 600_000, description: "From its start until it is ready; 30,000 by default" }),
  ),
  pull_as: Type.Optional(
    Type.Object(
      { username: Type.String({ minLength: 1, maxLength: 250 }), password: Secret },
      { additionalProperties: false, description: "Whom the image's registry knows, if it asks" },
    ),
  ),
};
const closed = (title: string) => ({ title: `${title} in a container`, additionalProperties: false });

/** A model in a container; what is inside speaks one of the protocols of `HttpScorerSpec`. */
export const ContainerScorerSpec = Type.Union([
  Type.Object({ ...container, ...protocols.oip }, closed("Open Inference Protocol")),
  Type.Object({ ...container, ...protocols.mlflow }, closed("MLflow")),
  Type.Object({ ...container, ...protocols.kserve_v1 }, closed("KServe v1")),
  Type.Object({ ...container, ...protocols.sagemaker }, closed("SageMaker")),
  Type.Object({ ...container, ...protocols.template }, closed("JSON template")),
]);
export type ContainerScorerSpec = Static<typeof ContainerScorerSpec>;

/** The server inside, as one that listens on this machine. Where it really listens changes with every start. */
export function serverInside(spec: ContainerScorerSpec): HttpScorerSpec {
  return asHttp({ ...callsOf(spec), kind: "http", url: `http://127.0.0.1:${spec.port}${spec.path ?? ""}` });
}

const callsOf = (spec: ContainerScorerSpec) =>
  Object.fromEntries(Object.entries(spec).filter(([field]) => !Object.hasOwn(container, field)));
/** Without the fields of the container, and with those of a server, one form is the other: both are made of the same `protocols`. */
const asHttp = (spec: object) => spec as HttpScorerSpec;

/** How long a container may take until it is ready. */
export const startTimeoutOf = (spec: ContainerScorerSpec): number => spec.start_timeout_ms ?? 30_000;

/** `registry.example.com/credit` of `registry.example.com/credit@sha256:…`; undefined for an image that has no name. */
export const repositoryOf = (image: string): string | undefined => /^(.+)@sha256:/.exec(image)?.[1];
