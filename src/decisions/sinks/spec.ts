/** A sink as people write it. Data, as it stands in YAML. */
import { Type, type Static } from "typebox";
import { SIGNING, SecretName, secretIssues, type Egress } from "../../access/index.ts";
import { checked } from "../../checked.ts";
import { err, ok, unreachable, type Issue, type Result } from "../../std.ts";

const Name = Type.String({ pattern: "^[a-z][a-z0-9-]{0,62}$" });

const NdjsonTarget = Type.Object(
  {
    kind: Type.Literal("ndjson"),
    max_bytes: Type.Optional(
      Type.Integer({
        minimum: 1024,
        maximum: 2 ** 40,
        description: "A file that has so many is followed by a new one; 256 MiB by default",
      }),
    ),
  },
  { title: "NdjsonTarget", additionalProperties: false, description: "In the data folder, sinks/<name>; a new file each day" },
);
const ParquetTarget = Type.Object(
  {
    kind: Type.Literal("parquet"),
    rows: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000, description: "In one file at most; 10,000 by default" })),
    every_seconds: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 86_400,
        description: "A file is written at least so often while there is something; 300 by default",
      }),
    ),
  },
  { title: "ParquetTarget", additionalProperties: false, description: "In the data folder, sinks/<name>, by endpoint and day" },
);
const MongodbTarget = Type.Object(
  {
    kind: Type.Literal("mongodb"),
    secret: SecretName,
    database: Type.Optional(Type.String({ pattern: "^[A-Za-z0-9_-]{1,63}$", description: "evenkeel by default" })),
    keep_days: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 36_500,
        description: "The database itself deletes documents of decisions that are older; never by default",
      }),
    ),
  },
  { title: "MongodbTarget", additionalProperties: false },
);
const HttpTarget = Type.Object(
  {
    kind: Type.Literal("http"),
    url: Type.String({ maxLength: 2000 }),
    secrets: Type.Array(SecretName, {
      minItems: 1,
      maxItems: 5,
      uniqueItems: true,
      description: "What requests are signed with (whsec_… or whsk_…); two while one replaces the other",
    }),
    batch: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: "Events in one request at most; 100 by default" })),
    timeout_ms: Type.Optional(Type.Integer({ minimum: 100, maximum: 60_000, description: "For one request; 15,000 by default" })),
  },
  { title: "HttpTarget", additionalProperties: false },
);

/** What a sink may be told beside the decision itself; all of it is personal. */
const INCLUDABLE = ["groups", "inputs", "subject"] as const;

export const SinkSpec = Type.Object(
  {
    kind: Type.Literal("sink"),
    name: Name,
    endpoints: Type.Optional(
      Type.Array(Name, { minItems: 1, maxItems: 1000, uniqueItems: true, description: "All by default, also those to come" }),
    ),
    start: Type.Optional(
      Type.Union([Type.Literal("beginning"), Type.Literal("now")], {
        description: "What a new sink gets first: all that was ever recorded (default), or only what comes",
      }),
    ),
    protected: Type.Optional(Type.Boolean({ description: "Says in words that personal data leaves Evenkeel" })),
    include: Type.Optional(Type.Array(Type.Enum([...INCLUDABLE]), { minItems: 1, uniqueItems: true })),
    target: Type.Union([NdjsonTarget, ParquetTarget, MongodbTarget, HttpTarget]),
  },
  { title: "SinkDeclaration", additionalProperties: false },
);
export type SinkSpec = Static<typeof SinkSpec>;
export type TargetSpec = SinkSpec["target"];
export type TargetOf<K extends TargetSpec["kind"]> = Extract<TargetSpec, { readonly kind: K }>;

const check = checked(SinkSpec);

/** What the server knows and a sink only names. */
export interface SinkSurroundings {
  readonly egress: Egress;
  readonly secrets: Readonly<Record<string, string>>;
  readonly endpoints: () => readonly string[];
}

/** Reads a sink. Every setting that can't work on this server is named; whether the target answers isn't asked here. */
export function parseSink(value: unknown, around: SinkSurroundings): Result<SinkSpec, readonly Issue[]> {
  const spec = check(value);
  if (!spec.ok) return spec;
  const issues = [...protectedIssues(spec.value), ...endpointIssues(spec.value, around), ...targetIssues(spec.value.target, around)];
  return issues.length > 0 ? err(issues) : ok(spec.value);
}

/** A sink that was checked when it was applied, as it was stored. */
export function storedSink(text: string): SinkSpec {
  const spec = check(JSON.parse(text));
  if (!spec.ok) throw new Error(`a stored sink can't be read: ${JSON.stringify(spec.error)}`);
  return spec.value;
}

function protectedIssues(spec: SinkSpec): readonly Issue[] {
  if (spec.include && spec.protected !== true)
    return [
      {
        path: "/protected",
        expected: "true, since groups, inputs and subjects are personal",
        got: spec.protected === undefined ? "nothing" : "false",
        hint: `with "include", the target keeps people's data where Evenkeel can't erase it`,
      },
    ];
  if (spec.protected === true && !spec.include)
    return [{ path: "/include", expected: `what of it is delivered: ${INCLUDABLE.join(", ")}`, got: "nothing" }];
  return [];
}

function endpointIssues({ endpoints }: SinkSpec, around: SinkSurroundings): readonly Issue[] {
  const known = around.endpoints();
  return (endpoints ?? []).flatMap((name, i) =>
    known.includes(name)
      ? []
      : [{ path: `/endpoints/${i}`, expected: `an endpoint: ${known.join(", ") || "there is none yet"}`, got: name }],
  );
}

function targetIssues(target: TargetSpec, { egress, secrets }: SinkSurroundings): readonly Issue[] {
  switch (target.kind) {
    case "ndjson":
    case "parquet":
      return [];
    case "mongodb":
      return secretIssues("/target/secret", target.secret, secrets, {
        isRight: (text) => /^mongodb(\+srv)?:[/][/]/.test(text),
        expected: "an address that begins with mongodb:// or mongodb+srv://",
      });
    case "http": {
      const refused = egress.check(target.url);
      return [
        ...(refused ? [{ path: "/target/url", ...refused }] : []),
        ...target.secrets.flatMap((name, i) => secretIssues(`/target/secrets/${i}`, name, secrets, SIGNING)),
      ];
    }
    default:
      return unreachable(target);
  }
}
